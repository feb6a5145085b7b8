"""English as it is said: the rules, the surest kind first."""

from __future__ import annotations

import re
from functools import lru_cache

from antiphon.spoken import english_dates, english_figures, english_short, english_web
from antiphon.spoken.rules import Rule, needing_digits, rule


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Addresses before numbers, whole forms (dates, telephone numbers, amounts) before the figures they are made of, signs last."""
    return (
        *english_web.rules(),
        *_without_figures(),
        *needing_digits(english_dates.rules()),
        *needing_digits(english_figures.rules()),
        *english_short.rules(),
        *_signs(),
    )


def _without_figures() -> tuple[Rule, ...]:
    """What tells days and numbers without a figure in it."""
    return (english_dates.weekdays(), *english_figures.signs_for_numbers())


def _signs() -> tuple[Rule, ...]:
    return (
        rule(r"\band/or\b", "and or"),
        rule(r"(?<![\w/])[Ww]/o(?!\w)", " without "),
        rule(r"(?<![\w/])[Ww]/(?=\s?\w)", " with "),
        rule(r"(?<![\w/])c/o(?!\w)", " care of "),
        rule(r"(?<![\w/])[Nn]/[Aa](?!\w)", "not applicable"),
        rule(r"(?<=[^\W\d_])/(?=[^\W\d_])", _slash),
        rule(r"\s{0,4}&(?:amp;)?\s{0,4}", " and "),
        rule(r"(?<=\s)@(?=\s?\w)|^@(?=\s?\w)", " at "),
        rule(r"#(?=[^\W\d_])", " hashtag "),
        rule(r"(?<=[\w)])\s{0,4}[=＝]\s{0,4}(?=[\w(−-])", " equals "),
        rule(r"(?<=\s)\+(?=\s)", "plus"),
        rule(r"(?<=[\w)])\s{0,4}×\s{0,4}(?=\w)|(?<=\d)\s{0,4}\*\s{0,4}(?=\d)", " times "),
        rule(r"\s{0,4}÷\s{0,4}", " divided by "),
        rule(r"\s{0,4}±\s{0,4}", " plus or minus "),
        rule(r"\s{0,4}≤\s{0,4}", " at most "),
        rule(r"\s{0,4}≥\s{0,4}", " at least "),
        rule(r"\s{0,4}[→⇒⟶]\s{0,4}", ", "),
        rule(r"\s{0,4}[←↑↓↔]\s{0,4}", " "),
        rule(r"(?<=\s)<(?=\s?[\d$€£])", "less than"),
        rule(r"(?<=\s)>(?=\s?[\d$€£])", "more than"),
        rule(r"(?<![\w~])[~≈](?=[\w$€£])", "about "),
        rule(r"§\s{0,2}", "section "),
        rule(r"[•·‣]", ", "),
        rule(r"(?<=[^\W_])_{1,8}(?=[^\W_])", " "),
        rule(r"[\\^~|{}\[\]_<>]{1,64}", " "),
    )


def _slash(found: re.Match[str]) -> str:
    """ "he/she" is a choice; "TCP/IP" is a name."""
    text = found.string
    before, after = text[found.start() - 1], text[found.end()]
    return " " if before.isupper() and after.isupper() else " or "
