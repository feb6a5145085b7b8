"""Whose words a vendor tells: it hears all audio and knows no utterances of ours, so words belong to them by time.

Voice-activity detection opens an utterance a moment after its speech began, so words from shortly before still belong to it. What has been
answered stays so: what comes again for that time is left out. Times are ms of the stream's audio; a connection's own begin at ``base_ms``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from antiphon.providers.base import HeardWord
from antiphon.providers.stt.wire import Segment

LEAD_MS = 800
"""Words from so long before an utterance was opened may belong to it: the onset, its confirmation, and the vendor's own error."""
MOST_UTTERANCES = 32
_MOST_STRAYS = 64


@dataclass(slots=True)
class Utterance:
    number: int
    begin_ms: float
    end_ms: float | None = None
    end_position: int = 0
    """``end_ms`` in bytes of the stream."""
    finished_s: float = 0.0
    parts: list[str] = field(default_factory=list)
    words: list[HeardWord] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    language: str = ""
    pending: str = ""
    pending_words: tuple[HeardWord, ...] = ()
    told: str = ""
    asked_again: bool = False

    @property
    def text(self) -> str:
        return " ".join(part for part in (*self.parts, self.pending) if part)


class Utterances:
    """Those of one call that have no last word yet."""

    def __init__(self) -> None:
        self.waiting: deque[Utterance] = deque()
        """Oldest first."""
        self.open: Utterance | None = None
        """The one that is being heard."""
        self.answered_ms = self._over_ms = 0.0
        """Up to here everything has been answered."""
        self.base_ms = 0.0
        self._strays: deque[tuple[float, str, HeardWord | None]] = deque(maxlen=_MOST_STRAYS)
        """Final words that are nobody's, with their times: the next one may claim them."""

    def begin(self, number: int, now_ms: float) -> None:
        self.open = heard = Utterance(number, now_ms)
        self.waiting.append(heard)
        self._claim_strays(heard)

    def connect(self, base_ms: float) -> None:
        """Another connection, whose audio begins there: what was not final is told again."""
        self.base_ms = base_ms
        for heard in self.waiting:
            heard.pending, heard.pending_words = "", ()

    def numbered(self, number: int) -> Utterance | None:
        return next((each for each in self.waiting if each.number == number), None)

    def finished(self) -> list[Utterance]:
        """Those that wait for their last words alone."""
        return [heard for heard in self.waiting if heard.end_ms is not None]

    def over(self, heard: Utterance, now_ms: float) -> None:
        """It has its answer."""
        self.waiting.remove(heard)
        if self.open is heard:
            self.open = None
        end_ms = heard.end_ms if heard.end_ms is not None else now_ms
        self._over_ms = max(self._over_ms, end_ms)
        first = self.waiting[0] if self.waiting else None  # a vendor may answer a later one before it
        self.answered_ms = max(self.answered_ms, min(self._over_ms, first.begin_ms) if first else self._over_ms)

    # ------------------------------------------------------------------------------------------ what is told

    def hear(self, segment: Segment) -> None:
        """Words go to those whose they are."""
        start_ms, end_ms = segment.start_ms + self.base_ms, segment.end_ms + self.base_ms
        for heard in self.waiting:
            if segment.timed or heard is self._named(segment):
                heard.pending, heard.pending_words = "", ()
        for owner, text, words in self._shares(segment, (start_ms + end_ms) / 2):
            if owner is not None:
                _add(owner, segment, text, words)
            elif segment.final:
                self._strays.extend((word.start_ms, word.text, word) for word in words)
                if not words:
                    self._strays.append((start_ms, text, None))

    def changed(self) -> Iterator[Utterance]:
        """Those that are being heard and say something new, each time once."""
        for heard in list(self.waiting):
            if heard.text and heard.text != heard.told and heard.end_ms is None:
                heard.told = heard.text
                yield heard

    def reached(self, segment: Segment, *, interim_suffices: bool) -> Utterance | None:
        """The first of them, if the vendor's words have reached its end; asked again until there is none."""
        if not self.waiting:
            return None
        heard, end_ms = self.waiting[0], segment.end_ms + self.base_ms
        if heard.end_ms is None or end_ms < heard.end_ms - 1:
            return None
        if heard.pending and not interim_suffices:
            return None
        if not segment.final and not heard.text and not interim_suffices:
            # Silence so far, and the audio after it is being heard already: there were no words.
            if end_ms < heard.end_ms + LEAD_MS:
                return None
        return heard

    def _shares(
        self, segment: Segment, middle_ms: float
    ) -> Iterable[tuple[Utterance | None, str, tuple[HeardWord, ...]]]:
        """Whose words these are. Words of what has been answered are left out."""
        if not segment.timed:
            if (owner := self._named(segment)) is not None:
                yield owner, segment.text, segment.words
            return
        if not segment.words:
            if segment.text and middle_ms >= self.answered_ms:
                yield self._owner(middle_ms), segment.text, ()
            return
        base = round(self.base_ms)
        owned: list[tuple[Utterance | None, list[HeardWord]]] = []
        left_out = False
        for word in segment.words:
            middle_ms = (word.start_ms + word.end_ms) / 2 + self.base_ms
            if middle_ms < self.answered_ms:
                left_out = True
                continue
            owner = self._owner(middle_ms)
            timed = HeardWord(word.text, word.start_ms + base, word.end_ms + base, word.confidence)
            if owned and owned[-1][0] is owner:
                owned[-1][1].append(timed)
            else:
                owned.append((owner, [timed]))
        if len(owned) == 1 and not left_out:
            yield owned[0][0], segment.text, tuple(owned[0][1])
            return
        for owner, words in owned:
            yield owner, " ".join(word.text for word in words), tuple(words)

    def _named(self, segment: Segment) -> Utterance | None:
        """The utterance that a segment is of, where it says so."""
        if segment.current:
            return self.open
        return next((each for each in self.waiting if each.number == segment.utterance), None)

    def _owner(self, at_ms: float) -> Utterance | None:
        """The utterance a moment belongs to: the last that had begun, with its lead, after the one before had ended."""
        owner: Utterance | None = None
        before_end_ms = self.answered_ms
        for heard in self.waiting:
            if at_ms < max(before_end_ms, heard.begin_ms - LEAD_MS):
                break
            owner = heard
            before_end_ms = heard.end_ms if heard.end_ms is not None else before_end_ms
        if owner is not None and owner.end_ms is not None and at_ms > owner.end_ms:
            return None  # the next utterance's, which is about to be opened
        return owner

    def _claim_strays(self, heard: Utterance) -> None:
        """Final words from shortly before this utterance was opened."""
        earliest_ms = max(self.answered_ms, heard.begin_ms - LEAD_MS)
        for start_ms, text, word in self._strays:
            if start_ms >= earliest_ms:
                heard.parts.append(text)
                if word is not None:
                    heard.words.append(word)
        self._strays.clear()


def _add(heard: Utterance, segment: Segment, text: str, words: tuple[HeardWord, ...]) -> None:
    if segment.language:
        heard.language = segment.language
    if segment.final:
        heard.parts.append(text)
        heard.words.extend(words)
        if segment.confidence is not None:
            heard.confidences.append(segment.confidence)
    else:
        heard.pending = f"{heard.pending} {text}".strip()
        heard.pending_words = (*heard.pending_words, *words)
