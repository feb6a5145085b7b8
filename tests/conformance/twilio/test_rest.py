"""Row 25: the REST side of a live call, and what Twilio tells later. (tests/carriers/twilio/test_control.py has the details.)"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.conformance.twilio.phone import AUTH_TOKEN, Phone
from tests.conformance.twilio.server import Server, actions, serve_here
from tests.listening import listening
from twilio.request_validator import RequestValidator

from antiphon.answering_machine import detection_of
from antiphon.carriers.base import OutboundCall
from antiphon.config import Twilio
from antiphon.errors import ProviderError
from antiphon.ids import new_call_id

Tell = Callable[[str], Awaitable[tuple[int, str]]]
ACCOUNT = "AC" + "0" * 32
OPERATOR = {"says": "One moment, I will put you through.", "transfer_to": "+15550100099"}


class RestApi:
    """Twilio's ``Calls`` resource, as far as a live call needs it. ``statuses`` are answered in turn, then 200."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.statuses: list[int] = []

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if b": " in line)
                body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
                self.forms.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
                status = self.statuses.pop(0) if self.statuses else 200
                content = json.dumps(
                    {"sid": "CA", "code": 20404 if status == 404 else status, "message": "no"}
                ).encode()
                writer.write(
                    b"HTTP/1.1 %d x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                    % (status, len(content))
                )
                writer.write(content)


@pytest.fixture
async def rest() -> AsyncIterator[tuple[RestApi, str]]:
    api = RestApi()
    async with listening(api.connected) as port:
        yield api, f"http://127.0.0.1:{port}"


@asynccontextmanager
async def serve_account(folder: Path, rest_url: str) -> AsyncIterator[Server]:
    account = Twilio(auth_token=SecretStr(AUTH_TOKEN), account_sid=ACCOUNT, rest_base_url=rest_url)
    async with serve_here(folder, twilio=account) as server:
        yield server


async def post(server: Server, path: str, **fields: str) -> tuple[int, str]:
    """A callback, signed. ``path`` may be the whole URL that Twilio was given."""
    url = server.url + path.removeprefix(server.url)
    form = {"AccountSid": ACCOUNT, "CallSid": "CA" + "1" * 32, **fields}
    signature = RequestValidator(AUTH_TOKEN).compute_signature(url, form)
    answer = await server.http.post(url, data=form, headers={"x-twilio-signature": signature})
    return answer.status_code, answer.text


@pytest.mark.usefixtures("_fixed_model")
class TestTransfer:
    """The stream ends because we moved the call, not because the caller hung up."""

    PLAN = {  # noqa: RUF012  # never changed
        "model": {"provider": "fixed", "options": OPERATOR},
        "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
    }

    async def test_row_25_a_transfer_is_not_a_hang_up(self, tmp_path: Path, rest: tuple[RestApi, str]) -> None:
        api, url = rest
        async with serve_account(tmp_path, url) as server:
            phone = await server.call(server.assistant("a", **self.PLAN))
            await phone.until(lambda: api.forms)
            assert phone.heard_ms >= len(OPERATOR["says"]) * 40 - 50, "the words before it were heard"
            dial = ElementTree.fromstring(api.forms[0]["Twiml"])[0]
            assert (dial.tag, dial[0].tag, dial[0].text) == ("Dial", "Number", OPERATOR["transfer_to"])
            await phone.hang_up()  # what Twilio does to the stream of a call that was moved
            assert (await server.log(phone.ids.call_sid)).ended == "assistant-forwarded-call"

    async def test_row_25_a_transfer_that_fails_is_spoken_about_and_the_call_goes_on(
        self, tmp_path: Path, rest: tuple[RestApi, str]
    ) -> None:
        api, url = rest
        api.statuses = [400]
        async with serve_account(tmp_path, url) as server:
            phone = await server.call(server.assistant("a", **self.PLAN))
            await phone.until(lambda: sum(name.startswith("r2:") for name in phone.mark_names) >= 5)
            assert not phone.closed.is_set()
            await phone.hang_up()
            log = await server.log(phone.ids.call_sid)
            assert log.ended == "customer-ended-call"
            assert len(actions(log, "TransferCall")) == 1
            assert "sorry" in actions(log, "ReplyClosed")[1]["text"]


async def test_row_25_hanging_up_is_idempotent_and_patient(tmp_path: Path, rest: tuple[RestApi, str]) -> None:
    api, url = rest
    api.statuses = [429, 503, 404]
    async with serve_account(tmp_path, url) as server:
        await server.app.twilio.control.hang_up("CA" + "1" * 32)
        assert api.forms == [{"Status": "completed"}] * 3
        api.forms, api.statuses = [], [401]
        with pytest.raises(ProviderError):
            await server.app.twilio.control.hang_up("CA" + "1" * 32)
        assert len(api.forms) == 1


class TestCallbacks:
    """What Twilio tells after the fact."""

    async def test_row_25_statuses_out_of_order_and_repeated_are_taken(self, server: Server) -> None:
        for status in ("in-progress", "ringing", "completed", "completed", "in-progress", "queued"):
            assert await post(server, "/twilio/call-status", CallStatus=status, SequenceNumber="0") == (204, "")
        assert (await post(server, "/twilio/call-status", CallStatus="exploded"))[0] == 400
        assert server.app.manager.live == 0

    async def test_row_25_the_fallback_webhook_gets_a_stream_like_the_first(self, server: Server) -> None:
        form = {"From": "+15550100001", "To": "+15550100002", "CallStatus": "ringing", "Direction": "inbound"}
        first = await post(server, "/twilio/voice", **form)
        again = await post(server, "/twilio/voice", **form, ErrorCode="11200", ErrorUrl="https://h.example.com/")
        for status, twiml in (first, again):
            assert status == 200
            assert [verb.tag for verb in ElementTree.fromstring(twiml)] == ["Connect", "Hangup"]
        assert first[1] != again[1], "each with a token of its own"

    async def test_row_25_after_the_stream_the_caller_is_not_left_on_a_dead_line(self, server: Server) -> None:
        status, twiml = await post(server, "/twilio/after", CallStatus="in-progress")
        assert status == 200
        assert [verb.tag for verb in ElementTree.fromstring(twiml)] == ["Hangup"]


