"""A recording is as long as the call and bounded in memory, also where only the agent is heard."""

from __future__ import annotations

import errno
import os
import types
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from antiphon.audio import g711, wav
from antiphon.audio.wav import read_wav
from antiphon.losses import Losses
from antiphon.media import recorder
from antiphon.media.line import AgentLine, CallerLine
from antiphon.media.recorder import Recorder, RecordingWriter
from antiphon.vocabulary import TELEPHONE

SAID = g711.mulaw_encode(np.full(160, 5000, dtype=np.int16)).tobytes()
"""20 ms of the agent."""
HEARD = g711.mulaw_encode(np.full(160, -3000, dtype=np.int16)).tobytes()
SPEAKS_MS = 180_000


def test_an_agent_whom_nobody_answers_is_recorded_as_it_speaks(tmp_path: Path) -> None:
    path, writer = tmp_path / "call.wav", RecordingWriter()
    writer.start()
    line, agent = CallerLine(TELEPHONE), AgentLine(TELEPHONE)
    recorder = Recorder(path, line, TELEPHONE, agent, TELEPHONE, writer)
    most = 0
    for starts_ms in range(0, SPEAKS_MS, 20):
        recorder.speaks(starts_ms)
        agent.sound(SAID, starts_ms)
        most = max(most, agent.bytes_after(0))
    # Then the caller is there after all, for a second.
    for now_ms in range(SPEAKS_MS, SPEAKS_MS + 1000, 20):
        line.append(HEARD)
        recorder.look(now_ms + 20)
    recorder.close()
    writer.close()
    assert most < 33_000 * 8, "half a minute and what a block is late"
    samples, rate_hz = read_wav(path)
    left, right = samples[:, 0], samples[:, 1]
    assert rate_hz == 8000
    assert np.all(np.abs(right[: SPEAKS_MS * 8] - 5000) < 200), "all that was said, without a hole"
    heard = np.flatnonzero(left < -2000)
    assert heard.size == 8000, "all that was heard"
    assert np.all(left[: heard[0]] == 0)


@pytest.mark.parametrize("heard_from_ms", [300, 5_000, 70_000])
def test_who_is_heard_later_than_the_agent_stands_as_much_later_in_the_recording(
    tmp_path: Path, heard_from_ms: int
) -> None:
    path, writer = tmp_path / "call.wav", RecordingWriter()
    writer.start()
    line, agent = CallerLine(TELEPHONE), AgentLine(TELEPHONE)
    recorder = Recorder(path, line, TELEPHONE, agent, TELEPHONE, writer)
    for at_ms in range(0, heard_from_ms + 2000, 20):
        recorder.speaks(1000 + at_ms)
        agent.sound(SAID, 1000 + at_ms)
        if at_ms >= heard_from_ms:
            line.append(HEARD)
            recorder.look(1000 + at_ms + 20)
            line.forget(recorder.taken)
    recorder.close()
    writer.close()
    samples, _ = read_wav(path)
    heard = np.flatnonzero(samples[:, 0] < -2000)
    assert (heard[0], heard.size) == (heard_from_ms * 8, 16000)
    assert np.all(np.abs(samples[:, 1] - 5000) < 200) and len(samples) == (heard_from_ms + 2000) * 8


# ------------------------------------------------------------------------------------------------ a disk that refuses


