"""Models that come as archives are unpacked whole and within their folder, or not at all: zips from a server on this machine."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.providers.model_server import ModelServer

from antiphon.errors import ConfigurationError
from antiphon.providers import model_archive
from antiphon.providers.model_archive import ArchiveRefused, unpack
from antiphon.providers.model_catalogue import Model, ModelFile, is_there, read_catalogue
from antiphon.providers.model_download import DownloadFailed, Fetched, ModelDownload

FILES = {"am/final.mdl": b"weights" * 5000, "conf/mfcc.conf": b"--use-energy=false\n", "graph/phones/word.int": b"1"}


def zipped(files: dict[str, bytes], *extra: tuple[zipfile.ZipInfo, bytes], folder: str = "vosk-tiny/") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("vosk-tiny")
        for name, content in files.items():
            archive.writestr(f"{folder}{name}", content)
        for info, content in extra:
            archive.writestr(info, content)
    return out.getvalue()


GOOD = zipped(FILES)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        server.files = {"/tiny.zip": GOOD}
        yield server


def model(server: ModelServer, content: bytes = GOOD, *, sha256: str | None = None) -> Model:
    sha = hashlib.sha256(content).hexdigest() if sha256 is None else sha256
    file = ModelFile(name="tiny.zip", size=len(content), sha256=sha, archive=True)
    return Model(engine="vosk", kind="stt", licence="CC0-1.0", as_of="2026-11-29", base=server.url, files=(file,))


def pull(wanted: Model, folder: Path) -> list[Fetched]:
    return ModelDownload(wanted, folder, sleep=lambda _: None).run()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != model_archive.CONTENTS
    }


def test_a_model_is_fetched_and_unpacked_once(server: ModelServer, tmp_path: Path) -> None:
    wanted, place = model(server), tmp_path / "vosk-tiny"
    assert not is_there(wanted, place)
    sha = hashlib.sha256(GOOD).hexdigest()
    assert pull(wanted, place) == [Fetched("tiny.zip", sha, was_there=False, trusted=False)]
    assert contents(place) == FILES
    assert is_there(wanted, place)
    assert pull(wanted, place) == [Fetched("tiny.zip", sha, was_there=True, trusted=False)]
    assert len(server.ranges) == 1
    assert sorted(path.name for path in (tmp_path / ".vosk-tiny.archive").iterdir()) == [
        "checksums.json",
        "download.lock",
    ]


def test_half_a_download_is_never_used(server: ModelServer, tmp_path: Path) -> None:
    wanted, place = model(server), tmp_path / "vosk-tiny"
    server.troubles += ["break", *["busy"] * 4]  # type: ignore[list-item]
    with pytest.raises(DownloadFailed, match=r"next try goes on from there.*vosk-tiny by hand"):
        pull(wanted, place)
    assert not place.exists() and not is_there(wanted, place)
    pull(wanted, place)
    assert server.ranges[-1] == f"bytes={len(GOOD) // 2}-"
    assert contents(place) == FILES


def test_other_bytes_are_not_unpacked(server: ModelServer, tmp_path: Path) -> None:
    server.troubles.append("wrong")
    with pytest.raises(DownloadFailed, match="another checksum"):
        pull(model(server), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_without_a_published_checksum_the_first_one_is_kept(server: ModelServer, tmp_path: Path) -> None:
    wanted, place = model(server, sha256=""), tmp_path / "m"
    assert pull(wanted, place)[0].trusted
    assert pull(wanted, place)[0].was_there
    other = zipped({**FILES, "am/final.mdl": b"weighty" * 5000})
    server.files["/tiny.zip"] = other
    (place / "am" / "final.mdl").unlink()
    with pytest.raises(DownloadFailed, match="kept from its first download"):
        pull(model(server, other, sha256=""), place)
    assert not is_there(wanted, place)


@pytest.mark.parametrize("spoilt", [b"", b"w" * len(FILES["am/final.mdl"])])
def test_a_model_that_was_spoilt_is_fetched_again(server: ModelServer, tmp_path: Path, spoilt: bytes) -> None:
    place = tmp_path / "m"
    pull(model(server), place)
    (place / "am" / "final.mdl").write_bytes(spoilt)
    assert not pull(model(server), place)[0].was_there
    assert contents(place) == FILES


def test_a_new_version_takes_the_place_of_the_old_one_as_a_whole(server: ModelServer, tmp_path: Path) -> None:
    place = tmp_path / "m"
    pull(model(server), place)
    newer = zipped({"am/final.mdl": b"newer"})
    server.files["/tiny.zip"] = newer
    pull(model(server, newer), place)
    assert contents(place) == {"am/final.mdl": b"newer"}


def test_what_somebody_put_there_by_hand_stays(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine").write_text("mine")
    with pytest.raises(DownloadFailed, match="move them away first"):
        pull(model(server), tmp_path / "m")
    assert contents(tmp_path / "m") == {"mine": b"mine"}


def entry(name: str, *, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ((entry("../outside"), b"x"), "no plain name"),
        ((entry("vosk-tiny/../../outside"), b"x"), "no plain name"),
        ((entry("/outside"), b"x"), "no plain name"),
        ((entry("vosk-tiny/./a"), b"x"), "no plain name"),
        ((entry("vosk-tiny//a"), b"x"), "no plain name"),
        ((entry("vosk-tiny\\..\\outside"), b"x"), "no plain name"),
        ((entry("C:/outside"), b"x"), "no plain name"),
        ((entry("vosk-tiny/" + "a" * 300), b"x"), "no plain name"),
        ((entry("vosk-tiny/a\nb"), b"x"), "no plain name"),
        ((entry("other/a"), b"x"), "one folder"),
        ((entry("a"), b"x"), "one folder"),
        ((entry("vosk-tiny/link", mode=stat.S_IFLNK | 0o777), b"/etc/passwd"), "a link or a device"),
        ((entry("vosk-tiny/pipe", mode=stat.S_IFIFO | 0o644), b""), "a link or a device"),
        ((entry("vosk-tiny/am"), b"x"), "same name"),
        ((entry("vosk-tiny/am/final.mdl"), b"x"), "comes twice"),
        ((entry("vosk-tiny/contents.json"), b"{}"), "comes twice"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_does_not_stay_in_its_folder_is_refused(
    server: ModelServer, tmp_path: Path, extra: tuple[zipfile.ZipInfo, bytes], why: str
) -> None:
    bad = zipped(FILES, extra)
    server.files["/tiny.zip"] = bad
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DownloadFailed, match=f"not unpacked: .*{why}"):
        pull(model(server, bad), tmp_path / "in" / "m")
    left = {path.name for path in sorted(tmp_path.rglob("*")) if path not in before}
    assert left == {"in", ".m.archive", "checksums.json", "download.lock"}


def test_a_zip_that_is_none(server: ModelServer, tmp_path: Path) -> None:
    for bad in (b"PK\x03\x04 no zip", GOOD[: len(GOOD) // 2], zipped({})):
        server.files["/tiny.zip"] = bad
        with pytest.raises(DownloadFailed, match="was not unpacked"):
            pull(model(server, bad), tmp_path / "m")
        assert not (tmp_path / "m").exists()


def spoilt(content: bytes) -> bytes:
    """A byte of the first file's data is another one."""
    at = content.index(b"am/final.mdl") + 40
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def understated(content: bytes) -> bytes:
    """The archive says of its first file that it has one byte."""
    (directory,) = struct.unpack("<L", content[-6:-2])
    at = content.index(b"vosk-tiny/am/final.mdl", directory) - 46 + 24
    return content[:at] + struct.pack("<L", 1) + content[at + 4 :]


