"""What a folder of calls holds: event logs and recordings, found and summed up without reading them whole. All of it blocks."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HEADER_BYTES = 256 * 1024
_TAIL_BYTES = 64 * 1024
_MAX_LOG_BYTES = 64 << 20
"""A log that is larger is not read for a page."""


class _Header(msgspec.Struct):
    """What is shown of a header; the rest is not even decoded."""

    call_id: str
    assistant: str
    wall_ms: int
    started_ms: int
    carrier: dict[str, str] = {}


_header = msgspec.json.Decoder(_Header).decode


@dataclass(frozen=True, slots=True)
class CallFile:
    """One call, as far as the two ends of its log tell."""

    name: str
    """Of its files, without the ending: usually the call's id."""
    call_id: str
    assistant: str
    wall_ms: int
    provider: str
    duration_ms: int | None
    ended: str | None
    """None: it lives, or its process died a moment ago."""
    recorded: bool


class CallFiles:
    """The calls of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def page(self, limit: int, offset: int = 0) -> tuple[list[CallFile], int]:
        """So many calls, the newest first, and how many there are. Logs that cannot be read are left out."""
        found = sorted(self._logs(), reverse=True)
        told = (self.summary(name) for _, name in found[offset : offset + limit])
        return [each for each in told if each is not None], len(found)

    def summary(self, name: str) -> CallFile | None:
        """None where there is no such call, or its log cannot be read."""
        try:
            with self._open(name) as file:
                size = os.fstat(file.fileno()).st_size
                header = _header(file.readline(_HEADER_BYTES))
                file.seek(max(0, size - _TAIL_BYTES))
                tail = file.read(_TAIL_BYTES)
        except (OSError, ValueError, msgspec.MsgspecError):
            return None
        last_ms, ended = _end_of(tail)
        return CallFile(
            name,
            header.call_id,
            header.assistant,
            header.wall_ms,
            header.carrier.get("provider", ""),
            last_ms - header.started_ms if last_ms is not None else None,
            ended,
            self.recording(name) is not None,
        )

    def log(self, name: str) -> Path | None:
        """The event log; None where there is none, or it is too large for a page."""
        path = self._file(name, ".jsonl")
        return path if path is not None and path.stat().st_size <= _MAX_LOG_BYTES else None

    def recording(self, name: str) -> Path | None:
        return self._file(name, ".wav")

    def _logs(self) -> Iterator[tuple[int, str]]:
        """When each was last written, and its name."""
        try:
            entries = os.scandir(self._folder)
        except FileNotFoundError:
            return
        with entries:
            for entry in entries:
                name = entry.name.removesuffix(".jsonl")
                if name != entry.name and _NAME.fullmatch(name):
                    with suppress(OSError):
                        yield entry.stat(follow_symlinks=False).st_mtime_ns, name

    def _file(self, name: str, ending: str) -> Path | None:
        """A name is never a path: what a client asks for stays in the folder, and no link leads out of it."""
        if not _NAME.fullmatch(name):
            return None
        path = self._folder / f"{name}{ending}"
        try:
            return path if stat.S_ISREG(path.lstat().st_mode) else None
        except OSError:
            return None

    def _open(self, name: str) -> Any:
        path = self._file(name, ".jsonl")
        if path is None:
            raise FileNotFoundError(name)
        return path.open("rb")


def _end_of(tail: bytes) -> tuple[int | None, str | None]:
    """When the last entry was (session clock), and why the call ended."""
    ended: str | None = None
    for line in reversed(tail.split(b"\n")):
        with suppress(msgspec.MsgspecError, TypeError, KeyError, IndexError):
            document = msgspec.json.decode(line)
            if isinstance(document, dict) and "ended" in document:
                ended = str(document["ended"])
            elif isinstance(document, list) and isinstance(document[0], int):
                return document[0], ended
    return None, ended
