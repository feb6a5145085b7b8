"""Korean as it is said: dates, times, amounts, telephone numbers, and the two ways of counting."""

from __future__ import annotations

import re
from functools import lru_cache

from antiphon.spoken import english_web
from antiphon.spoken.korean_numbers import digits, native, number, sino
from antiphon.spoken.rules import Rule, rule

_N = r"(\d{1,3}(?:,\d{3}){1,6}|\d{1,40})"
_FREE = r"(?<![\d.,])"
_NATIVE_COUNTERS = (
    "가지|개|군데|그루|달|대|마리|명|번|벌|병|사람|살|상자|송이|시간|시|"
    "잔|장|조각|켤레|쌍|통|판|팀|곳|그릇|분께|분이|분을|분의|분은|분 계|끼|배"
)
_NATIVE_ONLY_BELOW = {"대": 20, "번": 20, "장": 99, "배": 20, "시": 12}
_SINO_COUNTERS = (
    "개월|개국|개년|년|월|일|분|초|층|호|원|위|등|도|주|회|점|인분|인|"
    "인용|세|학년|반|교시|쪽|페이지|권|번지|번길|동|호실|호선|박|급|차|조|만|억"
)
_UNITS = {
    "kg": "킬로그램", "g": "그램", "mg": "밀리그램", "km": "킬로미터", "m": "미터", "cm": "센티미터", "mm": "밀리미터", "ml": "밀리리터",
    "mL": "밀리리터", "L": "리터", "l": "리터", "GB": "기가바이트", "MB": "메가바이트", "KB": "킬로바이트", "TB": "테라바이트",
    "km/h": "킬로미터", "Hz": "헤르츠", "kHz": "킬로헤르츠", "MHz": "메가헤르츠", "GHz": "기가헤르츠", "kW": "킬로와트", "W": "와트",
    "V": "볼트", "㎡": "제곱미터", "m²": "제곱미터", "°": "도", "%p": "퍼센트포인트", "%": "퍼센트", "％": "퍼센트", "평": "평",
}  # fmt: skip
_CURRENCIES = {"$": "달러", "₩": "원", "€": "유로", "¥": "엔", "£": "파운드", "￦": "원"}
_SCALED = {"만": "만", "억": "억", "천": "천", "조": "조", "백만": "백만", "천만": "천만"}
_MONTHS = {6: "유", 10: "시"}
_PAIRS = {(1, 2): "한두", (2, 3): "두세", (3, 4): "서너", (4, 5): "네다섯", (5, 6): "대여섯"}
"""Two neighbouring numbers of things are one word."""


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    units = "|".join(re.escape(unit) for unit in sorted(_UNITS, key=len, reverse=True))
    money = "|".join(map(re.escape, _CURRENCIES))
    return (
        *english_web.rules(),
        # Dates
        rule(r"(?<![\d./-])(\d{4})[-./]\s?(\d{1,2})[-./]\s?(\d{1,2})\.?(?![\d-])", _date),
        rule(r"(?<!\d)(\d{1,2})월(?:\s?(\d{1,2})일)?", _month),
        rule(r"(?<=[가-힣]\s)(\d{1,2})/(\d{1,2})(?![\d/])", _short_date),
        # Times
        rule(r"(?<![\d:])(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?![\d:])", _clock),
        rule(r"(?<![\d:.,])(\d{1,2})시(?!간|즌|대)(?:\s?(\d{1,2})분)?", _hour),
        # Telephone numbers and other figures that are read one by one
        rule(r"(?<![\d+])(\+\d{1,3}[-\s]\d{1,3}(?:[-\s]\d{2,5}){1,4}|\+\d{8,15})(?!\d)", _phone),
        rule(r"(?<![\d-])(0\d{1,3}[-.)\s]\s?\d{3,4}[-.\s]\d{4}|1\d{3}-\d{4}|\d{3,4}-\d{4}|01\d{8,9})(?![\d-])", _phone),
        rule(r"(?<![\d-])(\d{2,6}(?:-\d{2,7}){2,4})(?![\d-])", _phone),
        rule(
            r"(?:번호|코드|암호|비밀번호|인증번호|계좌)(?:는|은|가|:)?\s{1,2}(\d{3,16})(?![\d,])",
            lambda m: digits(m[1]),
            group=1,
        ),
        # Amounts
        rule(rf"([-−])?({money})\s?{_N}(\.\d{{1,4}})?({'|'.join(_SCALED)})?", _money),
        rule(rf"{_FREE}(영하|[-−+])?\s?{_N}(\.\d{{1,20}})?\s?(°C|℃|도\s?C)", _celsius),
        rule(
            rf"{_FREE}(?:(?<![\w)])([-−]))?{_N}(\.\d{{1,20}})?\s?[~∼～–-]\s?{_N}(\.\d{{1,20}})?\s?({units}|{_NATIVE_COUNTERS}|{_SINO_COUNTERS})(?![a-zA-Z])",
            _range,
        ),
        rule(rf"{_FREE}(?:(?<![\w)])([-−]))?{_N}(\.\d{{1,20}})?\s?({units})(?![a-zA-Z])", _measure),
        rule(rf"{_FREE}제\s?(\d{{1,6}})\s?(?=[가-힣])", lambda m: f"제{sino(int(m[1]))} "),
        rule(rf"{_FREE}(\d{{1,2}})\s?번째", _nth),
        rule(rf"{_FREE}(\d{{1,2}})\s?(?=(?:{_NATIVE_COUNTERS}))", _counted),
        rule(rf"{_FREE}{_N}(\.\d{{1,20}})?\s?(?=(?:{_SINO_COUNTERS}|[가-힣]))", _before_hangul),
        # What is left
        rule(r"(?<![\d/])(\d{1,2})/(\d{1,2})(?![\d/])", lambda m: f"{sino(int(m[2]))}분의 {sino(int(m[1]))}"),
        rule(r"(?<![\w)])[-−](?=\d)", "마이너스 "),
        rule(r"(?<=\d)\s?[~∼～]\s?(?=\d)", "에서 "),
        rule(rf"(?<!\d)(?<!\d,)(?<!\d\.){_N}(\.\d{{1,40}})?(?!\d)", lambda m: number(m[1] + (m[2] or ""))),
        rule(r"\d{41,400}", lambda m: digits(m[0])),
        rule(r"\s{0,4}&(?:amp;)?\s{0,4}", " 앤드 "),
        rule(r"(?<=\s)\+(?=\s)", "더하기"),
        rule(r"(?<=\s)=(?=\s)", "는"),
        rule(r"\s{0,4}×\s{0,4}", " 곱하기 "),
        rule(r"\s{0,4}÷\s{0,4}", " 나누기 "),
        rule(r"½", "이분의 일"),
        rule(r"¼", "사분의 일"),
        rule(r"¾", "사분의 삼"),
        rule(r"#(?=\d)", "번호 "),
        rule(r"[·•‣→]", ", "),
        rule(r"[\\^~|{}\[\]_<>#]{1,64}", " "),
    )


