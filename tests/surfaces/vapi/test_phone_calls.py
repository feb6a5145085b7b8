"""Telephone calls of the REST API: whose number was called, who is dialled, and what is kept of it. The carrier is played by the simulated
caller (webhooks and media) and by a small REST server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import orjson
import pytest
from tests.api_caller import ended
from tests.databases import postgres_url
from tests.listening import listening
from tests.serving import CALLED, CALLER, GREETING, TOKEN, line, place_call, running_server, settings_for
from tests.surfaces.vapi.test_calls import ENGINES
from twilio.request_validator import RequestValidator

from antiphon.composition.process import Antiphon
from antiphon.config import Twilio
from antiphon.errors import StoreUnavailable, ValueRefused

ACCOUNT = "AC" + "0" * 32
CALL_SID = "CA" + "a" * 32


class RestApi:
    """Twilio's ``Calls`` resource: takes dials, or refuses them with ``status``."""

    def __init__(self) -> None:
        self.dials: list[dict[str, str]] = []
        self.status = 201

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"content-length: (\d+)", head.lower())
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.dials.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
                content = orjson.dumps({"sid": CALL_SID, "code": 21211, "message": "no"})
                writer.write(
                    b"HTTP/1.1 %d x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                    % (self.status, len(content), content)
                )


@asynccontextmanager
async def server(
    folder: Path, rest_url: str = "", **settings: Any
) -> AsyncIterator[tuple[Antiphon, httpx.AsyncClient]]:
    account = {"account_sid": ACCOUNT, "rest_base_url": rest_url} if rest_url else {}
    twilio = Twilio(auth_token=TOKEN, **account)  # type: ignore[arg-type]
    async with running_server(settings_for(folder, open_api=True, twilio=twilio, **settings)) as running:
        yield running


@pytest.fixture
async def rest() -> AsyncIterator[tuple[RestApi, str]]:
    api = RestApi()
    async with listening(api.connected) as port:
        yield api, f"http://127.0.0.1:{port}"


