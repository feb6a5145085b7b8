"""``/chat/responses``: a chat in the shape of OpenAI's Responses API, so that their SDK drives it with ``base_url=…/chat``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.errors import ProviderError, StoreUnavailable, ValueRefused
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.chat_requests import RESPONSES_FIELDS, read_chat
from antiphon.surfaces.vapi.chats import event_stream, finished, sse, told, warnings_of
from antiphon.surfaces.vapi.conversations import Begun, Conversations
from antiphon.surfaces.vapi.errors import ApiError


class ChatResponses:
    """The route. ``model`` says nothing here: the assistant has its own."""

    def __init__(self, conversations: Conversations, access: Access) -> None:
        self._conversations = conversations
        self._access = access

    def routes(self) -> list[Route]:
        """Before ``/chat/{id}`` in the order of routes."""
        return [Route("/chat/responses", self._access.private(self._create), methods=["POST"])]

    async def _create(self, request: Request, asker: Asker) -> Response:
        wanted = read_chat(await json_body(request), RESPONSES_FIELDS)
        named = self._conversations.repeats.named(request, asker.org_id)
        begun = await self._conversations.begin(asker, wanted, named)
        if wanted.stream:
            return event_stream(self._stream(begun), warnings_of(begun))
        chat = await finished(self._conversations, begun)
        return json_response(_response(begun, chat.created_wall_ms), 201, warnings_of(begun))

    async def _stream(self, begun: Begun) -> AsyncGenerator[bytes, None]:
        events = _Events(begun)
        try:
            yield events.event("response.created", response=_response(begun, begun.context.wall_ms, "in_progress"))
            async with aclosing(begun.turn.pieces()) as pieces:
                async for piece in pieces:
                    for event in events.text(piece.message, piece.text):
                        yield event
            chat = await self._conversations.keep(begun)
        except (ProviderError, ApiError, StoreUnavailable, ValueRefused) as error:
            why = told(error)
            yield events.event("error", code=str(why["statusCode"]), message=why["message"], param=None)
            return
        finally:  # also where its client has gone away
            self._conversations.give_up(begun)
        for event in events.closed():
            yield event
        yield events.event("response.completed", response=_response(begun, chat.created_wall_ms))


class _Events:
    """The events of one answer, numbered. Each of its messages with text is an item."""

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
        self._number = 0
        self._message: int | None = None
        self._index = -1
        self._text: list[str] = []

    def event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        return sse({"type": kind, "sequence_number": self._number - 1, **fields}, kind)

    def text(self, message: int, text: str) -> list[bytes]:
        events = []
        if message != self._message:
            events += self.closed()
            self._message, self._text = message, []
            self._index += 1
            item = _item(self._begun, message, "", "in_progress")
            events.append(self.event("response.output_item.added", output_index=self._index, item=item))
            events.append(self._part("response.content_part.added", part=_part("")))
        self._text.append(text)
        events.append(self._part("response.output_text.delta", delta=text, logprobs=[]))
        return events

    def closed(self) -> list[bytes]:
        """The end of the item that was open, if any."""
        if self._message is None:
            return []
        text = "".join(self._text)
        item = _item(self._begun, self._message, text, "completed")
        events = [
            self._part("response.output_text.done", text=text, logprobs=[]),
            self._part("response.content_part.done", part=_part(text)),
            self.event("response.output_item.done", output_index=self._index, item=item),
        ]
        self._message = None
        return events

    def _part(self, kind: str, **fields: Any) -> bytes:
        assert self._message is not None
        item_id = _item_id(self._begun, self._message)
        return self.event(kind, item_id=item_id, output_index=self._index, content_index=0, **fields)


def _response(begun: Begun, wall_ms: int, status: str = "completed") -> dict[str, Any]:
    turn, done = begun.turn, status == "completed"
    read = sum(usage.input_tokens for usage in turn.usage.values())
    cached = sum(usage.cached_tokens for usage in turn.usage.values())
    wrote = sum(usage.output_tokens for usage in turn.usage.values())
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": wrote,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + wrote,
    }
    spoken = [(at, message) for at, message in enumerate(turn.messages) if message.role == "assistant"]
    items = [_item(begun, at, message.content, "completed") for at, message in spoken if message.content]
    return {
        "id": begun.id,
        "object": "response",
        "created_at": wall_ms // 1000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": begun.request.rest.get("metadata") or {},
        "model": begun.request.rest.get("model") or begun.agent.model.name,
        "output": items if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": begun.request.previous_chat_id or None,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage if done else None,
        **({"sessionId": begun.request.session_id} if begun.request.session_id else {}),
    }


def _item(begun: Begun, message: int, text: str, status: str) -> dict[str, Any]:
    content = [_part(text)] if status == "completed" else []
    id = _item_id(begun, message)
    return {"id": id, "type": "message", "role": "assistant", "status": status, "content": content}


def _item_id(begun: Begun, message: int) -> str:
    return f"msg_{begun.id}_{message}"


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}
