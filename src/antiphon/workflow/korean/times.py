"""Korean times of day: 오후 세 시 반, 열한 시 오 분 전, 15시 30분, 정오."""

from __future__ import annotations

import datetime as dt
import re

from antiphon.workflow.korean.numbers import NATIVE, value_of
from antiphon.workflow.korean.reading import Item, Reading, settle, without_overlaps

_N = r"(?:\d{1,2}|[일이삼사오육륙칠팔구십]+)"
_HALVES = {
    "오전": False,
    "아침": False,
    "새벽": False,
    "오후": True,
    "저녁": True,
    "밤": True,
    "점심": True,
    "낮": True,
}
_CLOCK = re.compile(
    rf"(?:(?P<half>{'|'.join(_HALVES)})(?:에)?\s*)?(?<![가-힣])(?P<hour>{NATIVE}|{_N})\s*시(?!간)"
    rf"(?:\s*(?P<minute>{_N})\s*분(?P<before>\s*전)?|\s*(?P<thirty>반))?"
)
_WRITTEN = re.compile(rf"(?:(?P<half>{'|'.join(_HALVES)})\s*)?(?<!\d)(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?!\d)")
_NAMED = {"정오": dt.time(12), "자정": dt.time(0)}


def read(text: str, opens: dt.time, closes: dt.time) -> Reading:
    """The time meant. Where no half of the day is said: the one in opening hours, else the one people mean."""
    items = [
        Item(match.start(), match.end(), _value(_NAMED[match.group()])) for match in re.finditer("정오|자정", text)
    ]
    for match in (*_CLOCK.finditer(text), *_WRITTEN.finditer(text)):
        time = _time(match.groupdict(), opens, closes)
        items.append(Item(match.start(), match.end(), None if time is None else _value(time)))
    return settle(text, without_overlaps(items))


def _value(time: dt.time) -> tuple[str, str]:
    return time.isoformat("minutes"), spoken(time)


def _time(parts: dict[str, str | None], opens: dt.time, closes: dt.time) -> dt.time | None:
    hour, minute = value_of(parts["hour"] or ""), value_of(parts["minute"] or "영")
    if hour is None or minute is None or hour > 24 or minute > 59:
        return None
    minutes = int(hour) * 60 + (30 if parts.get("thirty") else int(minute) * (-1 if parts.get("before") else 1))
    half = _HALVES.get(parts["half"] or "")
    if hour > 12 or hour == 0:
        return _of_minutes(minutes)
    if half is None:
        return _most_likely(minutes, opens, closes)
    if int(hour) == 12:
        # Twelve at night is midnight, and whether that is today's or tomorrow's is not said.
        return None if parts["half"] in ("밤", "새벽", "저녁") else _of_minutes(minutes if half else minutes - 720)
    return _of_minutes(minutes + 720 if half else minutes)


def _most_likely(minutes: int, opens: dt.time, closes: dt.time) -> dt.time | None:
    morning, afternoon = _of_minutes(minutes % 720), _of_minutes(minutes % 720 + 720)
    if morning is None or afternoon is None:
        return None
    open_ones = [time for time in (morning, afternoon) if opens <= time <= closes]
    if len(open_ones) == 1:
        return open_ones[0]
    return morning if 7 <= morning.hour <= 11 else afternoon


def _of_minutes(minutes: int) -> dt.time | None:
    return dt.time(minutes // 60 % 24, minutes % 60) if minutes >= 0 else None


def spoken(time: dt.time) -> str:
    """As an agent says it: 오후 3시 30분, 정오."""
    if (time.hour, time.minute) in ((12, 0), (0, 0)):
        return "정오" if time.hour else "자정"
    minute = f" {time.minute}분" if time.minute else ""
    return f"{'오후' if time.hour >= 12 else '오전'} {time.hour % 12 or 12}시{minute}"
