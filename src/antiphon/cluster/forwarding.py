"""Requests that another worker answers: passed on over its Unix socket, and its answer passed back as it comes.

The other worker sees the request as it was sent, with its key or signature, and decides about it as if it had come there. Its socket lies
in a folder that only this user can open, which is what tells it that a worker asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, quote

import httpcore
import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antiphon.calls.cluster import PART
from antiphon.cluster.holders import Worker
from antiphon.cluster.member import Member

PEER = b"x-antiphon-peer"
"""Tells a worker who asked: nobody else reaches its socket."""
_PART = b"x-antiphon-part"
"""Says, beside it, that it is asked for a part of another answer."""
MAX_BODY_BYTES = 4 * 1024 * 1024
"""Of requests that are passed on: documents, not uploads."""
MAX_IDS = 100
_CONNECTIONS = 256
_TIMEOUTS = {"connect": 2.0, "pool": 5.0, "write": 10.0}
"""Seconds. How long an answer takes is the asker's business: some go on as long as a call."""
_KEEP_S = 3.0
"""Less than a worker keeps an idle connection (``HttpBounds.idle_timeout_s``)."""
_GATHER_S = 2.0
_NOT_PASSED_ON = frozenset(
    [
        b"connection",
        b"keep-alive",
        b"transfer-encoding",
        b"te",
        b"trailer",
        b"upgrade",
        b"expect",
        b"content-length",
        PEER,
        _PART,
    ]
)
_LIVE = frozenset({"queued", "ringing", "in-progress", "forwarding"})
_LIVE_WORDS = tuple(f'"{status}"'.encode() for status in sorted(_LIVE))
_NOT_PASSED_BACK = frozenset([b"connection", b"keep-alive", b"transfer-encoding", b"date", b"server"])
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Owner:
    """Which worker answers a request: this one; the one that holds a call, by its id (``name``) or by a field of the form that is sent; the
    one that takes new calls, of which ``name`` chooses always the same; the first; all of them; of calls that are named, each its own; or,
    of a list of calls, this one, and of each that lives its holder."""

    kind: Literal["here", "call", "form", "new", "free", "first", "all", "each", "rows"] = "here"
    name: str = ""


HERE = Owner()
OwnerOf = Callable[[Scope], Owner]
ErrorBody = Callable[[str, int, str], bytes]
Merge = Callable[[str, Sequence[tuple[int, bytes]]], bytes]
"""``(path, answers)``: one body out of those of several workers, each with its number."""


