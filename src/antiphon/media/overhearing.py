"""Both sides of a live call for somebody who only listens: taken from what is kept of the call anyway, never in its way."""

from __future__ import annotations

import numpy as np

from antiphon.audio import codec
from antiphon.audio.convert import converter
from antiphon.media.line import HEARD_AGAIN_MS, KEPT_MS, AgentLine, CallerLine
from antiphon.vocabulary import AudioFormat, Encoding

LONGEST_MS = min(KEPT_MS, HEARD_AGAIN_MS) - 60
"""Whoever takes less often than this misses something."""
_LATE_MS = 100
"""The caller's audio comes in bursts: so much of it waits before what is older is let go."""


class Overhearing:
    """One listener's. Takes a slice of time as 16-bit PCM of two channels, interleaved: the caller left, the agent right."""

    def __init__(
        self, line: CallerLine, caller: AudioFormat, agent_line: AgentLine, agent: AudioFormat, now_ms: int
    ) -> None:
        self.rate_hz = agent.rate_hz
        self._line, self._caller = line, caller
        self._agent_line, self._agent = agent_line, agent
        heard = AudioFormat(Encoding.PCM16, agent.rate_hz)
        self._convert = converter(caller, heard) if caller != heard else None
        self._position = line.end
        self._from_ms = now_ms
        self._waiting = bytearray()

    def take(self, now_ms: int) -> bytes:
        """What sounded since the last time, silence where nothing did; empty where no time has passed."""
        from_ms = max(self._from_ms, now_ms - LONGEST_MS)
        self._from_ms = now_ms
        samples = (now_ms - from_ms) * self.rate_hz // 1000
        if samples <= 0:
            return b""
        agent = codec.decode(self._agent_line.between(from_ms, now_ms), self._agent.encoding)
        both = np.zeros((samples, 2), dtype="<i2")
        both[: len(agent), 1] = agent[:samples]
        caller = np.frombuffer(self._caller_side(samples), dtype="<i2")
        both[: len(caller), 0] = caller
        return both.tobytes()

    def _caller_side(self, samples: int) -> bytes:
        new = self._line.since(self._position)
        self._position = self._line.end
        self._waiting += new if self._convert is None else self._convert(new)
        piece = bytes(self._waiting[: samples * 2])
        del self._waiting[: samples * 2]
        surplus = len(self._waiting) - _LATE_MS * self.rate_hz // 1000 * 2
        if surplus > 0:
            del self._waiting[: surplus // 2 * 2]
        return piece
