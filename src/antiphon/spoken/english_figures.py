"""Telephone numbers, amounts, measures and plain numbers in English."""

from __future__ import annotations

import re

from antiphon.spoken import phones
from antiphon.spoken.english_numbers import MOST_DIGITS, cardinal, digits, number, ordinal, plural, year
from antiphon.spoken.english_tables import (
    CURRENCIES,
    DENOMINATORS,
    FRACTIONS,
    NO_PLURAL,
    PER,
    SCALES,
    UNCHANGED_UNITS,
    UNITS,
)
from antiphon.spoken.rules import Rule, rule

_N = r"(\d{1,3}(?:,\d{3}){1,6}|\d{1,40})"
_NOT_IN = r"(?<![\w.,])"
_SIGN = r"(?:(?<![\w)])([-−–+]))?"
_FIXED = (
    r"(?:code|number|account|order|confirmation|reference|ticket|pin|zip|extension|ext|id|case|invoice|policy|tracking|serial|dial"
    r"|digits)"
)


def rules() -> tuple[Rule, ...]:
    units = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
    codes = "|".join(re.escape(code) for code in sorted(CURRENCIES, key=len, reverse=True))
    scales = "|".join(sorted(SCALES, key=len, reverse=True))
    return (
        rule(r"(?<![\w/])24/7(?![\w/])", "twenty-four seven"),
        rule(r"(?<![\w.,$€£])(10|100|1,?000|1,?000,?000)s\b", _many_of),
        *_telephone(),
        rule(
            rf"(?<![\w.,])([-−])?({codes})\s?([-−])?{_N}(?:\.(\d{{1,4}}))?(?:\s?({scales})\b)?(?:/({'|'.join(PER)})\b)?(?!\d)",
            _money,
        ),
        rule(
            rf"{_NOT_IN}([-−])?{_N}(?:\.(\d{{1,4}}))?(?:\s?({scales}))?\s?({codes}|¢)(?:/({'|'.join(PER)})\b)?(?![\w$])",
            _money_after,
        ),
        rule(r"(?<![\w.,:/-])(\d{1,5}(?:\.\d{1,5}){2,8})(?!\w|\.\d)", _dotted),
        rule(r"(?<![\w.,])(\d)['′’]\s?(\d{1,2})(?:\"|″|''|”)", lambda m: f"{number(m[1])} foot {number(m[2])}"),
        rule(r"(?<![\w.,/])(?:(\d{1,3})\s)?(\d{1,2})/(\d{1,2})(?![\w/]|[.,]\d)", _fraction),
        rule(rf"{_NOT_IN}{_SIGN}{_N}(\.\d{{1,20}})?\s?%(?!\w)", _percent),
        rule(rf"{_NOT_IN}{_SIGN}{_N}(\.\d{{1,20}})?[\s-]?({units})(?:/({'|'.join(PER)}))?(?![\w²³/]|['’]\w)", _measure),
        rule(rf"{_NOT_IN}([-−+])?(\d{{1,3}}(?:,\d{{3}}){{1,4}}|\d{{1,12}})(st|nd|rd|th|ST|ND|RD|TH)\b", _ordinal),
        rule(r"(?<=\d)\s?[–—]\s?(?=[$€£]?\d)", " to "),
        rule(r"(?<=[\d%])\s{0,1}-\s{0,1}(?=[$€£]?\d{1,6}(?![\d-]))", _range),
        rule(
            rf"\b(?i:({_FIXED}))(?:\s(?:is|was|number|no\.?|ending|in))?[:#\s]{{1,3}}(\d{{2,15}})(?![\w.,]\d|\w|:)",
            _code,
            group=2,
        ),
        rule(r"(?:#|\b[Nn]o\.\s?|\bNos\.\s?|№\s?)(?=\d)", " number "),
        rule(r"(?<![\w.,$€£:/-])((?:1[1-9]|20)\d\d)(?=s?\b)(?![.,:]?\d|[%/\w])", _year),
        rule(r"(?<![\w.-])(?=[A-Za-z]{0,12}\d)(?=\d{0,12}[A-Za-z])([A-Za-z0-9]{2,14})(?![\w])", _mixed),
        rule(r"(?<!\w)([-−])(?=\.?\d)(?<![\d)]-)", "minus "),
        rule(r"(?<=\s)\+(?=\d)|^\+(?=\d)|(?<=[(\[])\+(?=\d)", "plus "),
        rule(r"(?<![\w.])\.(\d{1,20})(?!\d)", lambda m: f"point {digits(m[1])}"),
        rule(rf"(?<!\d)(?<!\d,)(?<!\d\.){_N}(\.\d{{1,40}})?(?!\d)", _plain),
        rule(r"\d{41,400}", lambda m: f" {digits(m[0])} "),
    )


