"""``/session``: conversations in text that go on over several chats. What was said is in the chats; a session remembers who answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import MAX_LISTED, Listing, Resource, ResourceStore, Span
from antiphon.chat.history import read_messages, written
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.crud import create_once
from antiphon.surfaces.vapi.documents import OWN_FIELDS, Documents, Kind, links_of
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.fields import check
from antiphon.surfaces.vapi.paging import listing_of, paginated
from antiphon.surfaces.vapi.repeats import Repeats

EXPIRATION_S = 86_400
_CREATE = frozenset(
    {"name", "status", "expirationSeconds", "assistantId", "assistant", "assistantOverrides", "messages", "customer",
     "customerId", "phoneNumberId", "phoneNumber", "squadId", "squad"}
)  # fmt: skip
_BY_FORM = _CREATE - {"messages"}
"""Messages are read in more shapes than the platform's form has (``chat.history``)."""
_UPDATE = frozenset({"name", "status", "expirationSeconds", "messages"})
_SINCE = "_messagesSinceMs"
"""When ``messages`` were last set: chats from before are in them, or were meant to be gone."""
_ARTIFACT = "artifact"
ArtifactOf = Callable[[Resource], Awaitable[Mapping[str, Any]]]
_FILTERS = {
    "assistantId": "assistant_id", "squadId": "squad_id", "name": "name", "phoneNumberId": "phone_number_id", "number": "number",
}  # fmt: skip
_ANY_OF = {"assistantIdAny": "assistant_id", "phoneNumberIdAny": "phone_number_id", "customerNumberAny": "number"}


async def _without_artifact(_session: Resource) -> Mapping[str, Any]:
    return {}


