"""The session itself: what is configured when, who drives it, how it ends, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.calls.realtime_rig import Client, Rig, said
from tests.calls.test_realtime_responses import LONG, detection
from tests.calls.test_realtime_turns import MANUAL, TEXT, TRANSCRIBED

from antiphon.errors import ProviderError
from antiphon.providers.scripted import ScriptedSpeechToText, ScriptedTextToSpeech
from antiphon.surfaces.realtime.http import HttpError
from antiphon.surfaces.realtime.settings import RealtimeSettings
from antiphon.vocabulary import EndReason

# ------------------------------------------------------------------------------------------------ configuration


def test_every_update_is_answered_in_order_with_all_there_is() -> None:
    rig = Rig()

    async def talk(rig: Rig, client: Client) -> None:
        for number in range(10):
            client.update(instructions=f"Number {number}.")

    client = rig.run(talk)
    updated = [event["session"] for event in client.of("session.updated")]
    assert [session["instructions"] for session in updated] == [f"Number {number}." for number in range(10)]
    assert updated[-1].keys() == client.one("session.created")["session"].keys()
    assert updated[-1]["audio"]["input"]["turn_detection"]["interrupt_response"] is True


def test_an_update_that_is_wrong_changes_nothing() -> None:
    rig = Rig(answers=["Yes."], stored={"instructions": "Stay."})

    async def talk(rig: Rig, client: Client) -> None:
        client.update(instructions="Changed.", tools="none")
        client.say("session.update", session={"instructions": "Changed."}, event_id="typeless")
        client.say("response.create", response=TEXT)
        await client.until("response.done")

    client = rig.run(talk)
    first, second = (event["error"] for event in client.of("error"))
    assert first["code"] == "invalid_type"
    assert (second["code"], second["param"], second["event_id"]) == (
        "missing_required_parameter", "session.type", "typeless",
    )  # fmt: skip
    assert client.of("session.updated") == []
    assert said(*rig.requests[0]) == [("system", "Stay.")]


def test_instructions_tools_and_modality_change_in_the_middle() -> None:
    rig = Rig(answers=["Yes."], prompt="You are old.")

    async def talk(rig: Rig, client: Client) -> None:
        client.write("hello")
        client.say("response.create")
        await client.until("response.done")
        client.update(instructions="You are new.", output_modalities=["text"])
        client.say("response.create")
        await client.until("response.done", 2)
        client.update(instructions="")
        client.say("response.create", response={"output_modalities": ["audio"]})
        await client.until("response.done", 3)

    client = rig.run(talk)
    assert client.one("session.created")["session"]["instructions"] == "You are old."
    first, second, third = rig.requests
    assert first[0].content == "You are old."
    assert second[0].content == "You are new."
    assert third[0].content == "hello"
    kinds = [event["response"]["output"][0]["content"][0]["type"] for event in client.of("response.done")]
    assert kinds == ["output_audio", "output_text", "output_audio"]


def test_the_voice_is_locked_once_it_was_heard() -> None:
    rig = Rig(answers=["Yes."], settings=RealtimeSettings(voices={"cedar": "deep"}))

    async def talk(rig: Rig, client: Client) -> None:
        client.update(audio={"output": {"voice": "cedar"}})
        client.say("response.create")
        await client.until("response.done")
        client.update(audio={"output": {"voice": "cedar", "speed": 1.2}})
        client.update(audio={"output": {"voice": "marin"}})

    client = rig.run(talk)
    assert client.one("error")["error"]["code"] == "cannot_update_voice"
    assert len(client.of("session.updated")) == 2
    assert client.one("response.done")["response"]["audio"]["output"]["voice"] == "cedar"


def test_turn_detection_is_switched_off_and_on_again() -> None:
    rig = Rig(hears=["pushed", "spoken"], answers=["A.", "B."], stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        client.update(audio={"input": {"turn_detection": None}})
        await client.speak(400)
        client.say("input_audio_buffer.commit")
        client.say("response.create")
        await client.until("response.done")
        client.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}})
        await client.speak(600)
        await client.listen(3000)
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert len(client.of("input_audio_buffer.speech_started")) == 1
    heard = [event["transcript"] for event in client.of("conversation.item.input_audio_transcription.completed")]
    assert heard == ["pushed", "spoken"]


def test_a_client_may_name_one_of_our_recognisers() -> None:
    rig = Rig(hears=["by the first"], answers=["Yes."])
    rig.recognisers["second"] = ScriptedSpeechToText(["by the second"])

    async def talk(rig: Rig, client: Client) -> None:
        client.update(audio={"input": {"transcription": {"model": "whatever-transcribe"}}})
        client.update(audio={"input": {"transcription": {"model": "second"}}})
        await client.speak(500)
        await client.listen(1000)
        await client.until("response.done")

    client = rig.run(talk)
    assert client.one("conversation.item.input_audio_transcription.completed")["transcript"] == "by the second"


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(HttpError) as refused:
        Rig(model="assistant:nobody").run(lambda _rig, client: client.pause(10))
    assert (refused.value.status, refused.value.wire_code) == (404, "model_not_found")


def test_an_assistant_greets() -> None:
    rig = Rig(model="assistant:known", greeting="Good day.", prompt="You are a clerk.", answers=["Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        await client.until("response.done")
        client.write("hello")
        client.say("response.create")
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert client.types[:2] == ["session.created", "created"]
    assert client.of("response.output_audio_transcript.done")[0]["transcript"] == "Good day."
    assert said(*rig.requests[0]) == [("system", "You are a clerk."), ("assistant", "Good day."), ("user", "hello")]


def test_an_assistant_greets_in_writing() -> None:
    rig = Rig(model="assistant:known", greeting="Good day.", stored=TEXT)

    async def talk(rig: Rig, client: Client) -> None:
        await client.until("response.done")

    client = rig.run(talk)
    assert client.one("response.output_text.done")["text"] == "Good day."


# ------------------------------------------------------------------------------------------------ other kinds of turns


def test_a_transcription_session_only_writes_down() -> None:
    rig = Rig(hears=["hello"], answers=["Never."], transcription=True, stored={
        "audio": {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": {"type": "server_vad"}}}
    })  # fmt: skip

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(500)
        await client.listen(1500)
        client.say("response.create", event_id="r")
        client.say("session.update", session={"type": "transcription", "audio": {"input": {"turn_detection": None}}})
        client.say("session.update", session={"type": "realtime"})

    client = rig.run(talk)
    session = client.one("session.created")["session"]
    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
    assert client.one("conversation.item.input_audio_transcription.completed")["transcript"] == "hello"
    assert [event["error"]["code"] for event in client.of("error")] == ["invalid_value", "invalid_value"]
    assert client.of("response.created") == []
    assert len(client.of("session.updated")) == 1


def test_nobody_says_anything() -> None:
    rig = Rig(answers=["Are you still there?"], stored=detection(idle_timeout_ms=5000))

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done")
        await client.listen(4500)
        assert client.of("input_audio_buffer.timeout_triggered") == []
        await client.listen(2000)
        await client.until("response.done", 2)

    client = rig.run(talk)
    timeout = client.one("input_audio_buffer.timeout_triggered")
    assert timeout["audio_end_ms"] - timeout["audio_start_ms"] == 5000
    at = client.types.index("input_audio_buffer.timeout_triggered")
    assert client.types[at : at + 5] == [
        "input_audio_buffer.timeout_triggered", "input_audio_buffer.committed", "item.added", "item.done", "created",
    ]  # fmt: skip
    spoken_ms = len("Are you still there?") * 50
    waited_ms = (
        client.times_ms[client.events.index(timeout)]
        - client.times_ms[client.events.index(client.of("response.output_audio.delta")[0])]
    )
    assert 5000 + spoken_ms - 100 <= waited_ms <= 5000 + spoken_ms + 200, "counted from the end of the playback"


def test_a_recogniser_that_fails_leaves_no_turn_unanswered() -> None:
    class Deaf(ScriptedSpeechToText):
        def open(self, audio: Any, answers: Any, on_event: Any) -> Any:
            from antiphon.providers.base import TranscriptionFailed

            stream = super().open(audio, answers, on_event)
            stream.finish = lambda utterance: on_event(TranscriptionFailed(utterance, "broken"))  # type: ignore[method-assign]
            return stream

    rig = Rig(stt=Deaf(), answers=["Never."], stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(800)
        await client.listen(3000)
        await client.until("response.done")

    client = rig.run(talk)
    failed = client.one("conversation.item.input_audio_transcription.failed")
    assert None not in failed["error"].values()
    assert client.one("response.done")["response"]["status"] == "completed"


def test_a_voice_that_fails_is_a_failed_response() -> None:
    class Mute(ScriptedTextToSpeech):
        async def synthesize(self, request: Any) -> Any:
            raise ProviderError("mute", "broken")
            yield

    rig = Rig(voices=[Mute()], answers=["Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        for turn in range(4):
            client.say("response.create")
            await client.until("response.done", turn + 1)

    client = rig.run(talk)
    assert {event["response"]["status"] for event in client.of("response.done")} == {"failed"}
    assert client.of("response.done")[0]["response"]["status_details"]["error"]["code"] == "server_error"


def test_a_guess_that_proves_right_is_told_as_one_response() -> None:
    stored = {"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 900}}}}
    stt = ScriptedSpeechToText(["hello there"], partial_every_ms=100)
    rig = Rig(stt=stt, answers=["First clause, then another one. And a sentence."], stored=stored, first_token_ms=20)

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(700)
        await client.listen(850)
        assert client.of("response.created") == []
        await client.listen(600)
        await client.until("response.done")

    client = rig.run(talk)
    assert len(rig.requests) == 1
    done = client.one("response.output_audio_transcript.done")
    assert done["transcript"] == "First clause, then another one. And a sentence."


# ------------------------------------------------------------------------------------------------ who drives it


def test_a_sideband_sees_everything_and_may_do_everything() -> None:
    rig = Rig(answers=["Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        client.write("hello")
        side = Client(rig, midway=True)
        session = rig.sessions.find(rig.session.call_id)
        assert session is not None
        session.attach(side)
        side.update(instructions="By the side.")
        side.say("nonsense")
        client.say("response.create", response=TEXT)
        await client.until("response.done")
        assert side.types[0] == "session.created"
        assert [event["type"] for event in side.events[3:]] == [event["type"] for event in client.events[4:]]
        assert len(side.of("error")) == 1
        session.detach(side)
        client.write("still here")

    client = rig.run(talk)
    assert client.of("error") == []
    assert rig.requests[0][0].content == "By the side."


def test_the_loss_of_its_own_connection_ends_a_session() -> None:
    rig = Rig(answers=[LONG], chunk_interval_ms=150)

    async def talk(rig: Rig, client: Client) -> None:
        side = Client(rig, midway=True)
        rig.session.attach(side)
        client.say("response.create")
        await client.until("response.output_audio.delta")
        rig.session.detach(client, "reset")
        rig.session.detach(client)
        assert rig.session.ended
        assert side.closed == (1000, "transport-lost")
        client.closed = (1006, "")
        client.write("nobody listens")
        side.write("nobody listens")
        late = Client(rig)
        rig.session.attach(late)
        assert late.closed is not None

    rig.run(talk)
    assert rig.watcher.ended is EndReason.TRANSPORT_LOST


def test_what_happened_before_its_own_connection_came_is_told_then() -> None:
    rig = Rig(greeting="Good day.", model="assistant:known")

    async def talk(rig: Rig, client: Client) -> None:
        session = rig.sessions.create(rig.session.config)
        session.start()
        await client.pause(1000)
        late = Client(rig)
        session.attach(late, primary=True)
        assert late.types[:2] == ["session.created", "created"]
        assert late.types[-1] == "done"
        session.end()
        assert late.closed is not None

    rig.run(talk)


def test_a_session_ends_after_its_time() -> None:
    rig = Rig(settings=RealtimeSettings(max_minutes=1))

    async def talk(rig: Rig, client: Client) -> None:
        await client.pause(59_000)
        assert client.closed is None
        await client.pause(1500)
        assert client.closed == (1000, "exceeded-max-duration")

    client = rig.run(talk)
    error = client.events[-1]["error"]
    assert (error["code"], error["message"]) == (
        "session_expired", "Your session hit the maximum duration of 1 minutes.",
    )  # fmt: skip
    expires_at = client.one("session.created")["session"]["expires_at"]
    assert expires_at == 1_700_000_000_000 // 1000 + 60


def test_a_server_that_stops_says_so() -> None:
    client = Rig(greeting=LONG, model="assistant:known").run(lambda _rig, client: client.pause(500))
    assert client.closed == (1001, "worker-shutdown")


def test_a_flood_of_events_is_ended() -> None:
    rig = Rig()

    async def talk(rig: Rig, client: Client) -> None:
        for _ in range(3000):
            client.say("input_audio_buffer.clear")
        assert client.held == [True]
        for _ in range(1000):
            if client.closed is not None:
                break
            await asyncio.sleep(0.001)  # a flood has a part of the time only
        assert client.closed == (1008, "too many events")
        assert client.last("error")["error"]["code"] == "rate_limit_exceeded"
        rig.session.detach(client, "violation")

    rig.run(talk)


def test_a_fault_of_ours_ends_the_session_and_says_so() -> None:
    rig = Rig()

    async def talk(rig: Rig, client: Client) -> None:
        core = rig.session.core
        assert core is not None
        core._fault(RuntimeError("a bug"))
        await asyncio.sleep(0)

    client = rig.run(talk)
    assert client.one("error")["error"]["type"] == "server_error"
    assert client.closed == (1011, "worker-died")


def test_bad_messages_are_answered_and_the_session_goes_on() -> None:
    rig = Rig(answers=["Yes."], stored=MANUAL)

    async def talk(rig: Rig, client: Client) -> None:
        for payload in (b"", b"{", b"[]", b"\xff", b'{"type":7}', b'{"type":"scooby"}', b'{"type":"input_audio_buffer.append"}',
                        b'{"type":"input_audio_buffer.append","audio":"%%%"}', b'{"type":"output_audio_buffer.clear"}'):  # fmt: skip
            rig.session.receive(client, payload)
        client.say("response.create", response=TEXT)
        await client.until("response.done")

    client = rig.run(talk)
    assert len(client.of("error")) == 9
    assert client.one("response.done")["response"]["status"] == "completed"