@pytest.mark.parametrize("change", [spoilt, understated])
def test_a_zip_whose_content_is_not_what_it_says(tmp_path: Path, change: object) -> None:
    (tmp_path / "tiny.zip").write_bytes(change(GOOD))  # type: ignore[operator]
    with pytest.raises(ArchiveRefused):
        unpack(tmp_path / "tiny.zip", "", tmp_path, tmp_path / "m")
    assert os.listdir(tmp_path) == ["tiny.zip"]


def test_more_than_a_model_has_is_refused_before_it_is_written(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = zipped({"zeros": bytes(model_archive.ALWAYS_BYTES + 1)})
    assert len(bomb) < model_archive.ALWAYS_BYTES // 500
    server.files["/tiny.zip"] = bomb
    with pytest.raises(DownloadFailed, match="16 MB are unpacked from 0 MB"):
        pull(model(server, bomb), tmp_path / "m")
    many = zipped({str(number): b"" for number in range(model_archive.MOST_FILES)})
    server.files["/tiny.zip"] = many
    with pytest.raises(DownloadFailed, match="10001 entries"):
        pull(model(server, many), tmp_path / "m")
    monkeypatch.setattr(model_archive, "free_bytes", lambda path: 1000)
    server.files["/tiny.zip"] = GOOD
    with pytest.raises(DownloadFailed, match="are free"):
        pull(model(server), tmp_path / "m")


def test_a_pull_that_was_killed_while_it_unpacked_is_done_again(server: ModelServer, tmp_path: Path) -> None:
    work = tmp_path / ".m.archive"
    (work / "unpacked" / "am").mkdir(parents=True)
    (work / "unpacked" / "am" / "final.mdl").write_bytes(b"half")
    (work / "tiny.zip").write_bytes(GOOD)
    assert not is_there(model(server), tmp_path / "m")
    assert not pull(model(server), tmp_path / "m")[0].was_there
    assert contents(tmp_path / "m") == FILES
    assert server.ranges == []


def test_an_archive_is_a_models_only_file(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[models.mine]\nengine = "vosk"\nkind = "stt"\nlicence = "MIT"\nas_of = "x"\n'
        'files = [{ name = "a.zip", archive = true }, { name = "b" }]\n'
    )
    with pytest.raises(ConfigurationError, match="only file"):
        read_catalogue(own)


def test_the_model_that_vosk_takes_by_itself_is_in_the_table() -> None:
    assert read_catalogue()["vosk-model-small-en-us-0.15"].is_archive