async def made(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    resource: dict[str, Any] = answer.json()
    return resource


async def test_the_assistant_of_the_number_that_was_called_answers(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        greeting = "Hello {{ customer.number }}, this is {{ phoneNumber.name }}."
        assistant = await made(client, "/assistant", **ENGINES, name="Stored", firstMessage=greeting)
        number = await made(
            client,
            "/phone-number",
            provider="twilio",
            twilioAccountSid=ACCOUNT,
            number=CALLED,
            name="Sales",
            assistantId=assistant["id"],
        )
        report = await place_call(str(client.base_url), line())
        assert report.turns
        call = (await client.get("/call", params={"phoneNumberId": number["id"]})).json()[0]
        record = await ended(client, call["id"])
    assert (record["type"], record["assistantId"], record["customer"]) == (
        "inboundPhoneCall", assistant["id"], {"number": CALLER},
    )  # fmt: skip
    assert record["endedReason"] == "customer-ended-call" and record["phoneCallProviderId"].startswith("CA")
    said = [(each["role"], each["message"]) for each in record["messages"]]
    assert said[1] == ("bot", f"Hello {CALLER}, this is Sales.")
    assert ("user", "what is the price of marmalade") in said


async def test_a_call_to_no_stored_number_is_the_default_assistant_s_and_recorded_too(tmp_path: Path) -> None:
    async with server(tmp_path) as (_, client):
        await place_call(str(client.base_url), line())
        call = (await client.get("/call")).json()[0]
        record = await ended(client, call["id"])
    assert (record["assistantId"], record["messages"][0]["message"]) == ("scripted", GREETING)


@pytest.mark.parametrize(
    "fault", [StoreUnavailable("the database does not answer"), ValueRefused("too long")], ids=repr
)
async def test_a_telephone_is_answered_though_the_database_keeps_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    async with server(tmp_path) as (antiphon, client):
        assert antiphon.api is not None

        async def gone(*_: object, **__: object) -> Any:
            raise fault

        monkeypatch.setattr(antiphon.api.resources, "find_by", gone)
        report = await place_call(str(client.base_url), line())
        assert report.turns
        monkeypatch.undo()
        assert (await client.get("/call")).json() == []


async def test_an_outbound_call_rings_and_is_led_by_the_assistant_it_brought(
    tmp_path: Path, rest: tuple[RestApi, str]
) -> None:
    api, rest_url = rest
    async with server(tmp_path, rest_url) as (_, client):
        number = await made(client, "/phone-number", provider="twilio", twilioAccountSid=ACCOUNT, number=CALLED)
        assistant = {**ENGINES, "firstMessage": "Hello {{ customer.name }}.",
                     "voicemailDetection": {"provider": "twilio"}}  # fmt: skip
        call = await made(
            client, "/call", assistant=assistant, phoneNumberId=number["id"], customer={"number": CALLER, "name": "Ada"}
        )
        assert (call["type"], call["status"], call["phoneCallProviderId"]) == ("outboundPhoneCall", "queued", CALL_SID)
        dial = api.dials[0]
        assert (dial["To"], dial["From"], dial["MachineDetection"]) == (CALLER, CALLED, "Enable")
        assert f"call_id={call['id']}" in dial["Url"]
        await place_call(str(client.base_url), line(), webhook_url=dial["Url"])
        record = await ended(client, call["id"])
    assert next(each["message"] for each in record["messages"] if each["role"] == "bot") == "Hello Ada."
    assert record["phoneNumberId"] == number["id"] and record["customer"]["name"] == "Ada"


@pytest.mark.parametrize(
    ("status", "reason"),
    [("busy", "customer-busy"), ("no-answer", "customer-did-not-answer"), ("canceled", "manually-canceled")],
)
async def test_a_call_that_nobody_takes_ends_with_the_carrier_s_reason(
    tmp_path: Path, rest: tuple[RestApi, str], status: str, reason: str
) -> None:
    async with server(tmp_path, rest[1]) as (antiphon, client):
        call = await made(
            client, "/call", assistantId="scripted", phoneNumber={"number": CALLED}, customer={"number": CALLER}
        )
        url = f"{client.base_url}/twilio/call-status".replace("//twilio", "/twilio")
        for news in ("ringing", status):
            form = {"AccountSid": ACCOUNT, "CallSid": CALL_SID, "CallStatus": news}
            signature = RequestValidator(TOKEN).compute_signature(url, form)
            answer = await client.post("/twilio/call-status", data=form, headers={"x-twilio-signature": signature})
            assert answer.status_code == 204
            assert antiphon.api is not None
            await antiphon.api.live.writer.written()
            shown = (await client.get(f"/call/{call['id']}")).json()
            assert shown["status"] == ("ringing" if news == "ringing" else "ended")
    assert shown["endedReason"] == reason


async def test_many_customers_are_dialled_and_each_refusal_is_named(tmp_path: Path, rest: tuple[RestApi, str]) -> None:
    api, rest_url = rest
    async with server(tmp_path, rest_url) as (_, client):
        customers = [{"number": "+14155550100"}, {"name": "nobody"}, {"number": "+14155550101"}]
        batch = await made(client, "/call", assistantId="scripted", phoneNumber={"number": CALLED}, customers=customers)
        assert [each["customer"]["number"] for each in batch["results"]] == ["+14155550100", "+14155550101"]
        assert batch["errors"] == [{"customer": {"name": "nobody"}, "error": "customer.number must be a string"}]
        assert batch["subscriptionLimits"]["remainingConcurrentCalls"] == 398
        api.status = 400
        refused = await client.post(
            "/call", json={"assistantId": "scripted", "phoneNumber": {"number": CALLED}, "customer": {"number": "+100"}}
        )
        assert (refused.status_code, refused.json()["statusCode"]) == (400, 400)
        assert "could not be dialled" in refused.json()["message"]
        failed = (await client.get("/call", params={"limit": 1})).json()[0]
        assert (await ended(client, failed["id"]))["endedReason"] == "call.start.error-get-transport"


async def test_customers_are_dialled_once_however_often_a_named_request_is_sent(
    tmp_path: Path, rest: tuple[RestApi, str]
) -> None:
    api, rest_url = rest
    async with server(tmp_path, rest_url) as (_, client):
        customers = [{"number": "+14155550100"}, {"number": "+14155550101"}]
        body = {"assistantId": "scripted", "phoneNumber": {"number": CALLED}, "customers": customers}
        answers = [await client.post("/call", json=body, headers={"Idempotency-Key": "spring"}) for _ in range(2)]
        ids = [[each["id"] for each in answer.json()["results"]] for answer in answers]
        assert ids[0] == ids[1] and len(set(ids[0])) == 2
        assert [dial["To"] for dial in api.dials] == ["+14155550100", "+14155550101"]


@pytest.mark.parametrize(
    "number",
    ["4155550100", "+1 (415) 555-0100", "+0155550100", "tel:+14155550100", "+1４155550100", "+14155550100123456"],
)
async def test_a_number_that_no_carrier_takes_is_refused(
    tmp_path: Path, rest: tuple[RestApi, str], number: str
) -> None:
    api, rest_url = rest
    async with server(tmp_path, rest_url) as (_, client):
        body = {"assistantId": "scripted", "phoneNumber": {"number": CALLED}, "customer": {"number": number}}
        refused = await client.post("/call", json=body)
        assert refused.status_code == 400
        assert "customer.number must be a valid phone number in the E.164 format" in refused.json()["message"][0]
        batch = await made(
            client, "/call", **{**body, "customer": None}, customers=[{"number": number}, {"number": CALLER}]
        )
        assert (len(batch["results"]), len(batch["errors"])) == (1, 1)
        unchecked = {**body, "customer": {"number": number, "numberE164CheckEnabled": False}}
        call = await made(client, "/call", **unchecked)
        assert call["warnings"] == [], "it is honoured"
        stored = await client.post("/phone-number", json={"provider": "vapi", "number": number})
        assert "number must be a valid phone number in the E.164 format" in stored.json()["message"][0]
        extension = {
            "provider": "byo-phone-number",
            "credentialId": "c",
            "number": number,
            "numberE164CheckEnabled": False,
        }
        assert (await client.post("/phone-number", json=extension)).status_code == 201
    assert [dial["To"] for dial in api.dials] == [CALLER, number]


@pytest.mark.parametrize("number_id", [7, True, ["x"], {}])
async def test_a_number_s_id_is_a_text_or_is_refused(tmp_path: Path, rest: tuple[RestApi, str], number_id: Any) -> None:
    """Databases take what is none for a fault of theirs, and clients would ask again."""
    api, url = rest
    async with server(tmp_path, url, database_url=postgres_url()) as (_, client):
        body = {"assistantId": "scripted", "phoneNumber": {"number": CALLED}, "phoneNumberId": number_id}
        for customers in ({"customer": {"number": CALLER}}, {"customers": [{"number": CALLER}]}):
            answer = await client.post("/call", json={**body, **customers})
            assert (answer.status_code, answer.json()["message"]) == (400, ["phoneNumberId must be a string"])
    assert api.dials == []
