"""Connections to MCP servers (https://modelcontextprotocol.io), over streamable HTTP or server-sent events, by the official package.

A connection belongs to one task from its beginning to its end, as the package wants it; whoever uses it asks that task's session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable, RequestFailed

log = structlog.get_logger(__name__)

MAX_TOOLS = 64
"""Of one server: a model cannot choose among more."""
_MAX_PAGES = 8
_READ_S = 120.0
_CLOSE_S = 2.0
HttpClient = Callable[[Mapping[str, str], float, float], Any]
"""Makes the ``httpx2.AsyncClient`` that goes to checked addresses only: headers, seconds for a request, seconds between two reads."""


@dataclass(frozen=True, slots=True)
class McpServer:
    """``headers`` are sent with each request."""

    url: str
    protocol: Literal["shttp", "sse"] = "shttp"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool as its server describes it."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class McpAnswer:
    text: str
    failed: bool


class McpConnection:
    """One session with one server."""

    def __init__(self, server: McpServer, http_client: HttpClient) -> None:
        self._server = server
        self._http_client = http_client
        self.status: int | None = None
        """With which the server answered last, what was sent to it."""
        self._session: Any = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._live(), name="mcp connection")

    @property
    def is_over(self) -> bool:
        return self._task.done()

    async def tools(self) -> Sequence[McpTool]:
        """Raises ProviderUnavailable, ProviderError."""
        session, types = await self._ready_session(), _types()
        found: list[McpTool] = []
        cursor = None
        with _translated():
            for _ in range(_MAX_PAGES):
                params = types.PaginatedRequestParams(cursor=cursor) if cursor else None
                page = await session.list_tools(params=params)
                found += [McpTool(tool.name, tool.description or "", dict(tool.input_schema)) for tool in page.tools]
                cursor = page.next_cursor
                if not cursor or len(found) >= MAX_TOOLS:
                    break
        return found[:MAX_TOOLS]

    async def call(self, name: str, arguments: Mapping[str, Any], timeout_s: float) -> McpAnswer:
        """Raises ProviderTimeout, ProviderUnavailable, ProviderError."""
        session = await self._ready_session()
        self.status = None  # of this one, not of the one before
        with _translated():
            answer = await session.call_tool(name, dict(arguments), read_timeout_seconds=timeout_s)
        return McpAnswer(_text_of(answer), bool(answer.is_error))

    async def close(self) -> None:
        """Say goodbye to the server, for a moment. Safe to call twice."""
        self._over.set()
        if not self._ready.done():
            self._task.cancel()  # nobody is there to say goodbye to
        _, late = await asyncio.wait({self._task}, timeout=_CLOSE_S)
        for task in late:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _noting(self, headers: Mapping[str, str], timeout_s: float, read_s: float) -> Any:
        client = self._http_client(headers, timeout_s, read_s)

        async def note(response: Any) -> None:
            if response.request.method == "POST":
                self.status = response.status_code

        client.event_hooks = {"request": [], "response": [note]}
        return client

    async def _ready_session(self) -> Any:
        await asyncio.shield(self._ready)
        if self._task.done():
            raise ProviderUnavailable("mcp", "the connection has ended")
        return self._session

    async def _live(self) -> None:
        try:
            async with _session(self._server, self._noting) as session:
                await session.initialize()
                self._session = session
                self._ready.set_result(None)
                await self._over.wait()
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                log.warning("mcp_connection_failed", problem=_kind(error))
            if not self._ready.done():
                inner = _innermost(error)
                told = ProviderUnavailable("mcp", f"the server did not answer ({_kind(error)})")
                self._ready.set_exception(inner if isinstance(inner, ProviderUnavailable) else told)
                self._ready.exception()  # where nobody waits for it, nobody need be told
            if isinstance(error, asyncio.CancelledError):
                raise


@asynccontextmanager
async def _session(server: McpServer, http_client: HttpClient) -> AsyncIterator[Any]:
    mcp = await asyncio.to_thread(_imported)  # takes a second
    headers = dict(server.headers)
    if server.protocol == "sse":

        def factory(headers: Any = None, timeout: Any = None, auth: Any = None) -> Any:
            return http_client(dict(headers or {}), 10.0, _READ_S)

        streams = mcp.sse_client(server.url, headers=headers, httpx_client_factory=factory)
        async with streams as (read, write), mcp.ClientSession(read, write) as session:
            yield session
        return
    async with http_client(headers, 10.0, _READ_S) as client:
        streams = mcp.streamable_http_client(server.url, http_client=client)
        async with streams as (read, write), mcp.ClientSession(read, write) as session:
            yield session


@dataclass(frozen=True, slots=True)
class _Package:
    ClientSession: Any
    sse_client: Any
    streamable_http_client: Any


def _imported() -> _Package:
    """Raises ProviderUnavailable where the package is not there."""
    try:
        from mcp.client.session import ClientSession
        from mcp.client.sse import sse_client
        from mcp.client.streamable_http import streamable_http_client
    except ModuleNotFoundError:
        raise ProviderUnavailable("mcp", "the package mcp is not installed: pip install 'antiphon[api]'") from None
    # The package's own lines may hold what servers and callers said; what went wrong is told by ours.
    for name in ("mcp", "httpx2"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return _Package(ClientSession, sse_client, streamable_http_client)


def _types() -> Any:
    import mcp_types

    return mcp_types


class _translated:
    """What the package raises, as our own errors: what is in it may hold what was said."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        if "timed out" in str(error).lower() or isinstance(error, TimeoutError):
            raise ProviderTimeout("mcp", "the server did not answer in time") from None
        raise ProviderError("mcp", f"the server did not do it ({_kind(error)})") from None


def _kind(error: BaseException) -> str:
    """Its name, for a log."""
    error = _innermost(error)
    return error.reason if isinstance(error, RequestFailed) else type(error).__name__


def _innermost(error: BaseException) -> BaseException:
    """Out of the exception groups around it."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def _text_of(answer: Any) -> str:
    """What a model can read of a result: its texts; what is no text is named."""
    parts = []
    for block in answer.content:
        kind = getattr(block, "type", "")
        if kind == "text":
            parts.append(block.text)
        elif kind == "resource" and isinstance(getattr(block.resource, "text", None), str):
            parts.append(block.resource.text)
        else:
            parts.append(f"[{kind}]")
    if not parts and answer.structured_content is not None:
        import orjson

        return orjson.dumps(answer.structured_content, default=str).decode()
    return "\n".join(parts)
