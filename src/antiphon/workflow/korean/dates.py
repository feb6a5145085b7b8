"""Korean days: 내일, 다음 주 수요일, 십이월 삼일, 12월 3일, 사흘 뒤, 보름 뒤, 다음 달 십일."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable

from antiphon.workflow.korean.numbers import NATIVE, value_of
from antiphon.workflow.korean.reading import Item, Reading, settle, without_overlaps

_WEEKDAYS = "월화수목금토일"
_DAYS = {
    "하루": 1, "이틀": 2, "사흘": 3, "나흘": 4, "닷새": 5, "엿새": 6, "이레": 7, "여드레": 8, "아흐레": 9, "열흘": 10,
    "보름": 15, "일주일": 7,
}  # fmt: skip
_NEAR = {"오늘": 0, "내일모레": 2, "내일": 1, "모레": 2, "글피": 3, "어제": -1, "그저께": -2, "그제": -2, "엊그제": -2}
_WEEKS = {"지난": -1, "저번": -1, "이번": 0, "금": 0, "다음": 1, "담": 1, "다다음": 2}
_N = r"(?:\d{1,4}|[일이삼사오육륙칠팔구십백천]{1,8})"
_LATER = r"(?P<later>뒤|후|있다가|전)"

_FULL = re.compile(
    rf"(?:(?P<year>{_N})\s*년\s*)?(?P<month>{_N}|유|시)\s*월\s*(?P<day>{_N})\s*일(?:\s*(?P<weekday>[{_WEEKDAYS}])요일)?"
)
_OF_MONTH = re.compile(rf"(?P<which>이번|다음|다다음|지난)\s*달\s*(?P<day>{_N})\s*일")
_OF_WEEK = re.compile(
    rf"(?P<which>{'|'.join(sorted(_WEEKS, key=len, reverse=True))})\s*주\s*(?P<weekday>[{_WEEKDAYS}])요일"
)
_WEEKDAY = re.compile(
    rf"(?P<which>지난|저번|이번|다음|다다음|오는|돌아오는|매주|[^\s]*째\s*주|마지막|격주)?\s*(?P<weekday>[{_WEEKDAYS}])요일"
)
_NEAR_DAY = re.compile("|".join(sorted(_NEAR, key=len, reverse=True)))
_COUNTED = re.compile(rf"(?P<count>{'|'.join(sorted(_DAYS, key=len, reverse=True))})\s*{_LATER}")
_COUNTED_UNITS = re.compile(rf"(?P<count>{_N}|{NATIVE})\s*(?P<unit>일|주일|주|달|개월|년)\s*{_LATER}")
_WRITTEN = re.compile(
    r"(?P<year>\d{4})[-./]\s?(?P<month>\d{1,2})[-./]\s?(?P<day>\d{1,2})|(?<!\d)(?P<month2>\d{1,2})/(?P<day2>\d{1,2})(?!\d)"
)
_DIGIT_DAY = re.compile(r"(?<!\d)(?<!월)(?<!월 )(?P<day>\d{1,2})\s*일(?!\s*(?:뒤|후|전|간|있다가))")


_SINO_DAY = re.compile(
    r"(?<!\S)(?P<day>[일이삼사오육칠팔구십]{1,4})일(?=(?:이요|이에요|입니다|요|로|에|날|은|도|쯤)|\s|$)(?!\s*(?:뒤|후|전|간|있다가|이\s))"
)
"""A day of a month that is not named, in words: an answer only where a day was asked for ("삼일" is three days, too)."""
_A_MONTH = rf"(?:(?P<which>이번|다음|다다음)\s*달|(?P<this>이달)|(?P<month>{_N}|유|시)\s*월)(?:의)?\s*"
_LAST_DAY = re.compile(rf"{_A_MONTH}(?:마지막\s*날|말일)")
_NTH = {
    "첫": 1,
    "첫째": 1,
    "첫번째": 1,
    "둘째": 2,
    "두번째": 2,
    "셋째": 3,
    "세번째": 3,
    "넷째": 4,
    "네번째": 4,
    "마지막": -1,
}
_NTH_WEEKDAY = re.compile(
    rf"{_A_MONTH}(?P<nth>마지막|첫\s?번째|두\s?번째|세\s?번째|네\s?번째|첫째|둘째|셋째|넷째|첫)\s*(?P<week>주)?\s*(?P<weekday>[{_WEEKDAYS}])요일"
)


def read(text: str, today: dt.date) -> Reading:
    """The day meant."""
    return settle(text, find(text, today))


def find(text: str, today: dt.date) -> list[Item]:
    """Every day named in ``text``."""
    forms: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], dt.date], dt.date | None]], ...] = (
        (_FULL, _full), (_OF_MONTH, _of_month), (_OF_WEEK, _of_week), (_WEEKDAY, _weekday), (_NEAR_DAY, _near), (_COUNTED, _counted),
        (_COUNTED_UNITS, _counted_units), (_WRITTEN, _written), (_DIGIT_DAY, _digit_day), (_SINO_DAY, _sino_day), (_LAST_DAY, _last_day),
        (_NTH_WEEKDAY, _nth_weekday),
    )  # fmt: skip
    items: list[Item] = []
    for pattern, day in forms:
        for match in pattern.finditer(text):
            date = day(match, today)
            items.append(
                Item(
                    match.start(),
                    match.end(),
                    None if date is None else (date.isoformat(), spoken(date, today)),
                    pattern is not _SINO_DAY,
                )
            )
    return without_overlaps(items)


def _number(text: str) -> int:
    value = value_of(text)
    return int(value) if value is not None and float(value).is_integer() else 0


def _dated(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _next(month: int, day: int, today: dt.date) -> dt.date | None:
    coming = (_dated(today.year + ahead, month, day) for ahead in range(9))
    return next((date for date in coming if date is not None and date >= today), None)


def _full(match: re.Match[str], today: dt.date) -> dt.date | None:
    month = {"유": 6, "시": 10}.get(match["month"]) or _number(match["month"])
    day = _number(match["day"])
    date = _dated(_number(match["year"]), month, day) if match["year"] else _next(month, day, today)
    if date is not None and match["weekday"] and _WEEKDAYS[date.weekday()] != match["weekday"]:
        return None
    return date


def _of_month(match: re.Match[str], today: dt.date) -> dt.date | None:
    month = today.month - 1 + {"지난": -1, "이번": 0, "다음": 1, "다다음": 2}[match["which"]]
    return _dated(today.year + month // 12, month % 12 + 1, _number(match["day"]))


def _of_week(match: re.Match[str], today: dt.date) -> dt.date:
    return today + dt.timedelta(7 * _WEEKS[match["which"]] - today.weekday() + _WEEKDAYS.index(match["weekday"]))


def _weekday(match: re.Match[str], today: dt.date) -> dt.date | None:
    which, ahead = match["which"] or "", (_WEEKDAYS.index(match["weekday"]) - today.weekday()) % 7
    if which in ("지난", "저번"):
        return today + dt.timedelta(ahead - 7)
    if which not in ("", "이번", "오는", "돌아오는"):
        return None
    return today + dt.timedelta(ahead if ahead or which == "이번" else 7)


def _near(match: re.Match[str], today: dt.date) -> dt.date:
    return today + dt.timedelta(_NEAR[match.group()])


def _counted(match: re.Match[str], today: dt.date) -> dt.date:
    return today + dt.timedelta(_DAYS[match["count"]] * (-1 if match["later"] == "전" else 1))


def _counted_units(match: re.Match[str], today: dt.date) -> dt.date | None:
    count, unit = _number(match["count"]), match["unit"]
    if not 0 < count < 1000:
        return None
    count *= -1 if match["later"] == "전" else 1
    if unit in ("일", "주", "주일"):
        return today + dt.timedelta(count * (1 if unit == "일" else 7))
    month = today.month - 1 + count * (12 if unit == "년" else 1)
    year, month = today.year + month // 12, month % 12 + 1
    return dt.date(year, month, min(today.day, calendar.monthrange(year, month)[1])) if 1 <= year < 9000 else None


def _written(match: re.Match[str], today: dt.date) -> dt.date | None:
    if match["year"]:
        return _dated(int(match["year"]), int(match["month"]), int(match["day"]))
    return _next(int(match["month2"]), int(match["day2"]), today)


def _month_of(match: re.Match[str], today: dt.date) -> tuple[int, int] | None:
    """The year and month that ``_A_MONTH`` names."""
    if match["month"]:
        month = {"유": 6, "시": 10}.get(match["month"]) or _number(match["month"])
        return (today.year + (month < today.month), month) if 1 <= month <= 12 else None
    ahead = today.month - 1 + {"다음": 1, "다다음": 2}.get(match["which"] or "", 0)
    return today.year + ahead // 12, ahead % 12 + 1


def _last_day(match: re.Match[str], today: dt.date) -> dt.date | None:
    month = _month_of(match, today)
    return dt.date(*month, calendar.monthrange(*month)[1]) if month else None


def _nth_weekday(match: re.Match[str], today: dt.date) -> dt.date | None:
    """ "십이월 첫째 주 금요일", "다음 달 두 번째 월요일"; None where a month's first week may be counted in two ways."""
    month, nth = _month_of(match, today), _NTH[match["nth"].replace(" ", "")]
    weekday = _WEEKDAYS.index(match["weekday"])
    if month is None:
        return None
    first, days = dt.date(*month, 1), calendar.monthrange(*month)[1]
    if match["week"] and (nth == -1 or weekday < first.weekday()):
        return None
    fitting = [day for day in range(1, days + 1) if dt.date(*month, day).weekday() == weekday]
    return dt.date(*month, fitting[nth - 1 if nth > 0 else -1])


def _sino_day(match: re.Match[str], today: dt.date) -> dt.date | None:
    return _day_of_some_month(_number(match["day"]), today)


def _digit_day(match: re.Match[str], today: dt.date) -> dt.date | None:
    return _day_of_some_month(int(match["day"]), today)


def _day_of_some_month(day: int, today: dt.date) -> dt.date | None:
    """The day of this month or of the next that has it."""
    year, month = today.year, today.month
    for _ in range(12):
        date = _dated(year, month, day)
        if date is not None and date >= today:
            return date
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return None


def spoken(date: dt.date, today: dt.date) -> str:
    """As an agent says it: 12월 3일 목요일, with the year where it is not the running one."""
    year = "" if date.year == today.year or (date - today).days < 180 else f"{date.year}년 "
    return f"{year}{date.month}월 {date.day}일 {_WEEKDAYS[date.weekday()]}요일"
