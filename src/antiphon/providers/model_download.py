"""Fetches a model's files: with resume, bounds and checksums, so that what lies in the folder is whole and what was published, or is not
there.

A file grows beside its place (``.NAME.part``) and takes it when its checksum is right. Where nobody has published a checksum, that of the
first download is kept (``checksums.json``) and another one is refused from there on: trust on first use.

An archive is fetched and unpacked in a folder of its own (``.NAME.archive``), and what was in it takes the model's place as a whole.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx
import orjson

from antiphon.errors import AntiphonError
from antiphon.files import free_bytes, locked, private_folder, reason, sha256_of, write_atomically
from antiphon.providers.model_archive import ArchiveRefused, all_right, read_contents, unpack
from antiphon.providers.model_catalogue import Model, ModelFile

CHECKSUMS = "checksums.json"
MAX_FILE_BYTES = 8 * 1024**3
"""Of a file whose size is not known."""
_TRIES_WITHOUT_PROGRESS = 4
_WAITS_S = (1.0, 3.0, 10.0)
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_RANGE = re.compile(r"^bytes (\d+)-\d+/(\d+|\*)$")


class DownloadFailed(AntiphonError):
    """A model could not be fetched. The text says what to do."""

    code = "download_failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one file is. ``total`` in bytes, 0 where nobody knows."""

    name: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one file."""

    name: str
    sha256: str
    was_there: bool
    """It had been fetched before."""
    trusted: bool
    """Nobody has published its checksum: this one is kept, and asked for from now on."""


class ModelDownload:
    """One model on its way into its folder. Blocks: a command's work, not a server's."""

    def __init__(
        self,
        model: Model,
        folder: Path,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        *,
        client: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._model = model
        self._place = folder
        self._folder = folder.with_name(f".{folder.name}.archive") if model.is_archive else folder
        """Where it is fetched to."""
        self._on_progress = on_progress
        self._client = client
        self._sleep = sleep

    def run(self) -> list[Fetched]:
        """All files; those that are there and right are left alone. Raises DownloadFailed, ConfigurationError (another process fetches this
        model, or its table says no address)."""
        try:
            private_folder(self._folder)
            with locked(self._folder / "download"):
                if (there := self._unpacked_before()) is not None:
                    return [there]
                self._check_room()
                own = httpx.Client(timeout=_TIMEOUT, follow_redirects=True) if self._client is None else None
                try:
                    fetched = [self._fetch(self._client or own, file) for file in self._model.files]  # type: ignore[arg-type]
                    return [self._unpacked(fetched[0])] if self._model.is_archive else fetched
                finally:
                    if own is not None:
                        own.close()
        except OSError as error:
            raise DownloadFailed(f"the folder {self._place} cannot be written: {reason(error)}") from None

    def _check_room(self) -> None:
        missing = sum(file.size for file in self._model.files if not (self._folder / file.name).exists())
        free = free_bytes(self._folder)
        if missing > free:
            raise DownloadFailed(f"{missing // 10**6} MB are needed in {self._folder}, and {free // 10**6} MB are free")

    def _fetch(self, client: httpx.Client, file: ModelFile) -> Fetched:
        path = self._folder / file.name
        known = self._known(file)
        if path.exists():
            found = sha256_of(path)
            if found == known or (not known and (not file.size or path.stat().st_size == file.size)):
                return self._keep(file, found, was_there=True, first=not known)
            path.unlink()  # of an earlier version, or spoilt
        part = _Part(self._folder, file.name)
        self._download(client, file, part)
        found = sha256_of(part.path)
        if known and found != known:
            part.drop()
            published = "published" if file.sha256 else "kept from its first download"
            raise DownloadFailed(
                f"{file.name} from {_host(self._model.url_of(file))} has another checksum than the one {published} "
                f"({found[:12]}… instead of {known[:12]}…): it was thrown away. Try again; if it comes back, do not use it"
            )
        part.finish(path)
        return self._keep(file, found, was_there=False, first=not known)

    # -------------------------------------------------------------------------------------------- archives

    def _unpacked_before(self) -> Fetched | None:
        """Of an archive whose files are all as they were unpacked."""
        contents = read_contents(self._place) if self._model.is_archive else None
        file = self._model.files[0]
        if contents is None or contents.archive_sha256 != self._known(file) or not all_right(self._place):
            return None
        return Fetched(file.name, contents.archive_sha256, was_there=True, trusted=False)

    def _unpacked(self, fetched: Fetched) -> Fetched:
        archive = self._folder / fetched.name
        try:
            unpack(archive, fetched.sha256, self._folder, self._place)
        except ArchiveRefused as refused:
            raise DownloadFailed(f"{fetched.name} was not unpacked: {refused}") from None
        finally:
            archive.unlink()
        return replace(fetched, was_there=False)

    # -------------------------------------------------------------------------------------------- checksums

    def _known(self, file: ModelFile) -> str:
        return file.sha256 or self._kept().get(file.name, "")

    def _kept(self) -> dict[str, str]:
        try:
            kept = orjson.loads((self._folder / CHECKSUMS).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return {str(name): str(sha) for name, sha in kept.items()} if isinstance(kept, dict) else {}

    def _keep(self, file: ModelFile, found: str, *, was_there: bool, first: bool) -> Fetched:
        kept = self._kept()
        if kept.get(file.name) != found:
            kept[file.name] = found
            write_atomically(self._folder / CHECKSUMS, orjson.dumps(kept, option=orjson.OPT_INDENT_2))
        return Fetched(file.name, found, was_there, trusted=first)

    # -------------------------------------------------------------------------------------------- the wire

    def _download(self, client: httpx.Client, file: ModelFile, part: _Part) -> None:
        """Until all of it is there. What breaks off goes on where it stopped, as long as each try gets further."""
        tries = 0
        while True:
            before = part.size
            try:
                self._one_request(client, file, part)
                return
            except _BrokenOff as broken:
                tries = 0 if part.size > before else tries + 1
                if tries >= _TRIES_WITHOUT_PROGRESS:
                    raise DownloadFailed(self._gave_up(file, part, str(broken))) from None
                self._sleep(_WAITS_S[min(tries, len(_WAITS_S) - 1)])

    def _gave_up(self, file: ModelFile, part: _Part, problem: str) -> str:
        url = self._model.url_of(file)
        had = (
            f" What there is of it ({part.size // 10**6} MB) is kept, and the next try goes on from there."
            if part.size
            else ""
        )
        what = "What is in its folder" if file.archive else "The files"
        return (
            f"{file.name} could not be fetched from {_host(url)}: {problem}. Is this machine online, and is a proxy needed "
            f"(HTTPS_PROXY)?{had} {what} can also be put into {self._place} by hand: {url}"
        )

    def _one_request(self, client: httpx.Client, file: ModelFile, part: _Part) -> None:
        """Raises _BrokenOff where another try may help, DownloadFailed where it would not."""
        if file.size and part.size > file.size:
            part.drop()
        if file.size and part.size == file.size:
            return
        start, headers = part.size, {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if part.etag:
                headers["If-Range"] = part.etag
        try:
            with client.stream("GET", self._model.url_of(file), headers=headers) as response:
                self._take(response, file, part)
        except httpx.TooManyRedirects as error:
            raise DownloadFailed(f"{file.name}: the address leads from one to the next without end") from error
        except httpx.TransportError as error:
            raise _BrokenOff(_words(error)) from None

    def _take(self, response: httpx.Response, file: ModelFile, part: _Part) -> None:
        start = self._start_of(response, file, part)
        total = self._total(response, file, start)
        part.etag = response.headers.get("ETag", "")
        with part.open(start) as out:
            done = start
            for piece in response.iter_raw():
                done += len(piece)
                if done > (total or MAX_FILE_BYTES):
                    out.close()
                    part.drop()
                    raise DownloadFailed(
                        f"{file.name}: the server sends more than the {total or MAX_FILE_BYTES} bytes it should have"
                    )
                out.write(piece)
                self._on_progress(Progress(file.name, done, total))
            out.flush()
            os.fsync(out.fileno())
        if total and done < total:
            raise _BrokenOff(f"the connection ended after {done} of {total} bytes")

    def _start_of(self, response: httpx.Response, file: ModelFile, part: _Part) -> int:
        """Where what comes begins in the file."""
        status = response.status_code
        if status == 200:
            return 0  # the server knows no ranges, or it is another file by now
        if status == 206:
            given = _RANGE.match(response.headers.get("Content-Range", ""))
            if given is None or int(given[1]) != part.size:
                part.drop()
                raise _BrokenOff("the server sent another part than the one asked for")
            return part.size
        if status == 416:
            part.drop()
            raise _BrokenOff("the server has less of it than was fetched before")
        host = _host(self._model.url_of(file))
        if status == 429 or status >= 500:
            raise _BrokenOff(f"{host} answers {status}")
        raise DownloadFailed(
            f"{file.name}: {host} answers {status}; {self._model.url_of(file)} is not (any more) what the table says"
        )

    def _total(self, response: httpx.Response, file: ModelFile, start: int) -> int:
        """What the whole file has; 0 where nobody says. Raises DownloadFailed where the server's length is not the published one."""
        length = response.headers.get("Content-Length", "")
        told = start + int(length) if length.isdigit() else 0
        if file.size and told and told != file.size:
            raise DownloadFailed(f"{file.name}: the server has a file of {told} bytes, and {file.size} are expected")
        return file.size or told


