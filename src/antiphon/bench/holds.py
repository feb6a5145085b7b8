"""When our server held its agent for a sound of the caller, read from the event logs it leaves.

The format is the one of ``antiphon replay``: a header with the UTC time of the session clock, then ``[now_ms, event, actions]`` a line.
A log is what a server says of itself, so a line that cannot be read is passed over, not an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

HOLD = "HoldPlayback"
_MARK = b'"HoldPlayback"'
EARLY_MS = 40
"""A hold may come before the onset by so much: the onset is where the sound is loud, not where it begins."""


def read_holds(folder: Path) -> dict[str, list[float]]:
    """UTC milliseconds of all holds, by the carrier's call id."""
    holds: dict[str, list[float]] = {}
    for path in folder.glob("*.jsonl"):
        with path.open("rb") as lines:
            call, offset_ms = _header(lines.readline())
            if call:
                holds[call] = [at_ms + offset_ms for at_ms in hold_times(lines)]
    return holds


def hold_times(lines: Iterator[bytes]) -> Iterator[float]:
    """Session times of the holds in a log's lines."""
    for line in lines:
        if _MARK in line and isinstance(entry := _document(line), list) and len(entry) == 3:
            now_ms, _event, actions = entry
            if any(action[0] == HOLD for action in actions):
                yield float(now_ms)


def hold_after(holds_ms: Sequence[float], onset_ms: float, until_ms: float) -> float | None:
    """The hold that a sound from ``onset_ms`` caused: the first one in its time."""
    return next((at_ms for at_ms in holds_ms if onset_ms - EARLY_MS <= at_ms <= until_ms), None)


def _header(line: bytes) -> tuple[str, float]:
    header = _document(line)
    if not isinstance(header, dict) or "carrier" not in header:
        return "", 0.0
    return str(header["carrier"].get("provider_call_id", "")), float(header["wall_ms"] - header["started_ms"])


def _document(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
