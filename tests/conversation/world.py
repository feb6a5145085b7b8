"""The parts of a simulated call that keep time: a voice, a mouth and a pair of ears."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.vocabulary import WordTiming


@dataclass(slots=True)
class Voice:
    """Speech of ``ms_per_char`` for every character, spaces too."""

    ms_per_char: int = 50
    word_times: bool = True
    fails: bool = False
    silent: bool = False
    """Never answers."""

    def words(self, text: str) -> tuple[WordTiming, ...]:
        timings: list[WordTiming] = []
        at = 0
        for word in text.split():
            at = text.index(word, at)
            timings.append(WordTiming(word, at * self.ms_per_char, (at + len(word)) * self.ms_per_char))
            at += len(word)
        return tuple(timings)


@dataclass(slots=True)
class Mouth:
    """Plays one reply: in real time while it is open and not held."""

    reply: int
    made_ms: int = 0
    heard_ms: int = 0
    at_ms: int = 0
    """The clock at which ``heard_ms`` was right."""
    open: bool = False
    held: bool = False
    soft: bool = False
    ended: bool = False
    started: bool = False
    finished: bool = False
    awaited: int = 0
    """Pieces the voice has not answered."""

    def play_until(self, now_ms: int) -> None:
        if self.audible:
            self.heard_ms = min(self.heard_ms + now_ms - self.at_ms, self.made_ms)
        self.at_ms = now_ms

    @property
    def audible(self) -> bool:
        return self.open and not self.held

    @property
    def done_ms(self) -> int | None:
        """When everything will have been played, as things stand."""
        if not self.audible or not self.ended or self.finished or self.awaited:
            return None
        return self.at_ms + self.made_ms - self.heard_ms


@dataclass(slots=True)
class Ears:
    """Whether the caller sounds, and since when not. A stall stops the audio: then nobody counts silence."""

    sounding: bool = False
    silent_since_ms: int = 0
    watch_ms: int | None = None
    stalled: bool = False

    @property
    def due_ms(self) -> int | None:
        if self.watch_ms is None or self.sounding or self.stalled:
            return None
        return self.silent_since_ms + self.watch_ms
