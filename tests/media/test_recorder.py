"""A recording is as long as the call and bounded in memory, also where only the agent is heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.audio import g711
from antiphon.audio.wav import read_wav
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
