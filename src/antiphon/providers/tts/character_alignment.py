"""Which piece and which word a voice is at, from the times of single characters.

A vendor tells the characters it speaks and when, message by message. They are looked for in what was said: blanks do not count, and a
character more or less (typography made plain, a mark left out) does not lose the place.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field

from antiphon.vocabulary import WordTiming

_LOOK_AHEAD = 12
"""Characters that a vendor may leave out at once."""


@dataclass(slots=True)
class _Text:
    """The characters of one piece, blanks left out, and the word of each."""

    characters: str
    words: list[str]
    word_of: list[int]
    ends: list[int]
    """Of each word: where its characters end."""
    at: int = 0
    """How many were spoken."""
    word: int = -1
    """The last word that was told."""

    @property
    def over(self) -> bool:
        return self.at >= len(self.characters)


@dataclass(slots=True)
class Stretch:
    """What one message says of one piece. Times are milliseconds of the message's audio."""

    ends_ms: float | None = None
    """Where the next piece begins; None where this one goes on to the end of the message."""
    words: list[tuple[str, float, float]] = field(default_factory=list)
    """Those that begin in it; of the last, the end may be guessed."""


class CharacterAlignment:
    """Of one reply."""

    def __init__(self) -> None:
        self._texts: deque[_Text] = deque()

    def say(self, text: str) -> None:
        """One more piece will be spoken."""
        words = text.split()
        word_of = [index for index, word in enumerate(words) for _ in word]
        ends = list(itertools.accumulate(map(len, words)))
        self._texts.append(_Text("".join(words), words, word_of, ends))

    @property
    def over(self) -> bool:
        """Whether the last character of all that was said has been spoken."""
        return all(text.over for text in self._texts)

    def next_piece(self) -> None:
        """The first piece is over, whatever was told of it."""
        if self._texts:
            self._texts.popleft()

    def take(self, characters: list[str], starts_ms: list[float], durations_ms: list[float]) -> list[Stretch]:
        """The pieces that a message speaks of, in their order: the first is the one being spoken. Pieces before the last are over."""
        stretches = [Stretch()]
        lasting_ms = sum(durations_ms) / len(durations_ms) if durations_ms else 0.0
        for character, start_ms, duration_ms in zip(characters, starts_ms, durations_ms, strict=False):
            for each in "".join(character.split()):
                self._character(each, start_ms, start_ms + duration_ms, lasting_ms, stretches)
        return stretches

    def _character(
        self, character: str, start_ms: float, end_ms: float, lasting_ms: float, stretches: list[Stretch]
    ) -> None:
        while self._texts:
            text = self._texts[0]
            found = text.characters.find(character, text.at, text.at + _LOOK_AHEAD)
            follows = len(self._texts) > 1 and self._texts[1].characters[:1] == character
            # Near the end of a piece a character that is not in its rest, or is not the next, may be the first of the next piece.
            if text.over or (follows and found != text.at and len(text.characters) - text.at <= _LOOK_AHEAD // 4):
                if len(self._texts) == 1:
                    return  # more than was said
                self._texts.popleft()
                stretches[-1].ends_ms = start_ms
                stretches.append(Stretch())
                continue
            if found >= 0:
                left = text.ends[text.word_of[found]] - found - 1
                self._found(text, found, start_ms, end_ms + left * lasting_ms, stretches[-1])
            return

    @staticmethod
    def _found(text: _Text, at: int, start_ms: float, end_ms: float, stretch: Stretch) -> None:
        text.at = at + 1
        word = text.word_of[at]
        if word == text.word:
            if stretch.words:
                said, began_ms, _ = stretch.words[-1]
                stretch.words[-1] = (said, began_ms, end_ms)
            return
        # Words that were passed over are told with the one that follows: words are counted.
        said = " ".join(text.words[text.word + 1 : word + 1])
        stretch.words.append((said, start_ms, end_ms))
        text.word = word


def timed(words: list[tuple[str, float, float]], by_ms: float, not_before_ms: int) -> tuple[WordTiming, ...]:
    """``words`` moved by ``by_ms``, none of which begins before the one before it has ended."""
    told = []
    for text, start_ms, end_ms in words:
        start = max(round(start_ms + by_ms), not_before_ms)
        end = max(round(end_ms + by_ms), start + 1)
        told.append(WordTiming(text, start, end))
        not_before_ms = end
    return tuple(told)
