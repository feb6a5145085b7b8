"""Squads in conversations in text: who answers, what that one is shown, and that it goes on so; and evaluations of squads. The model is a
vendor's, on a real socket, that refuses a history in which a tool's call has no answer."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from tests.providers.fakes.http_server import KEY, MODEL, Call, Reply
from tests.providers.fakes.openai_chat import FakeOpenAiChat
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_chat import ask, events
from tests.surfaces.vapi.test_evals import ended, judge

from antiphon.config import Vendor


@dataclass
class Desk:
    client: httpx.AsyncClient
    vendor: FakeOpenAiChat

    def answers(self, *replies: str | Call) -> None:
        """What the model says next; a tool call for a ``Call``."""
        self.vendor.replies = deque(
            Reply(calls=(reply,)) if isinstance(reply, Call) else Reply((reply,)) for reply in replies
        )
        self.vendor.requests.clear()

    def shown(self, at: int = -1) -> list[tuple[str, str]]:
        """To the model, in one of the requests."""
        messages = self.vendor.requests[at].body["messages"]
        return [(message["role"], message.get("content") or "") for message in messages]


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    authority, served = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    authority.issue_cert("127.0.0.1").configure_cert(served)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    vendor = FakeOpenAiChat()
    url = await vendor.start(served)
    settings = settings_for(tmp_path, open_api=True, vendors={"openai": Vendor(api_key=KEY, base_url=url)})  # type: ignore[arg-type]  # a secret
    async with running_server(settings) as (_, client):
        client.timeout = httpx.Timeout(60)
        yield Desk(client, vendor)
    await vendor.close()
    assert not vendor.refused


def member(name: str, *destinations: dict[str, Any], prompt: str = "", **overrides: Any) -> dict[str, Any]:
    system = {"role": "system", "content": prompt or f"You are {name}."}
    model = {"provider": "openai-chat", "model": MODEL, "messages": [system]}
    return {
        "assistant": {"name": name, "model": model},
        "assistantDestinations": list(destinations),
        **({"assistantOverrides": overrides} if overrides else {}),
    }


def to(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "assistant", "assistantName": name, **more}


def handoff(name: str, **arguments: Any) -> Call:
    return Call(f"handoff_to_{name}", arguments, f"call_{name}")


def squad(*members: dict[str, Any]) -> dict[str, Any]:
    return {"name": "Desk", "members": list(members)}


def told(chat: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in chat["output"]]


@pytest.mark.parametrize("stored", [True, False])
async def test_a_member_hands_the_conversation_to_another_who_goes_on(desk: Desk, stored: bool) -> None:
    document = squad(member("Front", to("Bills")), member("Bills", prompt="Bill {{ who }} as {{ plan }}."))
    who: dict[str, Any] = {"squad": document}
    if stored:
        who = {"squadId": (await desk.client.post("/squad", json=document)).json()["id"]}
    desk.answers(handoff("Bills", plan="gold"), "Bills here.", "Still Bills.", "Always Bills.")
    overrides = {"variableValues": {"who": "Zoë"}}
    first = await ask(desk.client, **who, input="My bill?", assistantOverrides=overrides)
    assert told(first) == [("assistant", ""), ("tool", "Handed over to Bills."), ("assistant", "Bills here.")]
    assert {name: first.get(name) for name in ("squad", "squadId")} == {"squad": None, "squadId": None} | who
    assert desk.shown(0)[0] == ("system", "You are Front.")
    assert desk.shown(1) == [
        ("system", "Bill Zoë as gold."), ("user", "My bill?"), ("assistant", ""), ("tool", "Handed over to Bills.")
    ]  # fmt: skip
    assert "tools" not in desk.vendor.requests[1].body
    second = await ask(desk.client, previousChatId=first["id"], input="And now?")
    assert told(second) == [("assistant", "Still Bills.")]
    assert desk.shown()[0] == ("system", "Bill Zoë as gold.")
    assert [content for _, content in desk.shown()[-2:]] == ["Bills here.", "And now?"]
    assert [message["content"] for message in second["messages"]] == [
        "My bill?",
        "",
        "Handed over to Bills.",
        "Bills here.",
    ]
    third = await ask(desk.client, previousChatId=second["id"], input="And then?")
    assert (told(third), desk.shown()[0]) == ([("assistant", "Always Bills.")], ("system", "Bill Zoë as gold."))
    desk.answers("Front again.")
    other = await ask(
        desk.client, previousChatId=third["id"], **({"squadId": who["squadId"]} if stored else {}), input="x"
    )
    assert (desk.shown()[0][1] == "You are Front.") is stored, other


async def test_a_session_of_a_squad_stays_with_whom_it_was_handed_to(desk: Desk) -> None:
    bills = to("Bills", contextEngineeringPlan={"type": "none"})
    document = squad(member("Front", bills), member("Bills", to("Front", contextEngineeringPlan={"type": "all"})))
    overrides = {"model": {"temperature": 0.3}}
    session = await ask(desk.client, "/session", squad=document, assistantOverrides=overrides)
    desk.answers("Front here.", handoff("Bills"), "Bills here.", "Still Bills.")
    for text in ("one", "two", "three"):
        await ask(desk.client, sessionId=session["id"], input=text)
    assert desk.shown(2) == [("system", "You are Bills.")]
    assert desk.shown() == [("system", "You are Bills."), ("assistant", "Bills here."), ("user", "three")]
    assert {request.body["temperature"] for request in desk.vendor.requests} == {0.3}
    said = (await desk.client.get(f"/session/{session['id']}")).json()["messages"]
    assert [message["content"] for message in said] == [
        "one", "Front here.", "two", "", "Handed over to Bills.", "Bills here.", "three", "Still Bills."
    ]  # fmt: skip
    desk.answers(handoff("Front"), "Front once more.")
    back = await ask(desk.client, sessionId=session["id"], input="four")
    assert told(back)[-1] == ("assistant", "Front once more.")
    assert [content for _, content in desk.shown()] == [
        "You are Front.", "Bills here.", "three", "Still Bills.", "four", "", "Handed over to Front."
    ]  # fmt: skip


async def test_a_session_that_is_over_has_what_its_last_assistant_wants_read_out_of_it(desk: Desk) -> None:
    async def output(name: str, kind: str) -> str:
        document = {"name": name, "type": "ai", "schema": {"type": kind}}
        made = await ask(desk.client, "/structured-output", **document)
        return str(made["id"])

    not_asked, bill, broken = [
        await output(*each) for each in (("front", "string"), ("bill", "number"), ("bad", "number"))
    ]
    pattern = {"name": "greeting", "type": "regex", "regex": "Bills \\w+", "schema": {"type": "string"}}
    plan = {"structuredOutputIds": [bill, broken, "nowhere"], "structuredOutputs": [pattern]}
    front = member("Front", to("Bills"), artifactPlan={"structuredOutputIds": [not_asked]})
    session = await ask(desk.client, "/session", squad=squad(front, member("Bills", artifactPlan=plan)))
    path = f"/session/{session['id']}"
    desk.answers(handoff("Bills"), "Bills here: 12.")
    await ask(desk.client, sessionId=session["id"], input="My bill?")
    assert "artifact" not in (await desk.client.get(path)).json()
    desk.answers("12", "no number", "none either")
    over = (await desk.client.patch(path, json={"status": "completed"})).json()
    outputs = over["artifact"]["structuredOutputs"]
    (written,) = set(outputs) - {bill, broken}
    assert outputs[written] == {"name": "greeting", "result": "Bills here"}
    # Two are read at once, and the model's answers come in whatever order they are asked for.
    (read,) = set(outputs) - {written}
    assert outputs[read] == {"name": "bill" if read == bill else "bad", "result": 12}
    (failed,) = {bill, broken} - {read}
    why = over["artifact"]["analysisSkipped"]
    assert set(why) == {f"structuredOutput:{id}" for id in (failed, "nowhere")}
    assert "cannot be used" in why[f"structuredOutput:{failed}"] and "no such" in why["structuredOutput:nowhere"]
    assert all("My bill?" in shown[-1][1] for shown in [desk.shown(0)]), "what was said to Front, too"
    asked = len(desk.vendor.requests)
    for _ in range(2):
        again = (await desk.client.patch(path, json={"status": "completed", "name": "n"})).json()
        assert (again["artifact"], again["name"], len(desk.vendor.requests)) == (over["artifact"], "n", asked)
    assert (await desk.client.get(path)).json()["artifact"] == over["artifact"]
    assert "artifact" not in (await desk.client.patch(path, json={"status": "active"})).json(), "it goes on"


async def test_outputs_that_name_an_assistant_are_read_out_of_its_sessions(desk: Desk) -> None:
    """Where their conditions hold. A session in text has no duration, which stops nothing, and no ended reason, which is none of any."""
    stored = await ask(desk.client, "/assistant", **member("Lone")["assistant"])
    pattern = {
        "name": "who",
        "type": "regex",
        "regex": "Lone",
        "schema": {"type": "string"},
        "assistantIds": [stored["id"]],
    }
    told = {"type": "endedReason", "operator": "oneOf", "values": ["customer-ended-call"]}
    conditions: list[list[dict[str, Any]]] = [
        [{"type": "minCallDuration", "seconds": 60}, {"type": "minMessages", "count": 2}],
        [{"type": "minMessages", "count": 3}],
        [told],
        [{**told, "operator": "notOneOf"}],
    ]
    ids = [(await ask(desk.client, "/structured-output", **pattern, conditions=each))["id"] for each in conditions]
    await ask(desk.client, "/structured-output", **{**pattern, "assistantIds": ["another"]})
    session = await ask(desk.client, "/session", assistantId=stored["id"])
    desk.answers("Lone here.")
    await ask(desk.client, sessionId=session["id"], input="Who?")
    over = (await desk.client.patch(f"/session/{session['id']}", json={"status": "completed"})).json()["artifact"]
    assert set(over["structuredOutputs"]) == {ids[0], ids[3]}
    assert over["structuredOutputs"][ids[0]] == {"name": "who", "result": "Lone"}
    assert "3 messages" in over["analysisSkipped"][f"structuredOutput:{ids[1]}"]
    assert "ended reason" in over["analysisSkipped"][f"structuredOutput:{ids[2]}"]


async def test_a_session_whose_assistant_is_gone_can_be_ended(desk: Desk) -> None:
    plan = {"structuredOutputs": [{"name": "x", "schema": {"type": "string"}}]}
    document = {**member("Lone")["assistant"], "artifactPlan": plan}
    stored = await ask(desk.client, "/assistant", **document)
    session = await ask(desk.client, "/session", assistantId=stored["id"])
    assert (await desk.client.delete(f"/assistant/{stored['id']}")).status_code == 200
    over = await desk.client.patch(f"/session/{session['id']}", json={"status": "completed"})
    assert (over.status_code, over.json()["status"]) == (200, "completed") and "artifact" not in over.json()


async def test_a_transfer_that_rolls_on_keeps_the_instructions_so_far(desk: Desk) -> None:
    document = squad(member("Front", to("Bills", transferMode="rolling-history")), member("Bills"))
    desk.answers(handoff("Bills"), "Bills here.", "Still Bills.")
    chat = await ask(desk.client, squad=document, input="one")
    assert [content for role, content in desk.shown() if role == "system"] == ["You are Front.", "You are Bills."]
    await ask(desk.client, previousChatId=chat["id"], input="two")
    assert [content for role, content in desk.shown() if role == "system"] == ["You are Front.", "You are Bills."]
    assert desk.shown()[-1] == ("user", "two")


async def test_nobody_takes_over_where_the_next_one_cannot(desk: Desk) -> None:
    desk.answers(handoff("gone"), "I stay.")
    destination = {"type": "assistant", "assistantId": "gone"}
    chat = await ask(desk.client, squad=squad(member("Front", destination)), input="one")
    assert told(chat)[1][1].startswith("The conversation stays here, it could not be handed over")
    assert (told(chat)[2], desk.shown()[0]) == (("assistant", "I stay."), ("system", "You are Front."))


async def test_an_assistant_with_a_handoff_tool_hands_over_without_a_squad_and_in_a_stream(desk: Desk) -> None:
    bills = (await desk.client.post("/assistant", json=member("Bills")["assistant"])).json()
    destination = {"type": "assistant", "assistantId": bills["id"], "description": "bills"}
    front = member("Front")["assistant"]
    tool = {"type": "handoff", "function": {"name": "pass_on"}, "destinations": [destination]}
    front["model"]["tools"] = [tool]
    desk.answers(Call("pass_on", {}), "Bills here.")
    pieces = await events(desk.client, "/chat", assistant=front, input="one", stream=True)
    assert [(piece["path"], piece["delta"]) for piece in pieces] == [("chat.output[2].content", "Bills here.")]
    assert desk.shown()[0] == ("system", "You are Bills.")


async def test_whoever_is_handed_a_conversation_is_kept_with_his_secrets_sealed(desk: Desk, tmp_path: Path) -> None:
    bills = member("Bills")
    bills["assistant"]["server"] = {"url": "https://bills.test", "secret": "kept-to-itself"}
    desk.answers(handoff("Bills"), "Bills here.")
    chat = await ask(desk.client, squad=squad(member("Front", to("Bills")), bills), input="one")
    shown = (await desk.client.get(f"/chat/{chat['id']}")).json()
    assert "kept-to-itself" not in str(shown) and not [name for name in shown if name.startswith("_")]
    written = [path.read_bytes() for path in tmp_path.rglob("antiphon.db*")]  # noqa: ASYNC240  # nothing else waits
    assert written and not [content for content in written if b"kept-to-itself" in content]


# ---------------------------------------------------------------------------------------------- evaluations

MESSAGES = [{"role": "user", "content": "My bill?"}, judge("exact", "", toolCalls=[{"name": "handoff_to_Bills"}])]


async def run_of(desk: Desk, *messages: dict[str, Any], status: int = 201, **target: Any) -> dict[str, Any]:
    body = {"type": "eval", "eval": {"type": "chat.mockConversation", "messages": list(messages)}}
    started = await desk.client.post("/eval/run", json={**body, "target": {"type": "squad", **target}})
    assert started.status_code == status, started.text
    told: dict[str, Any] = started.json()
    return await ended(desk.client, told["id"]) if status == 201 else told


@pytest.mark.parametrize("mocked", [True, False])
async def test_a_squad_is_evaluated_across_its_handoff(desk: Desk, mocked: bool) -> None:
    document = squad(member("Front", to("Bills")), member("Bills", prompt="Bill {{ who }}."))
    desk.answers(handoff("Bills"), "Bills here.")
    answer = [{"role": "tool", "content": "Done."}] if mocked else []
    run = await run_of(
        desk, *MESSAGES, *answer, judge("exact", "Bills here."), squad=document,
        assistantOverrides={"variableValues": {"who": "Zoë"}},
    )  # fmt: skip
    assert (run["endedReason"], run["results"][0]["status"]) == ("mockConversation.done", "pass"), run
    tool = ("tool", "Done." if mocked else "Handed over to Bills.")
    assert desk.shown() == [("system", "Bill Zoë."), ("user", "My bill?"), ("assistant", ""), tool]


async def test_an_eval_is_told_of_a_handoff_that_fails(desk: Desk) -> None:
    document = squad(member("Front", to("Lost")), member("Bills"))
    desk.answers(Call("handoff_to_Lost", {}), "I stay.")
    lost = [
        MESSAGES[0],
        judge("exact", "", toolCalls=[{"name": "handoff_to_Lost"}]),
        {"role": "tool", "content": "Done."},
    ]
    run = await run_of(desk, *lost, judge("exact", "Bills here."), squad=document)
    assert run["results"][0]["status"] == "fail"
    assert "there is no member Lost" in run["results"][0]["messages"][2]["content"]
    assert desk.shown()[0] == ("system", "You are Front.")


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({}, "target: exactly one of squadId and squad must be provided"),
        ({"squadId": "x", "squad": squad(member("A"))}, "target: exactly one of squadId and squad must be provided"),
        ({"squadId": "none"}, "target.squad: squadId: there is no squad none"),
        ({"squadId": 7}, "target.squadId must be a string"),
        ({"squad": {"members": "x"}}, "target.squad.members must be an array"),
    ],
)
async def test_a_squad_that_makes_no_sense_is_not_evaluated(desk: Desk, target: dict[str, Any], problem: str) -> None:
    refused = await run_of(desk, *MESSAGES, status=400, **target)
    assert problem in str(refused["message"])
