"""Whole calls whose tools look things up, ask an MCP server, say variables, or are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.api_caller import ask, ended, on_socket
from tests.serving import running_server, settings_for, write_assistant
from tests.surfaces.vapi.test_calls import ENGINES
from tests.tools.mcp_server import mcp_server
from tests.webhooks.receiver import Received, Receiver, receiving


def assistant(tools: list[dict[str, Any]], *replies: Any, **fields: Any) -> dict[str, Any]:
    model = {**ENGINES["model"], "options": {**ENGINES["model"]["options"], "replies": list(replies)}, "tools": tools}
    return {**ENGINES, "firstMessage": "Good day.", "model": model, **fields}


def calls(name: str, **arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "arguments": arguments}]}


async def held(client: Any, document: dict[str, Any], until: str = "eleven") -> dict[str, Any]:
    """The record of a call in which the caller says one thing, and is told something with ``until`` in it."""
    call = await ask(client, assistant=document)
    async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
        await caller.until_told("transcript", role="assistant")
        caller.say()
        await caller.until(lambda: any(until in m.get("transcript", "") for m in caller.told("transcript")))
        await caller.send({"type": "end-call"})
        await caller.until(lambda: caller.closed)
    if document.get("compliancePlan"):  # of what was said there is nothing to wait for
        return dict((await client.get(f"/call/{call['id']}")).json())
    return await ended(client, call["id"])


def results(record: dict[str, Any]) -> list[str]:
    return [entry["result"] for entry in record["messages"] if entry["role"] == "tool_call_result"]


async def test_a_question_to_an_uploaded_file(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        upload = {"file": ("prices.md", b"# Prices\n\nMarmalade costs eleven crowns a jar.\n", "text/markdown")}
        file = (await client.post("/file", files=upload)).json()
        base = {"provider": "google", "name": "prices", "description": "Prices.", "fileIds": [file["id"]]}
        tool = {"type": "query", "function": {"name": "look_up"}, "knowledgeBases": [base]}
        asks = calls("look_up", query="what is the price of marmalade")
        record = await held(client, assistant([tool], asks, "It costs eleven crowns."))
        assert results(record) == ["[prices.md] Prices: Marmalade costs eleven crowns a jar."]
        await client.delete(f"/file/{file['id']}")
        record = await held(client, assistant([tool], asks, "It costs eleven crowns."))
        assert results(record) == ["The files of this knowledge base cannot be read."]


async def test_a_tool_of_an_mcp_server_and_one_that_is_away(tmp_path: Path) -> None:
    async with mcp_server() as shop, running_server(settings_for(tmp_path, open_api=True)) as (antiphon, client):
        tools = [
            {"type": "mcp", "server": {"url": shop.url}},
            {"type": "mcp", "server": {"url": "http://127.0.0.1:9/mcp"}},
        ]
        record = await held(client, assistant(tools, calls("say_it", text="eleven"), "It costs eleven crowns."))
        assert results(record) == ["It says eleven."]
        told = {warning["field"]: warning["reason"] for warning in record["warnings"]}
        assert "its tools are not offered" in told["model.tools.1"] and "model.tools.0" not in told
        await shop.until(lambda: shop.methods().count("DELETE") == 2)
        assert antiphon.engines.tools._mcp.connections == 0


async def test_variables_of_answers_are_left_of_the_call(tmp_path: Path) -> None:
    async def answer(came: Received) -> Any:
        return {"customer": {"name": "Ann", "since": 2019}} if came.path == "/customer" else {}

    async with (
        receiving(Receiver(answer)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        tool = {
            "type": "apiRequest", "name": "customer", "url": f"{receiver.url}/customer",
            "variableExtractionPlan": {"aliases": [{"key": "name", "value": "{{ customer.name }}"}]},
        }  # fmt: skip
        reply = "It costs eleven crowns."
        record = await held(client, assistant([tool], calls("customer"), reply))
        assert record["artifact"]["variableValues"] == {"name": "Ann"}
        assert "variableValues" not in record
        secret = await held(client, assistant([tool], calls("customer"), reply, compliancePlan={"hipaaEnabled": True}))
        assert "Ann" not in str(secret)


async def test_a_call_is_not_ended_before_the_caller_has_said_goodbye(tmp_path: Path) -> None:
    plan = {"conditions": [{"type": "regex", "regex": "bye", "target": {"role": "user"}, "negate": True}]}
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        document = assistant([{"type": "endCall", "rejectionPlan": plan}], calls("endCall"), "It costs eleven crowns.")
        record = await held(client, document)
        assert record["endedReason"] == "customer-ended-call" or "manually" in record["endedReason"], record
        assert "was not run" in results(record)[0]


FILE = """
name: Files
model:
  provider: scripted
  options:
    replies:
      - {{ tool_calls: [{{ name: look_up, arguments: {{ query: what does marmalade cost }} }}] }}
      - {{ tool_calls: [{{ name: stock_of, arguments: {{ sku: abc }} }}] }}
      - {{ tool_calls: [{{ name: say_it, arguments: {{ text: hello }} }}] }}
      - Eleven crowns.
  tools:
    - type: query
      function: {{ name: look_up }}
      knowledgeBases: [{{ provider: google, name: prices, description: Prices, fileIds: [prices.md] }}]
    - {{ type: function, function: {{ name: stock_of }} }}
    - {{ type: mcp, server: {{ url: "{url}" }} }}
"""
TOOLS = '''
from antiphon.tools import tool


@tool
def stock_of(sku: str) -> dict[str, int]:
    """How many there are."""
    return {"stock": len(sku)}
'''


async def test_an_assistant_file_in_text_with_local_files_local_functions_and_an_mcp_server(tmp_path: Path) -> None:
    folder = write_assistant(tmp_path / "assistants")
    (folder / "knowledge").mkdir()
    (folder / "knowledge" / "prices.md").write_text("Marmalade costs eleven crowns.", encoding="utf-8")
    (tmp_path / "my_tools.py").write_text(TOOLS, encoding="utf-8")
    async with mcp_server() as shop:
        (folder / "files.yaml").write_text(FILE.format(url=shop.url), encoding="utf-8")
        settings = settings_for(tmp_path, open_api=True, tools_file=tmp_path / "my_tools.py")
        async with running_server(settings) as (_, client):
            chat = (await client.post("/chat", json={"assistantId": "files", "input": "what does it cost?"})).json()
    said = [(message["role"], message.get("content")) for message in chat["output"]]
    assert [content for role, content in said if role == "tool"] == [
        "[prices.md] Marmalade costs eleven crowns.", '{"stock": 3}', "It says hello.",
    ]  # fmt: skip
    assert said[-1] == ("assistant", "Eleven crowns.")
