"""Korean numbers: Sino-Korean (이십삼), native (스물셋, 스물세 명), digits with Korean units (3만 5천), decimals and negatives."""

from __future__ import annotations

import re

from antiphon.workflow.korean.reading import Item, Reading, settle

_DIGITS = {"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9}
_SMALL = {"십": 10, "백": 100, "천": 1000}
_LARGE = {"만": 10**4, "억": 10**8, "조": 10**12}
_NATIVE_UNITS = {
    "하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "넷": 4, "네": 4, "넉": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8,
    "아홉": 9,
}  # fmt: skip
_NATIVE_TENS = {
    "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80, "아흔": 90,
}  # fmt: skip

SINO = "[영공일이삼사오육륙칠팔구십백천만억조]"
NATIVE = rf"(?:(?:{'|'.join(_NATIVE_TENS)})(?:{'|'.join(_NATIVE_UNITS)})?|(?:{'|'.join(_NATIVE_UNITS)}))"
_MIXED = re.compile(rf"(?P<hundreds>{SINO}*[백천])(?P<rest>{NATIVE})")
_ALONE = "혼자"
"""Of people: one."""
_WRITTEN = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,15}(?:\.\d+)?"
_UNIT = (
    "명|분|사람|개|원|살|번|달러|퍼센트|프로|도|인분|인|마리|장|잔|병|박|층|호|"
    "가지|킬로|그램|대|권|그루|송이|시간|년|개월|달|주|일|월|회|건|채|자리|좌석"
)
_TAIL = r"(?:입니다|이에요|예요|에요|이요|이고요|이고|요|쯤|정도|이|가|은|는|을|를|로|으로|에|만|도|이랑|랑|하고|이나|나|에서|부터|까지)*"
_NUMBER = re.compile(
    rf"(?<![^\s])(?P<sign>마이너스\s*|영하\s*|[-−](?=\d))?(?P<number>{SINO}*[백천]{NATIVE}|(?:{_WRITTEN}|{SINO})+(?:점{SINO}+)?|{NATIVE}|{_ALONE})"
    rf"(?:\s*(?P<unit>{_UNIT}))?(?P<half>\s*반)?(?={_TAIL}(?:\s|$))"
)
_GROUPS = re.compile(r"(?<=[만억천조])\s+(?=[\d일이삼사오육륙칠팔구십백천])(?!이상|이하|이내|일\s|사람)")
_POINT = re.compile(r"\s*점\s*(?=[영공일이삼사오육륙칠팔구])")


def value_of(text: str) -> float | None:
    """The number that ``text``, without its unit, says; None for none."""
    whole, _, decimals = text.partition("점")
    if whole == _ALONE:
        return 1
    value = _native(whole)
    if value is None:
        value = _mixed(whole)
    if value is None:
        value = _sino(whole)
    if value is None or not decimals:
        return value
    if any(character not in _DIGITS for character in decimals):
        return None
    return value + float("0." + "".join(str(_DIGITS[character]) for character in decimals))


def _native(text: str) -> float | None:
    for tens, value in _NATIVE_TENS.items():
        if text.startswith(tens):
            rest = text.removeprefix(tens)
            return value + _NATIVE_UNITS[rest] if rest in _NATIVE_UNITS else (value if not rest else None)
    return _NATIVE_UNITS.get(text)


def _mixed(text: str) -> float | None:
    """백스물다섯: hundreds are Sino-Korean, what follows may be native."""
    parts = _MIXED.fullmatch(text)
    if parts is None:
        return None
    hundreds, rest = _sino(parts["hundreds"]), _native(parts["rest"])
    return hundreds + rest if hundreds is not None and rest is not None else None


def _sino(text: str) -> float | None:
    """이천오백, 3만5천, 250.75."""
    total, section, current = 0.0, 0.0, None
    for piece in re.findall(r"\d[\d,]*(?:\.\d+)?|.", text):
        if piece[0].isdecimal() or piece in _DIGITS:
            if current is not None:
                return None  # two digits side by side are no amount
            current = float(piece.replace(",", "")) if piece[0].isdecimal() else float(_DIGITS[piece])
        elif piece in _SMALL:
            section += (1 if current is None else current) * _SMALL[piece]
            current = None
        elif piece in _LARGE:
            total += (section + (current or 0) or 1) * _LARGE[piece]
            section, current = 0.0, None
        else:
            return None
    return total + section + (current or 0) if text else None


def find(text: str) -> tuple[str, list[Item]]:
    """The text as it was searched, and every amount in it."""
    text = _POINT.sub("점", _GROUPS.sub("", text))
    items: list[Item] = []
    for match in _NUMBER.finditer(text):
        if not match["number"]:
            continue
        value = value_of(match["number"])
        if value is None:
            items.append(Item(match.start(), match.end(), None))
            continue
        value += 0.5 if match["half"] else 0
        if match["sign"]:
            value = -value
        number = int(value) if float(value).is_integer() else round(value, 9)
        items.append(Item(match.start(), match.end(), (number, f"{number:,}" if number else "0"), False))
    return text, items


def read(text: str) -> Reading:
    """The amount meant."""
    searched, items = find(text)
    return settle(searched, items)
