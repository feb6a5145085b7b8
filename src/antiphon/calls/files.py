"""The files of calls in the data folder: event logs and recordings. A call that came back after a transfer has several parts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from antiphon.session.event_log import EventLog, read_event_log, unfinished_logs

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")
_MOST_PARTS = 50
LOG, RECORDING = ".jsonl", ".wav"


class CallFiles:
    """Blocks, for a moment: call it from a thread where a call's log may be long."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def log(self, name: str) -> Path:
        """Of one part."""
        return self.folder / f"{name}{LOG}"

    def recording(self, name: str) -> Path:
        return self.folder / f"{name}{RECORDING}"

    def parts(self, call_id: str) -> list[str]:
        """The names of its files without their endings, in the order in which it was held. Empty for what is no call's id."""
        if not _NAME.fullmatch(call_id):
            return []
        names = (call_id, *(f"{call_id}-{number}" for number in range(2, _MOST_PARTS + 1)))
        found: list[str] = []
        for name in names:
            if not (self.log(name).is_file() or self.recording(name).is_file()):
                break
            found.append(name)
        return found

    def logs(self, call_id: str) -> list[EventLog]:
        """Raises OSError, MalformedMessage."""
        return [read_event_log(self.log(name)) for name in self.parts(call_id) if self.log(name).is_file()]

    def recordings(self, call_id: str) -> list[Path]:
        return [path for name in self.parts(call_id) if (path := self.recording(name)).is_file()]

    def erase(self, call_id: str) -> int:
        """Of all its parts. Returns how many files there were. Raises OSError."""
        erased = 0
        for name in self.parts(call_id):
            for path in (self.log(name), self.recording(name)):
                with suppress(FileNotFoundError):
                    path.unlink()
                    erased += 1
        return erased

    def erase_recordings(self, call_id: str) -> None:
        """The logs stay. Raises OSError."""
        for path in self.recordings(call_id):
            path.unlink(missing_ok=True)

    def erase_logs(self, call_id: str) -> None:
        """The recordings stay. Raises OSError."""
        for name in self.parts(call_id):
            self.log(name).unlink(missing_ok=True)

    def ended_since(self, wall_ms: int) -> Iterator[str]:
        """Names of logs of calls that are over, and were written to since then. Raises OSError."""
        dead = {path.name for path in unfinished_logs(self.folder, lambda path, error: None)}
        for path in sorted(self.folder.glob(f"*{LOG}")):
            with suppress(OSError):
                if path.stat().st_mtime * 1000 >= wall_ms and path.name not in dead and _has_ended(path):
                    yield path.stem


def _has_ended(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - 200, 0))
        return file.read().rstrip(b"\n").rsplit(b"\n", 1)[-1].startswith(b'{"ended"')
