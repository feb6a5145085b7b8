"""A call's story, as one plain value: lanes and lists that a page draws. ``storytelling.py`` tells it from an event log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Facts = dict[str, Any]


@dataclass(slots=True)
class Story:
    """A call as lanes and lists; every entry is a plain object that becomes JSON as it is."""

    duration_ms: int = 0
    audio_ms: int = 0
    """Where the recording begins: at the caller's first audio."""
    caller: list[Facts] = field(default_factory=list)
    """``from_ms`` ``to_ms`` ``kind`` (``speech``; ``sound``: never became speech)."""
    agent: list[Facts] = field(default_factory=list)
    """``from_ms`` ``to_ms`` ``kind`` (``heard``, ``held``) ``reply``."""
    thinking: list[Facts] = field(default_factory=list)
    """``from_ms`` ``to_ms`` ``reply`` ``speculative``: from asking the model to its first text."""
    turns: list[Facts] = field(default_factory=list)
    lines: list[Facts] = field(default_factory=list)
    """``who`` (``caller``, ``agent``, ``tool``) ``at_ms`` ``text``, and what else is known of it."""
    barge_ins: list[Facts] = field(default_factory=list)
    tools: list[Facts] = field(default_factory=list)


def was_said(line: Facts) -> bool:
    """Not what was prepared for a speculative reply that was discarded, nor what was cancelled before its first sound."""
    if line["who"] == "agent" and not line["sounded"] and (line["status"] == "open" or not line["heard"]):
        return False
    return bool(line["text"])
