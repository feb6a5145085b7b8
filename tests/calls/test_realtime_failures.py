"""Realtime sessions whose voice, model or recogniser fails: a reason is told, and a session with an assistant ends before long."""

from __future__ import annotations

from typing import Any

import pytest
from tests.calls.realtime_rig import Client, Rig
from tests.calls.test_realtime_turns import MANUAL, TEXT, TRANSCRIBED

from antiphon.conversation.policy import Policy, Speaking
from antiphon.errors import ProviderError
from antiphon.providers.base import TranscriptionFailed
from antiphon.providers.scripted import ScriptedSpeechToText, ScriptedTextToSpeech

ASSISTANT = Policy()


class Mute(ScriptedTextToSpeech):
    """A voice that cannot be reached, or no more after so many pieces."""

    def __init__(self, pieces: int = 0) -> None:
        super().__init__(ms_per_character=10)
        self._left = pieces

    async def synthesize(self, request: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ProviderError("mute", "broken")
        async for chunk in super().synthesize(request):
            yield chunk


class Deaf(ScriptedSpeechToText):
    """A recogniser that fails on every utterance; ``silent``: it never says anything about it."""

    def __init__(self, *, silent: bool = False) -> None:
        super().__init__()
        self._silent = silent

    def open(self, audio: Any, answers: Any, on_event: Any) -> Any:
        stream = super().open(audio, answers, on_event)

        def finish(utterance: int) -> None:
            if not self._silent:
                on_event(TranscriptionFailed(utterance, "broken"))

        stream.finish = finish  # type: ignore[method-assign]
        return stream


def broken(_messages: Any) -> Any:
    raise ProviderError("scripted", "broken")


@pytest.mark.parametrize("plays_out", [False, True])
@pytest.mark.parametrize("pieces", [0, 1])
def test_the_third_reply_without_a_voice_ends_the_session(plays_out: bool, pieces: int) -> None:
    rig = Rig(greeting="Good day.", voices=[Mute(pieces)], policy=ASSISTANT, plays_out=plays_out, answers=["Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        await client.pause(3000)
        for _ in range(pieces):  # the greeting was heard
            client.say("response.create")
        await client.pause(5000)

    client = rig.run(talk)
    failed = [event["response"]["status"] for event in client.of("response.done")]
    assert failed == ["completed"] * pieces + ["failed"] * 3
    error = client.one("error")["error"]
    assert (error["type"], error["code"]) == ("server_error", "server_error")
    assert "ended" in error["message"]
    assert client.events[-1]["type"] == "error", "nothing comes after the reason"
    assert client.closed == (1011, "provider-failed")


def test_the_third_failure_of_the_model_ends_the_session() -> None:
    rig = Rig(answers=broken, policy=ASSISTANT)

    async def talk(rig: Rig, client: Client) -> None:
        for turn in range(3):
            client.write("hello")
            client.say("response.create")
            await client.until("response.done", turn + 1)
        await client.pause(4000)

    client = rig.run(talk)
    assert [event["response"]["status"] for event in client.of("response.done")] == ["failed"] * 3
    assert client.closed == (1011, "provider-failed")


def test_the_third_failure_of_the_model_ends_a_session_that_writes() -> None:
    rig = Rig(answers=broken, policy=ASSISTANT, stored=TEXT)

    async def talk(rig: Rig, client: Client) -> None:
        for turn in range(3):
            client.say("response.create")
            await client.until("response.done", turn + 1)

    assert rig.run(talk).closed == (1011, "provider-failed")


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("plays_out", [False, True])
def test_the_third_turn_the_recogniser_fails_on_ends_the_session(silent: bool, plays_out: bool) -> None:
    rig = Rig(stt=Deaf(silent=silent), answers=["Never."], policy=ASSISTANT, stored=TRANSCRIBED, plays_out=plays_out)

    async def talk(rig: Rig, client: Client) -> None:
        for _ in range(4):
            if plays_out:
                await rig.sound(900)
                await client.pause(9000)
            else:
                await client.speak(900)
                await client.listen(9000)

    client = rig.run(talk)
    said = [event["transcript"] for event in client.of("response.output_audio_transcript.done")]
    assert said == [ASSISTANT.speaking.not_understood_message] * 2 + [ASSISTANT.speaking.failure_message]
    assert len(client.of("conversation.item.input_audio_transcription.failed")) == 3
    assert client.closed == (1011, "provider-failed")


def test_a_recogniser_that_hears_nothing_has_not_failed() -> None:
    rig = Rig(hears=[], answers=["Never."], policy=ASSISTANT, stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        for _ in range(5):
            await client.speak(900)
            await client.listen(6000)

    client = rig.run(talk)
    assert client.of("error") == []
    assert client.closed == (1001, "worker-shutdown"), "it ends with the rig"


def test_an_assistant_is_not_asked_to_answer_where_the_client_does() -> None:
    stored = {
        "audio": {
            "input": {
                "turn_detection": {"type": "server_vad", "create_response": False},
                "transcription": {"model": "x"},
            }
        }
    }
    rig = Rig(stt=Deaf(), answers=["Never."], policy=ASSISTANT, stored=stored)

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(900)
        await client.listen(6000)

    client = rig.run(talk)
    assert client.of("response.created") == []
    assert len(client.of("conversation.item.input_audio_transcription.failed")) == 1


@pytest.mark.parametrize("stored", [TRANSCRIBED, MANUAL])
def test_a_plain_model_goes_on_whatever_fails(stored: Any) -> None:
    rig = Rig(voices=[Mute()], answers=broken, stored=stored)

    async def talk(rig: Rig, client: Client) -> None:
        for turn in range(6):
            client.say("response.create")
            await client.until("response.done", turn + 1)

    client = rig.run(talk)
    assert client.of("error") == []
    assert client.closed == (1001, "worker-shutdown")


def test_an_assistant_may_allow_more_failures() -> None:
    policy = Policy(speaking=Speaking(max_consecutive_failures=5, failure_message=""))
    rig = Rig(voices=[Mute()], answers=["Yes."], policy=policy)

    async def talk(rig: Rig, client: Client) -> None:
        for turn in range(5):
            client.say("response.create")
            await client.until("response.done", turn + 1)
        await client.pause(100)

    assert rig.run(talk).closed == (1011, "provider-failed")
