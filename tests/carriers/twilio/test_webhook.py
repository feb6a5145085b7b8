"""Rows 1 to 4 of the conformance plan, and the callbacks of row 25, over HTTP."""

from __future__ import annotations

import asyncio
import json
import uuid
import xml.etree.ElementTree as ET
from hashlib import sha256
from typing import Any

import pytest
from structlog.testing import capture_logs

from antiphon.carriers.base import CallAnswered
from antiphon.carriers.twilio import webhook
from antiphon.errors import CapacityError, ConfigurationError
from antiphon.transports import http_body
from antiphon.vocabulary import AnsweredBy

PUBLIC_URL = "https://voice.example.com"
FORM = {
    "CallSid": "CA1",
    "AccountSid": "AC" + "0" * 32,
    "From": "+15550001111",
    "To": "+15550002222",
    "CallStatus": "ringing",
}


class TestVoice:
    async def test_answers_with_a_stream_and_a_terminating_verb(self, twilio: Any) -> None:
        answer = await twilio.webhook("/twilio/voice", FORM)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/xml")
        document = ET.fromstring(answer.text)
        assert [verb.tag for verb in document] == ["Connect", "Hangup"]
        (stream,) = document.findall("./Connect/Stream")
        assert stream.attrib["url"] == "wss://voice.example.com/twilio/media"
        assert stream.attrib["statusCallback"] == f"{PUBLIC_URL}/twilio/stream-status"
        assert document[0].attrib["action"] == f"{PUBLIC_URL}/twilio/after"
        for parameter in stream.findall("Parameter"):
            assert len(parameter.attrib["name"] + parameter.attrib["value"]) < 500

    async def test_by_get(self, twilio: Any) -> None:
        path = "/twilio/voice?CallSid=CA1&AccountSid=AC1&From=%2B1555"
        signature = twilio.sign(PUBLIC_URL + path)
        answer = await twilio.http.get(path, headers={"x-twilio-signature": signature})
        assert answer.status_code == 200
        assert "<Stream" in answer.text

    async def test_asked_twice_it_names_one_call_with_two_tokens(self, twilio: Any) -> None:
        first, second = await twilio.ring("CA7"), await twilio.ring("CA7")
        assert first["token"] != second["token"]
        ids: set[tuple[int, str]] = set()
        for parameters in (first, second):
            async with twilio.socket("CA7") as stream:
                await stream.connected()
                await stream.start(parameters)
                sink = await twilio.acceptor.call(len(ids))
                ids.add((len(ids), sink.started.call_id))
                await stream.stop()
        assert len({call_id for _, call_id in ids}) == 1
        assert uuid.UUID(ids.pop()[1]).version == 4

    async def test_a_call_we_dialled_keeps_its_id(self, twilio: Any) -> None:
        call_id = "0b0e4cf5-1111-4222-8333-444455556666"
        parameters = await twilio.ring("CA8", f"/twilio/voice/sales?call_id={call_id}", Direction="outbound-api")
        async with twilio.socket("CA8") as stream:
            await stream.connected()
            await stream.start(parameters)
            started = (await twilio.acceptor.call()).started
        assert (started.call_id, started.assistant, started.direction) == (call_id, "sales", "outbound")

    @pytest.mark.parametrize(
        "caller", ["", "anonymous", "Restricted", "client:bob", "sip:a@b", "x" * 5000, '"><Hangup/>']
    )
    async def test_callers_without_a_number(self, twilio: Any, caller: str) -> None:
        parameters = await twilio.ring("CA9", From=caller)
        assert parameters.get("caller", "") == caller[:256]
        async with twilio.socket("CA9") as stream:
            await stream.connected()
            await stream.start(parameters)
            assert (await twilio.acceptor.call()).started.caller == caller[:256]

    @pytest.mark.parametrize("reason", ["full", "draining"])
    async def test_full_it_says_so_politely(self, twilio: Any, reason: str) -> None:
        twilio.acceptor.refuses_to_admit = CapacityError(reason)
        answer = await twilio.webhook("/twilio/voice", FORM)
        assert answer.status_code == 200
        assert [verb.tag for verb in ET.fromstring(answer.text)] == ["Say", "Hangup"]

    async def test_our_own_failure_is_an_apology(self, twilio: Any) -> None:
        twilio.acceptor.refuses_to_admit = RuntimeError("our bug")
        answer = await twilio.webhook("/twilio/voice", FORM)
        assert answer.status_code == 200
        assert "sorry" in answer.text
        assert "our bug" not in answer.text

    async def test_an_assistant_that_cannot_take_the_call_is_an_apology_and_a_line_that_says_where(
        self, serve: Any
    ) -> None:
        def check(name: str) -> None:
            if name != "good":
                raise ConfigurationError("model.temperature", "must be a number", file="bad.yaml", line=3)

        async with serve(check) as twilio:
            with capture_logs() as logs:
                answer = await twilio.webhook("/twilio/voice/bad", FORM)
            assert [verb.tag for verb in ET.fromstring(answer.text)] == ["Say", "Hangup"]
            assert "<Stream" in (await twilio.webhook("/twilio/voice/good", FORM)).text
        assert logs == [
            {
                "event": "assistant_unusable", "log_level": "error", "assistant": "bad", "call_sid": "CA1", "file": "bad.yaml",
                "line": 3, "field": "model.temperature", "problem": "must be a number",
            }
        ]  # fmt: skip

    async def test_an_assistant_name_too_long_for_a_token_is_an_apology(self, twilio: Any) -> None:
        answer = await twilio.webhook("/twilio/voice/" + "a" * 400, FORM)
        assert answer.status_code == 200
        assert "sorry" in answer.text

    async def test_without_a_call(self, twilio: Any) -> None:
        assert (await twilio.webhook("/twilio/voice", {"From": "+1"})).status_code == 400


