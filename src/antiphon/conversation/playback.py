"""The playback ledger of one reply: what was asked for, how long it sounds, and which words were heard.

``heard_ms`` comes from the media plane (carrier marks or a paced clock). Where the voice tells when each word sounds, the
cut is by word; where not, it is proportional to the characters and marked as an estimate. A word counts as heard when
its middle was played: half a word is understood.
"""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.conversation.words import is_question
from antiphon.vocabulary import WordTiming

_ROUNDING_MS = 20
"""Durations and positions are whole milliseconds, and what is sent are whole frames."""
_CHARACTERS_PER_SECOND = 15
"""Ordinary English speech; used only for a piece whose audio is not complete and whose voice tells no word times."""


@dataclass(slots=True)
class Piece:
    """One spoken piece: a clause or a sentence."""

    text: str
    step: int
    """The model step it belongs to."""
    spaced: bool = True
    """Whether white space stood before it in what the model wrote."""
    duration_ms: int = 0
    complete: bool = False
    """All of the text has become audio."""
    broken: bool = False
    """The voice failed: no more audio will come, and not all of the text is in it."""
    words: tuple[WordTiming, ...] = ()


class PlaybackLedger:
    """Pieces in the order they are spoken."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def ask(self, text: str, step: int, *, spaced: bool = True) -> int:
        """A piece was sent to the voice; returns its number."""
        self.pieces.append(Piece(" ".join(text.split()), step, spaced))
        return len(self.pieces) - 1

    def synthesized(self, piece: int, duration_ms: int, words: tuple[WordTiming, ...], complete: bool) -> None:
        """What is known of a piece's audio now. Numbers that were never asked for are ignored (a stale voice)."""
        if 0 <= piece < len(self.pieces):
            entry = self.pieces[piece]
            entry.duration_ms = max(entry.duration_ms, duration_ms)
            entry.words = words or entry.words
            entry.complete = entry.complete or complete

    def failed(self, piece: int) -> None:
        """No more of a piece will be made; what there is of it may still be heard."""
        if 0 <= piece < len(self.pieces):
            self.pieces[piece].broken = not self.pieces[piece].complete

    @property
    def duration_ms(self) -> int:
        """Audio made so far."""
        return sum(piece.duration_ms for piece in self.pieces)

    @property
    def complete(self) -> bool:
        """Whether all that was asked for has become audio."""
        return all(piece.complete for piece in self.pieces)

    def heard_through(self, piece: int, heard_ms: int) -> bool:
        """Whether this piece has been heard to its end, when ``heard_ms`` of the reply were played: as far as it has become audio."""
        through = self.pieces[: piece + 1]
        ends_ms = sum(each.duration_ms for each in through)
        return all(each.complete or each.broken for each in through) and heard_ms >= ends_ms - _ROUNDING_MS

    @property
    def asks(self) -> bool:
        """Whether its last words are a question."""
        return bool(self.pieces) and is_question(self.pieces[-1].text)

    @property
    def estimated(self) -> bool:
        """Whether a cut inside this reply would be a guess."""
        return any(piece.duration_ms and not piece.words for piece in self.pieces)

    def heard_text(self, heard_ms: int, step: int | None = None) -> str:
        """The words heard when ``heard_ms`` of the reply were played, of one model step or of all."""
        heard: list[str] = []
        start_ms = 0
        for piece in self.pieces:
            played_ms = heard_ms - start_ms
            if played_ms <= 0:
                break
            if step is None or piece.step == step:
                text = _heard_of(piece, played_ms)
                if text:
                    heard.append(f" {text}" if piece.spaced and heard else text)
            start_ms += piece.duration_ms
            if not piece.complete and not piece.broken:
                break
        return "".join(heard)


def _heard_of(piece: Piece, played_ms: int) -> str:
    if piece.complete and played_ms >= piece.duration_ms:
        return piece.text if piece.duration_ms else ""
    if piece.words:
        heard = sum(1 for word in piece.words if (word.start_ms + word.end_ms) / 2 <= played_ms)
        return _first_words(piece.text, heard, len(piece.words) if piece.complete else None)
    if piece.complete:
        share = played_ms / piece.duration_ms
    else:
        share = min(played_ms, piece.duration_ms) * _CHARACTERS_PER_SECOND / 1000 / max(len(piece.text), 1)
    return _by_share(piece.text, share)


def _first_words(text: str, heard: int, of: int | None) -> str:
    """The first ``heard`` of the ``of`` words the voice counted; None while it is still counting. A voice may count "20%" as two: then
    by share."""
    words = text.split()
    if of is not None and len(words) != of:
        heard = round(heard * len(words) / of)
    return " ".join(words[:heard])


def _by_share(text: str, share: float) -> str:
    """Whole words whose middle lies in the first ``share`` of the characters."""
    reach = share * len(text)
    words: list[str] = []
    at = 0
    for word in text.split():
        at = text.index(word, at)
        if at + len(word) / 2 > reach:
            break
        words.append(word)
        at += len(word)
    return " ".join(words)
