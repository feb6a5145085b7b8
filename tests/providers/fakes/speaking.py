"""What fakes of models that hear and speak answer, and how it sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MS_PER_CHARACTER = 20
"""How long a character of its speech sounds."""
LEVEL = 6000
Trouble = Literal[
    "drop_before",
    "drop_in_the_middle",
    "fail",
    "mute",
    "expire",
    "strange_audio",
    "bad_arguments",
    "silence",
    "interrupted",
    "ends_call",
    "transfers",
]


@dataclass
class Answer:
    """What one response says (each text a message of its own) and asks for, and what goes wrong in it."""

    texts: tuple[str, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    """Names and arguments (JSON)."""
    trouble: Trouble | None = None
    held: bool = False
    """It goes no further than its first sound before the fake's ``go`` is set."""
    pace_ms: int = 0
    """How long it takes to make each word."""
