"""``LogStore`` in the database: one list of what three tables know (requests, attempts of deliveries, calls that are over)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    String,
    Subquery,
    and_,
    cast,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
)

from antiphon.calls.request_log import LogEntry, LogListing
from antiphon.calls.secrets import masked
from antiphon.calls.stores import MAX_LISTED
from antiphon.storage.database import Store, reading, writing
from antiphon.storage.tables import calls, deliveries, delivery_attempts, request_log

_MAX_COLUMN_CHARS = 255
_OF_THE_CALL = ("squad_id", "phone_number_id", "customer_number")
_COLUMNS = tuple(column.name for column in request_log.columns if column.name != "number")


class StoredRequestLog(Store):
    """Of all organisations."""

    @writing
    def add(self, connection: Connection, entries: Sequence[LogEntry]) -> None:
        rows = [_row(entry) for entry in entries]
        connection.execute(insert(request_log), rows)

    @reading
    def list(self, connection: Connection, org_id: str, listing: LogListing) -> Sequence[LogEntry]:
        found = _found(org_id, listing)
        keys = (found.c.wall_ms, found.c.source, found.c.number, found.c.key)
        query = select(found.c.source, found.c.key).order_by(
            *(key.desc() if listing.order == "newest" else key for key in keys)
        )
        query = query.limit(max(0, min(listing.limit, MAX_LISTED))).offset(max(0, listing.offset))
        page = [(source, key) for source, key in connection.execute(query)]
        entries = {
            **_requests(connection, [int(key) for source, key in page if source == "request"]),
            **_attempts(connection, [int(key) for source, key in page if source == "attempt"]),
            **_calls(connection, [key for source, key in page if source == "call"]),
        }
        return [entries[each] for each in page if each in entries]

    @reading
    def count(self, connection: Connection, org_id: str, listing: LogListing) -> int:
        query = select(func.count()).select_from(_found(org_id, listing))
        return connection.execute(query).scalar_one()

    @writing
    def delete(self, connection: Connection, org_id: str, listing: LogListing) -> int:
        asked = delete(request_log).where(*_requests_where(org_id, listing))
        settled = select(deliveries.c.id).where(
            deliveries.c.status != "pending", *_deliveries_where(org_id, listing, deliveries.c.created_wall_ms)
        )
        which = delivery_attempts.c.delivery_id.in_(settled)
        deleted = 0
        if listing.type != "Call":
            deleted += connection.execute(asked).rowcount
        if listing.type in (None, "Webhook"):
            ids = connection.execute(settled).scalars().all()
            deleted += connection.execute(delete(delivery_attempts).where(which)).rowcount
            for at in range(0, len(ids), MAX_LISTED):
                part = ids[at : at + MAX_LISTED]
                connection.execute(delete(deliveries).where(deliveries.c.id.in_(part)))
        return deleted

    async def forget(self, before_wall_ms: int, most: int) -> int:
        # Mostly there is nothing, and nobody need wait for that.
        return await self._forget(before_wall_ms, most) if await self._is_old(before_wall_ms, most) else 0

    @reading
    def _is_old(self, connection: Connection, before_wall_ms: int, most: int) -> bool:
        query = select(func.count()).select_from(request_log).where(_old(before_wall_ms, most))
        gone = select(deliveries.c.id).where(_settled(before_wall_ms))
        return bool(connection.execute(query).scalar_one()) or connection.execute(gone).first() is not None

    @writing
    def _forget(self, connection: Connection, before_wall_ms: int, most: int) -> int:
        settled = _settled(before_wall_ms)
        gone = select(deliveries.c.id).where(settled)
        forgotten = connection.execute(delete(request_log).where(_old(before_wall_ms, most))).rowcount
        connection.execute(delete(delivery_attempts).where(delivery_attempts.c.delivery_id.in_(gone)))
        return forgotten + connection.execute(delete(deliveries).where(settled)).rowcount

    @writing
    def forget_call(self, connection: Connection, call_id: str) -> None:
        of_call = select(deliveries.c.id).where(deliveries.c.call_id == call_id)
        connection.execute(delete(request_log).where(request_log.c.call_id == call_id))
        connection.execute(delete(delivery_attempts).where(delivery_attempts.c.delivery_id.in_(of_call)))
        connection.execute(delete(deliveries).where(deliveries.c.call_id == call_id))


def _old(before_wall_ms: int, most: int) -> ColumnElement[bool]:
    newest = select(func.max(request_log.c.number)).scalar_subquery()
    return or_(request_log.c.wall_ms < before_wall_ms, request_log.c.number <= newest - most)


def _settled(before_wall_ms: int) -> ColumnElement[bool]:
    return and_(deliveries.c.status != "pending", deliveries.c.due_wall_ms < before_wall_ms)


def _found(org_id: str, listing: LogListing) -> Subquery:
    """Source, key (as text) and time of all that the listing names."""
    made = delivery_attempts.c
    asked = _keys("request", request_log.c.number, request_log.c.number, request_log.c.wall_ms)
    parts: list[Select[Any]] = []
    if listing.type != "Call":
        parts.append(asked.where(*_requests_where(org_id, listing)))
    if listing.type in (None, "Webhook"):
        attempts = _keys("attempt", made.number, made.number, made.wall_ms).join(
            deliveries, deliveries.c.id == made.delivery_id
        )
        parts.append(attempts.where(*_deliveries_where(org_id, listing, made.wall_ms)))
    if listing.type in (None, "Call") and "webhook_type" not in listing.equal:
        over = _keys("call", calls.c.id, literal(0, BigInteger), calls.c.ended_wall_ms)
        parts.append(over.where(*_calls_where(org_id, listing)))
    return union_all(*(parts or [asked.where(false())])).subquery()


def _keys(source: str, key: ColumnElement[Any], number: ColumnElement[Any], wall_ms: ColumnElement[Any]) -> Select[Any]:
    """``number``: in which order those of the same millisecond came."""
    return select(
        literal(source).label("source"),
        cast(key, String(64)).label("key"),
        number.label("number"),
        wall_ms.label("wall_ms"),
    )


def _requests_where(org_id: str, listing: LogListing) -> Sequence[ColumnElement[bool]]:
    row = request_log.c
    kind = [row.type == listing.type] if listing.type is not None else []
    return [row.org_id == org_id, *kind, *_span(row.wall_ms, listing), *_equal(dict(row.items()), listing, row.call_id)]


def _deliveries_where(org_id: str, listing: LogListing, wall_ms: ColumnElement[Any]) -> Sequence[ColumnElement[bool]]:
    row = deliveries.c
    named = {"call_id": row.call_id, "assistant_id": row.assistant_id, "webhook_type": row.type}
    return [row.org_id == org_id, *_span(wall_ms, listing), *_equal(named, listing, row.call_id)]


def _calls_where(org_id: str, listing: LogListing) -> Sequence[ColumnElement[bool]]:
    row = calls.c
    over = [row.org_id == org_id, row.ended_wall_ms.is_not(None)]
    return [
        *over,
        *_span(row.ended_wall_ms, listing),
        *_equal({**dict(row.items()), "call_id": row.id}, listing, row.id),
    ]


def _span(wall_ms: ColumnElement[Any], listing: LogListing) -> Sequence[ColumnElement[bool]]:
    from_ms, to_ms = listing.made.from_ms, listing.made.to_ms
    return [*([wall_ms >= from_ms] if from_ms is not None else ()), *([wall_ms <= to_ms] if to_ms is not None else ())]


def _equal(named: Mapping[str, Any], listing: LogListing, call_id: ColumnElement[Any]) -> Sequence[ColumnElement[bool]]:
    """Where a table has no column for it, its call says."""
    made: list[ColumnElement[bool]] = []
    for name, value in listing.equal.items():
        if name in named:
            made.append(named[name] == value)
        elif name in _OF_THE_CALL:
            made.append(call_id.in_(select(calls.c.id).where(calls.c[name] == value)))
    return made


def _requests(connection: Connection, numbers: Sequence[int]) -> dict[tuple[str, str], LogEntry]:
    if not numbers:
        return {}
    rows = connection.execute(select(request_log).where(request_log.c.number.in_(numbers)))
    return {("request", str(row.number)): LogEntry(**{name: row._mapping[name] for name in _COLUMNS}) for row in rows}


def _attempts(connection: Connection, numbers: Sequence[int]) -> dict[tuple[str, str], LogEntry]:
    if not numbers:
        return {}
    made, sent = delivery_attempts.c, deliveries.c
    query = (
        select(
            made.number, made.wall_ms, made.duration_ms, made.status, made.error, made.answer,
            sent.org_id, sent.type, sent.target, sent.body, sent.call_id, sent.assistant_id,
        )
        .join(deliveries, sent.id == made.delivery_id)
        .where(made.number.in_(numbers))
    )  # fmt: skip
    found: dict[tuple[str, str], LogEntry] = {}
    for row in connection.execute(query):
        found["attempt", str(row.number)] = LogEntry(
            row.org_id, "Webhook", row.wall_ms, row.duration_ms, "POST", _bare(str(row.target.get("url", ""))), row.status,
            row.error, "", row.type, row.call_id, row.assistant_id, _without_secrets(row.body), _without_secrets(row.answer),
        )  # fmt: skip
    return found


def _calls(connection: Connection, ids: Sequence[str]) -> dict[tuple[str, str], LogEntry]:
    if not ids:
        return {}
    row = calls.c
    query = select(
        row.id, row.org_id, row.started_wall_ms, row.ended_wall_ms, row.ended_reason, row.assistant_id
    ).where(row.id.in_(ids))
    return {
        ("call", each.id): LogEntry(
            each.org_id, "Call", each.ended_wall_ms, each.ended_wall_ms - (each.started_wall_ms or each.ended_wall_ms),
            error=each.ended_reason, resource="call", call_id=each.id, assistant_id=each.assistant_id,
        )
        for each in connection.execute(query)
    }  # fmt: skip


def _row(entry: LogEntry) -> dict[str, Any]:
    values = asdict(entry)
    cut = {name: value[:_MAX_COLUMN_CHARS] for name, value in values.items() if isinstance(value, str)}
    return {name: {**values, **cut}[name] for name in _COLUMNS}


def _bare(url: str) -> str:
    return url.partition("?")[0][:_MAX_COLUMN_CHARS]


def _without_secrets(text: str) -> str:
    """Text that is no JSON has been scrubbed when it was written."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return orjson.dumps(masked(document)).decode()
