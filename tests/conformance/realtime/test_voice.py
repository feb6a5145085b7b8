"""Checks 15 to 19 and 26: what is spoken into the microphone, with openai-python."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI
from tests.conformance.realtime.conftest import assert_conforming
from tests.conformance.realtime.oracles import AgentsJs
from tests.conformance.realtime.server import serve_here
from tests.conformance.realtime.speech import Said, quiet
from tests.conformance.realtime.stage import Stage
from tests.conformance.realtime.talk import Talk, talking
from tests.conformance.realtime.tap import tapping

from antiphon.audio import codec, pcm
from antiphon.vocabulary import Encoding

SILENCE_MS = 300
PADDING_MS = 200
PARTS = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]
SPOKEN_RESPONSE = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


async def listen(
    talk: Talk, transcription: bool = True, session: dict[str, Any] | None = None, **detection: Any
) -> None:
    """Server VAD with short silences, so that tests are quick."""
    vad = {"type": "server_vad", "silence_duration_ms": SILENCE_MS, "prefix_padding_ms": PADDING_MS, **detection}
    given = {"turn_detection": vad, **({"transcription": {"model": "whisper-1"}} if transcription else {})}
    count = len(talk.of("session.updated")) + 1
    await talk.update(audio={"input": given}, **(session or {}))
    await talk.until("session.updated", count)


def item_of(event: Any) -> str:
    return str(event.item.id if hasattr(event, "item") else event.item_id)


# ------------------------------------------------------------------------------------------------ 15: a turn


@pytest.mark.parametrize("pace", [0.0, 1.0])
async def test_check_15_a_spoken_turn(client: AsyncOpenAI, stage: Stage, ten: Said, pace: float) -> None:
    """As it is spoken, and all at once as from a file."""
    stage.hears = [ten.words]
    stage.says("Here you are.")
    async with talking(client) as talk:
        await listen(talk)
        lead_ms = 700
        await talk.speak(ten.audio(lead_ms=lead_ms, tail_ms=700), pace=pace)
        response = (await talk.until("response.done")).response
        await talk.until("conversation.item.input_audio_transcription.completed")
        kinds = [e.type for e in talk.events if e.type in PARTS or e.type in SPOKEN_RESPONSE]
        assert kinds == PARTS + SPOKEN_RESPONSE
        started, stopped, committed, added, done = (talk.of(kind)[0] for kind in PARTS)
        assert len({item_of(event) for event in (started, stopped, committed, added, done)}) == 1
        assert started.audio_start_ms == pytest.approx(lead_ms - PADDING_MS, abs=80)
        # "Includes the min_silence_duration_ms", says the specification.
        assert stopped.audio_end_ms == pytest.approx(lead_ms + ten.duration_ms + SILENCE_MS, abs=120)
        said = talk.of("conversation.item.input_audio_transcription.completed")[0]
        assert (said.item_id, said.transcript) == (started.item_id, ten.words)
        deltas = [e.delta for e in talk.of("conversation.item.input_audio_transcription.delta")]
        assert "".join(deltas) == ten.words
        assert response.output[0].content[0].transcript == "Here you are."
        assert len(talk.audio(response.id)) == stage.duration_ms("Here you are.") * 48
        assert talk.of("conversation.item.added")[1].previous_item_id == started.item_id
        usage = response.usage
        assert usage.output_token_details.audio_tokens > 0
        assert usage.input_token_details.audio_tokens > 0


async def test_two_turns_count_time_from_the_beginning_of_the_session(
    client: AsyncOpenAI, stage: Stage, ten: Said
) -> None:
    stage.hears = ["one", "two"]
    async with talking(client) as talk:
        await listen(talk)
        audio = ten.audio(lead_ms=300, tail_ms=700)
        await talk.speak(audio)
        await talk.until("response.done")
        await talk.speak(audio)
        await talk.until("response.done", 2)
        first, second = (event.audio_start_ms for event in talk.of("input_audio_buffer.speech_started"))
        assert second - first == pytest.approx(len(audio) / 48, abs=60)
    assert [m.content for m in stage.asked[1].messages if m.role == "user"] == ["one", "two"]


async def test_semantic_vad_takes_a_turn_too(tmp_path: Path, stage: Stage, agents_js: AgentsJs, ten: Said) -> None:
    """With the model that judges by the sound."""
    stage.hears = ["What is the weather like?"]
    async with (
        serve_here(tmp_path, turn_detector="smart-turn") as server,
        tapping(server.port) as tap,
        AsyncOpenAI(base_url=tap.base_url, api_key=server.key, max_retries=0) as client,
        talking(client) as talk,
    ):
        detection = {"type": "semantic_vad", "eagerness": "high"}
        await talk.update(audio={"input": {"turn_detection": detection, "transcription": {"model": "whisper-1"}}})
        await talk.speak(ten.audio(lead_ms=300, tail_ms=3000))
        assert (await talk.until("response.done")).response.status == "completed"
    assert_conforming(tap, agents_js)


async def test_silence_is_no_turn(client: AsyncOpenAI) -> None:
    async with talking(client) as talk:
        await listen(talk)
        await talk.speak(quiet(5000))
        await talk.settled()
        await asyncio.sleep(0.3)
        assert talk.of("input_audio_buffer.speech_started") == []


# ------------------------------------------------------------------------------------------------ 16, 17: transcription


async def test_check_16_words_that_come_after_the_response(client: AsyncOpenAI, stage: Stage, ten: Said) -> None:
    """A client that commits by itself may ask for a response before the recogniser has the words."""
    stage.hears = [ten.words]
    stage.transcript_ms = 400
    async with talking(client) as talk:
        await talk.update(audio={"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}})
        await talk.speak(ten.audio(lead_ms=100, tail_ms=100))
        await talk.send("input_audio_buffer.commit")
        committed = await talk.until("input_audio_buffer.committed")
        assert talk.of("conversation.item.input_audio_transcription.completed") == []
        await talk.respond()
        await talk.until("response.done")
        said = await talk.until("conversation.item.input_audio_transcription.completed")
        assert (said.item_id, said.transcript) == (committed.item_id, ten.words)


async def test_check_17_a_turn_without_words_is_answered_all_the_same(
    client: AsyncOpenAI, stage: Stage, ten: Said
) -> None:
    stage.transcription_fails = True
    async with talking(client) as talk:
        await listen(talk)
        await talk.speak(ten.audio(lead_ms=300, tail_ms=900))
        failed = await talk.until("conversation.item.input_audio_transcription.failed")
        assert failed.item_id == talk.of("input_audio_buffer.committed")[0].item_id
        assert failed.error.message
        assert (await talk.until("response.done")).response.status == "completed"


# ------------------------------------------------------------------------------------------------ 18: switches


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("interrupt", [True, False])
async def test_check_18_who_answers_and_who_may_interrupt(
    client: AsyncOpenAI, stage: Stage, cards: dict[str, Said], create: bool, interrupt: bool
) -> None:
    stage.says("A long answer that goes on for quite some time, and then for some more time.")
    stage.chunk_interval_ms = 150
    ten = cards["cards-001"]
    async with talking(client) as talk:
        await listen(talk, create_response=create, interrupt_response=interrupt)
        await talk.speak(ten.audio(lead_ms=200, tail_ms=600))
        await talk.until("conversation.item.done")
        if not create:
            await talk.settled()
            await asyncio.sleep(0.2)
            assert talk.of("response.created") == []
            await talk.respond()
        await talk.until("response.output_audio.delta", 3)
        await talk.speak(ten.audio(lead_ms=100, tail_ms=600))
        await talk.until("input_audio_buffer.speech_started", 2)
        first = (await talk.until("response.done")).response
        if interrupt:
            assert (first.status, first.status_details.reason) == ("cancelled", "turn_detected")
        else:
            assert first.status == "completed"
        await talk.until("input_audio_buffer.committed", 2)
        if create:
            assert (await talk.until("response.done", 2)).response.id != first.id
        else:
            await talk.settled()
            assert len(talk.of("response.created")) == 1


# ------------------------------------------------------------------------------------------------ 19: idle


async def test_check_19_silence_after_the_answer_was_played(client: AsyncOpenAI, stage: Stage, ten: Said) -> None:
    """The time counts from the end of playback, which the server can only reckon from the length of what it sent."""
    stage.ms_per_character = 60
    stage.says("Are you there, caller?", "Hello?")
    spoken_s = stage.duration_ms("Are you there, caller?") / 1000
    loop = asyncio.get_running_loop()
    async with talking(client) as talk:
        await listen(talk, idle_timeout_ms=5000)
        await talk.speak(ten.audio(lead_ms=200, tail_ms=600))
        await talk.until("response.done")
        done_s = loop.time()

        async def microphone() -> None:
            await talk.speak(quiet(9000), pace=1.0)

        listening = asyncio.create_task(microphone())
        try:
            triggered = await talk.until("input_audio_buffer.timeout_triggered", within_s=60)
            assert loop.time() - done_s == pytest.approx(spoken_s + 5, abs=0.7)
            assert triggered.audio_end_ms - triggered.audio_start_ms == pytest.approx(5000, abs=700)
            committed = await talk.until("input_audio_buffer.committed", 2)
            assert committed.item_id == triggered.item_id
            assert (await talk.until("response.done", 2)).response.output[0].content[0].transcript == "Hello?"
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


# ------------------------------------------------------------------------------------------------ push-to-talk


async def test_push_to_talk(client: AsyncOpenAI, stage: Stage, ten: Said) -> None:
    stage.hears = ["pushed"]
    async with talking(client) as talk:
        await talk.update(audio={"input": {"turn_detection": None}})
        await talk.speak(ten.audio(tail_ms=200))
        await talk.send("input_audio_buffer.clear")
        await talk.until("input_audio_buffer.cleared")
        await talk.send("input_audio_buffer.commit", event_id="nothing there")
        error = (await talk.until("error")).error
        assert (error.code, error.event_id) == ("input_audio_buffer_commit_empty", "nothing there")
        assert "Expected at least 100ms" in error.message
        await talk.speak(ten.audio(tail_ms=200))
        await talk.send("input_audio_buffer.commit")
        await talk.respond()
        await talk.until("response.done")
        kinds = [event.type for event in talk.events]
        assert not [kind for kind in kinds if "speech_" in kind]
        assert kinds.index("input_audio_buffer.committed") < kinds.index("response.created")
    assert [m.content for m in stage.asked[0].messages if m.role == "user"] == ["pushed"]


async def test_check_26_ninety_nine_milliseconds_are_too_few(client: AsyncOpenAI) -> None:
    async with talking(client) as talk:
        await talk.update(audio={"input": {"turn_detection": None}})
        await talk.append(quiet(99))
        await talk.send("input_audio_buffer.commit")
        assert (await talk.until("error")).error.code == "input_audio_buffer_commit_empty"
        await talk.append(quiet(10))
        await talk.send("input_audio_buffer.commit")
        await talk.until("input_audio_buffer.committed")


# ------------------------------------------------------------------------------------------------ 26: formats


@pytest.mark.parametrize(("wire", "encoding"), [("audio/pcmu", Encoding.MULAW), ("audio/pcma", Encoding.ALAW)])
async def test_check_26_telephone_audio_in_and_out(
    client: AsyncOpenAI, stage: Stage, ten: Said, wire: str, encoding: Encoding
) -> None:
    stage.hears = [ten.words]
    stage.says("Here you are.")
    async with talking(client) as talk:
        formats = {"input": {"format": {"type": wire}}, "output": {"format": {"type": wire}}}
        await talk.update(audio=formats)
        await listen(talk)
        await talk.speak(ten.audio(lead_ms=300, tail_ms=600, encoding=encoding), bytes_per_ms=8)
        response = (await talk.until("response.done")).response
        audio = talk.audio(response.id)
        assert len(audio) == pytest.approx(stage.duration_ms("Here you are.") * 8, abs=40), (
            "and what the filter rings on"
        )
        assert -30 < pcm.dbfs(codec.decode(audio, encoding)) < -12, "speech, and not noise: the voice hums at -20 dBFS"
        assert talk.of("input_audio_buffer.speech_started")[0].audio_start_ms == pytest.approx(100, abs=80)
    heard = pcm.from_bytes(stage.heard[0])
    assert pcm.dbfs(heard) > -35


async def test_check_26_odd_pieces_of_pcm(client: AsyncOpenAI, stage: Stage, ten: Said) -> None:
    audio = ten.audio(lead_ms=300, tail_ms=700)
    async with talking(client) as talk:
        await listen(talk)
        rng = np.random.default_rng(1)
        at = 0
        while at < len(audio):
            size = int(rng.integers(0, 3000)) * 2 + 1
            await talk.append(audio[at : at + size])
            at += size
        assert (await talk.until("response.done")).response.status == "completed"
        assert talk.of("error") == []
    # One wrong byte would have turned it into noise.
    assert -35 < pcm.dbfs(pcm.from_bytes(stage.heard[0])) < -10


async def test_check_26_fifteen_megabytes_and_not_one_more(client: AsyncOpenAI, ten: Said) -> None:
    async with talking(client) as talk:
        await listen(talk)
        await talk.append(bytes(15 << 20))
        await talk.append(bytes((15 << 20) + 2))
        error = (await talk.until("error", within_s=60)).error
        assert error.type == "invalid_request_error"
        await talk.settled()
