"""A number's hooks: what becomes of a call that rings before anybody is asked, and of one for which the application named nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from tests.databases import postgres_url
from tests.serving import CALLED, CALLER
from tests.surfaces.vapi.desk import Desk
from tests.surfaces.vapi.test_document_warnings import warnings
from tests.surfaces.vapi.test_handoffs import desk as assistant_called
from tests.surfaces.vapi.test_phone_calls import ACCOUNT, made, server
from tests.surfaces.vapi.test_ringing import ELSEWHERE, number_of, ring
from tests.webhooks.receiver import Receiver, receiving

from antiphon.calls.stores import DEFAULT_ORG, Resource
from antiphon.composition.process import Antiphon
from antiphon.errors import StoreUnavailable

CLOSED = {"type": "say", "exact": "We are closed <today> & tomorrow."}
SAID = "<Say>We are closed &lt;today&gt; &amp; tomorrow.</Say><Hangup />"
FORWARD = {"type": "transfer", "destination": ELSEWHERE}
DIALLED = "<Number>+15550100</Number>"
SIP = {"type": "transfer", "destination": {"type": "sip", "sipUri": "sip:desk@example.test"}}
FAILED, FORWARDED = "assistant-request-failed", "assistant-request-returned-forwarding-phone-number"


def ringing(*do: dict[str, Any], starts_with: list[str] | None = None) -> dict[str, Any]:
    filters = [{"type": "startsWith", "key": "number", "startsWith": starts_with}] if starts_with is not None else []
    return {"on": "call.ringing", "do": list(do), "filters": filters}


def ending(do: dict[str, Any], *reasons: str) -> dict[str, Any]:
    filters = [{"type": "oneOf", "key": "call.endedReason", "oneOf": list(reasons)}] if reasons else []
    return {"on": "call.ending", "do": do, "filters": filters}


async def rung(client: httpx.AsyncClient, number: dict[str, Any], **more: str) -> tuple[str, dict[str, Any]]:
    """What the carrier is told, and the call's record."""
    document = await ring(client, **more)
    (call, *_) = (await client.get("/call", params={"phoneNumberId": number["id"]})).json()
    return document, call


async def change(client: httpx.AsyncClient, number: dict[str, Any], **fields: Any) -> None:
    answer = await client.patch(f"/phone-number/{number['id']}", json={"provider": "twilio", **fields})
    assert answer.status_code == 200, answer.text


# -------------------------------------------------------------------------------------------------- a call rings

HERE, ELSE = CALLER.removeprefix("+")[:4], "99"
RINGING: list[tuple[list[dict[str, Any]], str, str]] = [
    ([ringing(CLOSED)], SAID, "say"),
    ([ringing(FORWARD)], DIALLED, "transfer"),
    ([ringing(SIP)], "<Sip>sip:desk@example.test</Sip>", "transfer"),
    ([ringing(CLOSED, FORWARD)], SAID, "say"),
    ([ringing(CLOSED, starts_with=[ELSE, HERE])], SAID, "say"),
    ([ringing(CLOSED, starts_with=[f"+{HERE}"])], SAID, "say"),
    ([ringing(CLOSED, starts_with=[ELSE]), ringing(FORWARD), ringing(CLOSED)], DIALLED, "transfer"),
    ([ringing(), ringing({"type": "transfer"}), ringing(CLOSED)], SAID, "say"),
    ([ringing(CLOSED, starts_with=[ELSE])], "", ""),
    ([ringing(CLOSED, starts_with=[])], "", ""),
    ([ending(CLOSED)], "", ""),
]
"""A number's hooks, what the carrier is told, and what was done; empty where the number's assistant takes the call."""


