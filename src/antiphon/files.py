"""Small files that hold state: written whole or not at all, by one process at a time, readable by their owner alone.

Everything here blocks, for a moment: small files, a local disk.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from antiphon.errors import ConfigurationError

_LOCK_TIMEOUT_S = 10.0
"""Whoever holds a lock reads and writes a few kilobytes: after this long it hangs, and so would we."""
_LOCK_LOOK_EVERY_S = 0.02
_OTHERS = 0o077
_PLAIN = {
    errno.ENOSPC: "no space left",
    errno.EDQUOT: "no space left (quota)",
    errno.EROFS: "the file system is read-only",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
}


def reason(error: OSError) -> str:
    """What went wrong with a file, for a log line or a message: never its path."""
    return _PLAIN.get(error.errno or 0) or (error.strerror or type(error).__name__).lower()


def private_folder(path: Path) -> None:
    """Make the folder and those above it, for their owner alone; one that is there stays as it is. Raises OSError."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    if missing and not missing[0].is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(missing[0]))


def private_file(path: Path) -> None:
    """The file is there, and its owner alone may read it: for a library that opens it by its name and gives its side files the same
    rights, as SQLite does. Raises OSError."""
    private_folder(path.parent)
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        mode = os.fstat(descriptor).st_mode
        if mode & _OTHERS:  # made by somebody else, or by an earlier version
            with suppress(PermissionError):
                os.fchmod(descriptor, mode & 0o700)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file. Whoever reads it, also after a power cut, has what was there before or ``content``, whole. Raises OSError."""
    private_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600, a name of its own
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else who asks is inside for this file, in any process of the machine: to read, change and write it.

    The lock is a file of its own beside it, because the file itself is replaced. Raises OSError; ConfigurationError where another holds it
    for ten seconds."""
    private_folder(path.parent)
    beside = path.with_name(f"{path.name}.lock")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, path.name)
        yield
    finally:
        os.close(descriptor)  # and the lock with it


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """What is in the file; where there is nothing, what ``make`` makes, written once: of several processes all get the same.
    Raises OSError, ConfigurationError."""
    content = _content(path)
    if content:
        return content
    with locked(path):
        content = _content(path)
        if not content:  # an empty one is what a crash left
            content = make()
            write_atomically(path, content)
        return content


def unused_name(folder: Path, stem: str, endings: tuple[str, ...]) -> str:
    """``stem``, or ``stem-2``, ``stem-3`` … where files of that name and one of the endings are there."""
    name, number = stem, 1
    while any((folder / f"{name}{ending}").exists() for ending in endings):
        number += 1
        name = f"{stem}-{number}"
    return name


def sha256_of(path: Path) -> str:
    """Checksum of a file's content, in hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def free_bytes(path: Path) -> int:
    """Room for us on the disk where ``path`` is or will be. Raises OSError."""
    while not path.exists() and path != path.parent:
        path = path.parent
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _take(descriptor: int, name: str) -> None:
    deadline_s = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                raise ConfigurationError(name, "another process has held its lock for ten seconds") from None
            time.sleep(_LOCK_LOOK_EVERY_S)


def _sync_folder(folder: Path) -> None:
    """So that the new name is there after a power cut, too."""
    with suppress(OSError):  # some file systems cannot: the file itself is whole in any case
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
