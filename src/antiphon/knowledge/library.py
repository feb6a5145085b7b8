"""All files of the process that assistants ask: read when they are first asked for, kept while there is room, searched in threads."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from antiphon.knowledge.index import FileIndex, Score, weights_of
from antiphon.knowledge.words import terms_of
from antiphon.tools.query import Found, Passage

log = structlog.get_logger(__name__)

MAX_TEXT_BYTES = 2 * 1024 * 1024
"""Of a file; what comes after is not looked at."""
MAX_FILES = 200
MAX_VECTORS = 60_000
"""Sentences of all files together whose meaning is kept: 512 numbers of 2 bytes each."""
MAX_PASSAGES = 4
MAX_ANSWER_CHARS = 2400
NEAR = 0.35
FAR = 0.18
BY_WORDS = 0.3
BY_SOME_WORDS = 0.2
"""What is found at all: a passage that is near enough (``NEAR``), or holds enough of the question's words, or both by less (``FAR``,
``BY_SOME_WORDS``). Measured with the questions of tests/knowledge/test_library.py: of 15 in English and Korean, 11 find their passage, 4 in
quite other words find nothing; and none of 7 about something else finds anything (the nearest is at 0.29, without a word in common)."""
_TOGETHER = 64
"""Sentences that are encoded at once: a conversation that waits for its own sentence waits no longer than for these."""


class Meaning(Protocol):
    """A model of what sentences mean."""

    async def vectors(self, sentences: Sequence[str]) -> Any:
        """One row for each, of length 1."""
        ...


@dataclass(frozen=True, slots=True)
class StoredText:
    """``version`` changes when the text does."""

    name: str
    version: str
    read: Callable[[], bytes]
    """Blocks. Raises OSError."""


Look = Callable[[str, str], Awaitable[StoredText | None]]
"""By organisation and id; None where there is no such file, or it is no text. Raises StoreUnavailable."""


class Library:
    """Implements ``Knowledge``. One per process."""

    def __init__(self, looks: Sequence[Look], meaning: Meaning | None) -> None:
        """``looks`` are asked in their order; more may be added to the list. Without ``meaning`` the words alone decide."""
        self._looks = looks
        self._meaning = meaning
        self._indexes: OrderedDict[tuple[str, str], FileIndex] = OrderedDict()
        self._reading: dict[tuple[str, str], asyncio.Task[FileIndex | None]] = {}
        self._encoding: asyncio.Task[None] | None = None
        self._to_encode: OrderedDict[tuple[str, str], FileIndex] = OrderedDict()

    async def close(self) -> None:
        tasks = [*self._reading.values(), *([self._encoding] if self._encoding is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def find(self, question: str, file_ids: Sequence[str], org_id: str) -> Found:
        found = [await self._index(org_id, id) for id in file_ids]
        indexes = [index for index in found if index is not None]
        vector = None
        if self._meaning is not None and any(index.vectors for index in indexes):
            vector = (await self._meaning.vectors([question]))[0]
        ranked = await asyncio.to_thread(_ranked, question, indexes, vector)
        return Found(_told(ranked), len(found) - len(indexes))

    async def ready(self) -> None:
        """Until what has been read so far has been encoded."""
        if self._encoding is not None:
            await asyncio.shield(self._encoding)

    # ---------------------------------------------------------------------------------- reading

    async def _index(self, org_id: str, id: str) -> FileIndex | None:
        stored = None
        for look in self._looks:
            if (stored := await look(org_id, id)) is not None:
                break
        if stored is None:
            return None
        key = (f"{org_id} {id}", stored.version)
        if (known := self._indexes.get(key)) is not None:
            self._indexes.move_to_end(key)
            return known
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._read(key, stored), name="knowledge file")
            task.add_done_callback(lambda done: self._reading.pop(key, None))
        return await asyncio.shield(task)

    async def _read(self, key: tuple[str, str], stored: StoredText) -> FileIndex | None:
        try:
            index = await asyncio.to_thread(_indexed, stored)
        except (OSError, UnicodeDecodeError) as error:
            log.warning("knowledge_file_unreadable", problem=type(error).__name__)
            return None
        self._indexes[key] = index
        self._make_room()
        if self._meaning is not None and index.pieces:
            self._to_encode[key] = index
            if self._encoding is None or self._encoding.done():
                self._encoding = asyncio.create_task(self._encode(self._meaning), name="knowledge meaning")
        return index

    async def _encode(self, meaning: Meaning) -> None:
        """One file after the other. Until one is done, its words alone decide."""
        while self._to_encode:
            _, index = self._to_encode.popitem(last=False)
            sentences = index.sentences()
            rows: list[Any] = []
            try:
                for at in range(0, len(sentences), _TOGETHER):
                    rows += list(await meaning.vectors([text for _, text in sentences[at : at + _TOGETHER]]))
            except Exception as error:
                log.error("knowledge_not_encoded", problem=type(error).__name__)
                continue
            await asyncio.to_thread(index.mean, [owner for owner, _ in sentences], rows)
            self._make_room()

    def _make_room(self) -> None:
        while len(self._indexes) > MAX_FILES or (
            len(self._indexes) > 1 and sum(index.vectors for index in self._indexes.values()) > MAX_VECTORS
        ):
            key, _ = self._indexes.popitem(last=False)
            self._to_encode.pop(key, None)


def head_of(path: Path) -> bytes:
    """As much of a file as is looked at, and a byte more. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_TEXT_BYTES + 1)


def _indexed(stored: StoredText) -> FileIndex:
    """Raises OSError, UnicodeDecodeError."""
    content = stored.read()
    text = content[:MAX_TEXT_BYTES].decode("utf-8-sig", "ignore" if len(content) > MAX_TEXT_BYTES else "strict")
    return FileIndex.of(stored.name, text)


def _ranked(question: str, indexes: Sequence[FileIndex], vector: Any) -> list[tuple[Score, str]]:
    """Those that fit, best first."""
    weights, mean_length = weights_of(indexes, terms_of(question))
    scored = [
        (score, index.name)
        for index in indexes
        for score in index.scores(weights, mean_length, vector if index.vectors else None)
        if fits(score)
    ]
    best = max((score.rank for score, _ in scored), default=0.0) or 1.0
    scored.sort(key=lambda entry: entry[0].meaning + 0.4 * entry[0].words + 0.2 * entry[0].rank / best, reverse=True)
    return scored[:MAX_PASSAGES]


def fits(score: Score) -> bool:
    near = score.meaning >= FAR and score.words >= BY_SOME_WORDS
    return near or score.words >= BY_WORDS or score.meaning >= NEAR


def _told(ranked: Sequence[tuple[Score, str]]) -> tuple[Passage, ...]:
    told: list[Passage] = []
    left = MAX_ANSWER_CHARS
    for score, name in ranked:
        text = " ".join(score.piece.text.split())
        if told and len(text) > left:
            break
        told.append(Passage(text[:MAX_ANSWER_CHARS], name))
        left -= len(text)
    return tuple(told)