class TestSignatures:
    @pytest.mark.parametrize("signature", ["", "nonsense", "RSOYDt4T1cUTdK1PDd93/VVr8B8="])
    @pytest.mark.parametrize(
        "path", ["/twilio/voice", "/twilio/voice/x", "/twilio/after", "/twilio/stream-status", "/twilio/call-status"]
    )
    async def test_refused_before_any_work(self, twilio: Any, path: str, signature: str) -> None:
        twilio.acceptor.refuses_to_admit = AssertionError("nothing may be asked of the server")
        with capture_logs() as lines:
            answer = await twilio.webhook(path, FORM, signature=signature)
        assert answer.status_code == 403
        assert len(lines) == 1
        assert not twilio.statuses
        assert "+1555" not in repr(lines)

    async def test_one_that_is_not_ascii(self, twilio: Any) -> None:
        answer = await twilio.http.post("/twilio/voice", content=b"A=1", headers=[(b"x-twilio-signature", b"\xff\xfe")])
        assert answer.status_code == 403

    async def test_another_accounts(self, twilio: Any) -> None:
        signature = twilio.sign(f"{PUBLIC_URL}/twilio/voice", FORM, "another-token")
        assert (await twilio.webhook("/twilio/voice", FORM, signature=signature)).status_code == 403

    async def test_a_changed_field(self, twilio: Any) -> None:
        signature = twilio.sign(f"{PUBLIC_URL}/twilio/voice", FORM)
        changed = {**FORM, "From": "+15550009999"}
        assert (await twilio.webhook("/twilio/voice", changed, signature=signature)).status_code == 403

    async def test_blank_repeated_and_unknown_fields(self, twilio: Any) -> None:
        fields = [*FORM.items(), ("CallerName", ""), ("Extra", "b"), ("Extra", "a"), ("Brand-New", "ü")]
        assert (await twilio.webhook("/twilio/voice", fields)).status_code == 200

    async def test_a_spoofed_host_changes_nothing(self, twilio: Any) -> None:
        spoofed = {"host": "evil.example.com", "x-forwarded-host": "evil.example.com", "x-forwarded-proto": "http"}
        answer = await twilio.webhook("/twilio/voice", FORM, headers=spoofed)
        assert answer.status_code == 200
        assert "evil" not in answer.text
        for_evil = twilio.sign("https://evil.example.com/twilio/voice", FORM)
        answer = await twilio.webhook("/twilio/voice", FORM, headers=spoofed, signature=for_evil)
        assert answer.status_code == 403

    @pytest.mark.parametrize("body", [b"", b"not a form", b"\xff\xfe\x00", b"&&==&=", b"%zz=%", b"a" * 60_000])
    async def test_any_body_is_a_403_and_not_a_500(self, twilio: Any, body: bytes) -> None:
        headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "x"}
        assert (await twilio.http.post("/twilio/voice", content=body, headers=headers)).status_code == 403

    async def test_a_body_too_big(self, twilio: Any) -> None:
        answer = await twilio.http.post(
            "/twilio/voice", content=b"a" * (webhook.MAX_BODY_BYTES + 1), headers={"x-twilio-signature": "x"}
        )
        assert answer.status_code == 413

    async def test_a_body_that_does_not_come(self, twilio: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http_body, "BODY_TIMEOUT_S", 0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", twilio.port)
        writer.write(b"POST /twilio/voice HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: x\r\nContent-Length: 9\r\n\r\na")
        async with asyncio.timeout(60):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()

    async def test_off_for_a_demonstration(self, serve: Any) -> None:
        async with serve(verify_signatures=False) as twilio:
            assert (await twilio.webhook("/twilio/voice", FORM, signature="")).status_code == 200
            answer = await twilio.http.get("/twilio/voice?CallSid=CA1")
            assert answer.status_code == 200


class TestJson:
    BODY = json.dumps(FORM).encode()

    async def post(self, twilio: Any, body: bytes, query: str, signature: str | None = None) -> int:
        path = f"/twilio/stream-status{query}"
        signed = twilio.sign(PUBLIC_URL + path) if signature is None else signature
        headers = {"content-type": "application/json", "x-twilio-signature": signed}
        answer = await twilio.http.post(path, content=body, headers=headers)
        return int(answer.status_code)

    async def test_only_the_good_one_is_accepted(self, twilio: Any) -> None:
        good = f"?bodySHA256={sha256(self.BODY).hexdigest()}"
        assert await self.post(twilio, self.BODY, good) == 204
        assert await self.post(twilio, self.BODY + b" ", good) == 403
        assert await self.post(twilio, b"\xff", good) == 403
        assert await self.post(twilio, self.BODY, "") == 403
        form_signature = twilio.sign(f"{PUBLIC_URL}/twilio/stream-status", FORM)
        assert await self.post(twilio, self.BODY, "", form_signature) == 403


class TestCallbacks:
    async def test_after_the_stream_the_call_ends(self, twilio: Any) -> None:
        answer = await twilio.webhook("/twilio/after", FORM)
        assert [verb.tag for verb in ET.fromstring(answer.text)] == ["Hangup"]

    async def test_a_stream_error_is_logged(self, twilio: Any) -> None:
        fields = {"CallSid": "CA1", "StreamEvent": "stream-error", "StreamError": "31920 - WebSocket - Handshake Error"}
        with capture_logs() as lines:
            assert (await twilio.webhook("/twilio/stream-status", fields)).status_code == 204
            assert (await twilio.webhook("/twilio/stream-status", {"StreamEvent": "stream-started"})).status_code == 204
        assert [line["event"] for line in lines] == ["twilio_stream_error"]

    async def test_statuses_late_twice_and_out_of_order(self, twilio: Any) -> None:
        for status in ("initiated", "in-progress", "ringing", "in-progress", "busy", "completed"):
            answer = await twilio.webhook("/twilio/call-status", {**FORM, "CallStatus": status})
            assert answer.status_code == 204
        assert [change.status for change in twilio.statuses] == ["initiated", "in-progress", "busy"]

    @pytest.mark.parametrize("changes", [{"CallStatus": "lost"}, {"CallStatus": ""}, {"CallSid": ""}])
    async def test_statuses_that_make_no_sense(self, twilio: Any, changes: dict[str, str]) -> None:
        assert (await twilio.webhook("/twilio/call-status", {**FORM, **changes})).status_code == 400
        assert not twilio.statuses


class TestAnsweredBy:
    PATH = "/twilio/answered-by"
    FORM = {  # noqa: RUF012
        "CallSid": "CA1",
        "AccountSid": "AC" + "0" * 32,
        "AnsweredBy": "machine_end_beep",
        "MachineDetectionDuration": "4250",
    }

    async def test_is_told_once(self, twilio: Any) -> None:
        for _ in range(2):
            answer = await twilio.webhook(self.PATH, self.FORM)
            assert (answer.status_code, answer.content) == (204, b"")
        assert twilio.answers == [CallAnswered("CA1", AnsweredBy.MACHINE_END_BEEP, 4250)]

    async def test_of_every_call(self, twilio: Any) -> None:
        for call_sid in ("CA1", "CA2"):
            await twilio.webhook(self.PATH, {**self.FORM, "CallSid": call_sid, "AnsweredBy": "human"})
        assert [(told.provider_call_id, told.by) for told in twilio.answers] == [("CA1", "human"), ("CA2", "human")]

    @pytest.mark.parametrize("duration", ["", "-1", "4.2", "soon", "9" * 5000, "٣"])
    async def test_a_duration_that_makes_no_sense_takes_nothing_from_the_answer(
        self, twilio: Any, duration: str
    ) -> None:
        answer = await twilio.webhook(self.PATH, {**self.FORM, "MachineDetectionDuration": duration})
        assert answer.status_code == 204
        assert twilio.answers == [CallAnswered("CA1", AnsweredBy.MACHINE_END_BEEP, None)]

    @pytest.mark.parametrize("changes", [{"AnsweredBy": "martian"}, {"AnsweredBy": ""}, {"CallSid": ""}])
    async def test_what_makes_no_sense(self, twilio: Any, changes: dict[str, str]) -> None:
        assert (await twilio.webhook(self.PATH, {**self.FORM, **changes})).status_code == 400
        assert not twilio.answers

    @pytest.mark.parametrize("signature", ["", "wrong"])
    async def test_only_from_twilio(self, twilio: Any, signature: str) -> None:
        with capture_logs() as lines:
            assert (await twilio.webhook(self.PATH, self.FORM, signature=signature)).status_code == 403
        assert [line["event"] for line in lines] == ["twilio_request_refused"]
        assert not twilio.answers

    async def test_a_signature_of_another_result(self, twilio: Any) -> None:
        human = twilio.sign(PUBLIC_URL + self.PATH, {**self.FORM, "AnsweredBy": "human"})
        assert (await twilio.webhook(self.PATH, self.FORM, signature=human)).status_code == 403
        assert not twilio.answers