def _date(found: re.Match[str]) -> str | None:
    month, day = int(found[2]), int(found[3])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{sino(int(found[1]))}년 {_month_name(month)} {sino(day)}일"


def _month_name(month: int) -> str:
    return f"{_MONTHS.get(month) or sino(month)}월"


def _month(found: re.Match[str]) -> str | None:
    month = int(found[1])
    if not 1 <= month <= 12:
        return None
    return _month_name(month) + (f" {sino(int(found[2]))}일" if found[2] else "")


def _short_date(found: re.Match[str]) -> str | None:
    month, day = int(found[1]), int(found[2])
    return f"{_month_name(month)} {sino(day)}일" if 1 <= month <= 12 and 12 < day <= 31 else None


def _hours(hour: int) -> str:
    """The clock counts natively up to twelve, like an army beyond."""
    return native(hour) if 1 <= hour <= 12 else sino(hour)


def _clock(found: re.Match[str]) -> str | None:
    hour, minute = int(found[1]), int(found[2])
    if hour > 24:
        return None
    said = f"{_hours(hour)} 시"
    if minute:
        said += f" {sino(minute)} 분"
    return said + (f" {sino(int(found[3]))} 초" if found[3] else "")


def _hour(found: re.Match[str]) -> str | None:
    hour = int(found[1])
    if hour > 24:
        return None
    return f"{_hours(hour)} 시" + (f" {sino(int(found[2]))} 분" if found[2] else "")


