"""Files that were uploaded over the API: those of the organisation that asks, where they are text."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from antiphon.calls.stores import ResourceStore
from antiphon.knowledge.library import StoredText, head_of

_MAX_ID_CHARS = 64


class StoredFiles:
    """``folder`` holds the text of each under its id."""

    def __init__(self, store: ResourceStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    async def look(self, org_id: str, id: str) -> StoredText | None:
        """Raises StoreUnavailable."""
        if not 0 < len(id) <= _MAX_ID_CHARS or "\0" in id:
            return None
        found = await self._store.find("file", org_id, id)
        if found is None or "parsedTextBytes" not in found.body:
            return None
        path = self._folder / f"{found.id}.txt"
        if not await asyncio.to_thread(path.is_file):
            return None
        name = str(found.body.get("name") or found.body.get("originalName") or id)
        # The content of an uploaded file is never replaced.
        return StoredText(name, "", partial(head_of, path))