async def test_the_first_hook_that_matches_takes_a_call_that_rings_and_nobody_is_asked(tmp_path: Path) -> None:
    async with number_of(tmp_path, {"assistantId": "scripted"}) as (antiphon, client, receiver, number):
        for at, (hooks, heard, did) in enumerate(RINGING):
            await change(client, number, hooks=hooks)
            asked_before = sum(message["type"] == "assistant-request" for message in receiver.messages)
            document, call = await rung(client, number, CallSid=f"CA{at:032x}")
            asked = sum(message["type"] == "assistant-request" for message in receiver.messages) - asked_before
            assert (call["phoneCallProviderId"], call["customer"]) == (f"CA{at:032x}", {"number": CALLER})
            if not did:
                assert "<Stream" in document and asked == 1, hooks
                assert antiphon.api is not None and antiphon.api.live.planner.give_up(call["id"])
                continue
            assert heard in document and "<Stream" not in document and asked == 0, hooks
            assert (call["status"], call["endedReason"]) == ("ended", f"call.ringing.hook-executed-{did}")
            assert "assistantId" not in call and call["endedAt"]
            assert bool(call.get("destination")) == (did == "transfer")
        assert antiphon.manager.live == 0


async def test_a_transfer_says_its_message_and_the_record_says_where_to(tmp_path: Path) -> None:
    async with number_of(tmp_path, {}, hooks=[ringing(FORWARD)]) as (_, client, _receiver, number):
        document, call = await rung(client, number)
        assert "<Say>To a colleague.</Say><Dial" in document
        assert call["destination"] == {"type": "number", "number": "+15550100"}
        await change(client, number, hooks=[ringing(SIP)])
        _, call = await rung(client, number, CallSid="CA" + "b" * 32)
        assert call["destination"] == {"type": "sip", "sipUri": "sip:desk@example.test"}


async def test_an_assistant_that_the_url_or_the_number_names_does_not_keep_a_hook_from_its_call(tmp_path: Path) -> None:
    async with number_of(tmp_path, {}, hooks=[ringing(CLOSED)], assistantId="scripted") as (_, client, _r, number):
        document, call = await rung(client, number)
        assert SAID in document and call["phoneNumberId"] == number["id"]
        assert SAID in await ring(client, "/twilio/voice/scripted", CallSid="CA" + "c" * 32)


async def test_a_call_that_is_made_here_rings_nobody_s_hook(tmp_path: Path) -> None:
    """Its webhook names the number that was dialled, which may be one of ours."""
    async with number_of(tmp_path, {}, hooks=[ringing(CLOSED)], assistantId="scripted") as (_, client, _r, _number):
        assert "<Stream" in await ring(client, Direction="outbound-api")


async def test_a_hook_takes_its_call_without_a_record_where_the_database_cannot_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with number_of(tmp_path, {}, hooks=[ringing(CLOSED)]) as (antiphon, client, _receiver, number):
        assert antiphon.api is not None

        async def refuses(record: object) -> bool:
            raise StoreUnavailable("it sleeps")

        monkeypatch.setattr(antiphon.api.calls, "add", refuses)
        assert SAID in await ring(client)
        assert (await client.get("/call", params={"phoneNumberId": number["id"]})).json() == []


async def test_a_hook_that_was_kept_before_it_was_looked_at_is_passed_over(tmp_path: Path) -> None:
    async with number_of(tmp_path, {}, hooks=[ringing(FORWARD)]) as (antiphon, client, _receiver, number):
        assert antiphon.api is not None
        kept = await antiphon.api.resources.find("phone-number", DEFAULT_ORG, number["id"])
        assert kept is not None
        odd: list[Any] = [ringing({"type": "dance"}), "hook", ringing({"type": "say", "exact": ""}), {"on": "moon"}]
        nowhere = ringing({"type": "transfer", "destination": {"type": "number", "number": "nowhere"}})
        for hooks in ([*odd, nowhere, ringing(CLOSED)], {"on": "call.ringing"}):
            await _overwrite(antiphon, kept, hooks)
            document = await ring(client, CallSid=f"CA{len(hooks):032x}")
            assert (SAID in document) == isinstance(hooks, list), hooks


async def _overwrite(antiphon: Antiphon, kept: Resource, hooks: Any) -> None:
    assert antiphon.api is not None
    there = await antiphon.api.resources.find(kept.kind, kept.org_id, kept.id)
    assert there is not None
    assert await antiphon.api.resources.replace(
        replace(there, body={**there.body, "hooks": hooks}, version=there.version + 1)
    )


# -------------------------------------------------------------------------------------------------- nobody was named

