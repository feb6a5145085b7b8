"""Run in a process of its own, with the older SDK in front of the newer one: ``older_sdk_program.py URL KEY``. It drives the main calls
and prints what it got as one JSON object; its test says what that must be."""

from __future__ import annotations

import json
import sys
import warnings
from io import BytesIO
from typing import Any

MODEL = {
    "provider": "custom-llm",
    "url": "http://m.test",
    "model": "m",
    "messages": [{"role": "system", "content": "x"}],
}
SOCKET = {
    "provider": "vapi.websocket",
    "audioFormat": {"format": "pcm_s16le", "container": "raw", "sampleRate": 16_000},
}
ONCE: Any = {"max_retries": 0}


def main(url: str, key: str) -> dict[str, Any]:
    import httpx
    import vapi
    from vapi.core.api_error import ApiError

    with httpx.Client(timeout=60) as line:
        sdk = vapi.Vapi(token=key, base_url=url, httpx_client=line)
        return {
            "sdk": vapi.__file__,
            **assistants(sdk, ApiError),
            **calls(sdk, ApiError),
            **texts(sdk),
            **documents(sdk),
        }


def assistants(sdk: Any, error: type[Exception]) -> dict[str, Any]:
    made = sdk.assistants.create(name="Old", first_message="Hi", model=MODEL, server={"url": "http://w.test"})
    changed = sdk.assistants.update(made.id, first_message="Yo")
    got = sdk.assistants.get(made.id)
    listed = [each.id for each in sdk.assistants.list(limit=5)]
    deleted = sdk.assistants.delete(made.id)
    refusals: list[Any] = []
    for ask in (
        lambda: sdk.assistants.get(made.id),
        lambda: sdk.assistants.create(name="x" * 41, request_options=ONCE),
    ):
        try:
            ask()
        except error as refused:
            refusals.append([refused.status_code, refused.body["message"]])  # type: ignore[attr-defined]
    return {
        "assistant": [made.name, made.first_message, type(made.model).__name__, made.model.url, made.server.url],
        "changed": [changed.first_message, got.first_message, got.name, got.model.messages[0].content],
        "listed": made.id in listed,
        "deleted": deleted.id == made.id,
        "refusals": refusals,
        "created_at": type(made.created_at).__name__,
    }


def calls(sdk: Any, error: type[Exception]) -> dict[str, Any]:
    call = sdk.calls.create(assistant_id="scripted", transport=SOCKET, name="old call")
    limits = call.subscription_limits.concurrency_limit
    got = sdk.calls.get(call.id)
    renamed = sdk.calls.update(call.id, name="renamed")
    listed = [each.id for each in sdk.calls.list(limit=3)]
    deleted = sdk.calls.delete(call.id)
    try:
        sdk.calls.create(request_options=ONCE)
        refused: Any = None
    except error as problem:
        refused = [problem.status_code, type(problem.body["message"]).__name__]  # type: ignore[attr-defined]
    return {
        "call": [call.type, call.status, got.name, renamed.name, limits > 0, call.id in listed, deleted.id == call.id],
        "socket": call.transport["websocketCallUrl"].startswith("ws://"),
        "control": call.monitor.control_url.endswith("/control"),
        "refused": refused,
    }


def texts(sdk: Any) -> dict[str, Any]:
    chat = sdk.chats.create(assistant_id="scripted", input="hi")
    session = sdk.sessions.create(assistant_id="scripted")
    within = sdk.chats.create(session_id=session.id, input="and in a session")
    ended = sdk.sessions.update(session.id, status="completed")
    page = sdk.sessions.list()
    return {
        "chat": [chat.output[0].role, chat.output[0].content],
        "session": [within.session_id == session.id, ended.status, page.metadata.total_items >= 1],
    }


def documents(sdk: Any) -> dict[str, Any]:
    function = {"type": "function", "function": {"name": "f"}, "server": {"url": "http://w.test"}, "async": False}
    tool = sdk.tools.create(request=function)
    squad = sdk.squads.create(name="S", members=[{"assistantId": "scripted"}])
    number = sdk.phone_numbers.create(request={"provider": "vapi", "assistantId": "scripted"})
    file = sdk.files.create(file=("a.txt", BytesIO(b"abc"), "text/plain"))
    counted = sdk.analytics.get(
        queries=[{"table": "call", "name": "n", "operations": [{"operation": "count", "column": "id"}]}]
    )
    return {
        "tool": [type(tool).__name__, tool.function.name, None in sdk.tools.list()],
        "squad": [squad.name, squad.members[0].assistant_id],
        "number": [type(number).__name__, number.assistant_id],
        "file": [file.name, file.bytes, file.id in [each.id for each in sdk.files.list()]],
        "analytics": [counted[0].name, "countId" in counted[0].result[0]],
    }


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.stdout.write(json.dumps(main(*sys.argv[1:])))
