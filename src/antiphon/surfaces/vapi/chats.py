"""``/chat`` and ``/chat/web``: one answer in text, whole or as it is written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from antiphon.calls.stores import Resource
from antiphon.errors import ProviderError, StoreUnavailable, ValueRefused
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.chat_requests import WEB_FIELDS, ChatRequest, read_chat
from antiphon.surfaces.vapi.conversations import Begun, Conversations, failed
from antiphon.surfaces.vapi.crud import warning_header
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.paging import listing_of, paginated
from antiphon.surfaces.vapi.sessions import Sessions

DONE = b"data: [DONE]\n\n"
EVENT_STREAM = "text/event-stream"
_FILTERS = {
    "assistantId": "assistant_id", "squadId": "squad_id", "sessionId": "session_id", "name": "name", "previousChatId": "purpose",
}  # fmt: skip
_ANY_OF = {"assistantIdAny": "assistant_id"}


class Chats:
    """The routes."""

    def __init__(self, conversations: Conversations, sessions: Sessions, access: Access) -> None:
        self._conversations = conversations
        self._sessions = sessions
        self._access = access

    def routes(self) -> list[Route]:
        private, public = self._access.private, self._access.public
        return [
            Route("/chat", private(self._create), methods=["POST"]),
            Route("/chat", private(self._list), methods=["GET"]),
            Route("/chat/web", public(self._web), methods=["POST"]),
            Route("/chat/{id}", private(self._get), methods=["GET"]),
            Route("/chat/{id}", private(self._delete), methods=["DELETE"]),
        ]

    async def _create(self, request: Request, asker: Asker) -> Response:
        wanted = read_chat(await json_body(request))
        named = self._conversations.repeats.named(request, asker.org_id)
        if named and not wanted.stream and (made := await self._conversations.made(asker, named, wanted)) is not None:
            return json_response(self._conversations.documents.show(made), 201)
        begun = await self._conversations.begin(asker, wanted, named)
        headers = warnings_of(begun)
        if wanted.stream:
            return event_stream(self._stream(begun, done=False), headers)
        chat = await finished(self._conversations, begun)
        return json_response(self._conversations.documents.show(chat), 201, headers)

    async def _list(self, request: Request, asker: Asker) -> Response:
        listing = listing_of(request, _FILTERS, any_of=_ANY_OF)
        documents = self._conversations.documents
        chats = await documents.list(asker.org_id, listing)
        total = await documents.count(asker.org_id, listing)
        return json_response(paginated([documents.show(chat) for chat in chats], total, listing))

    async def _get(self, request: Request, asker: Asker) -> Response:
        documents = self._conversations.documents
        return json_response(documents.show(await documents.get(asker.org_id, request.path_params["id"])))

    async def _delete(self, request: Request, asker: Asker) -> Response:
        documents = self._conversations.documents
        return json_response(documents.show(await documents.delete(asker.org_id, request.path_params["id"])))

    # ---------------------------------------------------------------------------------- web pages

    async def _web(self, request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        wanted = read_chat(body, WEB_FIELDS)
        ends = body.get("sessionEnd") or False
        if not isinstance(ends, bool):
            raise ApiError(400, ["sessionEnd must be a boolean value"])
        named = self._conversations.repeats.named(request, asker.org_id)
        await self._conversations.require_new(asker, named, wanted)
        begun = await self._conversations.begin(asker, await self._in_session(asker, wanted), named)
        if wanted.stream:
            return event_stream(self._web_stream(begun, ends=ends), warnings_of(begun))
        chat = await finished(self._conversations, begun)
        if ends:
            await self._end(begun)
        answer = {"id": chat.id, "sessionId": begun.request.session_id, "output": chat.body["output"]}
        return json_response(answer, 201, warnings_of(begun))

    async def _in_session(self, asker: Asker, wanted: ChatRequest) -> ChatRequest:
        """The request with a session of its own, where it has none."""
        if wanted.session_id:
            if any(name in wanted.rest for name in ("sessionExpirationSeconds", "customer")):
                raise ApiError(
                    400, ["sessionExpirationSeconds and customer belong to the request that begins a session"]
                )
            return wanted
        asker.require_assistant(wanted.assistant_id or None)
        session: dict[str, Any] = {"assistantId": wanted.assistant_id or None, "assistant": wanted.assistant}
        session["expirationSeconds"] = wanted.rest.get("sessionExpirationSeconds")
        session["customer"] = wanted.rest.get("customer")
        session["assistantOverrides"] = dict(wanted.overrides) or None
        given = {name: value for name, value in session.items() if value is not None}
        # Made only for an assistant that answers: else every wrong request of a web page would leave a session behind.
        begun = await self._conversations.begin(asker, wanted)
        made = await self._sessions.documents.create(begun.org_id, given)
        return ChatRequest(wanted.input, session_id=made.id, stream=wanted.stream)

    async def _end(self, begun: Begun) -> None:
        await self._sessions.complete(begun.org_id, begun.request.session_id)

    async def _web_stream(self, begun: Begun, *, ends: bool) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._stream(begun, done=True)) as events:
            async for event in events:
                if event == DONE and ends:
                    await self._end(begun)
                yield event

    async def _stream(self, begun: Begun, *, done: bool) -> AsyncGenerator[bytes, None]:
        """``{"id", "sessionId"?, "path", "delta"}`` for each piece. A failure is told as the last event, in the shape of an error."""
        place = {"id": begun.id, **({"sessionId": id} if (id := begun.request.session_id) else {})}
        try:
            async with aclosing(begun.turn.pieces()) as pieces:
                async for piece in pieces:
                    path = f"chat.output[{piece.message}].content"
                    yield sse({**place, "path": path, "delta": piece.text})
            await self._conversations.keep(begun)
        except (ProviderError, ApiError, StoreUnavailable, ValueRefused) as error:
            yield sse({**place, "error": told(error)})
        finally:  # also where its client has gone away
            self._conversations.give_up(begun)
        if done:
            yield DONE


async def finished(conversations: Conversations, begun: Begun) -> Resource:
    """The chat with its whole answer. Raises ApiError."""
    try:
        await begun.turn.run()
    except ProviderError as error:
        conversations.give_up(begun)
        raise failed(error) from None
    return await conversations.keep(begun)


def told(error: Exception) -> dict[str, Any]:
    """An error for those whose answer has begun already."""
    if isinstance(error, ProviderError):
        error = failed(error)
    status = error.status if isinstance(error, ApiError) else 503 if isinstance(error, StoreUnavailable) else 500
    return {"statusCode": status, "message": str(error)}


def sse(data: Mapping[str, Any], event: str = "") -> bytes:
    """One server-sent event."""
    return (f"event: {event}\n".encode() if event else b"") + b"data: " + orjson.dumps(data) + b"\n\n"


def event_stream(events: AsyncGenerator[bytes, None], headers: Mapping[str, str]) -> Response:
    """Closed with its client: what is still being written then is given up."""
    own = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **headers}
    return StreamingResponse(_closed_at_the_end(events), 200, own, EVENT_STREAM)


async def _closed_at_the_end(events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield event


def warnings_of(begun: Begun) -> dict[str, str]:
    """Which fields of an assistant that came with the request have no effect. (Those of stored ones were told when they were stored.)"""
    if begun.request.assistant is None:
        return {}
    return warning_header([f"assistant.{field}: {why}" for field, why in begun.agent.warnings])