class TestAnsweringMachines:
    """Twilio tells who answered while the agent talks already."""

    GREETING = "Hello, this is the practice of doctor Miller."
    MESSAGE = "Please call us back."

    async def dial(self, server: Server, api: RestApi, **assistant: Any) -> tuple[Phone, Tell]:
        """Place a call as its assistant wants it. Returns who was called, and what Twilio tells with of who answered."""
        plan = {"greeting": self.GREETING, "voicemailDetection": {"provider": "twilio"}, **assistant}
        server.assistant("a", **plan)
        detection = detection_of(server.app.library.load("a"))
        call = OutboundCall(new_call_id(), "+15550100001", "+15550100002", "a", machine_detection=detection)
        await server.app.twilio.control.start(call)
        dialled = api.forms[-1]
        phone = await server.call(dialled["Url"])
        await phone.until_hears(200)
        assert server.app.manager.find(call.call_id) is not None

        async def tell(by: str) -> tuple[int, str]:
            found = {"AnsweredBy": by, "MachineDetectionDuration": "3200"}
            return await post(server, dialled["AsyncAmdStatusCallback"], CallSid=phone.ids.call_sid, **found)

        return phone, tell

    async def test_row_25_the_message_is_left_after_the_beep_and_the_call_ends(
        self, tmp_path: Path, rest: tuple[RestApi, str]
    ) -> None:
        api, url = rest
        async with serve_account(tmp_path, url) as server:
            phone, tell = await self.dial(server, api, voicemailMessage=self.MESSAGE)
            assert api.forms[0]["MachineDetection"] == "DetectMessageEnd"
            assert await asyncio.gather(tell("machine_end_beep"), tell("machine_end_beep")) == [(204, "")] * 2
            await phone.until(phone.closed.is_set)
            log = await server.log(phone.ids.call_sid)
            assert log.ended == "voicemail"
            assert phone.clears_ms, "the greeting stands before no message"
            greeting, message = actions(log, "ReplyClosed")
            assert (greeting["status"], message["status"], message["text"]) == ("cancelled", "completed", self.MESSAGE)
            assert len(phone.stretches()[-1]) / 8 >= len(self.MESSAGE) * 40 - 20
            assert await tell("machine_end_beep") == (204, ""), "told again when all is over"
            assert detections(server) == {("machine_end_beep", "message"): 1}

    async def test_row_25_without_a_message_the_call_ends_as_soon_as_it_is_known(
        self, tmp_path: Path, rest: tuple[RestApi, str]
    ) -> None:
        api, url = rest
        async with serve_account(tmp_path, url) as server:
            phone, tell = await self.dial(server, api, endCallMessage="Goodbye, Ann.")
            assert api.forms[0]["MachineDetection"] == "Enable"
            assert await tell("machine_start") == (204, "")
            await phone.until(phone.closed.is_set, 0.5)
            log = await server.log(phone.ids.call_sid)
            assert log.ended == "voicemail"
            assert len(actions(log, "ReplyClosed")) == 1
            assert detections(server) == {("machine_start", "hung_up"): 1}

    async def test_row_25_a_person_hears_no_difference(self, tmp_path: Path, rest: tuple[RestApi, str]) -> None:
        api, url = rest
        async with serve_account(tmp_path, url) as server:
            phone, tell = await self.dial(server, api, voicemailMessage=self.MESSAGE)
            assert await tell("unknown") == await tell("human") == (204, "")
            assert (await post(server, "/twilio/answered-by", CallSid=phone.ids.call_sid, AnsweredBy="dog"))[0] == 400
            await phone.until(lambda: phone.playout.stretches)
            assert phone.heard_ms >= len(self.GREETING) * 40 - 20
            assert not phone.clears_ms
            assert phone.playout.underrun_ms <= 20 + 2 * phone.machine_late_ms
            assert not phone.closed.is_set()
            assert detections(server) == {("human", "went_on"): 1, ("unknown", "went_on"): 1}

    async def test_row_25_a_result_later_than_the_call_is_taken_politely(
        self, tmp_path: Path, rest: tuple[RestApi, str]
    ) -> None:
        api, url = rest
        async with serve_account(tmp_path, url) as server:
            phone, tell = await self.dial(server, api, voicemailMessage=self.MESSAGE)
            await phone.hang_up()
            assert (await server.log(phone.ids.call_sid)).ended == "customer-ended-call"
            with capture_logs() as lines:
                assert await tell("machine_end_silence") == (204, "")
            assert [(line["event"], line["outcome"]) for line in lines] == [("call_answered", "gone")]
            assert detections(server) == {("machine_end_silence", "gone"): 1}


def detections(server: Server) -> dict[tuple[str, str], float]:
    """The metric: who answered, and what was done about it."""
    families = text_string_to_metric_families(server.app.metrics.text().decode())
    return {
        (sample.labels["answered_by"], sample.labels["outcome"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == "antiphon_machine_detections_total"
    }
