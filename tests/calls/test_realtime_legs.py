"""Sessions whose audio leaves on a leg of its own in real time, as over WebRTC: the server owns the playout."""

from __future__ import annotations

from typing import Any

import pytest
from tests.calls.realtime_rig import MS_PER_CHARACTER, Client, Rig, said
from tests.calls.test_realtime_failures import Mute
from tests.calls.test_realtime_responses import LONG, WEATHER, asks

from antiphon.providers.scripted import ScriptedSpeechToText
from antiphon.vocabulary import EndReason


def leg(**options: Any) -> Rig:
    return Rig(plays_out=True, **options)


def test_a_response_is_done_before_it_was_heard() -> None:
    rig = leg(answers=["One two three four five."])

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done")
        assert client.of("output_audio_buffer.stopped") == []
        await client.until("output_audio_buffer.stopped")

    client = rig.run(talk)
    assert client.audio() == b""
    assert client.types[1:] == [
        "created", "output_item.added", "item.added", "content_part.added", "output_audio_transcript.delta",
        "output_audio_buffer.started", "output_audio.done", "output_audio_transcript.done", "content_part.done",
        "item.done", "output_item.done", "done", "output_audio_buffer.stopped",
    ]  # fmt: skip
    played_ms = client.times_ms[-1] - client.times_ms[client.events.index(client.one("output_audio_buffer.started"))]
    assert abs(played_ms - len("One two three four five.") * MS_PER_CHARACTER) <= 60
    response_id = client.one("response.done")["response"]["id"]
    assert client.one("output_audio_buffer.started")["response_id"] == response_id


