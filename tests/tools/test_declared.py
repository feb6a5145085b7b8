"""Functions marked in a file of the operator's."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.errors import ConfigurationError
from antiphon.tools import tool
from antiphon.tools.declared import declared_in
from antiphon.tools.local import LocalTools
from antiphon.vocabulary import CallContext, ToolCall

FILE = '''
from __future__ import annotations

import datetime as dt

from antiphon.tools import tool
from antiphon.vocabulary import CallContext


@tool
def opening_hours(day: dt.date) -> str:
    """When the shop is open
    on a day."""
    return "nine to five" if day.weekday() < 5 else "closed"


@tool(name="who", deadline_s=2)
async def who_calls(context: CallContext) -> str:
    return context.caller


def not_offered() -> None: ...


again = opening_hours
'''


async def test_a_file_s_functions_are_tools(tmp_path: Path) -> None:
    path = tmp_path / "my tools.py"
    path.write_text(FILE, encoding="utf-8")
    tools = LocalTools()
    for one in declared_in(path):
        tools.register(one.function, name=one.name, description=one.description, deadline_ms=one.deadline_ms)
    hours, who = tools.specs()
    assert (hours.name, hours.description, hours.deadline_ms) == (
        "opening_hours", "When the shop is open on a day.", 5000,
    )  # fmt: skip
    assert hours.parameters["properties"]["day"]["format"] == "date"
    assert (who.name, who.deadline_ms) == ("who", 2000)
    context = CallContext("c1", "+15550111")
    assert await tools.run(ToolCall("t1", "opening_hours", {"day": "2031-05-05"}), context) == "nine to five"
    assert await tools.run(ToolCall("t2", "who"), context) == "+15550111"
    await tools.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", "my.py: tools_file: has no function that is marked"),
        ("x = 1\ny = (\n", "my.py:2: tools_file"),
        ("x = 1\n\nraise RuntimeError('no database')\n", "my.py:3: tools_file: RuntimeError: no database"),
        ("from antiphon.tools import tool\n\n@tool(deadline_s=0)\ndef f() -> None: ...\n", "my.py:3: tools_file: a deadline"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "my.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        declared_in(path)
    assert says in str(raised.value)


def test_a_line_is_named_where_the_file_is_given_as_it_is_called_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text("\nimport nothing_of_this_name\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"my\.py:2: tools_file: ModuleNotFoundError"):
        declared_in(Path("my.py"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no file gone\.py"):
        declared_in(tmp_path / "gone.py")
    (tmp_path / "tools.txt").write_text(FILE, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="Python file"):
        declared_in(tmp_path / "tools.txt")


def test_a_marked_function_is_the_same_function() -> None:
    def plain(a: int) -> int:
        return a + 1

    assert tool(plain) is plain and plain(1) == 2
