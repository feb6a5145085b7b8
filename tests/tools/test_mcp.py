"""MCP servers over real sockets: which tools they have, what these answer, and that nothing is left open."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import pytest
from tests.listening import listening
from tests.tools.mcp_server import mcp_server

from antiphon.clock import ManualClock
from antiphon.errors import ProviderTimeout, ProviderUnavailable
from antiphon.tools import mcp
from antiphon.tools.mcp import McpServers, McpServerTool
from antiphon.tools.mcp_client import McpServer
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall
from antiphon.webhooks.checked_httpx import checked_client
from antiphon.webhooks.egress import Egress

PROTOCOLS = ("shttp", "sse")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def servers(clock: ManualClock) -> AsyncIterator[McpServers]:
    made = McpServers(partial(checked_client, Egress(allow_loopback=True)), clock.now_ms)
    yield made
    await made.close()


async def run(servers: McpServers, server: McpServer, name: str, call: str = "c1", **arguments: Any) -> ToolAnswer:
    return await servers.run(server, call, name, ToolCall("t", name, arguments), 5)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_tools_are_named_and_run_and_the_connection_ends_with_the_call(
    servers: McpServers, protocol: Any
) -> None:
    async with mcp_server(protocol) as at:
        server = McpServer(at.url, protocol, (("x-tenant", "7"),))
        tools = {tool.name: tool for tool in await servers.tools(server)}
        assert list(tools) == ["stock", "say.it", "broken", "slow"]
        assert tools["stock"].description == "How many of an article there are."
        assert tools["stock"].parameters["required"] == ["sku"]
        answer = await run(servers, server, "stock", sku="abc")
        assert not answer.failed and '"stock": 3' in answer.content
        assert await run(servers, server, "say.it", text="hello") == ToolAnswer("It says hello.")
        assert (await run(servers, server, "broken")).failed
        assert servers.connections == 1
        servers.call_ended("other")
        assert servers.connections == 1
        servers.call_ended("c1")
        assert servers.connections == 0
        if protocol == "shttp":  # a session for the list, and one for the call: both are given up
            await at.until(lambda: at.methods().count("DELETE") == 2)
        await at.until(lambda: at.open_streams == 0)
        assert {headers["x-tenant"] for _, headers in at.requests} == {"7"}


async def test_calls_have_connections_of_their_own_and_share_them_between_tools(servers: McpServers) -> None:
    async with mcp_server() as at:
        server = McpServer(at.url)
        await asyncio.gather(*(run(servers, server, "say.it", call, text=call) for call in ("c1", "c2", "c1", "c1")))
        assert servers.connections == 2
        sessions = {headers["mcp-session-id"] for _, headers in at.requests if "mcp-session-id" in headers}
        assert len(sessions) == 2


async def test_a_call_of_a_tool_has_a_deadline_and_the_next_one_works(servers: McpServers) -> None:
    async with mcp_server() as at:
        server = McpServer(at.url)
        with pytest.raises(ProviderTimeout):
            await servers.run(server, "c1", "slow", ToolCall("t", "slow"), 0.05)
        assert await run(servers, server, "say.it", text="on") == ToolAnswer("It says on.")
        tool = McpServerTool(servers, server, "slow", 0.05)
        assert (await tool.run(ToolCall("t", "slow"), CallContext("c1"))).failed


async def test_which_tools_there_are_is_asked_once_for_many_calls(servers: McpServers, clock: ManualClock) -> None:
    async with mcp_server() as at:
        server = McpServer(at.url)
        first, second = await asyncio.gather(servers.tools(server), servers.tools(server))
        asked = len(at.requests)
        assert first == second == await servers.tools(server)
        assert len(at.requests) == asked
        clock.advance(round(mcp.KNOWN_S * 1000))
        await servers.tools(server)
        assert len(at.requests) > asked
    clock.advance(round(mcp.KNOWN_S * 1000))
    assert await servers.tools(server) == first, "what it said last stands in for one that is away"
    clock.advance(round(mcp.KEPT_S * 1000))
    with pytest.raises(ProviderUnavailable):
        await servers.tools(server)


async def test_one_that_never_answers_is_not_waited_for(
    servers: McpServers, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await reader.read()

    monkeypatch.setattr(mcp, "LIST_S", 0.05)
    async with listening(silent) as port:
        server = McpServer(f"http://127.0.0.1:{port}/mcp")
        with pytest.raises(ProviderUnavailable, match="in time"):
            await servers.tools(server)
        before = len(connections)
        with pytest.raises(ProviderUnavailable, match="a moment ago"):
            await servers.tools(server)
        assert len(connections) == before
        clock.advance(round(mcp.AWAY_S * 1000))
        with pytest.raises(ProviderUnavailable, match="in time"):
            await servers.tools(server)
        await servers.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_address_that_is_refused_is_never_called(protocol: Any) -> None:
    made = McpServers(partial(checked_client, Egress()), ManualClock().now_ms)
    async with mcp_server(protocol) as at:
        with pytest.raises(ProviderUnavailable, match="refused"):
            await made.tools(McpServer(at.url, protocol))
        assert at.requests == []
    await made.close()


async def test_a_name_is_called_at_the_address_that_was_checked() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"] if host == "shop.test" else ["10.0.0.1"]

    made = McpServers(partial(checked_client, Egress(allow_loopback=True, resolve=resolve)), ManualClock().now_ms)
    async with mcp_server() as at:
        port = at.url.split(":")[2]
        # The server's own protection (its Host header is not localhost's) answers: it was reached, under its name.
        with pytest.raises(ProviderUnavailable):
            await made.tools(McpServer(f"http://shop.test:{port}"))
        assert at.requests[0][1]["host"].startswith("shop.test")
        with pytest.raises(ProviderUnavailable, match="refused"):
            await made.tools(McpServer(f"http://inside.test:{port}"))
    await made.close()


async def test_one_that_goes_away_during_a_call_fails_and_comes_back(servers: McpServers) -> None:
    async with mcp_server() as at:
        server = McpServer(at.url)
        assert not (await run(servers, server, "say.it", text="a")).failed
    tool = McpServerTool(servers, server, "say.it", 2)
    assert (await tool.run(ToolCall("t", "say.it", {"text": "b"}), CallContext("c1"))).failed


async def test_without_the_package_it_is_said_which_extra_is_needed(
    servers: McpServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.client.session", None)
    with pytest.raises(ProviderUnavailable, match=r"antiphon\[api\]"):
        await servers.tools(McpServer("http://127.0.0.1:9/mcp"))
