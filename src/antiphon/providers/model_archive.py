"""A model that is published as an archive: a zip with one folder in it, whose content becomes the model's folder.

It is unpacked beside its place and moved there in one step, so that an engine never finds half of it. What an archive says of itself is
not believed: names that leave the folder, links, more files or bytes than a model has are refused, and nothing of it is kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import orjson

from antiphon.files import free_bytes, sha256_of, write_atomically

CONTENTS = "contents.json"
"""Beside the model's files: which archive they came from, and their sizes and checksums."""
MOST_FILES = 10_000
MOST_BYTES = 16 * 1024**3
MOST_TIMES = 20
"""What is unpacked is at most so many times as large as the archive: weights hardly shrink …"""
ALWAYS_BYTES = 16 * 1024**2
"""… but so much may always come."""
_PIECE_BYTES = 1024**2
_LONGEST_NAME = 200
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_PLAIN_KINDS = (0, stat.S_IFREG, stat.S_IFDIR)


class ArchiveRefused(Exception):
    """It is not unpacked. The text says why."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive was unpacked to."""

    archive_sha256: str
    files: Mapping[str, tuple[int, str]]
    """Sizes in bytes and SHA-256 checksums, by path below the model's folder."""


def read_contents(folder: Path) -> Contents | None:
    """None where no archive was unpacked into this folder."""
    try:
        told = orjson.loads((folder / CONTENTS).read_bytes())
        files = {str(path): (int(size), str(sha)) for path, (size, sha) in told["files"].items()}
        return Contents(str(told["archive"]), files)
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None


def all_there(folder: Path) -> bool:
    """Whether everything that was unpacked into this folder is there, with its size. Reads none of it."""
    contents = read_contents(folder)
    if contents is None:
        return False
    try:
        return all((folder / path).stat().st_size == size for path, (size, _) in contents.files.items())
    except OSError:
        return False


def all_right(folder: Path) -> bool:
    """Whether everything that was unpacked into this folder is there, as it was then. Reads all of it."""
    contents = read_contents(folder)
    if contents is None:
        return False
    try:
        return all(sha256_of(folder / path) == sha for path, (_, sha) in contents.files.items())
    except OSError:
        return False


def unpack(archive: Path, archive_sha256: str, work: Path, place: Path) -> None:
    """``place`` becomes what the archive's folder holds. ``work`` is a folder of ours on the same disk. Raises ArchiveRefused, OSError."""
    if place.exists() and read_contents(place) is None and any(place.iterdir()):
        raise ArchiveRefused(f"{place} holds files that were not put there by this command: move them away first")
    fresh, old = work / "unpacked", work / "old"
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        _unpack_into(fresh, archive, archive_sha256)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    if place.exists():
        os.rename(place, old)
    os.rename(fresh, place)
    shutil.rmtree(old, ignore_errors=True)


def _unpack_into(folder: Path, archive: Path, archive_sha256: str) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            members = dict(_members(opened.infolist()))
            _check_size(members.values(), archive.stat().st_size, free_bytes(archive.parent))
            folder.mkdir(mode=0o700)
            files = {}
            for path, info in members.items():
                target = folder / path
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                files[str(path)] = _write(opened, info, target)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ArchiveRefused(f"it is no zip that can be read ({str(error)[:100] or type(error).__name__})") from None
    told = {"archive": archive_sha256, "files": files}
    write_atomically(folder / CONTENTS, orjson.dumps(told, option=orjson.OPT_INDENT_2))


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> tuple[int, str]:
    """Size and checksum."""
    size, checksum = 0, hashlib.sha256()
    with opened.open(info) as source, target.open("xb") as out:
        while piece := source.read(_PIECE_BYTES):
            size += len(piece)
            if size > info.file_size:
                raise ArchiveRefused(f"{info.filename[:60]!r} has more bytes than the archive says")
            checksum.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    return size, checksum.hexdigest()


def _members(infos: list[zipfile.ZipInfo]) -> Iterator[tuple[PurePosixPath, zipfile.ZipInfo]]:
    """Its files, by their paths below the one folder."""
    if len(infos) > MOST_FILES:
        raise ArchiveRefused(f"it has {len(infos)} entries, and at most {MOST_FILES} are unpacked")
    tops: set[str] = set()
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    for info in infos:
        parts = _parts(info)
        tops.add(parts[0])
        if len(tops) > 1 or (len(parts) == 1 and not info.is_dir()):
            raise ArchiveRefused("it does not hold one folder with everything in it")
        if len(parts) == 1:
            continue
        path = PurePosixPath(*parts[1:])
        folders.update(path.parents)
        if info.is_dir():
            folders.add(path)
            continue
        if path in files or path == PurePosixPath(CONTENTS):
            raise ArchiveRefused(f"{info.filename[:60]!r} comes twice")
        files.add(path)
        yield path, info
    if files & folders:
        raise ArchiveRefused("a file and a folder have the same name")
    if not files:
        raise ArchiveRefused("it is empty")


def _parts(info: zipfile.ZipInfo) -> list[str]:
    """The names on the way to an entry. Raises ArchiveRefused for one that is no plain file or folder below where it is unpacked."""
    # As it stands in the archive: the library cuts names at a zero.
    name = info.orig_filename
    parts = name.removesuffix("/").split("/")
    if (
        len(name) > _LONGEST_NAME
        or not name.isprintable()
        or any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts)
    ):
        raise ArchiveRefused(f"an entry is called {name[:60]!r}, which is no plain name in a folder")
    if stat.S_IFMT(info.external_attr >> 16) not in _PLAIN_KINDS:
        raise ArchiveRefused(f"{name[:60]!r} is a link or a device")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise ArchiveRefused(f"{name[:60]!r} is packed in a way that is not read here")
    return parts


def _check_size(infos: Iterable[zipfile.ZipInfo], packed: int, free: int) -> None:
    total = sum(info.file_size for info in infos)
    most = min(MOST_BYTES, max(packed * MOST_TIMES, ALWAYS_BYTES))
    if total > most:
        raise ArchiveRefused(
            f"it holds {total // 10**6} MB, and at most {most // 10**6} MB are unpacked from {packed // 10**6} MB"
        )
    if total > free:
        raise ArchiveRefused(f"{total // 10**6} MB are needed to unpack it, and {free // 10**6} MB are free")
