"""Is what the caller's line carries our own voice coming back?

Hybrids and loudspeakers return the agent's speech 100 to 700 ms late and 15 to 45 dB weaker; a voice-activity model takes it for a
caller. The guard
knows what was played and compares: only windows that the model takes for sound, and only while or shortly after the agent sounds,
cost anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.audio.echo import MAX_RELATIVE_LEVEL_DB, EchoPath
from antiphon.media.line import HEARD_AGAIN_MS, AgentLine, CallerLine
from antiphon.vocabulary import AudioFormat

if TYPE_CHECKING:
    from antiphon.clock import Clock
    from antiphon.media.port import HearingCounters

_SEGMENT_MS = 128
"""Inbound audio compared at a time: shorter is mistaken for any voiced speech, longer decides later."""
_REACH_MS = HEARD_AGAIN_MS - _SEGMENT_MS
"""An echo later than this is not looked for. With the segment it makes 8,144 samples; the search's transforms take 8,192, and twice as
long for a few more."""
_TAIL_MS = 400
"""So long after an echo the voice-activity model may go on hearing a voice where only the line's noise is left (320 ms seen)."""
_NINE = np.ones(9, dtype=np.float32)


class EchoGuard:
    """One call's guard."""

    clock: Clock

    def __init__(
        self,
        format_in: AudioFormat,
        format_out: AudioFormat,
        caller: CallerLine,
        agent: AgentLine,
        counters: HearingCounters,
    ) -> None:
        """``caller`` carries ``format_in``, ``agent`` ``format_out``."""
        self._caller = caller
        self._agent = agent
        self._in = format_in
        self._out = format_out
        self._counters = counters
        self._path = EchoPath()
        self._tail_until_ms = 0
        """Until then, what is no louder than the echo before it is the model's memory of that echo."""
        self._echo_power = 0.0
        self._comparable = format_in.rate_hz == format_out.rate_hz == 8000  # browsers cancel their own echo

    def is_echo(self, window: bytes, end: int) -> bool:
        """Whether what the caller's line carried until its position ``end`` is the agent's own. ``window`` is its last piece, which the
        model took for sound. After a late beat, or a burst of the network's, more audio than that is there already."""
        if not self._comparable:
            return False
        now_ms = self.clock.now_ms() - int(self._in.ms_of(self._caller.end - end))
        recent = self._played_until(now_ms)
        if not recent and now_ms >= self._tail_until_ms:
            return False
        played = self._floats(recent, self._out)
        heard = self._segment(end)
        if _may_be_echo(heard, played) and self._path.match(heard, played) is not None:
            self._tail_until_ms = now_ms + _TAIL_MS
            self._echo_power = _power(heard)
        elif now_ms >= self._tail_until_ms or _power(self._floats(window, self._in)) > self._echo_power:
            return False
        self._counters.echo_windows += 1
        return True

    def _segment(self, end: int) -> NDArray[np.float32]:
        later, size = self._caller.end - end, self._in.bytes_for_ms(_SEGMENT_MS)
        heard = self._caller.since(end - size)
        return self._floats(heard[: len(heard) - later] if later > 0 else heard, self._in)

    def _played_until(self, now_ms: int) -> bytes:
        if not self._agent.bytes_after(now_ms - _REACH_MS):
            return b""
        # The silence before the first sound was played, too: without it the first segment's echo has nothing to be compared with.
        since_ms = max(now_ms - HEARD_AGAIN_MS, self._agent.from_ms - _SEGMENT_MS)
        return self._agent.between(since_ms, now_ms) if since_ms < now_ms else b""

    def _floats(self, audio: bytes, kind: AudioFormat) -> NDArray[np.float32]:
        return codec.decode_to_float(audio, kind.encoding)


def _power(samples: NDArray[np.float32]) -> float:
    return float(samples @ samples) / samples.size


def _may_be_echo(heard: NDArray[np.float32], played: NDArray[np.float32]) -> bool:
    """Whether the search is worth its cost: an echo is weaker than anything it could be the echo of. A caller who speaks up hardly ever is,
    so that a barge-in costs two sums instead of two transforms."""
    if played.size < heard.size or not heard.size:
        return False
    # The stretch it is the echo of, wherever that begins, lies in nine blocks.
    energies = np.add.reduceat(played * played, np.arange(0, played.size, max(heard.size // 8, 1)))
    loudest = float(np.convolve(energies, _NINE).max())
    return float(heard @ heard) <= loudest * 10 ** (MAX_RELATIVE_LEVEL_DB / 10)
