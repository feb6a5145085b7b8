"""How a Realtime session with an assistant begins: the client says what it wants, and is greeted."""

from __future__ import annotations

from typing import Any

import pytest
from tests.calls.realtime_rig import Client, Rig
from tests.calls.test_realtime_turns import TRANSCRIBED

from antiphon.providers.scripted import ScriptedTextToSpeech
from antiphon.surfaces.realtime.settings import RealtimeSettings

HELLO = "Good day, how can I help you?"
VOICES = RealtimeSettings(voices={"cedar": "deep", "ash": "deep", "coral": "bright"})
WANTS = {
    "instructions": "Be brief.",
    "audio": {"input": {"transcription": {"model": "whisper-1"}}, "output": {"voice": "cedar", "speed": 1.25}},
}


class Voice(ScriptedTextToSpeech):
    """Notes what it was asked to sound like."""

    def __init__(self) -> None:
        super().__init__(first_chunk_ms=50, ms_per_character=50)
        self.asked: list[tuple[str, str]] = []

    async def synthesize(self, request: Any) -> Any:
        self.asked.append((request.voice, request.text))
        async for chunk in super().synthesize(request):
            yield chunk


def greets(voice: Voice, **options: Any) -> Rig:
    options.setdefault("settings", VOICES)
    return Rig(greeting=HELLO, voices=[voice], **options)


def ms_until(client: Client, kind: str) -> int:
    return client.times_ms[client.events.index(client.of(kind)[0])] - client.times_ms[0]


@pytest.mark.parametrize("plays_out", [False, True])
@pytest.mark.parametrize("after_ms", [0, 150, 350])
def test_the_first_update_a_round_trip_later_is_what_the_greeting_is_said_with(after_ms: int, plays_out: bool) -> None:
    voice = Voice()
    rig = greets(voice, plays_out=plays_out)

    async def talk(_rig: Rig, client: Client) -> None:
        await client.pause(after_ms)
        client.update(**WANTS)
        await client.until("response.done")

    client = rig.run(talk)
    assert client.of("error") == []
    assert client.one("session.updated")["session"]["audio"]["output"]["voice"] == "cedar"
    assert voice.asked == [("deep", HELLO)]
    assert after_ms <= ms_until(client, "response.created") <= after_ms + 20, "and it waits no longer"
    assert client.one("response.created")["response"]["audio"]["output"]["voice"] == "cedar"


@pytest.mark.parametrize("wait_ms", [0, 500, 2000])
def test_a_client_that_says_nothing_is_greeted_soon(wait_ms: int) -> None:
    rig = greets(Voice(), settings=RealtimeSettings(greeting_wait_ms=wait_ms))

    async def talk(_rig: Rig, client: Client) -> None:
        await client.until("response.done")

    client = rig.run(talk)
    assert wait_ms <= ms_until(client, "response.created") <= wait_ms + 20
    assert client.one("response.output_audio_transcript.done")["transcript"] == HELLO


@pytest.mark.parametrize("plays_out", [False, True])
def test_a_first_update_that_comes_too_late_for_the_voice_is_done_but_for_it(plays_out: bool) -> None:
    voice = Voice()
    rig = greets(voice, plays_out=plays_out, answers=["Yes."])

    async def talk(_rig: Rig, client: Client) -> None:
        await client.pause(1200)  # it is being greeted
        client.update(**WANTS)
        await client.until("response.done")
        await client.pause(3000)
        client.say("response.create")
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert client.of("error") == []
    session = client.one("session.updated")["session"]
    assert session["instructions"] == "Be brief."
    assert session["audio"]["input"]["transcription"]["model"] == "whisper-1"
    assert session["audio"]["output"]["speed"] == 1.25
    assert session["audio"]["output"]["voice"] == "marin", "what it has, and keeps"
    assert rig.requests[0][0].content == "Be brief."
    assert {name for name, _ in voice.asked} == {""}


def test_another_name_for_the_voice_it_has_is_taken() -> None:
    rig = greets(Voice(), stored={"audio": {"output": {"voice": "cedar"}}})

    async def talk(_rig: Rig, client: Client) -> None:
        await client.until("response.done")
        client.update(audio={"output": {"voice": "ash"}})

    client = rig.run(talk)
    assert client.of("error") == []
    assert client.one("session.updated")["session"]["audio"]["output"]["voice"] == "ash"


def test_later_on_another_voice_is_refused_with_all_that_comes_with_it() -> None:
    rig = greets(Voice())

    async def talk(_rig: Rig, client: Client) -> None:
        client.update(**WANTS)
        await client.until("response.done")
        client.update(audio={"output": {"voice": "coral"}}, instructions="Be long.")
        client.update(instructions="Be longer.")

    client = rig.run(talk)
    assert client.one("error")["error"]["code"] == "cannot_update_voice"
    last = client.last("session.updated")["session"]
    assert (last["instructions"], last["audio"]["output"]["voice"]) == ("Be longer.", "cedar")
    assert len(client.of("session.updated")) == 2


def test_a_client_that_repeats_its_first_wish_is_not_refused() -> None:
    """agents-js sends its whole configuration with each change."""
    rig = greets(Voice())

    async def talk(_rig: Rig, client: Client) -> None:
        await client.until("response.done")
        for instructions in ("One.", "Two."):
            client.update(**{**WANTS, "instructions": instructions})
        client.update(audio={"output": {"voice": "coral"}})

    client = rig.run(talk)
    sessions = [event["session"] for event in client.of("session.updated")]
    assert [(each["instructions"], each["audio"]["output"]["voice"]) for each in sessions] == [
        ("One.", "marin"),
        ("Two.", "marin"),
    ]
    assert client.one("error")["error"]["code"] == "cannot_update_voice"


def test_who_speaks_first_is_not_greeted() -> None:
    rig = greets(Voice(), hears=["are you open"], answers=["Yes."], stored=TRANSCRIBED)

    async def talk(_rig: Rig, client: Client) -> None:
        await client.speak(800)
        await client.listen(3000)

    client = rig.run(talk)
    assert [event["transcript"] for event in client.of("response.output_audio_transcript.done")] == ["Yes."]


def test_who_asks_first_is_not_greeted() -> None:
    rig = greets(Voice(), answers=["Yes."])

    async def talk(_rig: Rig, client: Client) -> None:
        client.write("are you open")
        client.say("response.create")
        client.update(**WANTS)
        await client.until("response.done")
        await client.pause(3000)

    client = rig.run(talk)
    assert [event["transcript"] for event in client.of("response.output_audio_transcript.done")] == ["Yes."]


def test_an_update_that_cannot_be_read_begins_nothing() -> None:
    rig = greets(Voice())

    async def talk(_rig: Rig, client: Client) -> None:
        client.update(audio={"output": {"speed": "fast"}})
        await client.pause(200)
        assert client.of("response.created") == []
        client.update(**WANTS)
        await client.until("response.done")

    client = rig.run(talk)
    assert len(client.of("error")) == 1
    assert client.one("response.created")["response"]["audio"]["output"]["voice"] == "cedar"
