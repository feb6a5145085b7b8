"""Scripts from files and from the command line."""

from pathlib import Path

import pytest

from antiphon.caller.script import After, AgentDone, BargeIn, Line, lines_of, read_script
from antiphon.errors import ConfigurationError


def script(tmp_path: Path, text: str) -> tuple[Line, ...]:
    path = tmp_path / "script.yaml"
    path.write_text(text, encoding="utf-8")
    return read_script(path)


def test_every_kind_of_line_can_be_written(tmp_path: Path) -> None:
    lines = script(
        tmp_path,
        """
lines:
  - say: Hello
  - wav: clips/a.wav
    barge_in_ms: 800
  - noise: cough
    barge_in_ms: 600
  - noise: door.wav
  - dtmf: "42#w*A"
    pause_ms: 500
  - wait_ms: 1500
  - say: Goodbye
    after_ms: 0
    reply: false
""",
    )
    assert lines == (
        Line("say", "Hello"),
        Line("wav", str(tmp_path / "clips/a.wav"), BargeIn(800)),
        Line("noise", "cough", BargeIn(600), expects_reply=False),
        Line("noise", str(tmp_path / "door.wav"), AgentDone(), expects_reply=False),
        Line("dtmf", "42#w*A", AgentDone(500)),
        Line("wait", "", After(1500), expects_reply=False),
        Line("say", "Goodbye", After(0), expects_reply=False),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "not YAML"),
        ("hello", "lines: must be a list"),
        ("lines: []", "lines: must be a list"),
        ("lines: [hello]", r"lines\[1\]: must be a mapping"),
        ("lines: [{say: a, shout: b, 3: c}]", r"lines\[1\]: unknown: 3, shout \(known: say"),
        ("lines: [{say: a}, {reply: true}]", r"lines\[2\]: must have exactly one of"),
        ("lines: [{say: a, wav: b}]", "exactly one of"),
        ("lines: [{say: ''}]", r"lines\[1\].say: must be a text"),
        ("lines: [{say: 7}]", r"lines\[1\].say: must be a text"),
        ("lines: [{dtmf: hello}]", r"lines\[1\].dtmf: must be 1 to 64"),
        ("lines: [{say: a, reply: maybe}]", r"lines\[1\].reply: must be true or false"),
        ("lines: [{say: a, pause_ms: 1, after_ms: 2}]", "only one of pause_ms"),
        ("lines: [{say: a, pause_ms: -1}]", r"lines\[1\].pause_ms: must be whole milliseconds"),
        ("lines: [{say: a, pause_ms: true}]", "whole milliseconds"),
        ("lines: [{wait_ms: 0.5}]", "whole milliseconds"),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        script(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml"):
        read_script(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"lines: [{say: \xe9}]")
    with pytest.raises(ConfigurationError, match=r"latin\.yaml"):
        read_script(tmp_path / "latin.yaml")


def test_the_command_line_is_a_script_too() -> None:
    assert lines_of(("a", "b"), (Path("c.wav"),), "1", 700) == (
        Line("say", "a"),
        Line("say", "b", BargeIn(700)),
        Line("wav", "c.wav", BargeIn(700)),
        Line("dtmf", "1"),
    )
    assert lines_of((), (), "", None) == ()


def test_a_barge_in_needs_something_to_interrupt() -> None:
    with pytest.raises(ConfigurationError, match="barge_in_at"):
        lines_of(("a",), (), "", 700)
