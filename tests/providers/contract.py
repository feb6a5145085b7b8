"""What every engine of a kind must do. A test class of an engine inherits one of these and provides the fixture named in it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from antiphon.audio import codec
from antiphon.errors import ProviderError
from antiphon.providers.base import (
    ExpectedAnswers,
    LanguageModel,
    ModelDelta,
    ModelRequest,
    SpeechChunk,
    SpeechRequest,
    SpeechToText,
    TextDelta,
    TextToSpeech,
    Transcribed,
    TranscriptionEvent,
    TranscriptionFailed,
)
from antiphon.providers.scripted_hum import hum
from antiphon.vocabulary import AudioFormat, CallContext, Encoding, Message, WordTiming

PATIENCE_S = 60.0
NOBODY_SPEAKS = AudioFormat(Encoding.ALAW, 48000)
ANSWERS = ExpectedAnswers(phrases=("yes", "no"))
TEXT = "Good morning, this is a test of the voice."


class Ear:
    """Collects a stream's events and waits for answers."""

    def __init__(self) -> None:
        self.events: list[TranscriptionEvent] = []
        self._changed = asyncio.Event()

    def __call__(self, event: TranscriptionEvent) -> None:
        self.events.append(event)
        self._changed.set()

    @property
    def answers(self) -> list[Transcribed | TranscriptionFailed]:
        """Finals and failures."""
        return [
            each
            for each in self.events
            if isinstance(each, TranscriptionFailed) or (isinstance(each, Transcribed) and each.final)
        ]

    @property
    def answered(self) -> list[int]:
        return [event.utterance for event in self.answers]

    @property
    def partials(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Transcribed) and not event.final]

    async def wait_for(self, count: int, within_s: float = PATIENCE_S) -> list[Transcribed | TranscriptionFailed]:
        """The answers, as soon as there are ``count``."""
        async with asyncio.timeout(within_s):
            while len(self.answers) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.answers

    async def wait_for_partial(self) -> str:
        """The first partial, as soon as there is one."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.partials:
                self._changed.clear()
                await self._changed.wait()
        return self.partials[0]


class SpeechToTextContract:
    """Needs a fixture ``stt``: a started engine, closed afterwards; where all tests share it, ``own_stt``, too: one for a test alone."""

    @staticmethod
    def sound(audio: AudioFormat) -> bytes:
        return hum(audio)[: audio.bytes_for_ms(500)]

    async def test_each_format_gets_exactly_one_final(self, stt: SpeechToText) -> None:
        for audio in stt.formats:
            ear = Ear()
            stream = stt.open(audio, ANSWERS, ear)
            stream.begin(7)
            stream.push(self.sound(audio))
            stream.finish(7)
            (answer,) = await ear.wait_for(1)
            assert isinstance(answer, Transcribed)
            assert answer.utterance == 7
            stream.close()

    async def test_utterances_are_answered_once_each_in_order(self, stt: SpeechToText) -> None:
        audio = stt.formats[0]
        ear = Ear()
        stream = stt.open(audio, ANSWERS, ear)
        for utterance in (1, 2, 3):
            stream.begin(utterance)
            stream.push(self.sound(audio))
            stream.finish(utterance)
            stream.finish(utterance)  # said twice by mistake: still one answer
            await ear.wait_for(utterance)
        stream.close()
        assert ear.answered == [1, 2, 3]

    async def test_silence_is_answered_too(self, stt: SpeechToText) -> None:
        ear = Ear()
        stream = stt.open(stt.formats[0], ANSWERS, ear)
        stream.begin(1)
        stream.finish(1)
        (answer,) = await ear.wait_for(1)
        assert isinstance(answer, Transcribed)
        stream.close()

    async def test_an_utterance_cut_off_by_the_next_is_answered_as_well(self, stt: SpeechToText) -> None:
        audio = stt.formats[0]
        ear = Ear()
        stream = stt.open(audio, ANSWERS, ear)
        stream.begin(1)
        stream.push(self.sound(audio))
        stream.begin(2)
        stream.push(self.sound(audio))
        stream.finish(2)
        await ear.wait_for(2)
        stream.close()
        assert sorted(ear.answered) == [1, 2]

    async def test_nothing_is_told_after_close(self, stt: SpeechToText) -> None:
        audio = stt.formats[0]
        closed, other = Ear(), Ear()
        stream = stt.open(audio, ANSWERS, closed)
        stream.begin(1)
        stream.push(self.sound(audio))
        stream.finish(1)
        stream.close()
        stream.close()
        stream.begin(2)
        stream.push(self.sound(audio))
        stream.finish(2)
        # A later call on the same engine has been answered: whatever the closed one had coming would have come before.
        later = stt.open(audio, ANSWERS, other)
        later.begin(1)
        later.push(self.sound(audio))
        later.finish(1)
        await other.wait_for(1)
        later.close()
        assert closed.events == []

    async def test_audio_between_utterances_is_ignored(self, stt: SpeechToText) -> None:
        if stt.continuous:
            pytest.skip("this engine wants it")
        audio = stt.formats[0]
        ear = Ear()
        stream = stt.open(audio, ANSWERS, ear)
        stream.push(self.sound(audio))
        stream.finish(1)
        stream.begin(2)
        stream.finish(2)
        await ear.wait_for(1)
        stream.close()
        assert ear.answered == [2]

    async def test_an_unknown_format_is_refused(self, stt: SpeechToText) -> None:
        with pytest.raises(ProviderError):
            stt.open(NOBODY_SPEAKS, ANSWERS, Ear())

    async def test_the_engine_may_be_closed_twice(self, own_stt: SpeechToText) -> None:
        await own_stt.close()
        await own_stt.close()


class TextToSpeechContract:
    """Needs a fixture ``tts``: a started engine, closed afterwards; where all tests share it, ``own_tts``, too: one for a test alone."""

    async def test_every_format_gives_the_same_speech_in_whole_samples(self, tts: TextToSpeech) -> None:
        lengths_ms = []
        for audio in tts.formats:
            chunks = await speak(tts, SpeechRequest(TEXT, audio))
            assert chunks
            assert all(len(chunk.audio) % audio.bytes_per_sample == 0 for chunk in chunks)
            samples = codec.decode_to_float(joined(chunks), audio.encoding)
            assert np.sqrt(np.mean(samples**2)) > 0.05
            lengths_ms.append(audio.ms_of(len(joined(chunks))))
        assert max(lengths_ms) - min(lengths_ms) < 2.0

    async def test_the_formats_every_voice_must_have(self, tts: TextToSpeech) -> None:
        wanted = {AudioFormat(Encoding.PCM16, rate_hz) for rate_hz in (8000, 16000, 24000)}
        assert wanted | {AudioFormat(Encoding.MULAW, 8000)} <= set(tts.formats)

    async def test_words_follow_each_other_and_come_with_their_audio(self, tts: TextToSpeech) -> None:
        audio = tts.formats[0]
        chunks = await speak(tts, SpeechRequest(TEXT, audio))
        words = words_of(chunks)
        assert [word.text for word in words] == TEXT.split()
        assert all(word.start_ms < word.end_ms for word in words)
        assert all(before.end_ms <= after.start_ms for before, after in itertools.pairwise(words))
        end_ms = 0.0
        for chunk in chunks:
            start_ms, end_ms = end_ms, end_ms + audio.ms_of(len(chunk.audio))
            # Both are whole milliseconds or samples, rounded down: they may differ by one.
            assert all(start_ms - 1 <= word.start_ms <= end_ms + 1 for word in chunk.words)
        assert words[-1].end_ms <= end_ms + 1

    async def test_speeches_made_together_do_not_mix(self, tts: TextToSpeech) -> None:
        audio = tts.formats[0]
        texts = ("One.", TEXT, f"{TEXT} {TEXT}", "Two words.")
        alone = [await speak(tts, SpeechRequest(text, audio)) for text in texts]
        together = await asyncio.gather(*(speak(tts, SpeechRequest(text, audio)) for text in texts))
        for one, other in zip(alone, together, strict=True):
            # Not the same bytes: a voice may have a little chance in it.
            assert abs(len(joined(one)) - len(joined(other))) <= audio.bytes_for_ms(10)
            assert [word.text for word in words_of(one)] == [word.text for word in words_of(other)]

    async def test_speed(self, tts: TextToSpeech) -> None:
        normal = joined(await speak(tts, SpeechRequest(TEXT, tts.formats[0])))
        fast = joined(await speak(tts, SpeechRequest(TEXT, tts.formats[0], speed=1.5)))
        assert 0.5 < len(fast) / len(normal) < 0.85

    async def test_a_speech_stopped_midway_leaves_the_engine_well(self, tts: TextToSpeech) -> None:
        request = SpeechRequest(f"{TEXT} " * 20, tts.formats[0])
        speech = tts.synthesize(request)
        first = await anext(speech)
        assert first.audio
        await speech.aclose()  # type: ignore[attr-defined]
        assert await speak(tts, SpeechRequest(TEXT, tts.formats[0]))

    async def test_nothing_to_say(self, tts: TextToSpeech) -> None:
        assert await speak(tts, SpeechRequest("", tts.formats[0])) == []

    async def test_bad_requests_are_refused(self, tts: TextToSpeech) -> None:
        for request in (SpeechRequest(TEXT, NOBODY_SPEAKS), SpeechRequest(TEXT, tts.formats[0], speed=0)):
            with pytest.raises(ProviderError):
                await speak(tts, request)

    async def test_the_engine_may_be_closed_twice(self, own_tts: TextToSpeech) -> None:
        await own_tts.close()
        await own_tts.close()


class LanguageModelContract:
    """Needs a fixture ``llm``: a started model that has something to say to "hello", closed afterwards."""

    async def test_a_reply_is_text(self, llm: LanguageModel) -> None:
        deltas = await think(llm, request_of("hello"))
        assert any(isinstance(delta, TextDelta) and delta.text for delta in deltas)

    async def test_models_keep_no_state(self, llm: LanguageModel) -> None:
        assert await think(llm, request_of("hello")) == await think(llm, request_of("hello"))

    async def test_a_reply_stopped_midway_leaves_the_model_well(self, llm: LanguageModel) -> None:
        reply = llm.stream(request_of("hello"))
        await anext(reply)
        await reply.aclose()  # type: ignore[attr-defined]
        assert await think(llm, request_of("hello"))

    async def test_the_model_may_be_closed_twice(self, llm: LanguageModel) -> None:
        await llm.close()
        await llm.close()


def request_of(*said: str) -> ModelRequest:
    """A request whose history is what the caller said."""
    return ModelRequest(tuple(Message("user", text) for text in said), (), CallContext(call_id="test"))


async def speak(tts: TextToSpeech, request: SpeechRequest) -> list[SpeechChunk]:
    async with asyncio.timeout(PATIENCE_S):
        return [chunk async for chunk in tts.synthesize(request)]


async def think(llm: LanguageModel, request: ModelRequest) -> list[ModelDelta]:
    async with asyncio.timeout(PATIENCE_S):
        return [delta async for delta in llm.stream(request)]


def joined(chunks: Sequence[SpeechChunk]) -> bytes:
    return b"".join(chunk.audio for chunk in chunks)


def words_of(chunks: Sequence[SpeechChunk]) -> list[WordTiming]:
    return [word for chunk in chunks for word in chunk.words]