NO_ANSWER = Response(b"no", 500)
ENDING: list[tuple[Any, list[dict[str, Any]], str, str]] = [
    (NO_ANSWER, [ending(CLOSED)], SAID, "call.ending.hook-executed-say"),
    (NO_ANSWER, [ending(FORWARD)], DIALLED, "call.ending.hook-executed-transfer"),
    (NO_ANSWER, [ending(CLOSED, FAILED)], SAID, "call.ending.hook-executed-say"),
    (NO_ANSWER, [ending(FORWARD, FORWARDED), ending(CLOSED)], SAID, "call.ending.hook-executed-say"),
    (NO_ANSWER, [ending(CLOSED, FORWARDED)], "<Number>+15550199</Number>", FAILED),
    (NO_ANSWER, [ending({"type": "transfer"})], "<Number>+15550199</Number>", FAILED),
    ({}, [ending(CLOSED, "assistant-request-returned-no-assistant")], SAID, "call.ending.hook-executed-say"),
    ({}, [], "<Number>+15550199</Number>", "assistant-request-returned-no-assistant"),
    ({"error": {"code": 7}}, [ending(CLOSED, "assistant-request-returned-unspeakable-error")], SAID, "call.ending.hook-executed-say"),
    ({"error": {"code": 7}}, [], "<Number>+15550199</Number>", "assistant-request-returned-unspeakable-error"),
    ({"error": "Shut."}, [ending(FORWARD, "assistant-request-returned-error")], DIALLED, "call.ending.hook-executed-transfer"),
    ({"error": "Shut."}, [ending(CLOSED, FAILED)], "<Say>Shut.</Say>", "assistant-request-returned-error"),
    ({"assistantId": "nobody"}, [ending(CLOSED)], SAID, "call.ending.hook-executed-say"),
    ({"destination": ELSEWHERE}, [ending(CLOSED)], DIALLED, FORWARDED),
    ({"destination": {**ELSEWHERE, "number": "nowhere"}}, [ending(CLOSED)], SAID, "call.ending.hook-executed-say"),
    ({"destination": ELSEWHERE}, [ending(CLOSED, FORWARDED)], SAID, "call.ending.hook-executed-say"),
]  # fmt: skip
"""What the application answers, the number's hooks, what the carrier is told, and why the call ended. (An application that names a
destination has not failed: only a hook that asks for this by name comes before it.)"""


async def test_a_hook_comes_before_the_fallback_destination_where_the_application_named_nobody(tmp_path: Path) -> None:
    answers: list[Any] = [None]
    fallback = {"type": "number", "number": "+15550199"}
    async with number_of(tmp_path, answers, fallbackDestination=fallback) as (antiphon, client, _receiver, number):
        for at, (answer, hooks, heard, reason) in enumerate(ENDING):
            answers[0] = answer
            await change(client, number, hooks=hooks)
            document, call = await rung(client, number, CallSid=f"CA{at:032x}")
            assert heard in document and "<Stream" not in document, (answer, hooks, document)
            assert (call["status"], call["endedReason"]) == ("ended", reason), (answer, hooks)
        assert antiphon.manager.live == 0


# -------------------------------------------------------------------------------------------------- who is told


async def report_of(receiver: Receiver, path: str = "/ask") -> dict[str, Any]:
    def came() -> list[dict[str, Any]]:
        return [
            each.json["message"]
            for each in receiver.received
            if each.path == path and each.json["message"]["type"] == "end-of-call-report"
        ]

    await receiver.until(lambda: bool(came()))
    (report,) = came()
    return report


@pytest.mark.parametrize("on", ["ringing", "ending", "neither"])
async def test_the_number_s_server_is_sent_the_report(tmp_path: Path, on: str) -> None:
    hooks = {"ringing": [ringing(FORWARD)], "ending": [ending(FORWARD)], "neither": []}[on]
    async with number_of(tmp_path, NO_ANSWER, hooks=hooks, fallbackDestination=ELSEWHERE) as (
        _,
        client,
        receiver,
        number,
    ):
        _, call = await rung(client, number)
        report = await report_of(receiver)
        reason = FAILED if on == "neither" else f"call.{on}.hook-executed-transfer"
        assert (report["endedReason"], report["call"]["endedReason"]) == (reason, reason)
        assert (report["call"]["id"], report["call"]["status"], report["assistant"]) == (call["id"], "ended", {})
        assert report["call"]["destination"] == {"type": "number", "number": "+15550100"}
        assert report["customer"] == {"number": CALLER}
        assert all(each.headers["x-vapi-secret"] == "s3cret" for each in receiver.received)