class _BrokenOff(Exception):
    """Another try may get further."""


class _Part:
    """What there is of a file that is being fetched."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f".{name}.part"
        self._etag_path = folder / f".{name}.etag"

    @property
    def size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def etag(self) -> str:
        """Which version of the file it is of, where the server told and may be believed (a weak tag may not)."""
        try:
            return self._etag_path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return ""

    @etag.setter
    def etag(self, etag: str) -> None:
        if etag.startswith('"') and etag.isascii() and len(etag) < 1000:
            self._etag_path.write_text(etag, encoding="ascii")
        else:
            with suppress(FileNotFoundError):
                self._etag_path.unlink()

    def open(self, start: int) -> BinaryIO:
        """To write from ``start`` on: its end, or its beginning."""
        return self.path.open("ab" if start else "wb")

    def drop(self) -> None:
        for path in (self.path, self._etag_path):
            with suppress(FileNotFoundError):
                path.unlink()

    def finish(self, path: Path) -> None:
        os.replace(self.path, path)
        self.drop()


def _host(url: str) -> str:
    return urlsplit(url).hostname or "?"


def _words(error: httpx.TransportError) -> str:
    """What went wrong on the way."""
    if isinstance(error, httpx.ConnectTimeout):
        return "it cannot be reached (no answer)"
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return f"it cannot be reached ({str(error)[:120] or type(error).__name__})"
    if isinstance(error, httpx.TimeoutException):
        return "it stopped sending"
    return "the connection broke off"