class Forwarding:
    """Around the ASGI application, for what comes from outside."""

    def __init__(
        self,
        app: ASGIApp,
        member: Member,
        owner_of: OwnerOf,
        error_body: ErrorBody,
        merge: Merge,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._app = app
        self._member = member
        self._owner_of = owner_of
        self._error_body = error_body
        self._merge = merge
        self._max_body_bytes = max_body_bytes
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        owner = self._owner_of(scope) if scope["type"] == "http" else HERE
        if owner.kind == "here" or not self._member.others:
            await self._app(scope, receive, send)
        elif owner.kind == "all":
            await self._gather(scope, receive, send)
        elif owner.kind == "each":
            await self._each(scope, receive, send)
        elif owner.kind == "rows":
            await self._rows_of_all(scope, receive, send)
        elif owner.kind == "form":
            body = await _whole(receive, self._max_body_bytes)
            again = _Replayed(body, receive)
            name = _field(scope, body, owner.name) if body is not None else ""
            await self._pass(await self._of_call(name, scope), scope, again, send)
        else:
            await self._pass(await self._worker(owner), scope, receive, send)

    async def _of_call(self, name: str, scope: Scope) -> Worker | None:
        """Of a carrier's call: a new one is placed, others are where they are."""
        worker = await self._member.elsewhere(name)
        if worker is None and not self._member.holds(name) and scope["path"].startswith("/twilio/voice"):
            return self._member.place()
        return worker

    async def _worker(self, owner: Owner) -> Worker | None:
        match owner.kind:
            case "call":
                return await self._member.elsewhere(owner.name)
            case "new":
                return self._member.place(owner.name)
            case "free":
                return self._member.place(noted=False)
            case _:
                return self._member.first()

    # ---------------------------------------------------------------------------------- to one worker

    async def _pass(self, worker: Worker | None, scope: Scope, receive: Receive, send: Send) -> None:
        if worker is None:
            await self._app(scope, receive, send)
            return
        body = await _whole(receive, self._max_body_bytes)
        if body is None:
            await self._refuse(scope, send, 413, "The request's body is too large.")
            return
        asking = asyncio.ensure_future(self._ask(worker, scope, body, send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                return
            await asking
        except httpcore.ConnectError:
            # Nothing was sent: it is gone. What concerns its calls is known to nobody then.
            log.warning("worker_not_reached", node=worker.node)
            await self._app(scope, _Replayed(body, receive), send)
        finally:
            for task in (asking, leaving):
                task.cancel()
            await asyncio.gather(asking, leaving, return_exceptions=True)

    async def _ask(self, worker: Worker, scope: Scope, body: bytes, send: Send) -> None:
        """Raises httpcore.ConnectError before anything was sent."""
        started = False
        try:
            async with self._request(worker, scope, body) as response:
                headers = [(name, value) for name, value in response.headers if name.lower() not in _NOT_PASSED_BACK]
                started = True
                await send({"type": "http.response.start", "status": response.status, "headers": headers})
                async for chunk in response.aiter_stream():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except httpcore.ConnectError:
            raise
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            log.warning("worker_failed", node=worker.node, problem=type(error).__name__)
            if started:
                raise
            await self._refuse(scope, send, 503, "The worker that holds this call does not answer.")

    def _request(self, worker: Worker, scope: Scope, body: bytes) -> AbstractAsyncContextManager[httpcore.Response]:
        pool = self._pools.get(worker.http)
        if pool is None:
            living = {other.http for other in self._member.others}
            for path in [path for path in self._pools if path not in living]:
                del self._pools[path]  # its idle connections are closed by their other end
            pool = self._pools[worker.http] = httpcore.AsyncConnectionPool(
                uds=worker.http, max_connections=_CONNECTIONS, keepalive_expiry=_KEEP_S
            )
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _NOT_PASSED_ON]
        host, port = scope.get("client") or ("", 0)
        headers += [(b"content-length", str(len(body)).encode()), (PEER, f"{host} {port}".encode("latin-1"))]
        headers += [(_PART, b"1")] if PART in scope else []
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        url = httpcore.URL(scheme=b"http", host=b"worker", port=80, target=target)
        return pool.stream(scope["method"], url, headers=headers, content=body, extensions={"timeout": _TIMEOUTS})

    async def _refuse(self, scope: Scope, send: Send, status: int, message: str) -> None:
        body = self._error_body(scope["path"], status, message)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers += [(b"retry-after", b"1")] if status == 503 else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    # ---------------------------------------------------------------------------------- to all

    async def _gather(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ours decides whether it is answered; those of the others are added."""
        ours = _Kept()
        asked = [self._fetch(worker, scope) for worker in self._member.others]
        *answers, _ = await asyncio.gather(*asked, self._app(scope, receive, ours))
        if ours.status == 200:
            bodies = [(self._member.me.number, ours.body), *(answer for answer in answers if answer is not None)]
            ours.body = self._merge(scope["path"], sorted(bodies))
        headers = [(name, value) for name, value in ours.headers if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(ours.body)).encode()))
        await send({"type": "http.response.start", "status": ours.status, "headers": headers})
        await send({"type": "http.response.body", "body": ours.body})

    async def _fetch(self, worker: Worker, scope: Scope) -> tuple[int, bytes] | None:
        kept = _Kept()
        with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            async with asyncio.timeout(_GATHER_S):
                await self._ask(worker, scope, b"", kept)
        return (worker.number, kept.body) if kept.status == 200 else None

    # ---------------------------------------------------------------------------------- to each its own

    async def _each(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of a body ``{"ids"}``: what is done with a call, its holder does. The answer is one list, in the order of the ids; where one
        refuses, what it says: others may have done theirs."""
        body = await _whole(receive, self._max_body_bytes)
        ids = _ids(body)
        held = dict(zip(ids, await asyncio.gather(*map(self._member.elsewhere, ids)), strict=True))
        if not any(held.values()):
            await self._app(scope, _Replayed(body, receive), send)
            return
        here = [id for id, worker in held.items() if worker is None]
        answers = [await self._ours(scope, here, receive)] if here else []
        if not here or answers[0].status == 200:
            theirs = [self._theirs(worker, scope, id) for id, worker in held.items() if worker is not None]
            answers += await asyncio.gather(*theirs)
        refused = next((each for each in answers if each.status not in (200, 404)), None)
        done = [row for each in answers if each.status == 200 for row in _rows(each.body)]
        done.sort(key=lambda row: ids.index(row["id"]))
        status, told = (refused.status, refused.body) if refused is not None else (200, orjson.dumps(done))
        headers = [
            (name, value) for name, value in (refused or answers[0]).headers if name.lower() != b"content-length"
        ]
        headers.append((b"content-length", str(len(told)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": told})

    async def _ours(self, scope: Scope, ids: Sequence[str], receive: Receive) -> _Kept:
        kept, body = _Kept(), orjson.dumps({"ids": ids})
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._app({**scope, "headers": headers}, _Replayed(body, receive), kept)
        return kept

    async def _theirs(self, worker: Worker, scope: Scope, id: str) -> _Kept:
        kept, named = _Kept(), f"/{quote(id, safe='')}"
        try:
            await self._ask(worker, {**scope, "raw_path": scope["raw_path"].rstrip(b"/") + named.encode()}, b"", kept)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            kept = _Kept()
            await self._refuse(scope, kept, 503, "The worker that holds this call does not answer.")
        return kept

    # ---------------------------------------------------------------------------------- a list

    async def _rows_of_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A list of calls out of their records. What a live call knows beyond its record only its holder can say: each is asked once, for
        all of its calls in the list. One that does not answer in time leaves what the records say."""
        ours = _Kept()
        await self._app(scope, receive, ours)
        if ours.status == 200 and any(word in ours.body for word in _LIVE_WORDS):
            ours.body = await self._with_live(scope, ours.body)
        headers = [(name, value) for name, value in ours.headers if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(ours.body)).encode()))
        await send({"type": "http.response.start", "status": ours.status, "headers": headers})
        await send({"type": "http.response.body", "body": ours.body})

    async def _with_live(self, scope: Scope, body: bytes) -> bytes:
        told = orjson.loads(body)
        rows = told["results"] if isinstance(told, dict) else told
        held = await self._member.held_elsewhere([row["id"] for row in rows if row["status"] in _LIVE])
        asked: dict[str, tuple[Worker, list[str]]] = {}
        for id, worker in held.items():
            ids = asked.setdefault(worker.node, (worker, []))[1]
            if len(ids) == MAX_IDS:  # a query has an end
                ids = asked.setdefault(f"{worker.node} {id}", (worker, []))[1]
            ids.append(id)
        answers = await asyncio.gather(
            *(
                self._fetch(
                    worker, {**scope, "query_string": f"limit={len(ids)}&idAny={','.join(ids)}".encode(), PART: True}
                )
                for worker, ids in asked.values()
            )
        )
        live = {row["id"]: row for answer in answers if answer is not None for row in _rows(answer[1])}
        if not live:
            return body
        rows = [live.get(row["id"], row) for row in rows]
        return orjson.dumps({**told, "results": rows} if isinstance(told, dict) else rows)


class FromWorkers:
    """Around the ASGI application, for what other workers ask: whoever asked them is who asks."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            peer = next((value for name, value in scope["headers"] if name == PEER), b"").decode("latin-1")
            host, _, port = peer.rpartition(" ")
            part = {PART: True} if any(name == _PART for name, _ in scope["headers"]) else {}
            headers = [(name, value) for name, value in scope["headers"] if name not in (PEER, _PART)]
            client = (host, int(port)) if host and port.isdigit() else None
            scope = {**scope, "headers": headers, "client": client, **part}
        await self._app(scope, receive, send)


class _Kept:
    """An answer that is kept (an ASGI ``send``)."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        else:
            self.body += message.get("body", b"")


class _Replayed:
    """A request's body that was read before (an ASGI ``receive``). None: it was too large, and whoever reads it sees no end of it."""

    def __init__(self, body: bytes | None, receive: Receive) -> None:
        self._body = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _whole(receive: Receive, max_bytes: int) -> bytes | None:
    """The body; None where it is larger, or whoever sends it has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > max_bytes:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _ids(body: bytes | None) -> list[str]:
    """Each once; none where it is no such body, which is for whoever reads it to say."""
    with suppress(orjson.JSONDecodeError):
        told = orjson.loads(body or b"")
        ids = told.get("ids") if isinstance(told, dict) else None
        if isinstance(ids, list) and len(ids) <= MAX_IDS and all(isinstance(id, str) and len(id) <= 64 for id in ids):
            return list(dict.fromkeys(ids))
    return []


def _rows(body: bytes) -> list[dict[str, Any]]:
    told = orjson.loads(body)
    if isinstance(told, dict):
        told = told.get("results", [told])
    rows: list[dict[str, Any]] = told
    return rows


def _field(scope: Scope, body: bytes, name: str) -> str:
    """Of a form, or of the query of a request that has none."""
    form = body if scope["method"] == "POST" else scope["query_string"]
    with suppress(ValueError):
        found: list[str] = parse_qs(form.decode("latin-1"), max_num_fields=200).get(name, [""])
        return found[0][:64]
    return ""
