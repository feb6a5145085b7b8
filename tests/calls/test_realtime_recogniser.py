"""Recognisers that are late, or fail: one speech is one item, told in time, transcribed once, and answered once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.calls.realtime_rig import Client, Rig, said
from tests.calls.test_realtime_turns import MANUAL, TEXT, TRANSCRIBED

from antiphon.conversation.policy import Endpointing, Policy
from antiphon.providers.base import Transcribed, TranscriptionFailed
from antiphon.providers.scripted import ScriptedSpeechToText

SILENCE_MS = 500
FINAL_TIMEOUT_MS = Endpointing().final_timeout_ms


class Scripted(ScriptedSpeechToText):
    """``words`` of each utterance, and what becomes of them when: at once ``partial``, after ``late_ms`` the final ones; None for a
    failure, and nothing at all where ``late_ms`` is None."""

    def __init__(self, *words: str | None, late_ms: int | None = 60, partial: str = "") -> None:
        super().__init__()
        self._all = list(words)
        self._late_ms = late_ms
        self._partial = partial

    def open(self, audio: Any, answers: Any, on_event: Any) -> Any:
        stream = super().open(audio, answers, on_event)
        begin = stream.begin

        def began(utterance: int) -> None:
            begin(utterance)
            if self._partial:
                asyncio.get_running_loop().call_later(0.3, on_event, Transcribed(utterance, self._partial, final=False))

        finished: set[int] = set()

        def finish(utterance: int) -> None:
            if self._late_ms is None or utterance in finished:
                return
            finished.add(utterance)
            words = self._all.pop(0) if self._all else ""
            told = (
                Transcribed(utterance, words, final=True) if words is not None else TranscriptionFailed(utterance, "x")
            )
            asyncio.get_running_loop().call_later(self._late_ms / 1000, on_event, told)

        stream.begin, stream.finish = began, finish  # type: ignore[method-assign]
        return stream


def ids(client: Client) -> set[str]:
    """What the four events of a speech call its item."""
    names = ("speech_started", "speech_stopped", "committed")
    found = {client.one(f"input_audio_buffer.{name}")["item_id"] for name in names}
    items = [event["item"] for event in client.of("conversation.item.done") if event["item"]["role"] == "user"]
    return found | {item["id"] for item in items}


def at(client: Client, kind: str, number: int = 0) -> int:
    return client.times_ms[client.events.index(client.of(kind)[number])]


async def one_turn(_rig: Rig, client: Client) -> None:
    await client.listen(600)
    await client.speak(800)
    await client.listen(9000)


@pytest.mark.parametrize("stored", [TRANSCRIBED, {}])
@pytest.mark.parametrize("late_ms", [60, 900, 2500, 4000])
@pytest.mark.parametrize("partial", ["", "what is"])
def test_one_speech_is_one_item_and_one_answer_however_late_its_words_are(
    late_ms: int, partial: str, stored: dict[str, Any]
) -> None:
    rig = Rig(stt=Scripted("what is the weather", late_ms=late_ms, partial=partial), answers=["Sunny."], stored=stored)
    client = rig.run(one_turn)
    assert len(ids(client)) == 1
    [item_id] = ids(client)
    began_ms = at(client, "session.created")
    stopped_ms = at(client, "input_audio_buffer.speech_stopped") - began_ms
    assert abs(stopped_ms - (600 + 800 + SILENCE_MS)) <= 80, "when the silence is over, not when the words come"
    assert abs(client.one("input_audio_buffer.speech_stopped")["audio_end_ms"] - (600 + 800 + SILENCE_MS)) <= 80
    if stored:
        completed = client.one("conversation.item.input_audio_transcription.completed")
        assert (completed["item_id"], completed["transcript"]) == (item_id, "what is the weather")
    assert client.of("conversation.item.input_audio_transcription.failed") == []
    done = [event["response"] for event in client.of("response.done")]
    assert [response["status"] for response in done] == ["completed"]
    assert done[0]["output"][0]["content"][0]["transcript"] == "Sunny."
    assert len(client.of("response.created")) == 1


def test_a_late_final_is_what_the_model_is_shown_from_then_on() -> None:
    rig = Rig(stt=Scripted("what is the weather", late_ms=4000, partial="what is"), answers=["Sunny.", "Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        await one_turn(rig, client)
        client.say("response.create")
        await client.until("response.done", 2)

    rig.run(talk)
    assert said(*rig.requests[0]) == [("user", "what is")]
    assert said(*rig.requests[-1]) == [("user", "what is the weather"), ("assistant", "Sunny.")]


def test_words_that_come_while_the_answer_is_thought_about_are_answered_in_its_place() -> None:
    """One response, which the client has heard of, and no second."""
    stt = Scripted("what is the weather", late_ms=FINAL_TIMEOUT_MS + 600, partial="what is")
    rig = Rig(stt=stt, answers=lambda request: request.messages[-1].content, first_token_ms=1500, stored=TRANSCRIBED)
    client = rig.run(one_turn)
    assert client.one("response.created")["response"]["id"] == client.one("response.done")["response"]["id"]
    [item] = client.one("response.done")["response"]["output"]
    assert item["content"][0]["transcript"] == "what is the weather"


def test_a_written_answer_that_has_begun_is_not_begun_again() -> None:
    stt = Scripted("what is the weather", late_ms=FINAL_TIMEOUT_MS + 600, partial="what is")
    rig = Rig(stt=stt, answers=["It is sunny today in Rome."], token_interval_ms=300, stored={**TRANSCRIBED, **TEXT})
    client = rig.run(one_turn)
    assert client.one("response.done")["response"]["status"] == "completed"
    assert len(rig.requests) == 1


@pytest.mark.parametrize("late_ms", [60, 900, 2500])
def test_a_recogniser_that_fails_is_told_and_the_turn_answered(late_ms: int) -> None:
    rig = Rig(stt=Scripted(None, late_ms=late_ms), answers=["Never."], stored=TRANSCRIBED)
    client = rig.run(one_turn)
    assert client.one("conversation.item.input_audio_transcription.failed")["item_id"] in ids(client)
    assert len(ids(client)) == 1
    assert client.of("conversation.item.input_audio_transcription.completed") == []
    assert client.one("response.output_audio_transcript.done")["transcript"] == "Sorry, I did not catch that."


def test_a_recogniser_that_never_answers_has_failed() -> None:
    rig = Rig(stt=Scripted(late_ms=None), answers=["Never."], stored=TRANSCRIBED)
    client = rig.run(one_turn)
    assert len(client.of("conversation.item.input_audio_transcription.failed")) == 1
    assert client.one("response.output_audio_transcript.done")["transcript"] == "Sorry, I did not catch that."


@pytest.mark.parametrize("late_ms", [60, 2500, None])
def test_what_was_understood_before_it_failed_is_answered(late_ms: int | None) -> None:
    rig = Rig(stt=Scripted(None, late_ms=late_ms, partial="what is"), answers=["Sunny."], stored=TRANSCRIBED)
    client = rig.run(one_turn)
    assert client.one("conversation.item.input_audio_transcription.completed")["transcript"] == "what is"
    assert client.one("response.output_audio_transcript.done")["transcript"] == "Sunny."
    assert said(*rig.requests[0]) == [("user", "what is")]


def test_an_assistant_asks_again_once() -> None:
    rig = Rig(stt=Scripted(None), answers=["Never."], stored=TRANSCRIBED, policy=Policy())
    client = rig.run(one_turn)
    assert client.one("response.output_audio_transcript.done")["transcript"] == "Sorry, I did not catch that."


def test_words_that_come_while_an_assistant_asks_again_are_the_same_items() -> None:
    rig = Rig(
        stt=Scripted("what is the weather", late_ms=3000), answers=["Sunny."], stored=TRANSCRIBED, policy=Policy()
    )
    client = rig.run(one_turn)
    assert len(ids(client)) == 1
    assert client.one("conversation.item.input_audio_transcription.completed")["transcript"] == "what is the weather"
    assert client.of("response.output_audio_transcript.done")[-1]["transcript"] == "Sunny."


def test_a_caller_who_goes_on_before_the_words_have_come_says_a_second_item_and_is_answered_once() -> None:
    rig = Rig(stt=Scripted("what is", "the weather", late_ms=900), answers=["Sunny."], stored=TRANSCRIBED)

    async def talk(_rig: Rig, client: Client) -> None:
        await client.speak(800)
        await client.listen(800)
        await client.speak(800)
        await client.listen(6000)

    client = rig.run(talk)
    items = [event["item_id"] for event in client.of("input_audio_buffer.committed")]
    words = client.of("conversation.item.input_audio_transcription.completed")
    assert [(event["item_id"], event["transcript"]) for event in words] == [
        (items[0], "what is"),
        (items[1], "the weather"),
    ]
    assert said(*rig.requests[-1]) == [("user", "what is the weather")]
    assert len(client.of("response.done")) == 1


def test_push_to_talk_with_a_late_recogniser() -> None:
    rig = Rig(stt=Scripted("what is the weather", late_ms=2500), answers=["Sunny."], stored=MANUAL)

    async def talk(_rig: Rig, client: Client) -> None:
        await client.speak(800)
        client.say("input_audio_buffer.commit")
        await client.until("conversation.item.input_audio_transcription.completed")
        client.say("response.create")
        await client.until("response.done")

    client = rig.run(talk)
    assert (
        client.one("conversation.item.input_audio_transcription.completed")["item_id"]
        == (client.one("input_audio_buffer.committed")["item_id"])
    )
    assert said(*rig.requests[-1]) == [("user", "what is the weather")]


def test_a_session_that_ends_before_the_words_come_says_what_became_of_them() -> None:
    rig = Rig(stt=Scripted("never", late_ms=4000), stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(800)
        await client.listen(2500)
        rig.session.end()

    client = rig.run(talk)
    assert len(client.of("conversation.item.input_audio_transcription.failed")) == 1


def test_clearing_does_not_take_back_what_is_committed() -> None:
    rig = Rig(stt=Scripted("what is the weather", late_ms=900), answers=["Sunny."], stored=TRANSCRIBED)

    async def talk(_rig: Rig, client: Client) -> None:
        await client.speak(800)
        await client.listen(700)
        await client.until("input_audio_buffer.committed")
        client.say("input_audio_buffer.clear")
        await client.listen(3000)

    client = rig.run(talk)
    assert client.one("conversation.item.input_audio_transcription.completed")["transcript"] == "what is the weather"
    assert client.one("response.done")["response"]["status"] == "completed"
