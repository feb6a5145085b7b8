"""Whether a worker's process lives, by a lock that the system lets go of when it dies, however that comes.

A worker that is only slow, or cannot reach Redis, still holds it: nobody ends its calls.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from antiphon.files import private_folder


class LifeLock:
    """Held from now on. One per worker. ``folder`` is the same for all workers of a machine."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises OSError."""
        private_folder(folder)
        self._path = folder / name
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        # It may have to wait: for whoever looks at this very moment whether we live. Nobody else has this name.
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def release(self) -> None:
        """The worker has ended by itself. Safe to call twice."""
        if self._handle >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = -1


def living(folder: Path) -> set[str]:
    """The names under which a lock is held. Those of the dead are left: there is one for each process that was killed. Raises OSError."""
    names = set()
    for path in folder.iterdir():
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            continue  # it has ended this moment
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            names.add(path.name)
        finally:
            os.close(handle)
    return names


def forget(folder: Path, name: str) -> None:
    """It is known to be dead."""
    (folder / name).unlink(missing_ok=True)
