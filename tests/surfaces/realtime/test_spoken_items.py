"""Recordings in items: one of a session's at a time, no faster than it is decoded, whatever format it is in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from antiphon.audio import codec
from antiphon.errors import ProviderError
from antiphon.providers.base import Transcribed, TranscriptionFailed
from antiphon.surfaces.realtime import spoken_items as module
from antiphon.surfaces.realtime.kept import KeptBytes
from antiphon.surfaces.realtime.protocol.audio_config import PCM, PCMA, PCMU
from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.spoken_items import MOST, SpokenItems
from antiphon.vocabulary import AudioFormat, Encoding

WIDE = AudioFormat(Encoding.PCM16, 16000)


class Recogniser:
    """Takes PCM at 16 kHz and says what the test says."""

    name = "test"

    def __init__(self, formats: tuple[AudioFormat, ...] = (WIDE,)) -> None:
        self.formats = formats
        self.streams: list[Stream] = []
        self.broken = False

    def open(self, audio: AudioFormat, answers: Any, on_event: Callable[[Any], None]) -> Stream:
        if self.broken:
            raise ProviderError(self.name, "broken")
        self.streams.append(Stream(on_event))
        return self.streams[-1]

    @property
    def open_streams(self) -> int:
        return sum(not stream.closed for stream in self.streams)


class Stream:
    def __init__(self, on_event: Callable[[Any], None]) -> None:
        self.say = on_event
        self.pieces: list[bytes] = []
        self.finished = self.closed = False

    def begin(self, utterance: int) -> None: ...

    def push(self, audio: bytes) -> None:
        self.pieces.append(audio)

    def finish(self, utterance: int) -> None:
        self.finished = True

    def close(self) -> None:
        self.closed = True


class Desk:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, limit: int = 0) -> None:
        monkeypatch.setattr(module, "PIECE_EVERY_S", 0.001)
        self.stt = Recogniser()
        self.kept = KeptBytes(limit, "this conversation")
        self.told: list[Any] = []
        self.idle = 0
        self.items = SpokenItems(lambda: self.stt, self._idle, self.kept)  # type: ignore[arg-type, return-value]

    def _idle(self) -> None:
        self.idle += 1

    def dictate(self, seconds: int, audio_format: AudioFormat = PCM) -> None:
        size = audio_format.bytes_for_ms(seconds * 1000)
        self.items.write_down(bytes([0x55]) * size, audio_format, self.told.append)

    async def finished(self, number: int) -> Stream:
        """The stream of this recording, when all of it was given."""
        await until(lambda: len(self.stt.streams) > number and self.stt.streams[number].finished)
        return self.stt.streams[number]


async def until(met: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if met():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came")


async def test_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    for _ in range(3):
        desk.dictate(2)
    for number in range(3):
        stream = await desk.finished(number)
        assert (len(desk.stt.streams), desk.stt.open_streams) == (number + 1, 1)
        assert desk.items.busy
        stream.say(Transcribed(1, f"words {number}", True))
    assert desk.told == ["words 0", "words 1", "words 2"]
    assert (desk.idle, desk.items.busy, desk.stt.open_streams, desk.kept.bytes) == (1, False, 0, 0)


@pytest.mark.parametrize("audio_format", [PCM, PCMU, PCMA])
async def test_a_long_one_goes_in_pieces_none_of_which_keeps_the_loop(
    audio_format: AudioFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest_s = 0.0

    def timed(work: Callable[[Any], None]) -> Callable[[Any], None]:
        def run(it: Any) -> None:
            nonlocal longest_s
            began = time.thread_time()
            work(it)
            longest_s = max(longest_s, time.thread_time() - began)

        return run

    monkeypatch.setattr(module._Dictation, "_feed", timed(module._Dictation._feed))
    desk = Desk(monkeypatch)
    desk.dictate(60, audio_format)
    stream = await desk.finished(0)
    assert len(stream.pieces) == 60
    assert WIDE.ms_of(sum(map(len, stream.pieces))) == pytest.approx(60_000, abs=20)
    assert longest_s < 0.05
    samples = codec.decode(stream.pieces[5], Encoding.PCM16)
    assert abs(int(samples.max()) - int(samples.min())) < 100, "a constant stays one, from piece to piece"
    desk.items.close()


async def test_half_a_sample_at_the_end_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.stt.formats = (PCM,)
    desk.items.write_down(bytes(1001), PCM, desk.told.append)
    assert b"".join((await desk.finished(0)).pieces) == bytes(1000)
    desk.items.close()


async def test_a_few_wait_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, limit=PCM.bytes_for_ms(60_000))
    for _ in range(MOST):
        desk.dictate(1)
    with pytest.raises(ClientError) as error:
        desk.items.require_room(1)
    assert error.value.code == "rate_limit_exceeded"
    desk.items.close()
    assert not desk.items.busy


async def test_those_that_wait_count_as_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, limit=PCM.bytes_for_ms(5000))
    desk.dictate(1)
    assert desk.kept.bytes == 0, "the first is on its way"
    desk.dictate(3)
    with pytest.raises(ClientError) as error:
        desk.dictate(3)
    assert error.value.code == "conversation_too_large"
    (await desk.finished(0)).say(Transcribed(1, "", True))
    assert desk.kept.bytes == 0
    desk.items.close()


async def test_one_that_fails_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    desk = Desk(monkeypatch)
    for _ in range(3):
        desk.dictate(1)
    (await desk.finished(0)).say(TranscriptionFailed(1, "broken"))
    stuck = await desk.finished(1)
    assert not stuck.closed
    desk.stt.broken = True
    await until(lambda: len(desk.told) == 3)
    stuck.say(Transcribed(1, "too late", True))
    assert (desk.told, desk.idle, desk.stt.open_streams) == ([None, None, None], 1, 0)


async def test_a_recogniser_of_no_linear_audio_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.stt.formats = (PCMU,)
    with pytest.raises(ProviderError):
        desk.dictate(1)
    assert not desk.items.busy
