"""A recording is as long as the call and bounded in memory, also where only the agent is heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from antiphon.audio import g711
from antiphon.audio.wav import read_wav
from antiphon.media.line import AgentLine
from antiphon.media.recorder import Recorder, RecordingWriter
from antiphon.vocabulary import TELEPHONE

SAID = g711.mulaw_encode(np.full(160, 5000, dtype=np.int16)).tobytes()
"""20 ms of the agent."""
HEARD = g711.mulaw_encode(np.full(160, -3000, dtype=np.int16)).tobytes()
SPEAKS_MS = 180_000


def test_an_agent_whom_nobody_answers_is_recorded_as_it_speaks(tmp_path: Path) -> None:
    path, writer = tmp_path / "call.wav", RecordingWriter()
    writer.start()
    agent = AgentLine(TELEPHONE)
    recorder = Recorder(path, TELEPHONE, TELEPHONE, agent, writer)
    most = 0
    for starts_ms in range(0, SPEAKS_MS, 20):
        recorder.speaks(starts_ms)
        agent.sound(SAID, starts_ms)
        most = max(most, agent.bytes_after(0))
    # Then the caller is there after all, for a second.
    for now_ms in range(SPEAKS_MS, SPEAKS_MS + 1000, 20):
        recorder.hear(HEARD, now_ms + 20)
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
