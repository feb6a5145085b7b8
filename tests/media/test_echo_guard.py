"""Our own voice on the caller's line: from its first sound to the last the model remembers of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio.g711 import mulaw_encode
from antiphon.clock import ManualClock
from antiphon.media.echo_guard import EchoGuard
from antiphon.media.line import AgentLine, CallerLine
from antiphon.media.port import HearingCounters
from antiphon.vocabulary import TELEPHONE

LAG_MS = 250
WINDOW_MS = 32
VOICE_MS = 1000


def voice(seed: int, level: float) -> NDArray[np.float64]:
    """A second of something with a voice's colour and rhythm."""
    noise = np.random.default_rng(seed).normal(0, 1, VOICE_MS * 8)
    coloured = np.convolve(noise, np.hanning(9), "same") * (1.1 + np.sin(np.arange(noise.size) * 2 * np.pi * 4 / 8000))
    return np.asarray(coloured / coloured.std() * level)


class Line:
    """The agent speaks at once; the line brings ``heard`` back, window by window."""

    def __init__(self, agent: NDArray[np.float64]) -> None:
        self.clock = ManualClock(10_000)
        self.line = CallerLine(TELEPHONE)
        self.agent = AgentLine(TELEPHONE)
        self.guard = EchoGuard(TELEPHONE, TELEPHONE, self.line, self.agent, HearingCounters())
        self.guard.clock = self.clock
        self.agent.sound(_mulaw(agent), self.clock.now_ms())

    def brings(self, heard: NDArray[np.float64]) -> list[bool]:
        """For each window, whether it is taken for echo."""
        verdicts = []
        for at in range(0, heard.size - WINDOW_MS * 8 + 1, WINDOW_MS * 8):
            window = _mulaw(heard[at : at + WINDOW_MS * 8])
            self.clock.advance(WINDOW_MS)
            self.line.append(window)
            verdicts.append(self.guard.is_echo(window, self.line.end))
        return verdicts


def _mulaw(samples: NDArray[np.float64]) -> bytes:
    return mulaw_encode(np.clip(np.rint(samples), -32768, 32767).astype(np.int16)).tobytes()


def hiss(duration_ms: int) -> NDArray[np.float64]:
    """A telephone line at −55 dBFS."""
    return np.random.default_rng(99).normal(0, 58, duration_ms * 8)


@pytest.fixture
def agent() -> NDArray[np.float64]:
    return voice(1, 3000)


def returned(agent: NDArray[np.float64], rest_ms: int = 800) -> NDArray[np.float64]:
    """What the line brings: the agent's voice 250 ms later at −20 dB, and hiss before, under and after it."""
    line = hiss(LAG_MS + VOICE_MS + rest_ms)
    line[LAG_MS * 8 : LAG_MS * 8 + agent.size] += agent / 10
    return line


def windows(from_ms: int, to_ms: int) -> slice:
    return slice(-(-from_ms // WINDOW_MS), to_ms // WINDOW_MS)


def test_the_first_sound_of_an_echo_is_known_although_nothing_was_played_before_it(agent: NDArray[np.float64]) -> None:
    verdicts = Line(agent).brings(returned(agent))
    # The first window holds 6 ms of it at most: too little to be like anything.
    assert all(verdicts[windows(LAG_MS + 2 * WINDOW_MS, LAG_MS + VOICE_MS)])


def test_what_the_model_remembers_of_an_echo_is_no_new_sound(agent: NDArray[np.float64]) -> None:
    verdicts = Line(agent).brings(returned(agent))
    assert all(verdicts[windows(LAG_MS + VOICE_MS, LAG_MS + VOICE_MS + 300)])
    assert not any(verdicts[windows(LAG_MS + VOICE_MS + 550, LAG_MS + VOICE_MS + 800)]), "but not for ever"


def test_a_caller_who_speaks_up_right_after_an_echo_is_heard_at_once(agent: NDArray[np.float64]) -> None:
    line = returned(agent)
    speaks_at_ms = LAG_MS + VOICE_MS + 64
    caller = voice(2, 1500)[: 600 * 8]
    line[speaks_at_ms * 8 : speaks_at_ms * 8 + caller.size] += caller
    verdicts = Line(agent).brings(line)
    assert not any(verdicts[windows(speaks_at_ms + WINDOW_MS, speaks_at_ms + 300)])


def test_a_caller_who_speaks_over_the_agent_without_any_echo_is_heard(agent: NDArray[np.float64]) -> None:
    line = hiss(VOICE_MS)
    line[400 * 8 :] += voice(3, 1500)[: line.size - 400 * 8]
    assert not any(Line(agent).brings(line)[windows(400, VOICE_MS)])


def test_after_a_stall_each_window_is_compared_with_what_sounded_before_it(agent: NDArray[np.float64]) -> None:
    """Eight windows have waited: of none of them is what came after it asked about."""
    call = Line(agent)
    heard = _mulaw(returned(agent))
    until, size = (LAG_MS + 600) * 8, WINDOW_MS * 8
    for at in range(0, until - 8 * size, size):
        call.clock.advance(WINDOW_MS)
        call.line.append(heard[at : at + size])
    speaks = _mulaw(voice(2, 8000)[: 4 * size])
    late = heard[until - 8 * size : until - 4 * size] + speaks
    call.clock.advance(8 * WINDOW_MS)
    call.line.append(late)
    ends = [call.line.end - (7 - number) * size for number in range(8)]
    verdicts = [call.guard.is_echo(late[n * size : (n + 1) * size], end) for n, end in enumerate(ends)]
    assert verdicts[:4] == [True] * 4, "the caller who speaks after them is not heard in them"
    assert not any(verdicts[5:])