def signs_for_numbers() -> tuple[Rule, ...]:
    """Numbers that are written without figures."""
    units = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
    return (
        rule(rf"(?<![\w.,/])(\d{{1,4}})?\s?([{''.join(FRACTIONS)}])(?:\s?({units})(?![\w]))?", _vulgar),
        rule(
            r"\b(?:Chapter|Part|Section|Act|Volume|War|Phase|Type|Level|Book|Appendix|Super Bowl|Stage|Title|Class|Article) ([IVX]{1,5})\b",
            _roman,
            group=1,
        ),
    )


# ------------------------------------------------------------------------------------------------ telephone numbers


def _telephone() -> tuple[Rule, ...]:
    extension = r"(?:,?\s?(?:ext\.?|x|extension)\s?(\d{1,6})\b)?"
    return (
        rule(rf"(?<![\w+])(\+\s?\d{{1,3}}[\s.(-]{{0,2}}(?:\d[\s().-]{{0,2}}){{5,13}}\d){extension}(?!\d)", _phone),
        rule(rf"(?<![\w+(])((?:1[\s.-]?)?\(\d{{3}}\)[\s.-]?\d{{3}}[\s.-]?\d{{4}}){extension}(?!\d)", _phone),
        rule(
            rf"(?<![\w+(./-])((?:1[\s.-])?\d{{3}}([\s.-])\d{{3}}\2\d{{4}}){extension}(?![\d-])", lambda m: _phone(m, 3)
        ),
        rule(r"(?<![\w+(./-])(1-)?(8\d\d)-(\d{3}-)?([A-Z]{4,10})\b", _vanity),
        rule(rf"(?<![\w+(.,/$€£-])(\d{{3}}[-\s]\d{{4}}){extension}(?![\w-]|[.,]\d|\s\d)", _local),
        rule(r"(?<![\w+(.,/$€£-])(0\d{2,4}[\s-]\d{3,4}(?:[\s-]\d{3,4})?)(?![\w-]|[.,]\d)", _phone),
        rule(r"(?<![\w+(.,/$€£-])(\d{3}-\d{2}-\d{4})(?![\w-])", _phone),
        rule(r"(?<![\w.,/$€£-])(\d{4}(?:[\s-]\d{4}){2,3})(?![\w-])", _phone),
        rule(r"(?<![\w+(.,/$€£#-])(\d{7,15})(?![\w%]|[.,-]\d)", _long),
    )


def _phone(found: re.Match[str], extension_at: int = 2) -> str | None:
    written = found[1]
    figures = re.findall(r"\d+", written)
    if written.startswith("+"):
        compact = "+" + "".join(figures)
        # As it was grouped, if it was; else as its country does.
        groups: tuple[str, ...] = tuple(figures) if len(figures) > 2 else phones.groups(compact)
        if not groups:
            return f"plus {digits(''.join(figures))}"
        said = "plus " + _grouped(groups)
    else:
        said = _grouped(tuple(figures))
    extension = found[extension_at] if found.re.groups >= extension_at else None
    return f"{said}, extension {digits(extension)}" if extension else said


def _grouped(groups: tuple[str, ...]) -> str:
    return ", ".join("eight hundred" if group == "800" else digits(group) for group in groups)


def _vanity(found: re.Match[str]) -> str:
    country = "one, " if found[1] else ""
    prefix = "eight hundred" if found[2] == "800" else digits(found[2])
    middle = f"{digits(found[3][:-1])}, " if found[3] else ""
    return f"{country}{prefix}, {middle}{found[4].capitalize()}"


def _local(found: re.Match[str]) -> str | None:
    """Seven figures with a blank: "555 0100" is a telephone number, "200 2500" would be, too."""
    return _phone(found)


