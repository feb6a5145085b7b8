"""How many calls a server holds: which number to try next. Pure."""

from __future__ import annotations

from collections.abc import Sequence

STEP = 1.3
"""As long as nothing has failed, so many times more calls."""
PRECISE = 0.1
"""The knee is known when the largest number held and the smallest not held differ by no more than this share."""


def next_calls(tried: Sequence[tuple[int, bool]], most: int) -> int | None:
    """The number of calls to try after those ``tried`` (calls, held); None when the knee is known, or lies beyond ``most``."""
    best, worst = held(tried), first_failure(tried)
    if worst is None:
        return None if best >= most else min(most, _round(max(best + 1, best * STEP)))
    if worst - best <= max(1, PRECISE * worst):
        return None
    middle = _round((best + worst) / 2)
    return middle if best < middle < worst else None


def held(tried: Sequence[tuple[int, bool]]) -> int:
    """The largest number held below any failure; 0 where none was."""
    limit = first_failure(tried)
    return max((calls for calls, holds in tried if holds and (limit is None or calls < limit)), default=0)


def first_failure(tried: Sequence[tuple[int, bool]]) -> int | None:
    """The smallest number not held."""
    return min((calls for calls, holds in tried if not holds), default=None)


def _round(calls: float) -> int:
    """A number a person would choose: to 10 from 100 on, to 5 from 30 on."""
    grain = 10 if calls >= 100 else 5 if calls >= 30 else 1
    return max(1, round(calls / grain) * grain)
