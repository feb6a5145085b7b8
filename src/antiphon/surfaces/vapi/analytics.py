"""``POST /analytics``: sums over an organisation's calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.sums import COLUMNS, GROUPS, OPERATIONS, CallSums, Summed, SumQuestion
from antiphon.clock import Clock, iso
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.dates import ms_of
from antiphon.surfaces.vapi.errors import ApiError

MAX_QUERIES = 20
MAX_OPERATIONS = 20
MAX_STEPS = 1000
DEFAULT_DAYS = 7
_ALIAS_CHARS = 40
_SECONDS: Mapping[str, int] = {"second": 1, "minute": 60, "hour": 3600}
_YEARS: Mapping[str, int] = {"year": 1, "decade": 10, "century": 100, "millennium": 1000}
STEPS = (*_SECONDS, "day", "week", "month", "quarter", *_YEARS)


@dataclass(frozen=True, slots=True)
class _Range:
    edges_ms: list[int]
    zone: ZoneInfo
    shown: dict[str, Any]


class Analytics:
    """The route."""

    def __init__(self, sums: CallSums, clock: Clock, access: Access) -> None:
        self._sums = sums
        self._clock = clock
        self._access = access

    def routes(self) -> list[Route]:
        return [Route("/analytics", self._access.private(self._ask), methods=["POST"])]

    async def _ask(self, request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        queries = body.get("queries")
        if not isinstance(queries, list) or not 0 < len(queries) <= MAX_QUERIES:
            raise ApiError(400, [f"queries must contain 1 to {MAX_QUERIES} elements"])
        read = [self._read(query, f"queries.{at}") for at, query in enumerate(queries)]
        answers = []
        for name, span, question in read:
            rows = await self._sums.ask(asker.org_id, question)
            result = [{"date": _date(question.edges_ms[step], span.zone), **values} for step, values in rows]
            if not result and not question.group_by and len(question.edges_ms) == 2:
                result = [{"date": _date(question.edges_ms[0], span.zone), **_nothing(question)}]
            answers.append({"name": name, "timeRange": span.shown, "result": result})
        return json_response(answers, 201)

    def _read(self, query: Any, path: str) -> tuple[str, _Range, SumQuestion]:
        if not isinstance(query, dict):
            raise ApiError(400, [f"{path} must be an object"])
        known = ("table", "name", "operations", "groupBy", "timeRange")
        _require(not (extra := set(query) - set(known)), f"property {path}.{min(extra, default='')} should not exist")
        tables = ("call", "subscription")
        _require(query.get("table") in tables, f"{path}.table must be one of the following values: {', '.join(tables)}")
        name = query.get("name")
        _require(isinstance(name, str) and 0 < len(name) <= 40, f"{path}.name must be a string of 1 to 40 characters")
        operations = query.get("operations")
        _require(
            isinstance(operations, list) and 0 < len(operations) <= MAX_OPERATIONS,
            f"{path}.operations must contain 1 to {MAX_OPERATIONS} elements",
        )
        read = [_operation(each, f"{path}.operations.{at}") for at, each in enumerate(operations or ())]
        names = [each.alias for each in read]
        _require(len(set(names)) == len(names), f"{path}.operations must have different aliases")
        groups = query.get("groupBy") or []
        groups = [groups] if isinstance(groups, str) else groups
        allowed = f"each value in {path}.groupBy must be one of the following values: {', '.join(GROUPS)}"
        _require(isinstance(groups, list) and all(group in GROUPS for group in groups), allowed)
        span = self._range(query.get("timeRange") or {}, f"{path}.timeRange", history=_has_history(read))
        return str(name), span, SumQuestion(read, span.edges_ms, list(dict.fromkeys(groups)))

    def _range(self, given: Any, path: str, *, history: bool) -> _Range:
        """Without a step all of it is one."""
        _require(isinstance(given, dict), f"{path} must be an object")
        step = given.get("step") or ("day" if history else None)
        _require(step is None or step in STEPS, f"{path}.step must be one of the following values: {', '.join(STEPS)}")
        named = given.get("timezone") or "UTC"
        try:
            zone = ZoneInfo(named)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            raise ApiError(400, [f"{path}.timezone must be an IANA time zone, e.g. Europe/Berlin"]) from None
        end_ms = _moment(given.get("end"), f"{path}.end", self._clock.wall_ms() + 1)
        start_ms = _moment(given.get("start"), f"{path}.start", end_ms - DEFAULT_DAYS * 86_400_000)
        _require(start_ms < end_ms, f"{path}.start must be before {path}.end")
        edges = [start_ms, *(_edges(start_ms, end_ms, step, zone, path) if step else ()), end_ms]
        shown = {"start": iso(start_ms), "end": iso(end_ms), "timezone": named, **({"step": step} if step else {})}
        return _Range(edges, zone, shown)


def _operation(given: Any, path: str) -> Summed:
    _require(isinstance(given, dict), f"{path} must be an object")
    operation, column = given.get("operation"), given.get("column")
    of_these = "must be one of the following values"
    _require(operation in OPERATIONS, f"{path}.operation {of_these}: {', '.join(OPERATIONS)}")
    if column == "concurrency":
        raise ApiError(400, [f"{path}.column concurrency is not summed here: the server's metrics have it"])
    _require(column in COLUMNS, f"{path}.column {of_these}: {', '.join(COLUMNS)}")
    _require(column != "id" or operation in ("count", "history"), f"{path}.column id can only be counted")
    alias = given.get("alias") or f"{operation}{_capital(column)}"
    _require(isinstance(alias, str) and len(alias) <= max(_ALIAS_CHARS, len(operation + column)),
             f"{path}.alias must be shorter than or equal to {_ALIAS_CHARS} characters")  # fmt: skip
    _require(alias != "date" and alias not in GROUPS, f"{path}.alias must not be the name of another field")
    return Summed(operation, column, alias)


def _capital(column: str) -> str:
    return column[:1].upper() + column[1:]


def _has_history(operations: list[Summed]) -> bool:
    return any(each.operation == "history" for each in operations)


def _nothing(question: SumQuestion) -> dict[str, Any]:
    """No call at all: that is none, and not no answer."""
    counted = ("count", "sum", "history")
    return {each.alias: 0 if each.operation in counted else None for each in question.operations}


def _moment(given: Any, path: str, default: int) -> int:
    if given is None:
        return default
    _require(isinstance(given, str), f"{path} must be a valid ISO 8601 date string")
    return ms_of(given, path)


def _date(wall_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone(zone).isoformat(timespec="milliseconds")


def _edges(start_ms: int, end_ms: int, step: str, zone: ZoneInfo, path: str) -> list[int]:
    """Where steps begin inside the range, by the calendar of ``zone``."""
    edges: list[int] = []
    at = datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(zone)
    after = _after(step)
    while True:
        at = after(at)
        if (edge_ms := int(at.timestamp() * 1000)) >= end_ms:
            return edges
        if edge_ms > start_ms:
            edges.append(edge_ms)
        _require(len(edges) < MAX_STEPS, f"{path} has more than {MAX_STEPS} steps")


def _after(step: str) -> Callable[[datetime], datetime]:
    """The beginning of the next step."""
    if step in _SECONDS:
        size = _SECONDS[step]

        def next_one(at: datetime) -> datetime:
            seconds = (int(at.timestamp()) // size + 1) * size
            return datetime.fromtimestamp(seconds, at.tzinfo)

        return next_one

    def next_date(at: datetime) -> datetime:
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        try:
            if step == "day":
                return midnight + timedelta(days=1)
            if step == "week":
                return midnight + timedelta(days=7 - at.weekday())
            if step in _YEARS:
                years = _YEARS[step]
                return midnight.replace(year=(at.year // years + 1) * years, month=1, day=1)
            months = 3 if step == "quarter" else 1
            month = (at.month - 1) // months * months + months
            return midnight.replace(year=at.year + month // 12, month=month % 12 + 1, day=1)
        except (ValueError, OverflowError):
            return datetime(9999, 12, 31, tzinfo=at.tzinfo)

    return next_date


def _require(right: object, problem: str) -> None:
    if not right:
        raise ApiError(400, [problem])
