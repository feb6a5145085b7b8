"""OpenAI's Responses API, as platform.openai.com/docs/api-reference/responses and …/responses-streaming describe it."""

from __future__ import annotations

import json
from typing import Any

from tests.providers.fakes.http_server import MODEL, Reply, halves, sse
from tests.providers.fakes.openai_chat import FakeOpenAi


class FakeOpenAiResponses(FakeOpenAi):
    path = "/responses"

    def problem(self, body: dict[str, Any]) -> str:
        asked: set[str] = set()
        answered: set[str] = set()
        for item in body["input"]:
            if item.get("type") == "function_call":
                json.loads(item["arguments"])
                asked.add(item["call_id"])
            elif item.get("type") == "function_call_output":
                answered.add(item["call_id"])
            elif not item["content"]:
                return "content must not be empty"
        if body.get("max_output_tokens", 16) < 16:
            return "max_output_tokens must be at least 16"
        for tool in body.get("tools", ()):
            if tool["strict"] and tool["parameters"].get("additionalProperties") is not False:
                return "additionalProperties must be false in strict mode"
        return "" if asked == answered else "No tool output found for function call"

    def events(self, reply: Reply) -> list[bytes]:
        events: list[bytes] = []

        def add(kind: str, **more: Any) -> None:
            events.append(sse({"type": kind, "sequence_number": len(events), **more}, kind))

        def response(status: str, output: list[Any], **more: Any) -> dict[str, Any]:
            return {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "error": None, "model": MODEL,
                    "incomplete_details": None, "instructions": None, "metadata": {}, "output": output, "parallel_tool_calls": True,
                    "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, **more}  # fmt: skip

        add("response.created", response=response("in_progress", []))
        output: list[dict[str, Any]] = []
        if reply.pieces:
            item: dict[str, Any] = {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
                "content": [],
            }
            add("response.output_item.added", output_index=0, item=item)
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            add("response.content_part.added", item_id="msg_1", output_index=0, content_index=0, part=part)
            for piece in reply.pieces:
                add(
                    "response.output_text.delta",
                    item_id="msg_1",
                    output_index=0,
                    content_index=0,
                    delta=piece,
                    logprobs=[],
                )
            text = "".join(reply.pieces)
            add("response.output_text.done", item_id="msg_1", output_index=0, content_index=0, text=text, logprobs=[])
            output.append({**item, "status": "completed", "content": [{**part, "text": text}]})
            add("response.output_item.done", output_index=0, item=output[-1])
        for call in reply.calls:
            place = len(output)
            arguments = json.dumps(call.arguments)
            item = {"id": f"fc_{place}", "type": "function_call", "call_id": call.id, "name": call.name, "arguments": "",
                    "status": "in_progress"}  # fmt: skip
            add("response.output_item.added", output_index=place, item=item)
            for piece in halves(arguments)[: 1 if reply.stop == "length" else 2]:
                add("response.function_call_arguments.delta", item_id=item["id"], output_index=place, delta=piece)
            if reply.stop != "length":
                add(
                    "response.function_call_arguments.done",
                    item_id=item["id"],
                    output_index=place,
                    arguments=arguments,
                    name=call.name,
                )
                output.append({**item, "arguments": arguments, "status": "completed"})
                add("response.output_item.done", output_index=place, item=output[-1])
        usage = {"input_tokens": reply.read, "input_tokens_details": {"cached_tokens": reply.cached}, "output_tokens": reply.written,
                 "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": reply.read + reply.written}  # fmt: skip
        if reply.stop == "end":
            add("response.completed", response=response("completed", output, usage=usage))
        else:
            reason = {"length": "max_output_tokens", "filter": "content_filter"}[reply.stop]
            add(
                "response.incomplete",
                response=response("incomplete", output, usage=usage) | {"incomplete_details": {"reason": reason}},
            )
        return events

    def error_event(self) -> bytes:
        return sse(
            {"type": "error", "sequence_number": 9, "code": "server_error", "message": "SECRET WORDS", "param": None},
            "error",
        )