VAD = {"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 900}}}}


@pytest.mark.parametrize(
    "answer", ["One two three four five six.", "One two three four five, six seven. Eight nine ten eleven twelve."]
)
@pytest.mark.parametrize("first_token_ms", [20, 400, 900])
def test_a_response_begun_early_is_done_before_it_was_heard(answer: str, first_token_ms: int) -> None:
    """Begun on words that may not be all: its first sound may have been made before the turn is over."""
    stt = ScriptedSpeechToText(["hello there"], partial_every_ms=100)
    rig = leg(stt=stt, answers=[answer], stored=VAD, first_token_ms=first_token_ms)

    async def talk(rig: Rig, client: Client) -> None:
        await client.pause(500)
        await rig.sound(700)
        await client.until("output_audio_buffer.stopped")

    client = rig.run(talk)
    assert len(rig.requests) == 1, "it was begun early"
    done, stopped = (client.one(kind) for kind in ("response.done", "output_audio_buffer.stopped"))
    wait_ms = client.times_ms[client.events.index(stopped)] - client.times_ms[client.events.index(done)]
    assert wait_ms >= len(answer) * MS_PER_CHARACTER - 300, "made in no time, and heard long after"
    assert done["response"]["output"][0]["content"][0]["transcript"] == answer
    tokens = done["response"]["usage"]["output_token_details"]["audio_tokens"]
    assert abs(tokens - len(answer)) <= 1, "one for 50 ms"


def test_a_response_begun_early_whose_voice_fails_in_the_middle_is_done_as_well() -> None:
    stt = ScriptedSpeechToText(["hello there"], partial_every_ms=100)
    rig = leg(stt=stt, answers=["One two three four five, six seven. Eight nine ten."], stored=VAD, voices=[Mute(1)])

    async def talk(rig: Rig, client: Client) -> None:
        await client.pause(500)
        await rig.sound(700)
        await client.until("output_audio_buffer.stopped")

    client = rig.run(talk)
    assert client.types.index("done") < client.types.index("output_audio_buffer.stopped")


def test_barge_in_clears_what_was_not_heard_and_cuts_the_words() -> None:
    rig = leg(hears=["stop please now"], answers=[LONG, "Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done")
        await client.pause(1500)
        await rig.sound(1500)
        await client.until("response.done", 2)
        item_id = client.of("response.done")[0]["response"]["output"][0]["id"]
        client.say("conversation.item.retrieve", item_id=item_id)

    client = rig.run(talk)
    assert client.of("response.done")[0]["response"]["status"] == "completed", "it was made before it was cut"
    truncated = client.of("conversation.item.truncated")[0]  # the second when the server stops
    assert 1500 <= truncated["audio_end_ms"] <= 1800
    cleared = client.types.index("output_audio_buffer.cleared")
    assert client.types.index("input_audio_buffer.speech_started") < cleared < client.types.index("item.truncated")
    heard = client.one("conversation.item.retrieved")["item"]["content"][0]["transcript"]
    assert LONG.startswith(heard)
    assert 20 <= len(heard) <= 36
    assert rig.requests[1][-2].content == heard


def test_a_cough_lets_the_agent_go_on() -> None:
    rig = leg(hears=[""], answers=[LONG])

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done")
        await client.pause(800)
        await rig.sound(100)
        await client.until("output_audio_buffer.stopped")

    client = rig.run(talk)
    assert client.of("output_audio_buffer.cleared") == []
    heard_ms = sum(len(stretch.audio) for stretch in rig.phone.heard()) / 48
    assert abs(heard_ms - len(LONG) * MS_PER_CHARACTER) <= 250


def test_a_client_stops_what_is_played() -> None:
    rig = leg(answers=[LONG, "Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        client.say("output_audio_buffer.clear")
        client.say("response.create")
        await client.until("response.done")
        await client.pause(1000)
        client.say("response.cancel")
        client.say("output_audio_buffer.clear")
        client.say("output_audio_buffer.clear")
        client.say("response.create")
        await client.until("output_audio_buffer.stopped")

    client = rig.run(talk)
    first = client.of("response.done")[0]["response"]["id"]
    assert [event["response_id"] for event in client.of("output_audio_buffer.cleared")] == ["", first, first]
    assert client.one("error")["error"]["code"] == "response_cancel_not_active"
    assert 900 <= client.one("conversation.item.truncated")["audio_end_ms"] <= 1200
    assert rig.requests[1][-1].content == "One two three four"


def test_cancelling_while_it_is_made_silences_it() -> None:
    rig = leg(answers=[LONG], chunk_interval_ms=150)

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("output_audio_buffer.started")
        await client.pause(600)
        client.say("response.cancel")
        client.say("output_audio_buffer.clear")
        await client.pause(3000)

    client = rig.run(talk)
    assert client.one("response.done")["response"]["status_details"]["reason"] == "client_cancelled"
    assert len(client.of("output_audio_buffer.cleared")) == 2
    heard_ms = sum(len(stretch.audio) for stretch in rig.phone.heard()) / 48
    assert heard_ms <= 700


def test_a_request_while_it_plays_waits_for_the_floor() -> None:
    rig = leg(
        answers=[asks("weather", text="One moment, I am looking it up."), "It rains."], stored={"tools": [WEATHER]}
    )

    async def talk(rig: Rig, client: Client) -> None:
        client.write("weather?")
        client.say("response.create")
        await client.until("response.done")
        client.say(
            "conversation.item.create", item={"type": "function_call_output", "call_id": "call_1", "output": "rain"}
        )
        client.say("response.create", response={"metadata": {"number": "2"}})
        assert client.of("error") == []
        await client.until("output_audio_buffer.stopped", 2)

    client = rig.run(talk)
    assert client.of("response.done")[1]["response"]["metadata"] == {"number": "2"}
    assert client.types.index("output_audio_buffer.stopped") < len(client.types) - 1 - client.types[::-1].index(
        "created"
    )
    assert said(*rig.requests[1])[-1] == ("tool", "rain")


def test_audio_over_json_is_refused_and_the_leg_hangs_up() -> None:
    rig = leg(answers=[LONG])

    async def talk(rig: Rig, client: Client) -> None:
        client.append(b"\0" * 960)
        rig.phone.press("1")
        client.say("response.create")
        await client.until("output_audio_buffer.started")
        rig.phone.hang_up("hangup")
        await client.pause(50)
        assert client.closed == (1000, "customer-ended-call")

    client = rig.run(talk)
    assert client.one("error")["error"]["code"] == "invalid_event_for_transport"
    assert rig.watcher.ended is EndReason.CUSTOMER_ENDED


def test_keys_are_typed_words() -> None:
    rig = leg(answers=["Four two."])

    async def talk(rig: Rig, client: Client) -> None:
        for key in "42#":
            rig.phone.press(key)
        await client.until("response.done")

    client = rig.run(talk)
    assert client.of("conversation.item.added")[0]["item"]["content"] == [{"type": "input_text", "text": "42"}]
    assert said(*rig.requests[0]) == [("user", "42")]
