"""What a document points to and is not there. The platform takes such a document, and so do we: what it points to may be made later. But
whoever wrote it is told now, not by a call that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from antiphon.calls.stores import ResourceStore
from antiphon.surfaces.vapi.documents import MAX_ID_CHARS
from antiphon.wire_model import join

KINDS: Mapping[str, str] = {
    "assistantId": "assistant",
    "assistantIds": "assistant",
    "squadId": "squad",
    "toolId": "tool",
    "toolIds": "tool",
    "structuredOutputId": "structured-output",
    "structuredOutputIds": "structured-output",
    "fileIds": "file",
    "credentialId": "credential",
    "phoneNumberId": "phone-number",
}
"""Fields, wherever they stand, with what they name. Those that nothing acts on (``workflowId``, ``credentialIds``) are named as such."""
WORDS: Mapping[str, str] = {
    "assistant": "there is no assistant of this id",
    "squad": "there is no squad of this id",
    "tool": "there is no tool of this id",
    "structured-output": "there is no structured output of this id",
    "file": "there is no file of this id",
    "credential": "there is no credential of this id",
    "phone-number": "there is no telephone number of this id",
}
MAX_LOOKED_UP = 100
"""Different ones, of one document: each is a question to the database."""
_NOT_OURS = frozenset(["metadata", "variableValues", "messages", "parameters", "schema", "headers", "options"])
"""Fields whose content is the author's own."""
_MAX_DEPTH = 40

HasFile = Callable[[str, str], bool]
"""``(org_id, name)``: whether it is an assistant that is a file."""


class References:
    """Of all organisations."""

    def __init__(self, store: ResourceStore, has_file: HasFile) -> None:
        self._store = store
        self._has_file = has_file

    async def missing(self, org_id: str, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Each dotted field, and what is wrong with it. Raises StoreUnavailable."""
        there: dict[tuple[str, str], bool] = {}
        found = []
        for field, kind, id in _named(body):
            if (kind, id) not in there:
                if len(there) >= MAX_LOOKED_UP:
                    break
                there[kind, id] = await self._is_there(org_id, kind, id)
            if not there[kind, id]:
                found.append((field, WORDS[kind]))
        return found

    async def lines(self, org_id: str, body: Mapping[str, Any]) -> list[str]:
        """The same, a line each."""
        return [f"{field}: {problem}" for field, problem in await self.missing(org_id, body)]

    async def _is_there(self, org_id: str, kind: str, id: str) -> bool:
        if kind == "assistant" and self._has_file(org_id, id):
            return True
        if len(id) > MAX_ID_CHARS or "\0" in id:
            return False
        return await self._store.find(kind, org_id, id) is not None


def _named(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Dotted field, kind and id of everything that a document points to."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _named(item, join(path, at), depth + 1)
    if not isinstance(value, Mapping):
        return
    for name, item in value.items():
        below = join(path, name)
        kind = KINDS.get(name)
        if kind is None:
            if name not in _NOT_OURS:
                yield from _named(item, below, depth + 1)
        elif name.endswith("Ids"):
            ids = enumerate(item) if isinstance(item, list) else ()
            yield from ((join(below, at), kind, id) for at, id in ids if isinstance(id, str) and id)
        elif isinstance(item, str) and item:
            yield below, kind, item