async def test_of_a_number_without_a_server_its_assistant_s_is(tmp_path: Path) -> None:
    async with receiving(Receiver()) as receiver, server(tmp_path) as (_, client):
        stored = await made(client, "/assistant", **assistant_called("Front", server={"url": f"{receiver.url}/theirs"}))
        number = await made(
            client, "/phone-number", provider="twilio", twilioAccountSid=ACCOUNT, number=CALLED,
            assistantId=stored["id"], hooks=[ringing(CLOSED)],
        )  # fmt: skip
        _, call = await rung(client, number)
        report = await report_of(receiver, "/theirs")
        assert (report["call"]["id"], report["assistant"]) == (call["id"], {}), "it had no part in the call"


async def test_the_same_call_told_to_two_processes_is_one_call(tmp_path: Path) -> None:
    """Twilio repeats a webhook that was answered late, and a balancer takes it elsewhere: the number and the call are in the database."""
    shared = {"database_url": postgres_url(), "token_secret": "x" * 32}
    first, second = tmp_path / "a", tmp_path / "b"
    async with number_of(first, {}, settings=shared, hooks=[ringing(CLOSED)]) as (_, client, receiver, number):
        (second / "data").mkdir(parents=True)
        copyfile(first / "data" / "secrets.key", second / "data" / "secrets.key")
        async with server(second, **shared) as (_, client_there):
            answers = await asyncio.gather(ring(client), ring(client_there))
            assert all(SAID in document for document in answers)
            (call,) = (await client_there.get("/call", params={"phoneNumberId": number["id"]})).json()
            assert call["endedReason"] == "call.ringing.hook-executed-say"
            assert (await report_of(receiver))["call"]["id"] == call["id"]


# -------------------------------------------------------------------------------------------------- what may be kept

NUMBER = {"provider": "vapi", "number": "+14155550100"}
REFUSED: list[tuple[Any, str]] = [
    ([ringing({"type": "dance"})], "hooks.0.do.0.type must be one of the following values: say, transfer"),
    ([{"on": "call.lost", "do": []}], "hooks.0.on must be one of the following values: call.ending, call.ringing"),
    ([ringing({"type": "say"})], "hooks.0.do.0.exact should not be empty"),
    ([ringing(CLOSED), ringing({"type": "say", "exact": ""})], "hooks.1.do.0.exact string should have at least 1 character"),
    ([ringing({"type": "say", "exact": "x" * 4001})], "hooks.0.do.0.exact must be shorter than or equal to 4000"),
    ([ringing(CLOSED, starts_with=["1"] * 21)], "hooks.0.filters.0.startsWith"),
    ([ringing(CLOSED, starts_with=["1" * 21])], "hooks.0.filters.0.startsWith.0 must be shorter than or equal to 20"),
    ([ringing(*[CLOSED] * 21)], "hooks.0.do"),
    ([ringing(CLOSED)] * 21, "hooks tuple should have at most 20"),
    ([ending(CLOSED, "customer-busy")], "hooks.0.filters.0.oneOf.0 must be one of the following values"),
    ([ending({"type": "say", "exact": ""})], "hooks.0.do.exact string should have at least 1 character"),
    ([ringing({"type": "transfer", "destination": {"type": "assistant", "assistantName": "A"}})],
     "hooks.0.do.0.destination.type must be one of the following values: number, sip"),
    ([ringing({"type": "transfer", "destination": {"type": "number", "number": "5550100"}})],
     "hooks.0.do.0.destination.number must be a valid phone number in the E.164 format"),
    ([ending({"type": "transfer", "destination": {"type": "number", "number": "5550100"}})],
     "hooks.0.do.destination.number must be a valid phone number in the E.164 format"),
    ([ringing({"type": "transfer", "destination": {"type": "number", "number": "front", "numberE164CheckEnabled": False}})],
     "hooks.0.do.0.destination.number must be a telephone number or a SIP URI that a carrier can call"),
    ([ringing({"type": "transfer", "destination": {"type": "sip", "sipUri": "https://a.test"}})],
     "hooks.0.do.0.destination.sipUri must be a telephone number or a SIP URI that a carrier can call"),
]  # fmt: skip


