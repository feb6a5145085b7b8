"""Calls that are over, and calls that live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from antiphon.clock import Clock
from antiphon.conversation import events as ev
from antiphon.errors import MalformedMessage
from antiphon.session.call_files import CallFiles
from antiphon.session.event_log import read_event_log
from antiphon.session.manager import SessionManager
from antiphon.session.session import Session
from antiphon.session.storytelling import story_of
from antiphon.surfaces.console.bodies import object_of, text_of
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.console.live import LiveCalls, News
from antiphon.surfaces.console.paging import page_of
from antiphon.surfaces.console.recordings import peaks
from antiphon.surfaces.console.what_if import WhatIf
from antiphon.surfaces.http.responses import secret_response
from antiphon.vocabulary import EndReason

_SAY_CHARS = 1000
_MAX_CHANGES = 50
_QUIET_S = 15.0
"""A comment is sent this often, so that no proxy takes a quiet call for a dead line."""
_PREFIX = "/console/api"


def finished_routes(door: Door, files: CallFiles) -> list[Route]:
    """``calls``: the list, one of them, its recording, and what another policy would have made of it."""
    what_if = WhatIf()

    @door.guarded("viewer")
    async def listed(request: Request, visitor: Visitor) -> Response:
        limit, offset = page_of(request)
        calls, total = await asyncio.to_thread(files.page, limit, offset)
        return secret_response({"calls": [asdict(call) for call in calls], "total": total})

    @door.guarded("viewer")
    async def one(request: Request, visitor: Visitor) -> Response:
        name = request.path_params["name"]
        told = await asyncio.to_thread(_told, files, name)
        await door.note(visitor.user, "call.read", name)
        return secret_response(told)

    @door.guarded("viewer")
    async def drawn(request: Request, visitor: Visitor) -> Response:
        try:
            return secret_response(await asyncio.to_thread(peaks, _recording(files, request)))
        except MalformedMessage:
            raise HTTPException(404, "The recording cannot be read") from None

    @door.guarded("viewer")
    async def heard(request: Request, visitor: Visitor) -> Response:
        path = _recording(files, request)
        if request.headers.get("range", "bytes=0-").startswith("bytes=0-"):  # a player asks for many pieces
            await door.note(visitor.user, "call.listened", request.path_params["name"])
        headers = {"Cache-Control": "no-store", "Content-Disposition": "inline"}
        return FileResponse(path, media_type="audio/wav", headers=headers)

    @door.guarded("viewer")
    async def tried(request: Request, visitor: Visitor) -> Response:
        path = files.log(request.path_params["name"])
        if path is None:
            raise HTTPException(404, "There is no such call")
        body = await object_of(request)
        if len(body) > _MAX_CHANGES or any(not isinstance(value, str | int | float | bool) for value in body.values()):
            raise HTTPException(422, 'Changes are {"endpointing.wait_ms": 300, …}')
        changes = {name: orjson.dumps(value).decode() for name, value in body.items()}
        return secret_response(await what_if.ask(path, changes))

    return [
        Route(f"{_PREFIX}/calls", listed),
        Route(f"{_PREFIX}/calls/{{name}}", one),
        Route(f"{_PREFIX}/calls/{{name}}/peaks", drawn),
        Route(f"{_PREFIX}/calls/{{name}}/recording", heard),
        Route(f"{_PREFIX}/calls/{{name}}/what-if", tried, methods=["POST"]),
    ]


def _recording(files: CallFiles, request: Request) -> Any:
    path = files.recording(request.path_params["name"])
    if path is None:
        raise HTTPException(404, "There is no recording of this call")
    return path


def _told(files: CallFiles, name: str) -> dict[str, Any]:
    path, summary = files.log(name), files.summary(name)
    if path is None or summary is None:
        raise HTTPException(404, "There is no such call")
    try:
        log = read_event_log(path)
    except (MalformedMessage, OSError) as error:
        raise HTTPException(422, f"The call's log cannot be read: {error}") from None
    policy = log.header.policy
    numbers = {"endpointing": asdict(policy.endpointing), "barge_in": asdict(policy.barge_in)}
    return {**asdict(summary), "story": asdict(story_of(log)), "policy": numbers, "lost": log.lost}


def live_routes(door: Door, live: LiveCalls, manager: SessionManager, clock: Clock) -> list[Route]:
    """``live``: the list, one of them as it goes (server-sent events), and what can be done to it."""

    def session_of(request: Request) -> Session:
        session = manager.find(request.path_params["id"])
        if session is None:
            raise HTTPException(404, "There is no such call")
        return session

    @door.guarded("viewer")
    async def listed(request: Request, visitor: Visitor) -> Response:
        return secret_response({"calls": live.rows(clock.now_ms(), request.query_params.get("call", ""))})

    @door.guarded("viewer")
    async def watched(request: Request, visitor: Visitor) -> Response:
        call_id = request.path_params["id"]
        if live.find(call_id) is None:
            raise HTTPException(404, "There is no such call")
        news = live.watch(call_id)
        if news is None:
            raise HTTPException(503, "Too many watch already")
        await door.note(visitor.user, "call.watched", call_id)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(news), media_type="text/event-stream", headers=headers)

    @door.guarded("builder")
    async def said(request: Request, visitor: Visitor) -> Response:
        text = text_of(await object_of(request), "text", _SAY_CHARS)
        session_of(request).feed(ev.SayRequested(text))
        await door.note(visitor.user, "call.said", request.path_params["id"])
        return Response(None, 204)

    @door.guarded("builder")
    async def ended(request: Request, visitor: Visitor) -> Response:
        session_of(request).drop(EndReason.CANCELLED)
        await door.note(visitor.user, "call.ended", request.path_params["id"])
        return Response(None, 204)

    return [
        Route(f"{_PREFIX}/live", listed),
        Route(f"{_PREFIX}/live/{{id}}/events", watched),
        Route(f"{_PREFIX}/live/{{id}}/say", said, methods=["POST"]),
        Route(f"{_PREFIX}/live/{{id}}/end", ended, methods=["POST"]),
    ]


async def _next(news: AsyncIterator[News]) -> News:
    return await anext(news)


async def _events(news: AsyncGenerator[News, None]) -> AsyncIterator[bytes]:
    """As EventSource reads them. The last one says that no more will come, so that the browser does not connect anew."""
    coming: asyncio.Task[News] | None = None
    try:
        while True:
            coming = coming or asyncio.create_task(_next(news))
            done, _ = await asyncio.wait({coming}, timeout=_QUIET_S)
            if not done:
                yield b": still here\n\n"
                continue
            finished, coming = coming, None
            try:
                yield b"data: %b\n\n" % orjson.dumps(finished.result())
            except StopAsyncIteration:
                return
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})
        await news.aclose()