class Room:
    """``os.pwrite`` and ``os.open`` of a disk that is full while it is told to be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        real = types.SimpleNamespace(**vars(os))

        def pwrite(file: int, data: bytes, offset: int) -> int:
            self._check()
            return real.pwrite(file, data, offset)

        monkeypatch.setattr(wav, "os", types.SimpleNamespace(**{**vars(os), "pwrite": pwrite}))

    def _check(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


class Call:
    """A caller and an agent who count the seconds, each second louder than the one before, and their recording."""

    def __init__(self, path: Path, writer: RecordingWriter) -> None:
        self.line, self.agent = CallerLine(TELEPHONE), AgentLine(TELEPHONE)
        self.recorder = Recorder(path, self.line, TELEPHONE, self.agent, TELEPHONE, writer)
        self.now_ms = 0

    def goes_on(self, seconds: int) -> None:
        for _ in range(seconds * 50):
            loudness = 300 * (1 + self.now_ms // 1000)
            said = g711.mulaw_encode(np.full(160, loudness, dtype=np.int16)).tobytes()
            self.recorder.speaks(self.now_ms)
            self.agent.sound(said, self.now_ms)
            self.line.append(said)
            self.now_ms += 20
            self.recorder.look(self.now_ms)
            self.line.forget(self.recorder.taken)


@pytest.mark.parametrize("full_from", [0, 5])
def test_a_disk_that_was_full_costs_those_seconds_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_from: int
) -> None:
    room, losses = Room(monkeypatch), Losses()
    writer = RecordingWriter(losses)
    path = tmp_path / "calls" / "a-call.wav"
    room.full = full_from == 0
    with capture_logs() as logs:
        call = Call(path, writer)
        call.goes_on(full_from)
        writer._write_waiting()
        room.full = True
        call.goes_on(6)
        writer._write_waiting()
        room.full = False
        call.goes_on(6)
        call.recorder.close()
        writer._write_waiting()
    samples, _ = read_wav(path)
    seconds = full_from + 12
    assert len(samples) == seconds * 8000
    for side in (0, 1):
        heard = [int(np.median(samples[second * 8000 : (second + 1) * 8000, side])) for second in range(seconds)]
        lost = [second for second, loudness in enumerate(heard) if loudness == 0]
        # The last second and a half can still change, and is written later: of a disk that is full from the beginning, one less is lost.
        assert len(lost) == writer.lost_blocks == (6 if full_from else 5)
        assert lost == list(range(lost[0], lost[0] + len(lost)))
        assert abs(lost[0] - full_from) <= 1
        assert all(
            abs(heard[second] / (300 * (1 + second)) - 1) < 0.05 for second in range(seconds) if second not in lost
        )
    assert writer.failed_files == 1
    [failed] = [entry for entry in logs if entry["event"] == "recording_failed"]
    assert (failed["call_id"], failed["problem"]) == ("a-call", "no space left")
    assert [entry["call_id"] for entry in logs if entry["event"] == "recording_goes_on"] == ["a-call"]


def test_blocks_that_find_no_room_in_memory_are_silence_and_cost_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_MAX_WAITING_BLOCKS", 3)
    writer = RecordingWriter()
    call = Call(tmp_path / "call.wav", writer)
    call.goes_on(60)
    assert len(writer._work) == 4
    writer._write_waiting()
    for _ in range(3):
        call.goes_on(1)
        writer._write_waiting()
    call.recorder.close()
    writer._write_waiting()
    samples, _ = read_wav(tmp_path / "call.wav")
    assert len(samples) == 63 * 8000
    heard = [int(np.median(samples[second * 8000 : (second + 1) * 8000, 1])) for second in range(63)]
    lost = [second for second, loudness in enumerate(heard) if loudness == 0]
    assert lost == list(range(3, 3 + writer.lost_blocks))
    assert all(abs(heard[second] / (300 * (1 + second)) - 1) < 0.05 for second in range(63) if second not in lost)


@pytest.mark.parametrize("in_the_way", ["calls", "calls/a-call.wav/x"])
def test_a_recording_that_cannot_be_made_is_counted_and_told_with_its_call(tmp_path: Path, in_the_way: str) -> None:
    obstacle = tmp_path / in_the_way
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.touch()
    writer = RecordingWriter()
    with capture_logs() as logs, pytest.raises(OSError):
        Call(tmp_path / "calls" / "a-call.wav", writer)
    assert writer.failed_files == 1
    assert [(entry["event"], entry["call_id"]) for entry in logs] == [("recording_failed", "a-call")]


# ------------------------------------------------------------------------------------------------ paused and resumed


@pytest.mark.parametrize(("paused_from", "paused_s"), [(3, 2), (0, 4), (3, 0), (5, 100)])
def test_what_is_said_while_it_is_paused_is_silence_of_the_same_length(
    tmp_path: Path, paused_from: int, paused_s: int
) -> None:
    writer = RecordingWriter()
    call = Call(tmp_path / "a-call.wav", writer)
    call.goes_on(paused_from)
    assert call.recorder.pause(call.now_ms) and not call.recorder.pause(call.now_ms)
    call.goes_on(paused_s)
    if paused_s < 100:
        assert call.recorder.resume(call.now_ms) and not call.recorder.resume(call.now_ms)
        call.goes_on(4)
    call.recorder.close()
    writer._write_waiting()
    samples, _ = read_wav(tmp_path / "a-call.wav")
    seconds = paused_from + paused_s + (4 if paused_s < 100 else 0)
    assert len(samples) == seconds * 8000
    for side in (0, 1):
        loud = np.abs(samples[:, side]).reshape(-1, 160).max(axis=1) > 100
        silent = np.zeros(seconds * 50, dtype=bool)
        silent[paused_from * 50 : (paused_from + paused_s) * 50] = True
        assert np.array_equal(loud, ~silent), f"side {side}"


def test_what_had_arrived_and_was_not_heard_yet_belongs_to_the_pause(tmp_path: Path) -> None:
    """The caller's side is late by a second when the recording goes on again: that second was said while it was paused."""
    writer = RecordingWriter()
    call = Call(tmp_path / "a-call.wav", writer)
    call.goes_on(2)
    call.recorder.pause(call.now_ms)
    call.goes_on(2)
    call.recorder.resume(call.now_ms, waiting_bytes=8000)
    call.goes_on(3)
    call.recorder.close()
    writer._write_waiting()
    left = read_wav(tmp_path / "a-call.wav")[0][:, 0].reshape(-1, 8000)
    assert [bool(np.abs(second).max() > 100) for second in left] == [True, True, False, False, False, True, True]


def test_pauses_that_are_written_are_forgotten(tmp_path: Path) -> None:
    writer = RecordingWriter()
    call = Call(tmp_path / "a-call.wav", writer)
    for _ in range(30):
        call.recorder.pause(call.now_ms)
        call.goes_on(1)
        call.recorder.resume(call.now_ms)
        call.goes_on(1)
    assert len(call.recorder._pauses) < 4
    call.recorder.close()
    assert not call.recorder.pause(call.now_ms) and not call.recorder.resume(call.now_ms)
