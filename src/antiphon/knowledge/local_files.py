"""Text files in a folder of the operator's, by their names: what assistants that are files look things up in."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from pathlib import Path

from antiphon.knowledge.library import StoredText, head_of

_NAME = re.compile(r"[^\W_][\w .-]{0,120}")


class LocalFiles:
    """Of the server's own organisation alone."""

    def __init__(self, folder: Path, org_id: str) -> None:
        self._folder = folder
        self._org_id = org_id

    async def look(self, org_id: str, id: str) -> StoredText | None:
        """``id`` is the name of a file in the folder; folders below it are not looked into."""
        if org_id != self._org_id or not _NAME.fullmatch(id):
            return None
        path = self._folder / id
        return await asyncio.to_thread(_stored, path)


def _stored(path: Path) -> StoredText | None:
    try:
        if path.is_symlink() or not path.is_file():
            return None
        status = path.stat()
    except OSError:
        return None
    return StoredText(path.name, f"{status.st_mtime_ns} {status.st_size}", partial(head_of, path))
