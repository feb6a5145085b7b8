"""An assistant's hooks in calls that are really held: words, prompts, messages and tools, its own and stored ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from tests.api_caller import SocketCaller, ask, ended, on_socket
from tests.serving import GREETING, line, place_call, running_server, settings_for
from tests.surfaces.vapi.test_calls import ENGINES, greeted, server
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.session.event_log import read_event_log


def assistant(*hooks: dict[str, Any], replies: list[Any] | None = None, **fields: Any) -> dict[str, Any]:
    model = {**ENGINES["model"], "options": {"replies": replies or ["It costs eleven crowns."], "first_token_ms": 40}}
    return {**ENGINES, "model": model, "name": "Hooked", "firstMessage": GREETING, "hooks": list(hooks), **fields}


def say(on: str, exact: Any, **fields: Any) -> dict[str, Any]:
    return {"on": on, "do": [{"type": "say", "exact": exact}], **fields}


async def hears(caller: SocketCaller, text: str) -> None:
    await caller.until_told("transcript", role="assistant", transcript=text)


async def call_of(client: httpx.AsyncClient, *hooks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    call = await ask(client, assistant=assistant(*hooks, **fields))
    assert [each for each in call.get("warnings", ()) if "hooks" in each["field"]] == []
    return call


async def test_who_says_nothing_is_asked_and_what_time_brings_is_said(tmp_path: Path) -> None:
    silence = say("customer.speech.timeout", ["Still there?"], options={"timeoutSeconds": 1, "triggerMaxCount": 2})
    late = say("call.timeElapsed", "{{ customer.name }}, a minute left.", options={"seconds": 1})
    async with server(tmp_path) as (_, client):
        hooked = assistant(silence, late)
        call = await ask(client, assistant=hooked, assistantOverrides={"variableValues": {"customer": {"name": "Ann"}}})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await hears(caller, "Ann, a minute left.")
            await caller.until(lambda: len(caller.told("transcript", transcript="Still there?")) == 2)
            caller.say()
            await hears(caller, "It costs eleven crowns.")
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        record = await ended(client, call["id"])
        said = [each["message"] for each in record["messages"] if each["role"] == "bot"]
        assert said.count("Still there?") == 2, "as often as it may"


async def test_a_prompt_is_answered_by_the_model_and_a_message_is_known_to_it(tmp_path: Path) -> None:
    prompt = {
        "on": "call.timeElapsed",
        "do": [
            {"type": "message.add", "message": {"role": "system", "content": "It rains."}, "triggerResponseEnabled": False},
            {"type": "say", "prompt": "Speak of the weather."},
        ],
        "options": {"seconds": 1},
    }  # fmt: skip
    async with server(tmp_path) as (_, client):
        call = await call_of(client, prompt, replies=["Rain, I am afraid."])
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            await hears(caller, "Rain, I am afraid.")
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        told = [each["message"] for each in (await ended(client, call["id"]))["messages"] if each["role"] == "system"]
    assert told[-2:] == ["It rains.", "Speak of the weather."]


async def test_an_interruption_runs_a_tool_whose_answer_the_model_knows(tmp_path: Path) -> None:
    asked: list[Received] = []

    async def answer(came: Received) -> Any:
        asked.append(came)
        calls = came.json["message"]["toolCallList"]
        return {"results": [{"toolCallId": calls[0]["id"], "result": "noted"}]}

    async with receiving(Receiver(answer=answer)) as receiver, server(tmp_path) as (_, client):
        function = {"type": "function", "function": {"name": "note"}, "server": {"url": receiver.url}}
        stored = (await client.post("/tool", json=function)).json()
        interrupted = {"on": "assistant.speech.interrupted", "do": [{"type": "tool", "toolId": stored["id"]}]}
        call = await call_of(client, interrupted, firstMessage="A very long greeting, which goes on. " * 5)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until(lambda: caller.loud_bytes() > 8000)
            caller.say(1500)
            await receiver.wait_for(1)
            await hears(caller, "It costs eleven crowns.")
            await caller.send({"type": "end-call"})
            await caller.until(lambda: caller.closed)
        record = await ended(client, call["id"])
    message = asked[0].json["message"]
    assert (message["type"], message["toolCallList"][0]["function"]["name"]) == ("tool-calls", "note")
    assert message["call"]["id"] == call["id"]
    assert "The tool note answered: noted" in [each["message"] for each in record["messages"]]


async def test_a_tool_of_a_hook_ends_the_call_and_another_is_run_when_it_is_over(tmp_path: Path) -> None:
    async with receiving(Receiver()) as receiver, server(tmp_path) as (_, client):
        ends = {"on": "customer.speech.timeout", "do": [{"type": "tool", "tool": {"type": "endCall"}}],
                "options": {"timeoutSeconds": 1}}  # fmt: skip
        wanted = [{"type": "oneOf", "key": "call.endedReason", "oneOf": ["assistant-ended-call"]}]
        other = [{"type": "oneOf", "key": "call.endedReason", "oneOf": ["voicemail"]}]
        tool = {"type": "function", "function": {"name": "close_ticket"}, "server": {"url": receiver.url}}
        action = {"type": "tool", "tool": tool}
        over = {"on": "call.ending", "do": [action], "filters": wanted}
        never = {"on": "call.ending", "do": [action], "filters": other}
        call = await call_of(client, ends, over, never)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until(lambda: caller.closed)
        assert (await ended(client, call["id"]))["endedReason"] == "assistant-ended-call"
        await receiver.wait_for(1)
    (came,) = receiver.received
    message = came.json["message"]
    assert message["toolCallList"][0]["function"]["name"] == "close_ticket" and message["call"]["id"] == call["id"]


async def test_a_model_that_does_not_answer(tmp_path: Path) -> None:
    sorry = say("model.response.timeout", "One moment more, please.")
    async with server(tmp_path) as (_, client):
        policy = {"speaking": {"reply_timeout_ms": 300}}
        model = {**ENGINES["model"], "options": {"replies": ["Late."], "first_token_ms": 60_000}}
        call = await call_of(client, sorry, policy=policy, model=model)
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await greeted(caller)
            caller.say()
            await hears(caller, "One moment more, please.")


async def test_what_is_not_carried_out_is_named(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        hooks = [
            say("session.created", "Hi."),
            say("call.ending", "Bye."),
            {"on": "assistant.speech.interrupted", "do": [{"type": "tool", "toolId": "no-such-tool"}]},
            say("customer.speech.interrupted", "Sorry.", filters=[{"type": "oneOf", "key": "x", "oneOf": ["y"]}]),
        ]
        call = await ask(client, assistant=assistant(*hooks))
        fields = [each["field"] for each in call["warnings"] if each["field"].startswith("hooks")]
        wrong = {"on": "call.ending", "do": [{"type": "say"}]}
        answer = await client.post("/call", json={"assistant": assistant(wrong), "transport": call["transport"]})
    assert fields == [
        "hooks.2.do.0.toolId",
        "hooks.0.on",
        "hooks.1.do.0.type",
        "hooks.2.do.0.toolId",
        "hooks.3.filters.0",
    ]
    assert answer.status_code == 400 and "exact or prompt" in str(answer.json()["message"])


async def test_an_assistant_file_s_hooks_on_a_telephone_call(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    file = tmp_path / "assistants" / "scripted.yaml"
    hooks = "hooks: [{ on: customer.speech.timeout, options: { timeoutSeconds: 1 }, do: [{ type: say, exact: 'Still there?' }] }]"
    file.write_text(f"{file.read_text()}{hooks}\n")
    async with running_server(settings) as (antiphon, _):
        await place_call(antiphon.settings.base_url, line(), agent_done_ms=3000)
    (log,) = settings.data_dir.rglob("*.jsonl")
    closed = [
        fields for entry in read_event_log(log).entries for name, fields in entry.actions if name == "ReplyClosed"
    ]
    assert "Still there?" in [fields["text"] for fields in closed]