def _long(found: re.Match[str]) -> str | None:
    """A number without commas that long is a name for something, unless it is round."""
    figures = found[1]
    if len(figures) <= MOST_DIGITS and figures[0] != "0" and figures.endswith("0" * (len(figures) - 3)):
        return None
    return _grouped(phones.by_length(figures))


# ------------------------------------------------------------------------------------------------ amounts


def _money(found: re.Match[str]) -> str:
    minus = "minus " if found[1] or found[3] else ""
    return minus + _amount(CURRENCIES[found[2]], found[4], found[5], found[6], found[7])


def _money_after(found: re.Match[str]) -> str | None:
    minus = "minus " if found[1] else ""
    if found[5] == "¢":
        return f"{minus}{number(found[2])} cent{'' if found[2] == '1' else 's'}"
    if found[5] == "$" and found.string[found.end() : found.end() + 1].isdigit():
        return None
    return minus + _amount(CURRENCIES[found[5]], found[2], found[3], found[4], found[6])


def _amount(currency: tuple[str, str], whole: str, fraction: str | None, scale: str | None, per: str | None) -> str:
    unit, part = currency
    per_said = f" per {PER[per]}" if per and per != "each" else " each" if per else ""
    if scale:
        said = number(whole + (f".{fraction}" if fraction else ""))
        return f"{said} {SCALES[scale]} {_many(unit)}{per_said}"
    if len(whole.replace(",", "")) > MOST_DIGITS:
        return f"{number(whole)} {_many(unit)}{per_said}"
    count = int(whole.replace(",", ""))
    if fraction and (len(fraction) != 2 or not part):
        return f"{number(f'{whole}.{fraction}')} {_many(unit)}{per_said}"
    cents = int(fraction or 0)
    parts = []
    if count or not cents:
        parts.append(f"{cardinal(count)} {unit if count == 1 else _many(unit)}")
    if cents:
        parts.append(f"{cardinal(cents)} {part if cents == 1 else _many(part)}")
    return " and ".join(parts) + per_said


def _many(noun: str) -> str:
    return noun if noun in NO_PLURAL else plural(noun)


# ------------------------------------------------------------------------------------------------ measures and numbers


def _signed(sign: str | None, whole: str, fraction: str | None) -> str:
    said = number(whole + (fraction or ""))
    return f"{'plus' if sign == '+' else 'minus'} {said}" if sign else said


def _percent(found: re.Match[str]) -> str:
    return f"{_signed(_sign_of(found), found[2], found[3])} percent"


def _sign_of(found: re.Match[str]) -> str | None:
    return found[1] if found[1] in ("-", "−", "+") else None


_AFTER_A_BLANK_ONLY_IF_SURE = frozenset(("s", "K", "k", "x", "B", "W", "V", "pt", "bn"))
"""Joined to their number they are units; apart they may be anything."""


def _measure(found: re.Match[str]) -> str | None:
    text, whole, fraction, unit = found.string, found[2], found[3] or "", found[4]
    at = found.start(4)
    if unit in _AFTER_A_BLANK_ONLY_IF_SURE and text[at - 1] in " \t\n-":
        return None
    if unit == "K" and len(whole) == 1 and not fraction:
        return f"{number(whole)} K"
    if unit == "s" and (len(whole) == 4 or whole.endswith("0")) and not fraction:
        return None  # "1990s", "20s"
    if unit in ("m", "g", "h", "l", "min", "mo", "cal", "gal", "pt", "mi") and text[at - 1] == "-":
        return None
    said = _signed(_sign_of(found), whole, found[3])
    noun = UNITS[unit]
    adjective = text[at - 1] == "-"
    if noun not in UNCHANGED_UNITS and not adjective and (whole != "1" or fraction):
        noun = _plural_unit(noun)
    per = f" per {PER[found[5]]}" if found[5] else ""
    return f"{said} {noun}{per}"


def _plural_unit(noun: str) -> str:
    """ "degrees Celsius", "miles per hour", "square feet"."""
    if noun.startswith("degree"):
        return "degrees" + noun[6:]
    head, per, rest = noun.partition(" per ")
    first, _, last = head.rpartition(" ")
    return f"{first} {plural(last)}".strip() + per + rest


def _dotted(found: re.Match[str]) -> str:
    """Versions and network addresses."""
    parts = found[1].split(".")
    if len(parts) == 4 and all(int(part) < 256 for part in parts):
        return " dot ".join(digits(part) for part in parts)
    return " point ".join(number(part) for part in parts)


