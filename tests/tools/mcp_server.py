"""A real MCP server, made with the official package, really listening. It notes the requests that came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.webhooks.receiver import served


@dataclass
class Served:
    url: str = ""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Method and headers, in the order they came."""
    open_streams: int = 0
    """Of server-sent events."""
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    """What the tool ``slow`` waits for."""
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def methods(self) -> list[str]:
        return [method for method, _ in self.requests]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(60), self.news:
            await self.news.wait_for(condition)


def tools(served_at: Served) -> Any:
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("shop", log_level="ERROR")

    @server.tool()
    def stock(sku: str) -> dict[str, int]:
        """How many of an article there are."""
        return {"stock": len(sku)}

    @server.tool(name="say.it", structured_output=False)
    def say_it(text: str) -> str:
        """Says it."""
        return f"It says {text}."

    @server.tool(structured_output=False)
    def broken() -> str:
        raise ValueError("what was said")

    @server.tool(structured_output=False)
    async def slow() -> str:
        await served_at.may_end.wait()
        return "at last"

    return server


@asynccontextmanager
async def mcp_server(protocol: str = "shttp") -> AsyncIterator[Served]:
    made = Served()
    server = tools(made)
    app = server.streamable_http_app() if protocol == "shttp" else server.sse_app()

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        made.requests.append((scope["method"], headers))
        streams = scope["method"] == "GET"
        made.open_streams += streams
        try:
            await app(scope, receive, send)
        finally:
            made.open_streams -= streams
            async with made.news:
                made.news.notify_all()

    async with served(noting, lifespan=protocol == "shttp", ends_within_s=1) as url:
        made.url = f"{url}/mcp" if protocol == "shttp" else f"{url}/sse"
        yield made
        made.may_end.set()
