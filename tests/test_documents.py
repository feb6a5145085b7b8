"""The documents say what is so: dependencies, settings, rooms, metrics, commands and links are checked against the code."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import click
import grimp
import pytest
from pydantic import BaseModel, SecretStr
from tests.serving import settings_for

from antiphon.cli import app
from antiphon.clock import ManualClock
from antiphon.composition.process import Antiphon
from antiphon.config import Settings
from antiphon.providers.credentials import WELL_KNOWN, setting_of

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests" / "README.md"])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOUNDATIONS = {
    "vocabulary",
    "errors",
    "ids",
    "clock",
    "confined",
    "dialling",
    "files",
    "json_values",
    "losses",
    "places",
    "processes",
    "suggestions",
    "wire_model",
}


def rows(path: str) -> list[list[str]]:
    """The cells of every row of every table, headings left out."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    tables = [line for at, line in enumerate(lines) if line.startswith("|") and not _is_heading(lines, at)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in tables]


def _is_heading(lines: list[str], at: int) -> bool:
    return lines[at].startswith("|---") or (lines[at + 1 : at + 2] != [] and lines[at + 1].startswith("|---"))


def ticked(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# ------------------------------------------------------------------------------------------------ dependencies


def asked_for() -> dict[str, str]:
    """Every direct dependency, by its normalised name."""
    by_hand = [(ROOT / f"requirements-{what}.lock").read_text(encoding="utf-8") for what in ("models", "clients")]
    pinned = [re.findall(r"^[^#\n].*$", text, re.MULTILINE) for text in by_hand]
    groups = [PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"].values(), *pinned]
    names = [re.match(r"[A-Za-z0-9._-]+", wanted)[0] for group in groups for wanted in group]  # type: ignore[index]
    return {name.lower(): name for name in names}


def not_installed() -> set[str]:
    """Dependencies of groups that tests do without."""
    optional = {name: wanted for name, wanted in PROJECT["dependency-groups"].items() if name != "dev"}
    return {re.split(r"[^A-Za-z0-9._-]", each)[0] for wanted in optional.values() for each in wanted}


def test_every_dependency_is_named_with_licence_and_reason() -> None:
    listed = {row[0].lower(): row for row in rows("docs/dependencies.md")}
    assert set(listed) == set(asked_for())
    for name, row in listed.items():
        assert all(row), f"{name}: a cell is empty"


def test_licences_are_those_the_packages_state() -> None:
    listed = {row[0]: row[1] for row in rows("docs/dependencies.md")}
    for name, licence in listed.items():
        stated = metadata(name).get("License-Expression") if name not in not_installed() else None
        if stated is not None:
            assert licence == stated, name
    copyleft = {name for name, licence in listed.items() if re.search(r"\bA?L?GPL", licence)}
    assert copyleft == {"espeakng-loader"}, "a copyleft licence needs a decision, and a process of its own"


# ------------------------------------------------------------------------------------------------ settings


def settings_there_are(model: type[BaseModel] = Settings, prefix: str = "ANTIPHON_") -> dict[str, Any]:
    """Variable → default."""
    there: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            there |= settings_there_are(type(default), f"{prefix}{name.upper()}__")
        else:
            there[f"{prefix}{name.upper()}"] = default
    return there


def written(default: Any) -> str:
    """A default as the document writes it."""
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default in (None, "", {}):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def test_every_setting_is_listed_with_its_default_and_no_other() -> None:
    listed = {ticked(row[0])[0]: row[1] for row in rows("docs/configuration.md")}
    assert listed == {name: written(default) for name, default in settings_there_are().items()}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_variables_in_the_documents_exist(path: Path) -> None:
    named = set(re.findall(r"ANTIPHON_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    vendors = {variable for vendor in WELL_KNOWN for variable in (setting_of(vendor), setting_of(vendor, "base_url"))}
    assert named <= {*settings_there_are(), *vendors, "ANTIPHON_CONFIG", "ANTIPHON_API_KEY"}


# ------------------------------------------------------------------------------------------------ rooms


def room_rows() -> dict[str, list[str]]:
    table = [row for row in rows("docs/architecture.md") if len(row) == 4]
    return {room: row for row in table for room in ticked(row[0])}


def test_every_room_has_its_row() -> None:
    packages = {path.parent.name for path in (ROOT / "src" / "antiphon").glob("*/__init__.py")}
    assert packages <= set(room_rows())


def test_rooms_import_no_more_than_their_row_says() -> None:
    graph = grimp.build_graph("antiphon")
    composing = {
        "composition",
        "api",
        "api_calls",
        "api_logs",
        "alerting",
        "telephone_calls",
        "simulated_calls",
        "text_agents",
        "after_calls",
        "console_stores",
        "known_assistants",
        "engines",
        "engine_check",
        "engine_choice",
        "engine_shelf",
        "served",
        "talk_room",
        "tool_room",
        "asked_knowledge",
        "wait_advice",
        "workers",
        "supervisor",
        "server",
        "cli",
    }
    for room, row in room_rows().items():
        if room in composing:
            continue
        allowed = set(ticked(row[2]))
        for module in {f"antiphon.{room}", *graph.find_descendants(f"antiphon.{room}")}:
            for imported in graph.find_modules_directly_imported_by(module):
                other = imported.removeprefix("antiphon.")
                known = {room, *allowed, *FOUNDATIONS}
                assert any(other == name or other.startswith(f"{name}.") for name in known), (
                    f"{module} imports {imported}"
                )


def test_what_a_row_forbids_is_enforced() -> None:
    layers, *others = PROJECT["tool"]["importlinter"]["contracts"]
    forbidden: dict[str, set[str]] = {}
    above: set[str] = set()
    for layer in layers["layers"]:
        rooms = set(layer.split(" | "))
        for room in rooms:
            forbidden[room] = above | (rooms - {room})
        above |= rooms
    for contract in others:
        for source in contract["source_modules"]:
            names = {name.removeprefix("antiphon.") for name in contract["forbidden_modules"]}
            forbidden.setdefault(source.removeprefix("antiphon."), set()).update(names)
    for room, row in room_rows().items():
        for name in ticked(row[3]):
            assert {name, name.partition(".")[0]} & forbidden[room], f"{room} may import {name}"


def test_every_room_says_where_it_is_tested() -> None:
    listed = {ticked(row[0])[0]: ticked(row[1]) for row in rows("tests/README.md")}
    packages = {path.parent.name for path in (ROOT / "src" / "antiphon").glob("*/__init__.py")}
    assert packages <= set(listed)
    for room, homes in listed.items():
        assert (ROOT / "src" / "antiphon" / room).exists(), room
        for home in homes:
            assert home == "contract.py" or (ROOT / home).exists(), f"{room}: {home}"


def test_every_file_that_is_pointed_at_is_there() -> None:
    files = [
        f"/{path.relative_to(ROOT)}"
        for folder in ("src", "tests", "tools", "examples")
        for path in (ROOT / folder).rglob("*.py")
    ]
    files += [f"/{path.relative_to(ROOT)}" for path in (ROOT / "bench").glob("*.py")]
    for path in DOCUMENTS:
        for name in re.findall(r"`([\w/.-]+\.py)`", path.read_text(encoding="utf-8")):
            # NAME stands for what the reader will write.
            assert "NAME" in name or any(file.endswith(f"/{name}") for file in files), f"{path.name}: {name}"


# ------------------------------------------------------------------------------------------------ what can be run and read


def test_metrics_in_the_documents_exist(tmp_path: Path) -> None:
    text = Antiphon(settings_for(tmp_path, port=8080), ManualClock()).metrics.text().decode()
    there = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    for path in DOCUMENTS:
        for name in re.findall(r"`(antiphon_\w+)`", path.read_text(encoding="utf-8")):
            assert name in there, f"{path.name}: {name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_the_documents_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    context = click.Context(app)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    fences = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    for name, rest in re.findall(r"^\s*antiphon (\w+)([^\n&]*)", fences, re.MULTILINE):
        command = app.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            command = command.commands.get(rest.split()[0] if rest.split() else "", command)
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"(--[a-z-]+)", rest)) <= options, rest
    assert set(re.findall(r"^\s*make ([a-z]+)", fences, re.MULTILINE)) <= targets


def anchors(path: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target, _, anchor in re.findall(r"\]\(([^)#]*)(#([^)]+))?\)", path.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            there = path.parent / target if target else path
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), f"{target}#{anchor}"
