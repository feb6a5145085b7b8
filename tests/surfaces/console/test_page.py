"""The console's page, read and not run: what its modules ask of each other is there, in the wheel as well, in both languages."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from antiphon.surfaces.console.rest import OPEN
from antiphon.surfaces.http.parts import read_parts

ROOT = Path(__file__).resolve().parents[3]
PAGE = {name: part.content.decode() for name, part in read_parts("antiphon.surfaces.console").items()}
WITH_PAGES = ("antiphon.surfaces.console", "antiphon.surfaces.talk", "antiphon.surfaces.sdk")


def words(language: str) -> set[str]:
    text = PAGE["words.js"]
    begin = text.index(f"  {language}: {{")
    return set(re.findall(r'[\s{,]"?([\w-]+)"?: "', text[begin : text.index("\n  },", begin)]))


def test_every_module_that_another_asks_for_is_there() -> None:
    asked = {
        (name, module)
        for name, text in PAGE.items()
        for module in re.findall(r'(?:from|import\()\s*"\./([\w.-]+)"', text)
    }
    assert len(asked) > 30
    assert [pair for pair in asked if pair[1] not in PAGE] == []
    linked = re.findall(r'(?:href|src)="console/([\w.-]+)"', PAGE["index.html"])
    assert linked and set(linked) <= set(PAGE)


def test_every_word_is_there_in_both_languages() -> None:
    english, korean = words("en"), words("ko")
    assert english == korean
    said = {(name, key) for name, text in PAGE.items() for key in re.findall(r'\bsay\("([\w-]+)"', text)}
    assert len(said) > 150
    assert [pair for pair in said if pair[1] not in english] == []


def test_every_action_of_the_audit_log_has_words() -> None:
    folder = ROOT / "src" / "antiphon" / "surfaces" / "console"
    code = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    noted = set(re.findall(r'"((?:call|chat|console|person|workflow)\.[a-z_]+)"', code))
    changed = {f"{kind}.{verb}" for kind in OPEN if kind != "chat" for verb in ("added", "changed", "removed")}
    actions = {*noted, *changed, "assistant.restored", "eval.run.added", "eval.run.removed"}
    assert len(actions) > 30
    assert {f"a_{action.replace('.', '_')}" for action in actions} - words("en") == set()


def test_what_a_first_visit_fetches_is_small() -> None:
    """The overview, with all that its modules ask for at once, as it is sent to a browser that has none of it yet."""
    parts = read_parts("antiphon.surfaces.console")
    wanted = ["index.html", "console.css", "icon.svg", "app.js", "overview.js"]
    for name in wanted:
        asked = re.findall(r'\bfrom\s*"\./([\w.-]+)"', PAGE[name])
        wanted += [each for each in dict.fromkeys(asked) if each not in wanted]
    assert {"words.js", "problems.js", "terms.js"} <= set(wanted)
    assert sum(len(parts[name].zipped) for name in wanted) < 60_000


def test_no_page_loads_from_elsewhere_or_runs_what_is_inline() -> None:
    for name, text in PAGE.items():
        assert not re.search(r"https?://(?!www\.w3\.org)", text), name
        assert "innerHTML" not in text and "style=" not in text, name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel, as the build backend makes it."""
    folder = tmp_path_factory.mktemp("wheel")
    script = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True)
    [made] = folder.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("package", WITH_PAGES)
def test_the_wheel_holds_every_part_of_every_page(wheel: set[str], package: str) -> None:
    folder = f"{package.replace('.', '/')}/page"
    parts = {file.name for file in files(package).joinpath("page").iterdir()}
    assert {f"{folder}/{name}" for name in parts} <= wheel
    assert {name.rpartition("/")[2] for name in wheel if name.startswith(f"{folder}/")} == parts


def test_the_wheel_holds_whatever_lies_beside_the_code(wheel: set[str]) -> None:
    source = ROOT / "src"
    there = {
        str(path.relative_to(source))
        for path in (source / "antiphon").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - wheel == set()