async def test_a_hook_that_can_never_be_carried_out_is_refused_with_its_field(quick_desk: Desk) -> None:
    number = await quick_desk.make("/phone-number", **NUMBER)
    for hooks, problem in REFUSED:
        posted = await quick_desk.client.post(
            "/phone-number", json={**NUMBER, "number": "+14155550101", "hooks": hooks}
        )
        patched = await quick_desk.client.patch(
            f"/phone-number/{number['id']}", json={"provider": "vapi", "hooks": hooks}
        )
        for answer in (posted, patched):
            assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request"), hooks
            assert any(line.startswith(problem) for line in answer.json()["message"]), (problem, answer.text)
    extension = {"type": "number", "number": "1234", "numberE164CheckEnabled": False}
    await quick_desk.make(
        "/phone-number", **{**NUMBER, "number": "+14155550102", "hooks": [ending({"type": "transfer", "destination": extension})]}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fallback", "problem"),
    [
        ({"type": "number", "number": "5550100"}, "fallbackDestination.number must be a valid phone number in the E.164"),
        ({"type": "number", "number": "front", "numberE164CheckEnabled": False}, "fallbackDestination.number must be a telephone"),
        ({"type": "sip", "sipUri": "https://a.test"}, "fallbackDestination.sipUri must be a telephone number or a SIP URI"),
    ],
)  # fmt: skip
async def test_nobody_can_be_called_elsewhere_who_cannot_be_called(
    quick_desk: Desk, fallback: dict[str, Any], problem: str
) -> None:
    answer = await quick_desk.client.post("/phone-number", json={**NUMBER, "fallbackDestination": fallback})
    assert (answer.status_code, answer.json()["message"][0].startswith(problem)) == (400, True), answer.text
    right = {"type": "number", "number": "1234", "numberE164CheckEnabled": False}
    await quick_desk.make("/phone-number", **NUMBER, fallbackDestination=right)


async def test_what_of_a_number_s_hooks_has_no_effect_is_named(quick_desk: Desk) -> None:
    desk = quick_desk
    number = await desk.make("/phone-number", **NUMBER)

    async def told(*hooks: dict[str, Any], **more: Any) -> dict[str, str]:
        body = {"provider": "vapi", "server": {"url": "https://a.test"}, "hooks": hooks, **more}
        lines = warnings(await desk.client.patch(f"/phone-number/{number['id']}", json=body))
        return dict(line.split(": ", 1) for line in lines)

    assert await told(ringing(CLOSED, starts_with=["1"]), ringing(FORWARD), ending(SIP, FAILED), ending(CLOSED)) == {}
    assert "first action" in (await told(ringing(CLOSED, FORWARD)))["hooks.0.do.1"]
    assert set(await told(ringing(), {"on": "call.ending"})) == {"hooks.0.do", "hooks.1.do"}
    nobody = {"type": "transfer"}
    assert set(await told(ringing(nobody), ending(nobody))) == {"hooks.0.do.0.destination", "hooks.1.do.destination"}
    plan = {"mode": "warm-transfer-say-message", "message": "A call."}
    fine = {**ELSEWHERE, "numberE164CheckEnabled": True, "callerId": "+15550199", "transferPlan": plan}
    assert set(await told(ending({"type": "transfer", "destination": fine}))) == {
        "hooks.0.do.destination.callerId",
        "hooks.0.do.destination.transferPlan.mode",
        "hooks.0.do.destination.transferPlan.message",
    }
    assert "no application" in (await told(ending(CLOSED), server=None))["hooks.0"]
    assistant = await desk.make("/assistant", name="A")
    assert "no application" in (await told(ending(CLOSED), assistantId=assistant["id"]))["hooks.0"]
