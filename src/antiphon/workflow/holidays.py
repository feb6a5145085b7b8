"""Holidays that fall on the same date every year, by the names they are called."""

from __future__ import annotations

from collections.abc import Sequence

_DATES: dict[tuple[str, ...], tuple[int, int]] = {
    ("christmas", "eve"): (12, 24),
    ("christmas", "day"): (12, 25),
    ("boxing", "day"): (12, 26),
    ("new", "year's", "eve"): (12, 31),
    ("new", "years", "eve"): (12, 31),
    ("new", "year's", "day"): (1, 1),
    ("new", "years", "day"): (1, 1),
    ("valentine's", "day"): (2, 14),
    ("valentines", "day"): (2, 14),
}
_SHORT: dict[tuple[str, ...], tuple[int, int]] = {
    ("christmas",): (12, 25), ("new", "year's"): (1, 1), ("new", "years"): (1, 1), ("new", "year"): (1, 1), ("halloween",): (10, 31),
}  # fmt: skip
"""Alone these are a season as often as a day; "two days after christmas" is told from the day."""


def named(words: Sequence[str], at: int, *, season_too: bool) -> tuple[tuple[int, int], int] | None:
    """The month and day named at ``at``, and of how many words."""
    tables = (_DATES, _SHORT) if season_too else (_DATES,)
    for table in tables:
        for name, date in table.items():
            if tuple(words[at : at + len(name)]) == name:
                return date, len(name)
    return None
