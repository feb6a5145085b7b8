"""Models are fetched whole and right, or not at all: against a server that breaks off, lies about lengths and sends other bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.providers.model_server import ModelServer, Trouble

from antiphon.errors import ConfigurationError
from antiphon.providers.model_catalogue import Model, ModelFile, default_folder, is_there, model_named, read_catalogue
from antiphon.providers.model_download import DownloadFailed, Fetched, ModelDownload, Progress

CONTENT = bytes(range(256)) * 4000
SHA = hashlib.sha256(CONTENT).hexdigest()
SMALL = b'{"small": true}'


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        server.files = {"/model.bin": CONTENT, "/config.json": SMALL}
        yield server


def model(server: ModelServer, *, sha256: str = SHA, size: int = len(CONTENT)) -> Model:
    file = ModelFile(name="model.bin", size=size, sha256=sha256)
    return Model(engine="faster-whisper", kind="stt", licence="MIT", as_of="2026-11-28", base=server.url, files=(file,))


def pull(wanted: Model, folder: Path, progress: list[Progress] | None = None) -> list[Fetched]:
    seen = [] if progress is None else progress
    return ModelDownload(wanted, folder, seen.append, sleep=lambda _: None).run()


def test_a_model_is_fetched_once(server: ModelServer, tmp_path: Path) -> None:
    progress: list[Progress] = []
    wanted = model(server)
    assert not is_there(wanted, tmp_path / "m")
    assert pull(wanted, tmp_path / "m", progress) == [Fetched("model.bin", SHA, was_there=False, trusted=False)]
    assert (tmp_path / "m" / "model.bin").read_bytes() == CONTENT
    assert progress[-1] == Progress("model.bin", len(CONTENT), len(CONTENT))
    assert [each.done for each in progress] == sorted({each.done for each in progress})
    assert is_there(wanted, tmp_path / "m")
    assert pull(wanted, tmp_path / "m") == [Fetched("model.bin", SHA, was_there=True, trusted=False)]
    assert server.ranges == [""]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["checksums.json", "download.lock", "model.bin"]


def test_what_breaks_off_goes_on_where_it_stopped(server: ModelServer, tmp_path: Path) -> None:
    server.troubles += ["break", "break", None]
    progress: list[Progress] = []
    pull(model(server), tmp_path, progress)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert server.ranges == ["", f"bytes={half}-", f"bytes={half + half // 2}-"]
    assert [each.done for each in progress] == sorted(each.done for each in progress)


def test_what_a_run_left_is_taken_up_by_the_next(server: ModelServer, tmp_path: Path) -> None:
    server.troubles += ["break", *["busy"] * 4]  # type: ignore[list-item]
    with pytest.raises(DownloadFailed, match="next try goes on from there"):
        pull(model(server), tmp_path)
    assert not (tmp_path / "model.bin").exists()
    pull(model(server), tmp_path)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={len(CONTENT) // 2}-"


@pytest.mark.parametrize("trouble", ["no_ranges", "wrong_range", "nothing_left", "busy"])
def test_a_server_that_cannot_go_on_is_asked_for_all_of_it(
    server: ModelServer, tmp_path: Path, trouble: Trouble
) -> None:
    server.troubles += ["break", trouble]
    pull(model(server), tmp_path)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_another_version_is_not_added_to_the_half_of_the_first(server: ModelServer, tmp_path: Path) -> None:
    wanted = model(server, sha256="", size=0)
    server.etags["/model.bin"] = '"one"'
    server.troubles += ["break", *["busy"] * 4]  # type: ignore[list-item]
    with pytest.raises(DownloadFailed):
        pull(wanted, tmp_path)
    server.files["/model.bin"], server.etags["/model.bin"] = CONTENT[::-1], '"two"'
    pull(wanted, tmp_path)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT[::-1]


def test_other_bytes_are_thrown_away(server: ModelServer, tmp_path: Path) -> None:
    server.troubles.append("wrong")
    with pytest.raises(DownloadFailed, match="another checksum than the one published"):
        pull(model(server), tmp_path)
    assert not [path for path in tmp_path.iterdir() if "model" in path.name]
    pull(model(server), tmp_path)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_a_half_that_was_spoilt_is_found_out(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / ".model.bin.part").write_bytes(b"\0" * 1000)
    with pytest.raises(DownloadFailed, match="another checksum"):
        pull(model(server), tmp_path)
    pull(model(server), tmp_path)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("trouble", ["short_length", "long_length"])
def test_a_length_that_is_not_the_published_one_is_refused(
    server: ModelServer, tmp_path: Path, trouble: Trouble
) -> None:
    server.troubles.append(trouble)
    with pytest.raises(DownloadFailed, match=f"{len(CONTENT)} are expected"):
        pull(model(server), tmp_path)
    assert not (tmp_path / "model.bin").exists()


def test_a_length_that_is_not_kept_is_gone_on_from(server: ModelServer, tmp_path: Path) -> None:
    """Nobody published a size, and the server promises more than it sends."""
    server.troubles += ["long_length", "nothing_left"]
    pull(model(server, size=0), tmp_path)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_more_than_a_file_should_have_is_not_written(server: ModelServer, tmp_path: Path) -> None:
    server.troubles.append("endless")
    with pytest.raises(DownloadFailed, match="sends more than"):
        pull(model(server), tmp_path)
    assert not [path for path in tmp_path.iterdir() if "model" in path.name]


def test_without_any_length_the_checksum_decides(server: ModelServer, tmp_path: Path) -> None:
    server.troubles.append("no_length")
    pull(model(server, size=0), tmp_path)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_redirections_are_followed_and_not_for_ever(server: ModelServer, tmp_path: Path) -> None:
    server.troubles.append("elsewhere")
    pull(model(server), tmp_path / "one")
    server.troubles += ["elsewhere"] * 40  # type: ignore[list-item]
    with pytest.raises(DownloadFailed, match="without end"):
        pull(model(server), tmp_path / "two")


def test_a_file_that_is_gone_is_said_at_once(server: ModelServer, tmp_path: Path) -> None:
    server.troubles.append("gone")
    with pytest.raises(DownloadFailed, match="answers 404"):
        pull(model(server), tmp_path)
    assert len(server.ranges) == 1


def test_a_server_that_is_busy_is_asked_again_and_not_for_ever(server: ModelServer, tmp_path: Path) -> None:
    waits: list[float] = []
    server.troubles += ["busy"] * 9  # type: ignore[list-item]
    with pytest.raises(DownloadFailed, match="answers 503"):
        ModelDownload(model(server), tmp_path, sleep=waits.append).run()
    assert waits == [3.0, 10.0, 10.0]


def test_offline(tmp_path: Path) -> None:
    offline = Model(
        engine="kokoro",
        kind="tts",
        licence="MIT",
        as_of="2026-11-28",
        base="http://127.0.0.1:1/",
        files=(ModelFile(name="a.bin"),),
    )
    with pytest.raises(DownloadFailed) as error:
        pull(offline, tmp_path)
    told = str(error.value)
    assert all(words in told for words in ("127.0.0.1", "cannot be reached", "HTTPS_PROXY", str(tmp_path), "by hand"))


def test_without_a_published_checksum_the_first_one_is_kept(server: ModelServer, tmp_path: Path) -> None:
    wanted = model(server, sha256="")
    assert pull(wanted, tmp_path) == [Fetched("model.bin", SHA, was_there=False, trusted=True)]
    assert pull(wanted, tmp_path) == [Fetched("model.bin", SHA, was_there=True, trusted=False)]
    (tmp_path / "model.bin").unlink()
    server.files["/model.bin"] = CONTENT[::-1]
    with pytest.raises(DownloadFailed, match="kept from its first download"):
        pull(wanted, tmp_path)
    assert not (tmp_path / "model.bin").exists()


def test_a_file_that_was_changed_is_fetched_again(server: ModelServer, tmp_path: Path) -> None:
    pull(model(server), tmp_path)
    (tmp_path / "model.bin").write_bytes(b"changed")
    assert not is_there(model(server), tmp_path)
    assert not pull(model(server), tmp_path)[0].was_there
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadFailed, match="cannot be written"):
        pull(model(server), tmp_path / "file" / "m")


# ------------------------------------------------------------------------------------------------ the table


def test_our_table_is_whole() -> None:
    catalogue = read_catalogue()
    for name, each in catalogue.items():
        assert name.startswith(each.engine)
        assert each.size > 1_000_000
        assert all(each.url_of(file).startswith("https://") for file in each.files)
        largest = max(each.files, key=lambda file: file.size)
        assert largest.sha256, f"{name}: what matters most is checked"


def test_an_operators_table_wins(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[models."faster-whisper-tiny.en"]\nengine = "faster-whisper"\nkind = "stt"\nlicence = "MIT"\nas_of = "2026-11-28"\n'
        'files = [{ name = "model.bin", url = "https://models.example.com/m" }]\n'
    )
    catalogue = read_catalogue(own)
    assert catalogue["faster-whisper-tiny.en"].url_of(catalogue["faster-whisper-tiny.en"].files[0]).endswith("/m")
    assert len(catalogue) == len(read_catalogue())
    with pytest.raises(ConfigurationError, match="there are faster-whisper"):
        model_named(catalogue, "nonesuch")


@pytest.mark.parametrize(
    "row",
    [
        'name = "../up"',
        'name = ".hidden"',
        'name = "a", sha256 = "zz"',
        'name = "a", url = "file:///etc/passwd"',
        'name = "a", size = -1',
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, row: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        f'[models.mine]\nengine = "piper"\nkind = "tts"\nlicence = "MIT"\nas_of = "x"\nfiles = [{{ {row} }}]\n'
    )
    with pytest.raises(ConfigurationError, match=r"models\.mine"):
        read_catalogue(own)


def test_where_models_are_kept(tmp_path: Path) -> None:
    assert default_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "antiphon" / "models"
    assert default_folder({}).parts[-3:] == (".cache", "antiphon", "models")
