"""``DeliveryStore`` in the database: rows that are claimed with a lease, so that several processes may work on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from antiphon.calls.secrets import scrubbed
from antiphon.storage.database import Store, reading, writing
from antiphon.storage.tables import deliveries, delivery_attempts
from antiphon.webhooks.deliveries import Attempt, AttemptListing, Delivery, LoggedAttempt, Outcome

_FIELDS = tuple(field.name for field in fields(Delivery))
_MAX_LISTED = 1000


class StoredDeliveries(Store):
    """The outbox."""

    async def add(self, delivery: Delivery) -> bool:
        sealed = self._database.secrets.sealed(dict(delivery.target))
        return await self._database.add(deliveries, {**asdict(delivery), "target": sealed})

    async def claim(self, wall_ms: int, limit: int, lease: str, grace_ms: int) -> Sequence[Delivery]:
        # Mostly nothing is due, and nobody need wait for that.
        return await self._claim(wall_ms, limit, lease, grace_ms) if await self._is_due(wall_ms) else []

    @reading
    def _is_due(self, connection: Connection, wall_ms: int) -> bool:
        return connection.execute(_pending_at(wall_ms)).first() is not None

    @writing
    def _claim(self, connection: Connection, wall_ms: int, limit: int, lease: str, grace_ms: int) -> Sequence[Delivery]:
        row = deliveries.c
        due = (
            select(row.id)
            .where(row.status == "pending", row.due_wall_ms <= wall_ms, row.leased_until_wall_ms <= wall_ms)
            .order_by(row.due_wall_ms)
            .limit(limit)
        )
        if not self._database.is_sqlite:  # there, one transaction writes at a time in any case
            due = due.with_for_update(skip_locked=True)
        ids = list(connection.execute(due).scalars())
        if not ids:
            return []
        chosen = (
            update(deliveries)
            .where(row.id.in_(ids))
            .values(lease=lease, leased_until_wall_ms=literal(wall_ms + grace_ms, BigInteger) + row.timeout_ms)
            .returning(deliveries)
        )
        found = [self._delivery(each) for each in connection.execute(chosen)]
        return sorted(found, key=lambda each: each.due_wall_ms)

    @writing
    def settle(self, connection: Connection, outcomes: Sequence[Outcome]) -> int:
        if not outcomes:
            return 0
        row = deliveries.c
        # The lease is compared with its end: the same process may hold a new lease of the same delivery.
        mine = and_(
            row.id == bindparam("of_id"),
            row.status == "pending",
            row.lease == bindparam("of_lease"),
            row.leased_until_wall_ms == bindparam("of_until"),
        )
        change = (
            update(deliveries)
            .where(mine)
            .values(
                status=bindparam("new_status"),
                due_wall_ms=bindparam("new_due"),
                attempts=row.attempts + 1,
                lease="",
                leased_until_wall_ms=0,
            )
        )
        changed = 0
        for outcome in outcomes:
            changed += connection.execute(change, _change(outcome)).rowcount
        there = select(row.id).where(row.id.in_([outcome.delivery.id for outcome in outcomes]))
        known = set(connection.execute(there).scalars())
        if logged := [_logged(outcome) for outcome in outcomes if outcome.delivery.id in known]:  # others were erased
            connection.execute(insert(delivery_attempts), logged)
        return changed

    @reading
    def next_due(self, connection: Connection) -> int | None:
        row = deliveries.c
        when = case((row.leased_until_wall_ms > row.due_wall_ms, row.leased_until_wall_ms), else_=row.due_wall_ms)
        found = connection.execute(select(func.min(when)).where(row.status == "pending")).scalar_one()
        return None if found is None else int(found)

    @reading
    def find(self, connection: Connection, org_id: str, id: str) -> Delivery | None:
        query = select(deliveries).where(deliveries.c.id == id, deliveries.c.org_id == org_id)
        row = connection.execute(query).first()
        return None if row is None else self._delivery(row)

    @reading
    def of_call(self, connection: Connection, org_id: str, call_id: str, limit: int) -> Sequence[Delivery]:
        row = deliveries.c
        mine = select(deliveries).where(row.call_id == call_id, row.org_id == org_id)
        query = mine.order_by(row.created_wall_ms, row.id).limit(min(limit, _MAX_LISTED))
        return [self._delivery(each) for each in connection.execute(query)]

    @reading
    def attempts(self, connection: Connection, org_id: str, listing: AttemptListing) -> Sequence[LoggedAttempt]:
        made = delivery_attempts.c
        query = (
            select(deliveries, made.wall_ms, made.duration_ms, made.status.label("answered"), made.error, made.answer)
            .join(delivery_attempts, made.delivery_id == deliveries.c.id)
            .where(made.org_id == org_id)
            .order_by(made.number.desc())
            .limit(min(listing.limit, _MAX_LISTED))
            .offset(listing.offset)
        )
        if listing.call_id:
            query = query.where(deliveries.c.call_id == listing.call_id)
        if listing.delivery_id:
            query = query.where(deliveries.c.id == listing.delivery_id)
        for name in ("type", "assistant_id"):
            if name in listing.equal:
                query = query.where(deliveries.c[name] == listing.equal[name])
        return [self._logged_attempt(row._mapping) for row in connection.execute(query)]

    @writing
    def forget(self, connection: Connection, before_wall_ms: int, call_id: str = "") -> int:
        row = deliveries.c
        which = row.call_id == call_id if call_id else and_(row.status != "pending", row.due_wall_ms < before_wall_ms)
        gone = select(row.id).where(which)
        connection.execute(delete(delivery_attempts).where(delivery_attempts.c.delivery_id.in_(gone)))
        return connection.execute(delete(deliveries).where(which)).rowcount

    def _delivery(self, row: Row[Any]) -> Delivery:
        return self._opened({name: row._mapping[name] for name in _FIELDS})

    def _opened(self, values: dict[str, Any]) -> Delivery:
        return Delivery(**{**values, "target": self._database.secrets.opened(values["target"])})

    def _logged_attempt(self, columns: Mapping[Any, Any]) -> LoggedAttempt:
        delivery = self._opened({name: columns[deliveries.c[name]] for name in _FIELDS})
        attempt = Attempt(
            columns["wall_ms"], columns["duration_ms"], columns["answered"], columns["error"], columns["answer"]
        )
        return LoggedAttempt(delivery, attempt)


def _pending_at(wall_ms: int) -> Any:
    row = deliveries.c
    free = or_(row.leased_until_wall_ms <= wall_ms, row.lease == "")
    return select(row.id).where(row.status == "pending", row.due_wall_ms <= wall_ms, free).limit(1)


def _change(outcome: Outcome) -> dict[str, Any]:
    delivery = outcome.delivery
    ended = "delivered" if outcome.acknowledged else "failed"
    retried = not outcome.acknowledged and outcome.retry_wall_ms is not None
    return {
        "of_id": delivery.id,
        "of_lease": delivery.lease,
        "of_until": delivery.leased_until_wall_ms,
        "new_status": "pending" if retried else ended,
        "new_due": outcome.retry_wall_ms if retried else outcome.attempt.wall_ms,
    }


def _logged(outcome: Outcome) -> dict[str, Any]:
    delivery = outcome.delivery
    attempt = {**asdict(outcome.attempt), "answer": scrubbed(outcome.attempt.answer, delivery.target)}
    return {"delivery_id": delivery.id, "org_id": delivery.org_id, "call_id": delivery.call_id, **attempt}
