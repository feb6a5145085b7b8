"""Documents of an organisation: made, found, listed, changed and deleted, whatever their kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

from antiphon.calls.secrets import masked, restored
from antiphon.calls.stores import LINKS, MAX_LISTED, Listing, Resource, ResourceStore
from antiphon.clock import Clock, iso
from antiphon.errors import ValueTaken
from antiphon.surfaces.http.preconditions import ANY_VERSION, IfMatch, etag
from antiphon.surfaces.vapi.errors import ApiError, not_found

OWN_FIELDS = ("id", "orgId", "createdAt", "updatedAt")
"""Ours to say. Whoever sends them back with a change changes nothing."""
MAX_ID_CHARS = 64
_TRIES = 20
_SEALED_ANEW = ("credential", "phone-number")
"""Kinds whose bodies differ each time they are kept, though they say the same."""
_COLUMNS = {
    "assistantId": "assistant_id",
    "squadId": "squad_id",
    "sessionId": "session_id",
    "phoneNumberId": "phone_number_id",
    "number": "number",
}
Check = Callable[[str, str, Mapping[str, Any]], Awaitable[None]]
Told = Callable[[str, Resource], None]
"""``created``, ``updated`` or ``deleted``, and the document as it is, or was. Must not raise."""
Changed = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""The new document, from the one that is there."""


def links_of(body: Mapping[str, Any]) -> dict[str, str]:
    """What a document points to, in the store's columns."""
    return {column: value for field, column in _COLUMNS.items() if isinstance(value := body.get(field), str) and value}


@dataclass(frozen=True, slots=True)
class Kind:
    """What is particular about one kind of document."""

    name: str
    """In the store and in messages, e.g. ``assistant``."""
    check: Check | None = None
    """``(org_id, id, body)``; raises ApiError 400 for a document that may not be kept. The body is whole, not only what has changed."""
    own_fields: tuple[str, ...] = ()
    """Ours to say, besides ``OWN_FIELDS``."""
    keeping: Callable[[dict[str, Any]], dict[str, Any]] = dict
    """What is kept of a document that was checked: secrets are sealed here. ``keeping`` of what was kept changes nothing."""
    show: Callable[[Resource], Mapping[str, Any]] = lambda resource: resource.body
    """The document as it is answered, without ``OWN_FIELDS``."""
    links: Callable[[Mapping[str, Any]], Mapping[str, str]] = links_of
    in_use: Check | None = None
    """``(org_id, id, body)``; raises ApiError 409 for one that others need."""
    fixed: str = ""
    """A field that stays as it was made."""


@dataclass(frozen=True, slots=True)
class Change:
    """How a change was asked for."""

    by: str = ""
    """The person, where it is one (``Resource.changed_by``)."""
    seen: IfMatch = ANY_VERSION
    """The version that they have seen: no other is changed."""

    def require_seen(self, resource: Resource) -> None:
        """Raises ApiError 412."""
        if not self.seen.met_by(resource.version):
            raise changed_since(resource.kind, resource.version)


UNASKED = Change()


def changed_since(kind: str, version: int) -> ApiError:
    """Somebody else was first."""
    tag = etag(version)
    return ApiError(412, f"This {kind} has been changed since: it is at {tag} now.", headers={"ETag": tag})


async def every(store: ResourceStore, kind: str, org_id: str) -> AsyncIterator[Resource]:
    """All of a kind, a page at a time."""
    listing = Listing(limit=MAX_LISTED, order="oldest")
    while page := await store.list(kind, org_id, listing):
        for each in page:
            yield each
        if len(page) < MAX_LISTED:
            return
        listing = replace(listing, offset=listing.offset + MAX_LISTED)


