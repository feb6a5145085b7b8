"""``ResourceStore`` in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from antiphon.calls.stores import LINKS, Listing, Resource
from antiphon.errors import ValueTaken
from antiphon.storage.database import Store, reading, writing
from antiphon.storage.listing import counted, paged
from antiphon.storage.tables import resource_versions, resources

_MAX_COLUMN_CHARS = 255
_MAX_FOUND_BY = 10

_ONE = select(resources).where(
    resources.c.kind == bindparam("of_kind"),
    resources.c.org_id == bindparam("of_org"),
    resources.c.id == bindparam("of_id"),
)
"""Made once: it is asked with every call, and to make a query takes as long as to run it."""


@cache
def _by(field: str) -> Select[Any]:
    """Likewise, for each field."""
    named = resources.c.kind == bindparam("of_kind"), resources.c[field] == bindparam("of_value")
    return select(resources).where(*named).limit(_MAX_FOUND_BY)


class StoredResources(Store):
    """Documents of organisations."""

    async def add(self, resource: Resource) -> bool:
        if await self._database.add(resources, self._row(resource)):
            return True
        if await self._is_there(resource.kind, resource.id):
            return False
        raise _taken()

    @reading
    def _is_there(self, connection: Connection, kind: str, id: str) -> bool:
        """Whosever it is."""
        same = (resources.c.kind == kind) & (resources.c.id == id)
        return connection.execute(select(resources.c.id).where(same)).first() is not None

    @reading
    def find(self, connection: Connection, kind: str, org_id: str, id: str) -> Resource | None:
        row = connection.execute(_ONE, {"of_kind": kind, "of_org": org_id, "of_id": id}).first()
        return None if row is None else self._resource(row)

    @reading
    def list(self, connection: Connection, kind: str, org_id: str, listing: Listing) -> Sequence[Resource]:
        query = paged(_of(kind, org_id), resources, listing)
        return [self._resource(row) for row in connection.execute(query)]

    @reading
    def count(self, connection: Connection, kind: str, org_id: str, listing: Listing) -> int:
        query = counted(resources, listing).where(resources.c.kind == kind, resources.c.org_id == org_id)
        return connection.execute(query).scalar_one()

    async def replace(self, resource: Resource) -> bool:
        try:
            return await self._replace(resource)
        except IntegrityError:
            raise _taken() from None

    @writing
    def _replace(self, connection: Connection, resource: Resource) -> bool:
        same = _is(resources, resource.kind, resource.org_id, resource.id)
        before = select(resources).where(same, resources.c.version == resource.version - 1).with_for_update()
        row = connection.execute(before).first()
        if row is None:
            return False
        kept = {column.name: row._mapping[column.name] for column in resource_versions.columns}
        connection.execute(insert(resource_versions).values(kept))
        connection.execute(update(resources).where(same).values(self._row(resource)))
        return True

    @writing
    def delete(
        self, connection: Connection, kind: str, org_id: str, id: str, version: int | None = None
    ) -> Resource | None:
        same = _is(resources, kind, org_id, id)
        if version is not None:
            same &= resources.c.version == version
        row = connection.execute(select(resources).where(same).with_for_update()).first()
        if row is None:
            return None
        connection.execute(delete(resources).where(same))
        connection.execute(delete(resource_versions).where(_is(resource_versions, kind, org_id, id)))
        return self._resource(row)

    @reading
    def versions(self, connection: Connection, kind: str, org_id: str, id: str) -> Sequence[Resource]:
        query = select(resource_versions).where(_is(resource_versions, kind, org_id, id))
        rows = connection.execute(query.order_by(resource_versions.c.version.desc()))
        return [self._resource(row) for row in rows]

    @reading
    def find_by(self, connection: Connection, kind: str, field: str, value: str) -> Sequence[Resource]:
        """Of whatever organisation: for our own work (which assistant has this telephone number?), never for a request."""
        return [self._resource(row) for row in connection.execute(_by(field), {"of_kind": kind, "of_value": value})]

    def _row(self, resource: Resource) -> Mapping[str, Any]:
        name = resource.body.get("name")
        return {
            "kind": resource.kind,
            "id": resource.id,
            "org_id": resource.org_id,
            "version": resource.version,
            "created_wall_ms": resource.created_wall_ms,
            "updated_wall_ms": resource.updated_wall_ms,
            "name": name[:_MAX_COLUMN_CHARS] if isinstance(name, str) else "",
            **{link: resource.links.get(link, "")[:_MAX_COLUMN_CHARS] for link in LINKS},
            "changed_by": resource.changed_by[:_MAX_COLUMN_CHARS],
            "body": self._database.secrets.sealed(dict(resource.body)),
        }

    def _resource(self, row: Row[Any]) -> Resource:
        columns = row._mapping
        return Resource(
            kind=columns["kind"],
            id=columns["id"],
            org_id=columns["org_id"],
            body=self._database.secrets.opened(columns["body"]),
            created_wall_ms=columns["created_wall_ms"],
            updated_wall_ms=columns["updated_wall_ms"],
            version=columns["version"],
            changed_by=columns["changed_by"],
            links={link: columns[link] for link in LINKS if columns.get(link)},
        )


def _taken() -> ValueTaken:
    return ValueTaken("another document has this number")


def _of(kind: str, org_id: str) -> Any:
    return select(resources).where(resources.c.kind == kind, resources.c.org_id == org_id)


def _is(table: Any, kind: str, org_id: str, id: str) -> Any:
    return (table.c.kind == kind) & (table.c.org_id == org_id) & (table.c.id == id)
