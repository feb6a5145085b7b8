"""What an engine that decodes whole pieces of speech has heard in one."""

from __future__ import annotations

from dataclasses import dataclass

RATE_HZ = 16_000
"""What such engines listen to."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Words and how sure they are, 0…1."""

    text: str
    confidence: float
    expected: tuple[str, ...] | None = None
    """The grammar's words where it is one of its sentences."""
    sure: float = 0.0
    """How sure of the words themselves, whatever was expected."""
    matched: bool = False
    """Whether it is told as one of the expected answers."""
