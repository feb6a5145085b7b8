"""An application of its assistants' calls, as an ASGI app: deliveries are verified, read within bounds, and answered once each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from antiphon.app.calls import Call, Lifetimes
from antiphon.app.proofs import Delivery, Proof, name_of, verified
from antiphon.app.repeats import Bounds
from antiphon.app.replies import Replies
from antiphon.app.tool_calls import written
from antiphon.clock import Clock, SystemClock
from antiphon.errors import AuthenticationError, ConfigurationError

log = structlog.get_logger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])


class Application:
    """Mount it under any path; every POST below it is a delivery.

    ``proofs``: a delivery must hold one of them (several: a secret being replaced, or several senders). Without one nothing is taken,
    unless ``accepts_anybody`` says so."""

    def __init__(
        self,
        *proofs: Proof,
        accepts_anybody: bool = False,
        url: str = "",
        bounds: Bounds | None = None,
        lifetimes: Lifetimes | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``url``: where it is reached from outside, for signatures that cover the address; empty: as the request says. Raises
        ConfigurationError."""
        if not proofs and not accepts_anybody:
            raise ConfigurationError(
                "proofs", "name how deliveries are proven, e.g. shared_secret(…), or accepts_anybody=True"
            )
        self._proofs = proofs
        self._url = url
        self._bounds = bounds or Bounds()
        self._clock = clock or SystemClock()
        self._replies = Replies(self._clock.now_ms, self._bounds, lifetimes or Lifetimes())

    # ---------------------------------------------------------------------------------- what is registered

    @overload
    def tool(self, function: Function) -> Function: ...

    @overload
    def tool(
        self, *, name: str = "", description: str = "", deadline_s: float = 5.0
    ) -> Callable[[Function], Function]: ...

    def tool(self, function: Any = None, *, name: str = "", description: str = "", deadline_s: float = 5.0) -> Any:
        """Decorator: a function, plain or ``async``, that a model may call. Its parameters' type hints say what the model fills in, and are
        checked; parameters of type ``Call`` and ``ToolCall`` are given. Plain functions run in threads. Raises ConfigurationError."""

        def add(function: Function) -> Function:
            self._replies.add_tool(function, name, description, deadline_s)
            return function

        return add if function is None else add(function)

    def on(self, kind: str, *, deadline_s: float | None = None) -> Callable[[Function], Function]:
        """Decorator: who is told of messages of this type (``end-of-call-report``, ``status-update`` …; ``*``: all that have no handler of
        their own). Its parameters are the message and, named ``call`` or of type ``Call``, the call. What it returns is the reply:
        ``assistant-request`` needs one. What it raises is answered with 500, and comes again where the sender tries again."""

        def add(function: Function) -> Function:
            self._replies.add_handler(kind, function, deadline_s)
            return function

        return add

    def documents(self, url: str = "", secret: str = "") -> list[dict[str, Any]]:
        """Its tools as an assistant names them (``model.tools``); ``url`` and ``secret`` where they are not those of the assistant's own
        server."""
        server = {"url": url, **({"secret": secret} if secret else {})} if url else {}
        return [
            {
                "type": "function",
                "function": {
                    "name": tool.spec.name,
                    "description": tool.spec.description,
                    "parameters": tool.spec.parameters,
                },
                **({"server": {**server, "timeoutSeconds": 1 + tool.spec.deadline_ms / 1000}} if server else {}),
            }
            for tool in self._replies.tools()
        ]

    def call(self, id: str) -> Call | None:
        """What is kept of a call; None where it has expired."""
        return self._replies.calls.find(id)

    async def close(self) -> None:
        """Let what is under way end for a moment. Called by the server's lifespan where it is not mounted in another app."""
        await self._replies.close()

    # ---------------------------------------------------------------------------------- as an ASGI app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            response = await self._respond(Request(scope, receive))
            await response(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _respond(self, request: Request) -> Response:
        if request.method != "POST":
            return _json(405, {"error": "Deliveries are posted."}, {"allow": "POST"})
        try:
            async with asyncio.timeout(self._bounds.body_s):
                body = await self._body(request)
        except (TimeoutError, ClientDisconnect):
            return _json(408, {"error": "The body did not arrive in time."})
        if body is None:
            return _json(413, {"error": f"A delivery may have {self._bounds.body_bytes} bytes at most."})
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw}
        delivery = Delivery(body, headers, request.method, self._url or str(request.url))
        try:
            id = verified(self._proofs, delivery, self._clock.wall_ms() // 1000) if self._proofs else ""
        except AuthenticationError as error:
            log.warning("delivery_refused", reason=error.reason)
            return _json(401, {"error": f"The delivery is not proven ({error.reason})."})
        message = _message(body)
        if message is None:
            return _json(400, {"error": 'A delivery is JSON: {"message": {"type": …}}.'})
        status, said = await self._replies.answer(name_of(delivery, id, message["type"]), message)
        return _json(status, said, {"retry-after": "1"} if status == 503 else {})

    async def _body(self, request: Request) -> bytes | None:
        """None where it is too large."""
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self._bounds.body_bytes:
                return None
            parts.append(part)
        return b"".join(parts)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            if event == "lifespan.shutdown":
                await self.close()
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return


def _message(body: bytes) -> Mapping[str, Any] | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    message = said.get("message") if isinstance(said, Mapping) else None
    return message if isinstance(message, Mapping) and isinstance(message.get("type"), str) else None


def _json(status: int, said: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(written(said), status, dict(headers or {}), "application/json")
