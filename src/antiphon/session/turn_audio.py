"""The last seconds of the caller's line, for whoever judges by its sound whether a turn is over.

Kept as a telephone carries it, 8 kHz µ-law, whatever the call's format: eight seconds of a turn are 62.5 KiB, and between turns there is
one. Nothing is done with each message: the line hands over what it has collected when it lets go of what is old, two to three times a
second.
"""

from __future__ import annotations

from antiphon.audio.convert import converter
from antiphon.media.line import CallerLine
from antiphon.providers.base import TurnAudio
from antiphon.vocabulary import TELEPHONE, AudioFormat

MOST_MS = 8000
_BEFORE_SPEECH_MS = 500
"""What belongs to a turn before it was known that somebody speaks."""
_BETWEEN_TURNS_MS = 1000
"""So much is remembered while no turn is open, which is most of a call: what the next may begin with."""


class TurnLine(CallerLine):
    """A ``CallerLine`` that remembers for longer."""

    __slots__ = ("_began_ms", "_convert", "_format", "_kept", "_kept_ms", "_most_ms", "_taken")

    def __init__(self, audio: AudioFormat, kept_ms: int, remembered_ms: int) -> None:
        """``remembered_ms`` of it can be asked for with ``turn``, 8000 at most."""
        super().__init__(audio, kept_ms)
        self._format = audio
        self._convert = None if audio == TELEPHONE else converter(audio, TELEPHONE)
        self._most_ms = min(remembered_ms, MOST_MS)
        self._kept_ms = min(_BETWEEN_TURNS_MS, self._most_ms)
        self._kept = bytearray()
        self._taken = 0
        """Position up to which the line has been taken over."""
        self._began_ms = 0.0
        """Where the open turn began, in ms of the line."""

    def forget(self, wanted: int | None = None) -> None:
        self._take()
        super().forget(wanted)

    def turn_opens(self) -> None:
        """What was heard until a moment ago belongs to nobody's turn."""
        self._began_ms = self._format.ms_of(self.end) - _BEFORE_SPEECH_MS
        self._kept_ms = self._most_ms

    def turn_over(self) -> None:
        """It is closed, or dropped: nobody will ask for it."""
        self._kept_ms = min(_BETWEEN_TURNS_MS, self._most_ms)

    def turn(self) -> TurnAudio:
        """The open turn as far as it is remembered."""
        self._take()
        lasted_ms = max(self._format.ms_of(self.end) - self._began_ms, 0.0)
        return TurnAudio(TELEPHONE, bytes(self._kept[-max(TELEPHONE.bytes_for_ms(lasted_ms), 1) :]))

    def _take(self) -> None:
        # Of two minutes that came at once, what will not be remembered is not converted: that would hold all other calls up.
        new = self.since(max(self._taken, self.end - self._format.bytes_for_ms(self._kept_ms)))
        self._taken = self.end
        self._kept += new if self._convert is None else self._convert(new)
        del self._kept[: -TELEPHONE.bytes_for_ms(self._kept_ms)]