def _phone(found: re.Match[str]) -> str:
    written = found[1]
    groups = re.findall(r"\d+", written)
    if len(groups) == 1:
        figures = groups[0]
        if written.startswith("+82") and len(figures) >= 11:
            groups = [figures[:2], figures[2:-8], figures[-8:-4], figures[-4:]]
        elif len(figures) >= 9:
            groups = [figures[:-8], figures[-8:-4], figures[-4:]]
    return ("플러스 " if written.startswith("+") else "") + ", ".join(digits(group) for group in groups if group)


def _money(found: re.Match[str]) -> str:
    minus = "마이너스 " if found[1] else ""
    return f"{minus}{number(found[3] + (found[4] or ''))}{found[5] or ''} {_CURRENCIES[found[2]]}"


def _celsius(found: re.Match[str]) -> str:
    below = "영하 " if found[1] in ("영하", "-", "−") else ""
    return f"섭씨 {below}{number(found[2] + (found[3] or ''))} 도"


def _measure(found: re.Match[str]) -> str:
    minus = "마이너스 " if found[1] else ""
    if found[4] == "km/h":
        return f"시속 {minus}{number(found[2] + (found[3] or ''))} 킬로미터"
    return f"{minus}{number(found[2] + (found[3] or ''))} {_UNITS[found[4]]}"


def _range(found: re.Match[str]) -> str | None:
    first, last = found[2] + (found[3] or ""), found[4] + (found[5] or "")
    counter = found[6]
    minus = "마이너스 " if found[1] else ""
    if counter in _UNITS:
        return f"{minus}{number(first)}에서 {number(last)} {_UNITS[counter]}"
    if counter in _NATIVE_COUNTERS.split("|") and first.isdigit() and last.isdigit():
        if (int(first), int(last)) in _PAIRS:
            return f"{minus}{_PAIRS[int(first), int(last)]} {counter}"
        limit = _NATIVE_ONLY_BELOW.get(counter, 99)
        if 0 < int(first) <= limit and 0 < int(last) <= limit:
            return f"{minus}{native(int(first))}에서 {native(int(last))} {counter}"
    return f"{minus}{number(first)}에서 {number(last)} {counter}"


def _nth(found: re.Match[str]) -> str | None:
    count = int(found[1])
    if not count:
        return None
    return "첫 번째" if count == 1 else f"{native(count)} 번째"


def _counted(found: re.Match[str]) -> str | None:
    """Native before what is counted; figures too large for that, and numbers of things, are left to the next rule."""
    text, count = found.string, int(found[1])
    rest = text[found.end() :]
    if re.match(_SINO_COUNTERS, rest) and not re.match(
        r"(?:개(?!월|국|년)|대|번(?!지|길)|장|분[께이을의은]|분 계)", rest
    ):
        return None
    counter = re.match(_NATIVE_COUNTERS, rest)
    if counter is None or found[1][0] == "0" or not 1 <= count <= _NATIVE_ONLY_BELOW.get(counter[0], 99):
        return None
    if counter[0] == "번" and re.match(
        r"번(?:\s?(?:버스|출구|문제|방|창구|게이트|홀|선수|트랙|을 누르|를 누르|을 눌))", rest
    ):
        return None
    if counter[0] == "대" and re.match(r"대(?:의|가 되|초반|중반|후반|\s?초반|\s?여성|\s?남성)", rest):
        return None
    return f"{native(count)} "


def _before_hangul(found: re.Match[str]) -> str:
    text = found.string
    said = number(found[1] + (found[2] or ""))
    scale = re.match(r"\s?(?:만|억|조|천|백)", text[found.end(1) :])
    return said if scale else f"{said} "
