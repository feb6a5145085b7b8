"""What a voice has said lately, so that a greeting that a hundred callers hear is made once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from antiphon.providers.base import SpeechChunk


class PhraseCache:
    """Least recently used speeches go first. ``max_bytes`` bounds the audio kept; 0 keeps nothing."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, tuple[SpeechChunk, ...]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes_kept(self) -> int:
        return self._bytes

    def get(self, key: Hashable) -> tuple[SpeechChunk, ...] | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, speech: Sequence[SpeechChunk]) -> None:
        """One that takes more than a sixteenth of the room is not kept: it would push out too many."""
        size = _size(speech)
        if key in self._kept or size > self._max_bytes // 16:
            return
        self._kept[key] = tuple(speech)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._bytes -= _size(self._kept.popitem(last=False)[1])


def _size(speech: Sequence[SpeechChunk]) -> int:
    """Bytes of audio, and what the objects around them cost."""
    return sum(len(chunk.audio) + 100 + 150 * len(chunk.words) for chunk in speech)
