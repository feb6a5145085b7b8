"""What every Korean reader answers, and which of several values in a turn is meant.

Korean says after a value what becomes of it ("월요일은 안 돼요", "월요일 말고 화요일"), so what stands between a value and the next
decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Raw = str | int | float | bool

_TURNED_DOWN = re.compile(
    r"말고|빼고|제외|안되|안돼|안됩|못|힘들|어려|어렵|바빠|바쁘|바쁜|싫|아니|곤란|불가|늦어|늦은|늦습|빨라|빠르|일러|이르|않"
)
_NOT_SURE = re.compile(
    r"^(?:이나|나$|나(?=[가-힣\d])|이랑|랑|하고|과(?=[가-힣])|와(?=[가-힣])|또는|혹은|아니면|부터|에서|까지|사이|이후|이전|전|후|뒤|넘|이상|이하|미만|초과|지나|이내|쯤이나|째)"
)
_NOT_SURE_BEFORE = re.compile(r"(?:매주|매월|매일|최소|최대|적어도|많아야|째주|째|안에|격주|마지막|이전의)$")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Item:
    """A value and where it stands in the text; no value for a phrase that is known in part only."""

    start: int
    end: int
    value: tuple[Raw, str] | None
    explicit: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What a turn says about one value: as tools see it and as it is spoken."""

    value: tuple[Raw, str] | None = None
    explicit: bool = False
    unsure: bool = False
    refused: tuple[tuple[Raw, str], ...] = ()


def without_overlaps(items: Sequence[Item]) -> list[Item]:
    """The longest ones, in order."""
    kept: list[Item] = []
    end = 0
    for item in sorted(items, key=lambda item: (item.start, -item.end)):
        if item.start >= end:
            kept.append(item)
            end = item.end
    return kept


def settle(text: str, items: Sequence[Item]) -> Reading:
    """Which of ``items`` (in order) is meant."""
    refused: list[tuple[Raw, str]] = []
    kept: list[Item] = []
    for at, item in enumerate(items):
        following = items[at + 1].start if at + 1 < len(items) else len(text)
        after = _SPACE.sub("", text[item.end : following])
        before = _SPACE.sub("", text[(items[at - 1].end if at else 0) : item.start])
        if _NOT_SURE_BEFORE.search(before) or (_NOT_SURE.search(after) and not after.startswith(("이나마",))):
            return Reading(unsure=True, refused=tuple(refused))
        if _TURNED_DOWN.search(after):
            if item.value is not None:
                refused.append(item.value)
        else:
            kept.append(item)
    values = {item.value for item in kept}
    if not kept:
        return Reading(refused=tuple(refused))
    if len(values) > 1 or kept[-1].value is None:
        return Reading(unsure=True, refused=tuple(refused))
    return Reading(kept[-1].value, kept[-1].explicit, False, tuple(refused))