class Documents:
    """All of one kind. Every method raises StoreUnavailable where the database does not answer."""

    def __init__(self, store: ResourceStore, clock: Clock, kind: Kind) -> None:
        self.kind = kind
        self._store = store
        self._clock = clock
        self.told: Told | None = None
        """Told of what was done here, once it is done; set by whoever wants to know."""
        self._changes: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def create(self, org_id: str, body: Mapping[str, Any], id: str = "", *, by: str = "") -> Resource:
        """``id``: the one it shall have; where there is one of this id already, that is the answer. Raises ApiError 400."""
        id = id or str(uuid4())
        given = _with_secrets(self._theirs(body), {})
        for _ in range(_TRIES):
            kept = await self._checked(org_id, id, given)
            now = self._clock.wall_ms()
            made = Resource(self.kind.name, id, org_id, kept, now, now, links=self._links(kept), changed_by=by)
            try:
                if await self._store.add(made):
                    return self._tell("created", made)
            except ValueTaken:  # since it was checked
                continue
            break
        else:
            raise self._contended()
        there = await self.get(org_id, id)
        if there.version == 1 and there.body != kept and self.kind.name not in _SEALED_ANEW:
            raise ApiError(400, "Idempotency-Key was used before, with another body.")
        return there

    async def find(self, org_id: str, id: str) -> Resource | None:
        if not 0 < len(id) <= MAX_ID_CHARS or "\0" in id:
            return None
        return await self._store.find(self.kind.name, org_id, id)

    async def get(self, org_id: str, id: str) -> Resource:
        """Raises ApiError 404."""
        found = await self.find(org_id, id)
        if found is None:
            raise not_found(self.kind.name, id)
        return found

    async def list(self, org_id: str, listing: Listing) -> Sequence[Resource]:
        return await self._store.list(self.kind.name, org_id, listing)

    async def count(self, org_id: str, listing: Listing) -> int:
        return await self._store.count(self.kind.name, org_id, listing)

    async def search(self, org_id: str, fields: Sequence[str], text: str) -> Sequence[str]:
        """Ids of those in which one of the fields has this text in it, whatever its case. Raises ApiError 400 where there are too many."""
        wanted = text.casefold()
        found = [
            each.id
            async for each in every(self._store, self.kind.name, org_id)
            if any(wanted in str(each.body.get(name) or "").casefold() for name in fields)
        ]
        if len(found) > MAX_LISTED:
            raise ApiError(400, [f"search: there are more than {MAX_LISTED} that fit"])
        return found

    async def patch(self, org_id: str, id: str, changes: Mapping[str, Any], how: Change = UNASKED) -> Resource:
        """Top-level fields of ``changes`` take the place of those that are there, whole. Raises ApiError 404, 400, 409, 412."""
        return await self.change(org_id, id, lambda body: {**body, **self._theirs(changes)}, how)

    async def put(self, org_id: str, id: str, body: Mapping[str, Any], how: Change = UNASKED) -> Resource:
        """``body`` takes the place of the whole document. Raises ApiError 404, 400, 409, 412."""
        return await self.change(org_id, id, lambda _: self._theirs(body), how)

    async def change(self, org_id: str, id: str, changed: Changed, how: Change = UNASKED) -> Resource:
        """``changed`` makes the new document from the one that is there; it is asked again where somebody else was quicker: another
        process, for here one waits for the other. Raises ApiError 404, 400, 409, 412."""
        async with self._changes.setdefault((org_id, id), asyncio.Lock()):
            return await self._changed(org_id, id, changed, how)

    async def _changed(self, org_id: str, id: str, changed: Changed, how: Change) -> Resource:
        for _ in range(_TRIES):
            before = await self.get(org_id, id)
            how.require_seen(before)
            new = _with_secrets(changed(before.body), before.body)
            if (fixed := self.kind.fixed) and new.get(fixed, before.body.get(fixed)) != before.body.get(fixed):
                raise ApiError(400, [f"{fixed} must be {before.body.get(fixed)}, as it was made"])
            kept = await self._checked(org_id, id, new)
            after = replace(
                before,
                body=kept,
                updated_wall_ms=max(self._clock.wall_ms(), before.updated_wall_ms),
                version=before.version + 1,
                links=self._links(kept),
                changed_by=how.by,
            )
            with suppress(ValueTaken):  # since it was checked
                if await self._store.replace(after):
                    return self._tell("updated", after)
        raise self._contended()

    async def delete(self, org_id: str, id: str, how: Change = UNASKED) -> Resource:
        """What was there. Raises ApiError 404, 412, and 409 where others need it."""
        found = await self.get(org_id, id)
        how.require_seen(found)
        if self.kind.in_use is not None:
            await self.kind.in_use(org_id, found.id, found.body)
        version = None if how.seen == ANY_VERSION else found.version
        deleted = await self._store.delete(self.kind.name, org_id, id, version)
        if deleted is None:
            if (there := await self.find(org_id, id)) is not None:  # another process was quicker
                raise changed_since(self.kind.name, there.version)
            raise not_found(self.kind.name, id)
        return self._tell("deleted", deleted)

    async def versions(self, org_id: str, id: str) -> Sequence[Resource]:
        """All, newest first. Raises ApiError 404."""
        newest = await self.get(org_id, id)
        return [newest, *await self._store.versions(self.kind.name, org_id, id)]

    def show(self, resource: Resource) -> dict[str, Any]:
        """The document as it is answered: no secret of it in full."""
        return {
            **masked(self.kind.show(resource)),
            "id": resource.id,
            "orgId": resource.org_id,
            "createdAt": iso(resource.created_wall_ms),
            "updatedAt": iso(resource.updated_wall_ms),
        }

    def _tell(self, what: str, resource: Resource) -> Resource:
        if self.told is not None:
            self.told(what, resource)
        return resource

    def _contended(self) -> ApiError:
        return ApiError(409, f"This {self.kind.name} is being changed by others at the same time. Try again.")

    async def _checked(self, org_id: str, id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if self.kind.check is not None:
            await self.kind.check(org_id, id, body)
        return self.kind.keeping(dict(body))

    def _theirs(self, body: Mapping[str, Any]) -> dict[str, Any]:
        ours = {*OWN_FIELDS, *self.kind.own_fields}
        return {field: value for field, value in body.items() if field not in ours}

    def _links(self, body: Mapping[str, Any]) -> dict[str, str]:
        return {link: value for link, value in self.kind.links(body).items() if link in LINKS}


def _with_secrets(body: Mapping[str, Any], before: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a client that was shown masks sends back. Raises ApiError 400 for a mask that stands for nothing that is here."""
    whole, unknown = restored(body, before)
    if unknown:
        raise ApiError(400, [f"{field} is masked: give the secret itself" for field in unknown])
    known: Mapping[str, Any] = whole
    return known
