"""Telephone numbers in the groups of their country."""

from __future__ import annotations

import re
from functools import lru_cache

_FIGURES = re.compile(r"\d+")
_MOST_FIGURES = 17
"""E.164 has fifteen; two more for a prefix."""


@lru_cache(maxsize=512)
def groups(number: str, region: str = "") -> tuple[str, ...]:
    """The figures of ``number`` (E.164, or national in ``region``, an ISO country) as people group them; the country's code first where
    it was written ("+"). Empty where it is no telephone number."""
    import phonenumbers

    figures = sum(map(str.isdigit, number))
    if not 3 < figures <= _MOST_FIGURES:
        return ()
    try:
        parsed = phonenumbers.parse(number, region or None)
    except phonenumbers.NumberParseException:
        return ()
    if not phonenumbers.is_possible_number(parsed):
        return ()
    international = number.lstrip().startswith("+")
    style = phonenumbers.PhoneNumberFormat.INTERNATIONAL if international else phonenumbers.PhoneNumberFormat.NATIONAL
    return tuple(_FIGURES.findall(phonenumbers.format_number(parsed, style)))


def by_length(figures: str) -> tuple[str, ...]:
    """Groups of three, the last of four or fewer: for figures that belong to no country's plan."""
    if len(figures) <= 4:
        return (figures,)
    if len(figures) == 7:
        return (figures[:3], figures[3:])
    cut = [figures[at : at + 3] for at in range(0, len(figures), 3)]
    if len(cut[-1]) == 1:
        cut[-2:] = [cut[-2] + cut[-1]]
    return tuple(cut)
