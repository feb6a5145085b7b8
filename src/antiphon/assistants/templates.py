"""Liquid templates in an assistant's texts: ``{{ customer.name }}``, filled in when a call is planned.

Templates come from outside, so they can load nothing, and are bounded in what they read, keep, repeat and write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from liquid import Environment, Undefined
from liquid.exceptions import FilterArgumentError, LiquidError

from antiphon.errors import ConfigurationError

MAX_TEMPLATE_CHARS = 100_000
MAX_TAGS = 1000
"""In one text: each takes some 50 microseconds of the event loop."""
MAX_OUTPUT_BYTES = 1_000_000
_MAX_DATE_FORMAT_CHARS = 200
_LOADERS = ("include", "render")
_MAX_TAG_CHARS = 2000
_LITERAL = ("raw", "comment", "doc")
_CLOSING = {name: re.compile(r"\{%-?[ \t]{0,9}end" + name + r"[ \t]{0,9}-?%\}") for name in _LITERAL}
_OPENING = re.compile(r"\{\{|\{%")


class _Bounded(Environment):
    block_nesting_limit = 20
    context_depth_limit = 20
    loop_iteration_limit = 10_000
    local_namespace_limit = 1_000_000
    output_stream_limit = MAX_OUTPUT_BYTES


class _Noted(Undefined):
    """Nothing, said as an empty text; whoever says it is noted. What a ``default`` filter replaces is not said."""

    __slots__ = ("_note",)

    def __init__(self, note: Callable[[str], None], name: str, **described: Any) -> None:
        super().__init__(name, **described)
        self._note = note

    def __str__(self) -> str:
        self._note(self.name)
        return ""


def filled(text: str, variables: Mapping[str, Any], note: Callable[[str], None]) -> str:
    """The text with its variables. One that is not defined is an empty text, and ``note`` is told its name. Raises ConfigurationError
    (of field ``template``) for what is no template, or one that does too much."""
    if not tags_in(text):
        return text
    if len(text) > MAX_TEMPLATE_CHARS:
        raise ConfigurationError("template", f"is longer than {MAX_TEMPLATE_CHARS} characters")
    _require_closed(text)
    now = variables.get("now_utc")
    environment = _environment(note, now if isinstance(now, datetime) else None)
    try:
        return environment.from_string(text).render(variables)
    except (LiquidError, RecursionError, ValueError, TypeError, ArithmeticError) as error:
        problem = str(error).splitlines()[0][:200] if isinstance(error, LiquidError) else type(error).__name__
        raise ConfigurationError("template", f"is no Liquid template ({problem})") from None


def tags_in(text: str) -> int:
    return text.count("{{") + text.count("{%")


def _require_closed(text: str) -> None:
    """What is opened is closed before the next is opened: of texts where it is not, python-liquid's lexer takes the square of their length.
    Raises ConfigurationError."""
    if tags_in(text) > MAX_TAGS:
        raise ConfigurationError("template", f"has more than {MAX_TAGS} tags")
    at = 0
    while (opening := _OPENING.search(text, at)) is not None:
        ending = "}}" if opening.group() == "{{" else "%}"
        end = text.find(ending, opening.end())
        if end < 0 or end - opening.end() > _MAX_TAG_CHARS:
            raise ConfigurationError("template", f"is no Liquid template ({opening.group()} without {ending})")
        at = end + 2
        if opening.group() == "{%" and (literal := text[opening.end() : end].strip(" -\t\r\n")) in _LITERAL:
            closing = _CLOSING[literal].search(text, at)
            if closing is None:
                raise ConfigurationError("template", f"is no Liquid template ({literal} without end{literal})")
            at = closing.end()


def _environment(note: Callable[[str], None], now: datetime | None) -> Environment:
    made = _Bounded()
    for tag in _LOADERS:
        made.tags.pop(tag, None)
    made.undefined = lambda name, **described: _Noted(note, name, **described)  # type: ignore[assignment]  # asked like a class
    made.add_filter("date", _date_filter(now))
    made.add_filter("last", _last)
    return made


def _last(value: object, count: object = None) -> object:
    """``last`` as the platform's examples have it: the last item, or with a number the last so many, ``{{ messages | last: 5 }}``."""
    items = list(value) if isinstance(value, list | tuple) else []
    if count is None:
        return items[-1] if items else None
    if not isinstance(count, int) or isinstance(count, bool):
        raise FilterArgumentError("last takes a number", token=None)
    return items[-count:] if count > 0 else []


def _date_filter(now: datetime | None) -> Callable[..., str]:
    """``date`` as LiquidJS has it: ``{{ "now" | date: "%b %d", "Europe/Berlin" }}``. ``now`` is when the call was planned."""

    def date(value: object, form: object = "%Y-%m-%d", zone: object = None) -> str:
        moment = _moment(value, now)
        if moment is None:
            return str(value)
        if len(str(form)) > _MAX_DATE_FORMAT_CHARS:
            raise FilterArgumentError("the format of a date is too long", token=None)
        try:
            return moment.astimezone(_zone(str(zone)) if zone else UTC).strftime(str(form))
        except (ValueError, OverflowError) as error:
            raise FilterArgumentError(str(error)[:100], token=None) from error

    return date


def _moment(value: object, now: datetime | None) -> datetime | None:
    """What a template calls a date: "now", a moment, seconds since 1970, or ISO 8601; None for anything else."""
    try:
        if value in ("now", "today"):
            return now or datetime.now(UTC)
        if isinstance(value, datetime):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        moment = datetime.fromisoformat(str(value)[:40])
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    """Raises ValueError where there is none of this name."""
    try:
        return ZoneInfo(name[:64])
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("there is no such time zone") from None


def default_variables(wall_ms: int) -> dict[str, Any]:
    """What every template may say: the time the call is planned at, in UTC."""
    now = datetime.fromtimestamp(wall_ms / 1000, UTC)
    day = str(now.day)
    return {
        "now_utc": now,
        "now": f"{now:%b} {day}, {now:%Y, %I:%M %p}",
        "date": f"{now:%b} {day}, {now:%Y}",
        "time": f"{now:%I:%M %p}",
        "month": f"{now:%B}",
        "day": day,
        "year": f"{now:%Y}",
    }
