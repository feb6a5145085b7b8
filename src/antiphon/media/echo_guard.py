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
from antiphon.vocabulary import AudioFormat

if TYPE_CHECKING:
    from antiphon.clock import Clock
    from antiphon.media.line import CallerLine
    from antiphon.media.port import HearingCounters

_REACH_MS = 890
"""An echo later than this is not looked for. With the segment it makes 8,144 samples; the search's transforms take 8,192, and twice as
long for a few more."""
_FORGET_MS = 250
"""What is out of reach is let go in steps of this much."""
_SEGMENT_MS = 128
"""Inbound audio compared at a time: shorter is mistaken for any voiced speech, longer decides later."""
_TAIL_MS = 400
"""So long after an echo the voice-activity model may go on hearing a voice where only the line's noise is left (320 ms seen)."""


class EchoGuard:
    """One call's guard."""

    clock: Clock

    def __init__(
        self, format_in: AudioFormat, format_out: AudioFormat, line: CallerLine, counters: HearingCounters
    ) -> None:
        """``line`` carries ``format_in``."""
        self._line = line
        self._in = format_in
        self._out = format_out
        self._counters = counters
        self._path = EchoPath()
        self._played = bytearray()
        self._played_from_ms = 0
        self._tail_until_ms = 0
        """Until then, what is no louder than the echo before it is the model's memory of that echo."""
        self._echo_power = 0.0
        self._comparable = format_in.rate_hz == format_out.rate_hz == 8000  # browsers cancel their own echo

    def sound(self, audio: bytes, starts_ms: int) -> None:
        """The agent's audio, sounding from ``starts_ms``."""
        if not self._comparable:
            return
        self._forget_old(starts_ms)
        if not self._played:
            # The silence before it was played, too: without it the first segment's echo has nothing to be compared with.
            self._played_from_ms = starts_ms - _SEGMENT_MS
            self._played += codec.silence(self._out, self._out.bytes_for_ms(_SEGMENT_MS) // self._out.bytes_per_sample)
        at = self._out.bytes_for_ms(starts_ms - self._played_from_ms)
        if at > len(self._played):
            self._played += codec.silence(self._out, (at - len(self._played)) // self._out.bytes_per_sample)
        self._played += audio

    def silenced(self, now_ms: int) -> None:
        del self._played[self._out.bytes_for_ms(max(now_ms - self._played_from_ms, 0)) :]

    def _forget_old(self, now_ms: int) -> None:
        end_ms = self._played_from_ms + int(self._out.ms_of(len(self._played)))
        if end_ms < now_ms - _REACH_MS:
            self._played.clear()
            return
        old_ms = now_ms - _REACH_MS - _SEGMENT_MS - self._played_from_ms
        if old_ms > _FORGET_MS:
            cut = self._out.bytes_for_ms(old_ms)
            del self._played[:cut]
            self._played_from_ms += old_ms

    def is_echo(self, window: bytes) -> bool:
        """Whether the latest audio is the agent's own. ``window`` is the end of it, the piece the model took for sound."""
        if not self._played:
            return False
        now_ms = self.clock.now_ms()
        self._forget_old(now_ms)
        until = self._out.bytes_for_ms(max(now_ms - self._played_from_ms, 0))
        since = max(until - self._out.bytes_for_ms(_REACH_MS + _SEGMENT_MS), 0)
        played = self._floats(bytes(self._played[since:until]), self._out)
        heard = self._floats(self._line.since(self._line.end - self._in.bytes_for_ms(_SEGMENT_MS)), self._in)
        if _may_be_echo(heard, played) and self._path.match(heard, played) is not None:
            self._tail_until_ms = now_ms + _TAIL_MS
            self._echo_power = _power(heard)
        elif now_ms >= self._tail_until_ms or _power(self._floats(window, self._in)) > self._echo_power:
            return False
        self._counters.echo_windows += 1
        return True

    def _floats(self, audio: bytes, kind: AudioFormat) -> NDArray[np.float32]:
        return codec.decode_to_float(audio, kind.encoding)


def _power(samples: NDArray[np.float32]) -> float:
    return float(samples @ samples) / samples.size


def _may_be_echo(heard: NDArray[np.float32], played: NDArray[np.float32]) -> bool:
    """Whether the search is worth its cost: an echo is weaker than anything it could be the echo of. A caller who speaks up hardly ever is,
    so that a barge-in costs two sums instead of two transforms."""
    if played.size < heard.size or not heard.size:
        return False
    stretches = played[: played.size - played.size % heard.size].reshape(-1, heard.size)
    loudest = float(np.einsum("sn,sn->s", stretches, stretches).max())
    # Stretches do not lie as the echo does: the one it came from may be louder than any of ours by a factor of two.
    return float(heard @ heard) <= 2 * loudest * 10 ** (MAX_RELATIVE_LEVEL_DB / 10)
