"""mcp: the tools of an MCP server, asked for when a call begins, run over a connection that lasts as long as the call."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import structlog

from antiphon.errors import AntiphonError, ProviderTimeout, ProviderUnavailable
from antiphon.tools.mcp_client import HttpClient, McpConnection, McpServer, McpTool
from antiphon.tools.webhook import MAX_RESULT_CHARS
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall

log = structlog.get_logger(__name__)

LIST_S = 2.5
"""A call begins without a server's tools where they are not named within this."""
KNOWN_S = 300.0
"""For so long a server is not asked again which tools it has."""
KEPT_S = 24 * 3600.0
"""For so long what it said last stands in where it does not answer."""
AWAY_S = 15.0
"""For so long one that did not answer is not asked again: calls that begin meanwhile do not wait for it."""
Asked = Callable[[CallContext], AbstractContextManager[Callable[[int], object]]]
"""Around each request, for a log: it is given the HTTP status, or sees what is raised."""
MAX_SERVERS = 256
MAX_CONNECTIONS = 1024
IDLE_S = 900.0
"""A connection that nobody used for so long is closed: conversations in text have no end that anybody is told."""


@dataclass(slots=True)
class _Known:
    tools: Sequence[McpTool]
    at_ms: int


@dataclass(slots=True)
class _Open:
    connection: McpConnection
    used_ms: int


class McpServers:
    """One per process."""

    def __init__(self, http_client: HttpClient, now_ms: Callable[[], int]) -> None:
        self._http_client = http_client
        self._now_ms = now_ms
        self._known: OrderedDict[McpServer, _Known] = OrderedDict()
        self._away: OrderedDict[McpServer, int] = OrderedDict()
        """Until when."""
        self._asking: dict[McpServer, asyncio.Task[Sequence[McpTool]]] = {}
        self._open: OrderedDict[tuple[str, McpServer], _Open] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def tools(self, server: McpServer) -> Sequence[McpTool]:
        """Raises ProviderUnavailable where the server does not say, and has not said before."""
        known, now = self._known.get(server), self._now_ms()
        if known is not None and now - known.at_ms < KNOWN_S * 1000:
            return known.tools
        task = self._asking.get(server)
        if task is None and now < self._away.get(server, 0):
            return self._stands_in(known, now, ProviderUnavailable("mcp", "the server did not answer a moment ago"))
        if task is None:
            task = self._asking[server] = asyncio.create_task(self._ask(server), name="mcp tools")
            task.add_done_callback(lambda done: self._asked(server, done))
        try:
            return await asyncio.shield(task)
        except AntiphonError as error:
            return self._stands_in(known, now, error)

    async def run(
        self,
        server: McpServer,
        call_id: str,
        name: str,
        call: ToolCall,
        timeout_s: float,
        answered: Callable[[int], object] = lambda status: None,
    ) -> ToolAnswer:
        """``timeout_s`` is for all of it, the connection too. ``answered`` is told with which HTTP status the server answered, where it
        did. Raises ProviderTimeout, ProviderError."""
        connection = self._connection(server, call_id)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await connection.call(name, call.arguments, timeout_s)
        except TimeoutError:
            raise ProviderTimeout("mcp", "the server did not answer in time") from None
        finally:
            if connection.status is not None:
                answered(connection.status)
        return ToolAnswer(answer.text[:MAX_RESULT_CHARS] or "Done.", answer.failed)

    def call_ended(self, call_id: str) -> None:
        for key in [key for key in self._open if key[0] == call_id]:
            self._close(self._open.pop(key).connection)

    @property
    def connections(self) -> int:
        return len(self._open)

    async def close(self) -> None:
        for entry in self._open.values():
            self._close(entry.connection)
        self._open.clear()
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), *self._closing, return_exceptions=True)

    @staticmethod
    def _stands_in(known: _Known | None, now_ms: int, error: AntiphonError) -> Sequence[McpTool]:
        """What the server said before; raises the error where that is too long ago, or it never has."""
        if known is not None and now_ms - known.at_ms < KEPT_S * 1000:
            return known.tools
        raise error

    async def _ask(self, server: McpServer) -> Sequence[McpTool]:
        connection = McpConnection(server, self._http_client)
        try:
            async with asyncio.timeout(LIST_S):
                tools = await connection.tools()
        except TimeoutError:
            raise ProviderUnavailable("mcp", "the server did not answer in time") from None
        finally:
            self._close(connection)
        self._known[server] = _Known(tools, self._now_ms())
        self._known.move_to_end(server)
        while len(self._known) > MAX_SERVERS:
            self._known.popitem(last=False)
        return tools

    def _asked(self, server: McpServer, task: asyncio.Task[Sequence[McpTool]]) -> None:
        self._asking.pop(server, None)
        self._away.pop(server, None)
        if not task.cancelled() and task.exception() is not None:  # whoever waited has it
            self._away[server] = self._now_ms() + round(AWAY_S * 1000)
            while len(self._away) > MAX_SERVERS:
                self._away.popitem(last=False)

    def _connection(self, server: McpServer, call_id: str) -> McpConnection:
        key, now = (call_id, server), self._now_ms()
        entry = self._open.get(key)
        if entry is None or entry.connection.is_over:
            entry = self._open[key] = _Open(McpConnection(server, self._http_client), now)
        entry.used_ms = now
        self._open.move_to_end(key)
        while self._open:
            first = next(iter(self._open))
            idle = now - self._open[first].used_ms > IDLE_S * 1000
            if not idle and len(self._open) <= MAX_CONNECTIONS:
                break
            self._close(self._open.pop(first).connection)
        return entry.connection

    def _close(self, connection: McpConnection) -> None:
        task = asyncio.create_task(connection.close(), name="mcp close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


@contextmanager
def _unlogged(context: CallContext) -> Iterator[Callable[[int], object]]:
    yield lambda status: None


class McpServerTool:
    """One tool of one server. ``timeout_s`` is for one call of it."""

    def __init__(
        self, servers: McpServers, server: McpServer, name: str, timeout_s: float, asked: Asked = _unlogged
    ) -> None:
        self._servers = servers
        self._server = server
        self._name = name
        self._timeout_s = timeout_s
        self._asked = asked

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        try:
            with self._asked(context) as answered:
                return await self._servers.run(
                    self._server, context.call_id, self._name, call, self._timeout_s, answered
                )
        except AntiphonError as error:
            log.warning("mcp_tool_failed", tool=call.name, call_id=context.call_id, code=error.code)
            return ToolAnswer("The tool's server did not answer.", failed=True)