def _vulgar(found: re.Match[str]) -> str:
    name = FRACTIONS[found[2]]
    unit = UNITS[found[3]] if found[3] else ""
    if found[1]:
        said = f"{number(found[1])} and {name if ' ' in name else f'a {name}'}"
        return f"{said} {_plural_unit(unit)}" if unit else said
    said = name if " " in name else ("one half" if name == "half" else f"one {name}")
    return f"{said} {unit}" if unit else said


def _fraction(found: re.Match[str]) -> str | None:
    """Those that have names; another may be a date or a score."""
    above, below = int(found[2]), int(found[3])
    if not 0 < above < below or below not in DENOMINATORS or (below == 10 and above > 9):
        return None
    name = DENOMINATORS[below]
    several = "halves" if name == "half" else f"{name}s"
    if found[1]:
        return f"{number(found[1])} and {f'a {name}' if above == 1 else f'{cardinal(above)} {several}'}"
    return f"one {name}" if above == 1 else f"{cardinal(above)} {several}"


def _ordinal(found: re.Match[str]) -> str:
    return ("minus " if found[1] in ("-", "−") else "") + ordinal(int(found[2].replace(",", "")))


def _range(found: re.Match[str]) -> str | None:
    """ "5-10" is a range, "0042-77" a code; "5 - 10" may be a subtraction."""
    before = re.search(r"(?<![\d:])0\d{1,9}$", found.string[max(0, found.start() - 12) : found.start()])
    if before is not None and found[0] == "-":
        return ", "
    return " to " if found[0] == "-" or found.string[found.start() - 1] == "%" else None


def _code(found: re.Match[str]) -> str:
    figures = found[2]
    return digits(figures) if len(figures) <= 6 else _grouped(phones.by_length(figures))


_BEFORE_A_YEAR = re.compile(
    r"(?:in|since|of|from|until|till|by|year|circa|before|after|through|to|and|early|late|class of|during|around)\s$",
    re.I,
)


def _year(found: re.Match[str]) -> str | None:
    """A bare number like a year is one where people count by years: 1900 to 2099, or after "in"."""
    value = int(found[1])
    text = found.string
    after_word = _BEFORE_A_YEAR.search(text[max(0, found.start() - 12) : found.start()]) is not None
    if not after_word and not 1900 <= value <= 2099:
        return None
    return year(value)


_ROMAN = {"I": 1, "V": 5, "X": 10}


def _roman(found: re.Match[str]) -> str | None:
    values = [_ROMAN[letter] for letter in found[1]]
    total = sum(-one if one < following else one for one, following in zip(values, [*values[1:], 0], strict=True))
    return cardinal(total)


def _mixed(found: re.Match[str]) -> str | None:
    """ "A12", "MP3", "4K", "B2B"; a longer mixture is a code and spelled."""
    token = found[1]
    runs = re.findall(r"[A-Za-z]+|\d+", token)
    if (len(token) > 5 and len(runs) >= 2 and token.upper() == token) or len(runs) > 3:
        return " ".join(
            _figures_of(each, after_letters=True) if each.isdigit() else " ".join(each.upper()) for each in runs
        )
    said = []
    for each in runs:
        if each.isdigit():
            said.append(_figures_of(each, after_letters=len(runs[0]) > 1 and runs[0].isupper()))
        elif each.isupper() or len(each) == 1:
            said.append(" ".join(each.upper()))
        else:
            said.append(each)
    return " ".join(said)


def _many_of(found: re.Match[str]) -> str:
    return {2: "tens", 3: "hundreds", 4: "thousands", 7: "millions"}[len(found[1].replace(",", ""))]


def _figures_of(figures: str, *, after_letters: bool) -> str:
    """ "FY2026" holds a year, "UA123" a flight, "gate B12" a number."""
    if len(figures) == 4 and figures[:2] in ("19", "20"):
        return year(int(figures))
    return digits(figures) if len(figures) > 3 or (len(figures) == 3 and after_letters) else number(figures)


def _plain(found: re.Match[str]) -> str:
    text = found.string
    said = number(found[1] + (found[2] or ""))
    before = " " if found.start() > 0 and text[found.start() - 1].isalpha() else ""
    after = " " if text[found.end() : found.end() + 1].isalpha() else ""
    return f"{before}{said}{after}"
