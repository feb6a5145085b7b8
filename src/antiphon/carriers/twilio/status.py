"""Twilio's words for what became of a call: queued, initiated, ringing, in-progress, then exactly one of the final ones."""

from __future__ import annotations

from antiphon.carriers.streams.status import Furthest

_FINAL = ("completed", "busy", "failed", "no-answer", "canceled")
_RANKS = {"queued": 0, "initiated": 1, "ringing": 2, "in-progress": 3, **dict.fromkeys(_FINAL, 4)}


def is_known(status: str) -> bool:
    """Whether Twilio documents ``status`` as a call status."""
    return status in _RANKS


def is_final(status: str) -> bool:
    """Whether nothing comes after ``status``."""
    return status in _FINAL


class CallStatuses(Furthest):
    """How far recent calls have come."""

    def __init__(self, capacity: int = 10_000) -> None:
        super().__init__(_RANKS, capacity)
