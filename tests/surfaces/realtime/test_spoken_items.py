"""Recordings are written down one after the other, in strides, and what fails is told and counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from statistics import median

import pytest

from antiphon.audio import codec
from antiphon.errors import ProviderError, ProviderUnavailable
from antiphon.providers.base import ExpectedAnswers, OnTranscription, Transcribed, TranscriptionFailed
from antiphon.surfaces.realtime import spoken_items as module
from antiphon.surfaces.realtime.kept import KeptBytes
from antiphon.surfaces.realtime.protocol.audio_config import PCM, PCMA, PCMU
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.spoken_items import MOST, MOST_BYTES, SpokenItems
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

WIDE = AudioFormat(Encoding.PCM16, 16000)


class Recogniser:
    """Says what it is told to say, when it is told to."""

    name = "slow"
    continuous = False

    def __init__(self, *formats: AudioFormat) -> None:
        self.formats = formats or (TELEPHONE, WIDE)
        self.streams: list[Stream] = []
        self.refuses = False

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> Stream:
        if self.refuses:
            raise ProviderUnavailable(self.name, "not there")
        self.streams.append(Stream(on_event))
        return self.streams[-1]


class Stream:
    behind = False

    def __init__(self, on_event: OnTranscription) -> None:
        self.say = on_event
        self.pieces: list[bytes] = []
        self.finished = asyncio.Event()
        self.closed = False

    def begin(self, utterance: int) -> None: ...
    def expect(self, answers: ExpectedAnswers) -> None: ...

    def push(self, audio: bytes) -> None:
        self.pieces.append(audio)

    def finish(self, utterance: int) -> None:
        self.finished.set()

    def close(self) -> None:
        self.closed = True


class Desk:
    def __init__(self, *formats: AudioFormat) -> None:
        self.stt = Recogniser(*formats)
        self.words: list[tuple[int, str | None]] = []
        self.counted: list[tuple[str, str]] = []
        self.idle = 0
        self.items = SpokenItems(lambda: self.stt, self._rest, lambda *label: self.counted.append(label))

    def _rest(self) -> None:
        self.idle += 1

    def write_down(self, number: int, audio: bytes = bytes(4800)) -> None:
        self.items.write_down(audio, lambda words: self.words.append((number, words)))


async def test_a_session_s_recordings_are_written_down_one_after_the_other() -> None:
    desk = Desk()
    for number in range(3):
        desk.write_down(number)
    for number in range(3):
        assert len(desk.stt.streams) == number + 1, "the next one waits"
        stream = desk.stt.streams[number]
        await asyncio.wait_for(stream.finished.wait(), 10)
        stream.say(Transcribed(1, "partial", final=False))
        stream.say(Transcribed(1, f"words {number}", final=True))
        assert stream.closed
    assert desk.words == [(0, "words 0"), (1, "words 1"), (2, "words 2")]
    assert (desk.idle, desk.items.busy, desk.counted) == (1, False, [])


@pytest.mark.parametrize(("formats", "rate_hz"), [((PCM,), 24000), ((TELEPHONE, WIDE), 16000)])
async def test_a_recording_arrives_whole_in_strides(formats: tuple[AudioFormat, ...], rate_hz: int) -> None:
    desk = Desk(*formats)
    desk.write_down(0, bytes(PCM.bytes_for_ms(10_500)))
    [stream] = desk.stt.streams
    await asyncio.wait_for(stream.finished.wait(), 10)
    assert abs(sum(map(len, stream.pieces)) - rate_hz * 2 * 10.5) < rate_hz / 50
    assert max(map(len, stream.pieces)) <= rate_hz * 2 * 1.1
    desk.items.close()


async def test_what_fails_is_told_and_counted_and_the_next_one_is_written_down() -> None:
    desk = Desk()
    desk.write_down(0)
    desk.write_down(1)
    desk.stt.streams[0].say(TranscriptionFailed(1, "too far behind"))
    desk.stt.streams[1].say(Transcribed(1, "words", final=True))
    assert desk.words == [(0, None), (1, "words")]
    assert desk.counted == [("slow", "transcription_failed")]


async def test_a_recogniser_that_is_not_there_fails_the_recording_later() -> None:
    desk = Desk()
    desk.stt.refuses = True
    desk.write_down(0)
    assert desk.words == []
    for _ in range(3):
        await asyncio.sleep(0)
    assert (desk.words, desk.counted, desk.idle) == ([(0, None)], [("slow", "provider_unavailable")], 1)


def test_a_recogniser_of_telephones_alone_is_refused_at_once() -> None:
    with pytest.raises(ProviderError, match="linear"):
        Desk(TELEPHONE).write_down(0)


async def test_a_session_holds_so_many_recordings_and_so_many_bytes() -> None:
    many = Desk()
    for number in range(MOST):
        assert not many.items.full
        many.write_down(number)
    assert many.items.full
    many.items.close()
    large = Desk()
    large.write_down(0)
    large.write_down(1, bytes(MOST_BYTES))
    assert large.items.full
    large.items.close()
    assert not large.items.busy


async def test_nothing_is_told_after_the_end() -> None:
    desk = Desk()
    desk.write_down(0)
    desk.write_down(1)
    [stream] = desk.stt.streams
    desk.items.close()
    stream.say(Transcribed(1, "late", final=True))
    assert (desk.words, desk.idle, stream.closed) == ([], 0, True)


@pytest.mark.parametrize("audio_format", [PCM, PCMU, PCMA])
async def test_a_long_one_in_any_format_goes_in_pieces_none_of_which_keeps_the_loop(
    audio_format: AudioFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    took_s: list[float] = []
    made = module.converter

    def timed(source: AudioFormat, target: AudioFormat) -> Callable[[bytes], bytes]:
        convert = made(source, target)

        def run(audio: bytes) -> bytes:
            began = time.thread_time()
            converted = convert(audio)
            took_s.append(time.thread_time() - began)
            return converted

        return run

    monkeypatch.setattr(module, "converter", timed)
    desk = Desk()
    audio = bytes([0x55]) * audio_format.bytes_for_ms(60_000)
    desk.items.write_down(audio + b"\0" * (audio_format is PCM), lambda words: None, audio_format)
    stream = desk.stt.streams[0]
    await stream.finished.wait()
    assert len(stream.pieces) == 60
    assert WIDE.ms_of(sum(map(len, stream.pieces))) == pytest.approx(60_000, abs=20)
    assert 0 < median(took_s) < 0.05
    samples = codec.decode(stream.pieces[5], Encoding.PCM16)
    assert abs(int(samples.max()) - int(samples.min())) < 100, "a constant stays one, from piece to piece"
    desk.items.close()


async def test_those_that_wait_count_as_kept() -> None:
    desk = Desk()
    kept = KeptBytes(PCM.bytes_for_ms(5000), "this conversation")
    desk.items = SpokenItems(lambda: desk.stt, lambda: None, kept=kept)
    desk.write_down(0, bytes(PCM.bytes_for_ms(1000)))
    assert kept.bytes == 0, "the first is on its way"
    desk.write_down(1, bytes(PCM.bytes_for_ms(3000)))
    for refused in (desk.items.require_room, lambda size: desk.write_down(2, bytes(size))):
        with pytest.raises(ClientError) as error:
            refused(PCM.bytes_for_ms(3000))
        assert error.value.code == "conversation_too_large"
    desk.write_down(3, bytes(PCM.bytes_for_ms(1000)))
    assert kept.bytes == PCM.bytes_for_ms(4000)
    await desk.stt.streams[0].finished.wait()
    desk.stt.streams[0].say(Transcribed(1, "", True))
    assert kept.bytes == PCM.bytes_for_ms(1000)
    desk.items.close()
    assert kept.bytes == 0


async def test_too_many_are_refused_by_name() -> None:
    desk = Desk()
    for number in range(MOST):
        desk.items.require_room(4800)
        desk.write_down(number)
    with pytest.raises(ClientError) as error:
        desk.items.require_room(1)
    assert error.value.code == "rate_limit_exceeded"
    desk.items.close()
