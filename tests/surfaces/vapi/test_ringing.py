"""A telephone rings: the number's squad takes it, or whoever the number's server names; or it goes elsewhere, and that is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from tests.api_caller import ended
from tests.serving import CALLED, CALLER, TOKEN, line, place_call
from tests.surfaces.vapi.test_handoffs import calls, desk, said
from tests.surfaces.vapi.test_phone_calls import ACCOUNT, CALL_SID, made, server
from tests.webhooks.receiver import Received, Receiver, receiving
from twilio.request_validator import RequestValidator

from antiphon.composition.process import Antiphon

ELSEWHERE = {"type": "number", "number": "+15550100", "message": "To a colleague."}


@asynccontextmanager
async def number_of(
    folder: Path, answer: Any, *, settings: dict[str, Any] | None = None, **number: Any
) -> AsyncIterator[tuple[Antiphon, httpx.AsyncClient, Receiver, dict[str, Any]]]:
    """A server with a number whose own server answers ``answer``, or the only item of a list."""

    async def answers(came: Received) -> Any:
        said = answer[0] if isinstance(answer, list) else answer
        return said if came.json["message"]["type"] == "assistant-request" else {}

    async with receiving(Receiver(answers)) as receiver, server(folder, **(settings or {})) as (antiphon, client):
        given = {"provider": "twilio", "twilioAccountSid": ACCOUNT, "number": CALLED, "name": "Sales"}
        hook = {"url": f"{receiver.url}/ask", "secret": "s3cret"}
        kept = await made(client, "/phone-number", **{**given, "server": hook, **number})
        yield antiphon, client, receiver, kept


async def ring(client: httpx.AsyncClient, path: str = "/twilio/voice", **more: str) -> str:
    """What Twilio is told to do with a call."""
    url = f"{client.base_url}{path}".replace("//twilio", "/twilio")
    form = {"AccountSid": ACCOUNT, "CallSid": CALL_SID, "From": CALLER, "To": CALLED, "CallStatus": "ringing",
            "Direction": "inbound", **more}  # fmt: skip
    signature = RequestValidator(TOKEN).compute_signature(url, form)
    answer = await client.post(path, data=form, headers={"x-twilio-signature": signature})
    assert answer.status_code == 200
    return answer.text


async def test_a_number_s_squad_takes_the_call_and_hands_it_on(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        members = [
            {"assistant": desk("Front", calls("handoff_to_Back"), first="Front desk."),
             "assistantDestinations": [{"type": "assistant", "assistantName": "Back", "message": ""}]},
            {"assistant": desk("Back", first="Back office.")},
        ]  # fmt: skip
        squad = await made(client, "/squad", name="Desk", members=members)
        await made(
            client, "/phone-number", provider="twilio", twilioAccountSid=ACCOUNT, number=CALLED, squadId=squad["id"]
        )
        await place_call(str(client.base_url), line())
        (call,) = (await client.get("/call", params={"squadId": squad["id"]})).json()
        record = await ended(client, call["id"])
    assert said(record) == [("Front", "Front desk."), ("Back", "Back office.")]


@pytest.mark.parametrize("named", ["assistantId", "assistant", "squad"])
async def test_the_number_s_server_says_who_takes_the_call(tmp_path: Path, named: str) -> None:
    answer: dict[str, Any] = {"assistantOverrides": {"variableValues": {"plan": "gold"}}}
    async with number_of(tmp_path, answer) as (_, client, receiver, number):
        greets = desk("Named", first="Hello {{ customer.number }} with {{ plan }}.")
        stored = await made(client, "/assistant", **greets)
        answer |= {
            "assistantId": {"assistantId": stored["id"]},
            "assistant": {"assistant": greets},
            "squad": {"squad": {"members": [{"assistantId": stored["id"]}]}},
        }[named]
        await place_call(str(client.base_url), line())
        call = (await client.get("/call", params={"phoneNumberId": number["id"]})).json()[0]
        record = await ended(client, call["id"])
    assert next(text for _, text in said(record)) == f"Hello {CALLER} with gold."
    (asked,) = (message for message in receiver.messages if message["type"] == "assistant-request")
    assert (asked["call"]["status"], asked["call"]["type"]) == ("ringing", "inboundPhoneCall")
    assert asked["call"]["id"] == call["id"] and asked["call"]["assistantId"] is None
    assert (asked["customer"], asked["phoneNumber"]["name"]) == ({"number": CALLER}, "Sales")
    came = next(each for each in receiver.received if each.path == "/ask")
    assert came.headers["x-vapi-secret"] == "s3cret" and b"s3cret" not in came.body


INVALID, FORWARDED = (
    "assistant-request-returned-invalid-assistant",
    "assistant-request-returned-forwarding-phone-number",
)
SORRY = "something went wrong"
TURNED_AWAY: list[tuple[Any, dict[str, Any], str, str]] = [
    ({"error": "We are closed."}, {}, "<Say>We are closed.</Say><Hangup />", "assistant-request-returned-error"),
    ({"destination": ELSEWHERE}, {}, "<Say>To a colleague.</Say><Dial", FORWARDED),
    ({"destination": {"type": "sip", "sipUri": "sip:a@b.test"}}, {}, "<Sip>sip:a@b.test</Sip>", FORWARDED),
    ({"destination": {"type": "number", "number": "nowhere"}}, {}, SORRY, FORWARDED),
    ({"assistantId": "nobody"}, {}, SORRY, INVALID),
    ({"squadId": "nobody"}, {}, SORRY, INVALID),
    ({"assistant": {"voice": {"provider": "nobody"}}}, ELSEWHERE, "<Number>+15550100</Number>", INVALID),
    ({"workflowId": "w"}, {}, SORRY, INVALID),
    (Response(b"no", 500), {}, SORRY, "assistant-request-failed"),
    (Response(b"no", 500), ELSEWHERE, "<Number>+15550100</Number>", "assistant-request-failed"),
]
"""What the number's server answers, where calls go that nobody takes, what Twilio is told, and why the call ended."""


