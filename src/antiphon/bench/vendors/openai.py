"""OpenAI's ``/v1/responses`` and ``/v1/chat/completions`` for many calls: answers from a list, streamed at the pace of a model.

And ``/v1/models``, which clients ask for to have a connection before the first turn (platform.openai.com/docs/api-reference/models/list).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from antiphon.bench.vendors.delays import KEY, WELL, Delays
from antiphon.bench.vendors.messages import openai_chat, openai_response
from antiphon.bench.vendors.trouble import Plan, Trouble

_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class _Api:
    events: Callable[[str, Sequence[str]], list[bytes]]
    early: int
    """Events of an answer before its first word."""
    said: str
    """The field with the conversation so far."""


_APIS = {
    "/v1/responses": _Api(openai_response, 3, "input"),
    "/v1/chat/completions": _Api(openai_chat, 1, "messages"),
}
_LATE = 3
"""Events of an answer after its last word, in both."""


class OpenAiServer:
    """What ``asyncio.start_server`` calls for each connection."""

    def __init__(self, answers: Sequence[str], delays: Delays, plan: Plan) -> None:
        self._answers, self._delays, self._plan = answers, delays, plan
        self.at_work = 0
        """Requests that are being answered."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        first, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, *_ = first.split(" ")
        if headers.get("authorization") != f"bearer {KEY}":
            return _refuse(writer, 401, "invalid_api_key")
        if (method, path) == ("get", "/v1/models"):
            return _tell(writer, 200, {"object": "list", "data": []})
        api = _APIS.get(path) if method == "post" else None
        if api is None:
            return _refuse(writer, 404, "unknown_url")
        request = orjson.loads(body)
        self.at_work += 1
        try:
            return await self._answer_to(api, request, reader, writer)
        finally:
            self.at_work -= 1

    async def _answer_to(
        self, api: _Api, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection goes on."""
        trouble = self._plan.next("openai") if request["model"] != WELL else None
        if trouble == "throttled":
            return _refuse(writer, 429, "rate_limit_exceeded")
        if trouble == "killed":
            return False
        await asyncio.sleep(self._delays.first_token_ms / 1000)
        if trouble == "stalled":
            await reader.read(1)  # until the client has had enough
            return False
        return await self._stream(api, writer, request, trouble)

    async def _stream(
        self, api: _Api, writer: asyncio.StreamWriter, request: dict[str, Any], trouble: Trouble | None
    ) -> bool:
        pieces = () if trouble == "silent" else _tokens(self._answer(request[api.said]))
        writer.write(_STREAM)
        if trouble == "garbled":
            writer.write(_chunk(b"data: {this is no JSON\n\n") + b"0\r\n\r\n")
            return True
        events = api.events(str(request["model"]), pieces)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for at, event in enumerate(events):
            due_s = began_s + max(0, at - api.early) * self._delays.token_ms / 1000
            if at < len(events) - _LATE and (wait_s := due_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            if writer.is_closing():
                return False
            writer.write(_chunk(event))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _answer(self, items: str | list[Any]) -> str:
        """By the caller's how many-th turn it is."""
        said = sum(1 for item in items if isinstance(item, dict) and item.get("role") == "user")
        return self._answers[max(0, said - 1) % len(self._answers)]


def _tokens(text: str) -> list[str]:
    words = text.split(" ")
    return [words[0], *(f" {word}" for word in words[1:])]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _refuse(writer: asyncio.StreamWriter, status: int, code: str) -> bool:
    error = {"type": "invalid_request_error", "code": code, "message": code, "param": None}
    return _tell(writer, status, {"error": error})


def _tell(writer: asyncio.StreamWriter, status: int, document: dict[str, Any]) -> bool:
    body = orjson.dumps(document)
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    return True