class Sessions:
    """Of all organisations."""

    def __init__(self, store: ResourceStore, clock: Clock, access: Access, repeats: Repeats) -> None:
        self._store = store
        self._repeats = repeats
        self._clock = clock
        self._access = access
        self.documents = Documents(
            store, clock, Kind("session", check=_check, keeping=_keeping, show=_show, links=_links)
        )
        self.artifact_of: ArtifactOf = _without_artifact
        """What is read out of each that is over."""

    def routes(self) -> list[Route]:
        private = self._access.private
        return [
            Route("/session", private(self._create), methods=["POST"]),
            Route("/session", private(self._list), methods=["GET"]),
            Route("/session/{id}", private(self._get), methods=["GET"]),
            Route("/session/{id}", private(self._patch), methods=["PATCH"]),
            Route("/session/{id}", private(self._delete), methods=["DELETE"]),
        ]

    # ---------------------------------------------------------------------------------- for chats

    async def open(self, org_id: str, id: str) -> Resource:
        """The session, if it can be gone on with. Raises ApiError 404, and 400 where it is over."""
        session = await self.documents.get(org_id, id)
        if session.body.get("status") == "completed":
            raise ApiError(400, f"Session {id[:64]} is completed.")
        expires_ms = session.created_wall_ms + 1000 * (session.body.get("expirationSeconds") or EXPIRATION_S)
        if self._clock.wall_ms() >= expires_ms:
            raise ApiError(400, f"Session {id[:64]} has expired.")
        return session

    async def complete(self, org_id: str, id: str) -> Resource:
        """It is over. Raises ApiError 404, 400, 409."""
        return await self._change(org_id, id, {"status": "completed"})

    async def _change(self, org_id: str, id: str, changes: Mapping[str, Any]) -> Resource:
        """It is over before anything is read out of it: nothing more is said meanwhile."""
        over = changes.get("status") == "completed"
        status = "" if not over else (await self.documents.get(org_id, id)).body.get("status")
        if changes.get("status") == "active":
            changes = {**changes, _ARTIFACT: None}  # it goes on: what was read out of it is not all there is
        changed = await self.documents.patch(org_id, id, changes)
        if not over or status == "completed":
            return changed
        artifact = await self.artifact_of(changed)
        return await self.documents.patch(org_id, id, {_ARTIFACT: artifact}) if artifact else changed

    async def chats(self, session: Resource) -> Sequence[Resource]:
        """Those that are part of the conversation, in their order. Raises ApiError 400 where there are more than can be gone on with."""
        since_ms = session.body.get(_SINCE)
        span = Span() if since_ms is None else Span(from_ms=since_ms + 1)
        listing = Listing(MAX_LISTED, order="oldest", created=span, equal={"session_id": session.id})
        return await self._store.list("chat", session.org_id, listing)

    # ---------------------------------------------------------------------------------- routes

    async def _create(self, request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        _require_known(body, _CREATE)
        return json_response(
            await self.shown(await create_once(self.documents, self._repeats, request, asker, body)), 201
        )

    async def _list(self, request: Request, asker: Asker) -> Response:
        listing = listing_of(request, _FILTERS, any_of=_ANY_OF)
        sessions = await self.documents.list(asker.org_id, listing)
        total = await self.documents.count(asker.org_id, listing)
        return json_response(paginated([await self.shown(each) for each in sessions], total, listing))

    async def _get(self, request: Request, asker: Asker) -> Response:
        return json_response(await self.shown(await self.documents.get(asker.org_id, request.path_params["id"])))

    async def _patch(self, request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        _require_known(body, _UPDATE)
        changes: dict[str, Any] = dict(body)
        if changes.get("messages") is not None:
            changes[_SINCE] = self._clock.wall_ms()
        patched = await self._change(asker.org_id, request.path_params["id"], changes)
        return json_response(await self.shown(patched))

    async def _delete(self, request: Request, asker: Asker) -> Response:
        """Its chats go with it."""
        session = await self.documents.get(asker.org_id, request.path_params["id"])
        shown = await self.shown(session)
        listing = Listing(MAX_LISTED, equal={"session_id": session.id})
        while chats := await self._store.list("chat", asker.org_id, listing):
            for chat in chats:
                await self._store.delete("chat", asker.org_id, chat.id)
        await self.documents.delete(asker.org_id, session.id)
        return json_response(shown)

    async def shown(self, session: Resource) -> dict[str, Any]:
        """With what was said in its chats."""
        chats = await self.chats(session)
        said = [message for chat in chats for part in ("input", "output") for message in chat.body.get(part) or ()]
        costs = [cost for chat in chats for cost in chat.body.get("costs") or () if cost.get("type") == "model"]
        cost = sum(chat.body.get("cost") or 0 for chat in chats)
        shown = self.documents.show(session)
        shown["messages"] = [*(session.body.get("messages") or ()), *said]
        shown["cost"] = cost
        shown["costs"] = [*costs, {"type": "session", "cost": cost}]
        return shown


def _keeping(body: dict[str, Any]) -> dict[str, Any]:
    """Every message in one shape, whatever shapes they came in."""
    messages = body.get("messages")
    if messages:
        try:
            body = {**body, "messages": written(read_messages(messages))}
        except ConfigurationError as error:
            raise ApiError(400, [f"{error.field} {error.problem}"]) from None
    given = {name: value for name, value in body.items() if value is not None}
    return {"status": "active", "expirationSeconds": EXPIRATION_S, **given}


def _links(body: Mapping[str, Any]) -> dict[str, str]:
    """Its customer's number, too."""
    number = (body.get("customer") or {}).get("number")
    return {**links_of(body), **({"number": number} if isinstance(number, str) and number else {})}


def _show(session: Resource) -> Mapping[str, Any]:
    return {name: value for name, value in session.body.items() if not name.startswith("_")}


def _require_known(body: Mapping[str, Any], fields: frozenset[str]) -> None:
    unknown = [f"property {name} should not exist" for name in body if name not in fields and name not in OWN_FIELDS]
    if unknown:
        raise ApiError(400, unknown)


async def _check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
    problems = []
    named = [name for name in ("assistantId", "assistant", "squadId", "squad") if body.get(name) is not None]
    problems += [f"{named[0]} and {name} are mutually exclusive" for name in named[1:]]
    problems += check("CreateSessionDTO", {name: value for name, value in body.items() if name in _BY_FORM}).problems
    if problems:
        raise ApiError(400, problems)
