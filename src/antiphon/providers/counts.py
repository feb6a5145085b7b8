"""Numbers in what a vendor says, which may be anything."""

from __future__ import annotations

from typing import Any

_MOST = 10**9
"""Tokens of one answer: what says more is no count, and would not fit where it is kept."""


def number(value: Any) -> int:
    """A count, which may be absent or null; 0 for what is none."""
    return value if type(value) is int and 0 < value <= _MOST else 0