async def test_a_call_that_no_assistant_takes_is_told_why_and_goes_elsewhere(tmp_path: Path) -> None:
    answers: list[Any] = [None]
    async with number_of(tmp_path, answers) as (antiphon, client, _, number):
        for at, (answer, fallback, heard, reason) in enumerate(TURNED_AWAY):
            answers[0] = answer
            changed = {"provider": "twilio", "fallbackDestination": fallback or None}
            assert (await client.patch(f"/phone-number/{number['id']}", json=changed)).status_code == 200
            document = await ring(client, CallSid=f"CA{at:032x}")
            assert heard in document and "<Stream" not in document, reason
            call = (await client.get("/call", params={"phoneNumberId": number["id"]})).json()[0]
            assert (call["status"], call["endedReason"], call["phoneCallProviderId"]) == (
                "ended",
                reason,
                f"CA{at:032x}",
            )
        assert antiphon.manager.live == 0 and antiphon.api is not None
        assert await antiphon.api.live.planner.remaining(call["orgId"]) == (400, 400), "no place is kept for them"


async def test_where_a_number_has_an_assistant_its_server_is_not_asked_who_takes_the_call(tmp_path: Path) -> None:
    async with number_of(tmp_path, {"error": "never asked"}, assistantId="scripted") as (_, client, receiver, _number):
        assert "<Stream" in await ring(client)
    assert "assistant-request" not in {message["type"] for message in receiver.messages}


async def test_a_transfer_that_nobody_takes_is_apologized_for(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        url = f"{client.base_url}/twilio/transferred".replace("//twilio", "/twilio")

        async def over(status: str) -> str:
            form = {"AccountSid": ACCOUNT, "CallSid": CALL_SID, "DialCallStatus": status}
            signature = RequestValidator(TOKEN).compute_signature(url, form)
            answer = await client.post("/twilio/transferred", data=form, headers={"x-twilio-signature": signature})
            return answer.text

        assert "nobody can take your call" in await over("no-answer")
        assert "<Say>" not in await over("completed")
        refused = await client.post("/twilio/transferred", data={"CallSid": CALL_SID})
        assert refused.status_code == 403


async def test_statuses_and_the_report_of_a_dialled_call_that_nobody_takes(tmp_path: Path) -> None:
    from tests.listening import listening
    from tests.surfaces.vapi.test_phone_calls import RestApi

    api = RestApi()
    async with (
        listening(api.connected) as port,
        receiving(Receiver()) as receiver,
        server(tmp_path, f"http://127.0.0.1:{port}") as (_, client),
    ):
        assistant = desk("Out", server={"url": receiver.url}, serverMessages=["status-update", "end-of-call-report"])
        await made(client, "/call", assistant=assistant, phoneNumber={"number": CALLED}, customer={"number": CALLER})
        url = f"{client.base_url}/twilio/call-status".replace("//twilio", "/twilio")
        for news in ("ringing", "busy"):
            form = {"AccountSid": ACCOUNT, "CallSid": CALL_SID, "CallStatus": news}
            signature = RequestValidator(TOKEN).compute_signature(url, form)
            await client.post("/twilio/call-status", data=form, headers={"x-twilio-signature": signature})
        await receiver.wait_for(4)
    *statuses, report = receiver.messages
    told = [(message["status"], message.get("endedReason")) for message in statuses]
    assert told == [("queued", None), ("ringing", None), ("ended", "customer-busy")]
    assert [message["call"]["status"] for message in statuses] == ["queued", "ringing", "ended"]
    assert (report["type"], report["endedReason"], report["call"]["status"]) == (
        "end-of-call-report", "customer-busy", "ended",
    )  # fmt: skip
    assert (report["messages"], report["customer"]["number"]) == ([], CALLER)


async def test_what_was_said_goes_along_with_a_transfer(tmp_path: Path) -> None:
    from tests.listening import listening
    from tests.surfaces.vapi.test_phone_calls import RestApi

    api = RestApi()
    async with (
        listening(api.connected) as port,
        receiving(Receiver()) as receiver,
        server(tmp_path, f"http://127.0.0.1:{port}") as (_, client),
    ):
        tool = {"type": "transferCall", "destinations": [{"type": "number", "number": "+15550100", "message": "Bye."}]}
        assistant = desk(
            "In", calls("transferCall"), first="Hello.", model={"tools": [tool]}, server={"url": receiver.url},
            serverMessages=["status-update"],
        )  # fmt: skip
        stored = await made(client, "/assistant", **assistant)
        await made(
            client,
            "/phone-number",
            provider="twilio",
            twilioAccountSid=ACCOUNT,
            number=CALLED,
            assistantId=stored["id"],
        )
        await place_call(str(client.base_url), line())
        await receiver.until(lambda: any(message.get("status") == "ended" for message in receiver.messages))
    assert [message["status"] for message in receiver.messages] == ["ringing", "in-progress", "forwarding", "ended"]
    forwarded = receiver.messages[2]
    assert forwarded["destination"] == {"type": "number", "number": "+15550100"}
    assert [each["role"] for each in forwarded["messages"]][:3] == ["system", "bot", "user"]
    (update,) = (dial for dial in api.dials if "Twiml" in dial)
    assert "/twilio/transferred" in update["Twiml"]
