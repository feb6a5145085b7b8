"""The platform's JavaScript SDK for servers: a smoke test of what the Python one is asked in full."""

from __future__ import annotations

from typing import Any

from tests.conformance.vapi.conftest import Served
from tests.node import node_program


async def test_an_assistant_over_the_javascript_sdk(served: Served) -> None:
    async with node_program("vapi.mjs") as program:

        async def call(method: str, **given: Any) -> Any:
            answer = await program.ask("call", resource="assistants", method=method, given=given, within_s=30)
            return answer.get("result", answer)

        await program.ask("connect", baseUrl=served.url, token=served.key, within_s=30)
        made = await call("create", name="J", firstMessage="Hi", model={"provider": "openai", "model": "gpt-4o"})
        assert (made["name"], made["firstMessage"], made["model"]["model"]) == ("J", "Hi", "gpt-4o")
        assert made["createdAt"].endswith("Z"), "dates stay text"
        assert await call("get", id=made["id"]) == made
        assert (await call("update", id=made["id"], firstMessage="Yo"))["firstMessage"] == "Yo"
        assert made["id"] in [each["id"] for each in await call("list", limit=5)]
        wrong = await call("create", name="x" * 41)
        assert wrong["status"] == 400
        assert wrong["body"]["message"] == ["name must be shorter than or equal to 40 characters"]
        assert (await call("delete", id=made["id"]))["id"] == made["id"]
        gone = await call("get", id=made["id"])
        assert (gone["status"], gone["body"]["statusCode"]) == (404, 404)
