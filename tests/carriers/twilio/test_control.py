"""Row 25's REST side, against a REST API of our own on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.server import ServerState

from antiphon.carriers.base import DetectionTuning, MachineDetection, OutboundCall
from antiphon.carriers.twilio import control
from antiphon.carriers.twilio.control import TwilioControl
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.clock import ManualClock
from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable

ACCOUNT = "AC" + "0" * 32
CALL = OutboundCall("0b0e4cf5-0000-4000-8000-000000000001", "+15550001111", "+15550002222", "front desk", 25)
Form = dict[str, list[str]]


class RestApi:
    """``Calls`` of one account. Each request is first shown to ``trouble``, which may answer in its place."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.calls: dict[str, Form] = {}
        self.requests: list[tuple[str, str, Form]] = []
        self.trouble: list[int | str] = []
        self.released = asyncio.Event()
        account = "/2010-04-01/Accounts/{account}"
        self.app = Starlette(
            routes=[
                Route(f"{account}/Calls.json", self.create, methods=["POST"]),
                Route(f"{account}/Calls.json", self.list, methods=["GET"]),
                Route(f"{account}/Calls/{{sid}}.json", self.update, methods=["POST"]),
            ]
        )
        self.is_listed: Callable[[str], bool] = lambda sid: True

    @property
    def asked(self) -> list[str]:
        return [method for method, _, _ in self.requests]

    async def create(self, request: Request) -> Response:
        form = await self._note("create", request)
        trouble = self.trouble.pop(0) if self.trouble else None
        if isinstance(trouble, int):
            return self._error(trouble)
        sid = f"CA{len(self.calls):032d}"
        self.calls[sid] = form
        if trouble == "lost answer":
            await self.released.wait()
        if trouble == "500 though placed":
            return self._error(500)
        return self._json(201, self._call(sid))

    async def list(self, request: Request) -> Response:
        await self._note("list", request)
        if self.trouble and isinstance(self.trouble[0], int):
            return self._error(int(self.trouble.pop(0)))
        listed = [self._call(sid) for sid in reversed(self.calls) if self.is_listed(sid)]
        return self._json(200, {"calls": listed, "next_page_uri": None, "page": 0, "page_size": 20})

    async def update(self, request: Request) -> Response:
        sid = request.path_params["sid"]
        await self._note(sid, request)
        trouble = self.trouble.pop(0) if self.trouble else None
        if trouble == "lost answer":
            await self.released.wait()
        if isinstance(trouble, int):
            return self._error(trouble)
        return self._json(200, self._call(sid))

    async def _note(self, what: str, request: Request) -> Form:
        form = parse_qs((await request.body()).decode(), keep_blank_values=True)
        self.requests.append((what, request.headers.get("authorization", ""), form))
        return form

    def _call(self, sid: str) -> dict[str, Any]:
        created = formatdate(self.clock.wall_ms() / 1000, usegmt=False)
        return {"sid": sid, "account_sid": ACCOUNT, "date_created": created, "status": "queued"}

    def _error(self, status: int) -> Response:
        code = status if status > 999 else 20000 + status
        http_status = 404 if status == 20404 else 400 if status > 999 else status
        return self._json(http_status, {"code": code, "message": f"no: {CALL.to}", "status": http_status})

    def _json(self, status: int, content: object) -> Response:
        return Response(json.dumps(content), status, media_type="application/json")


@asynccontextmanager
async def answering(api: RestApi) -> AsyncIterator[str]:
    config = uvicorn.Config(api.app, lifespan="off", log_level="critical", http="httptools")
    config.load()
    state, factory = ServerState(), config.http_protocol_class
    listening = await asyncio.get_running_loop().create_server(
        lambda: factory(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]
        "127.0.0.1",
        0,
    )
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    api.released.set()
    await asyncio.gather(*state.tasks)
    listening.close()
    await listening.wait_closed()


class Twilio:
    def __init__(self, api: RestApi, rest: TwilioControl, waits: list[float]) -> None:
        self.api = api
        self.rest = rest
        self.waits = waits


@asynccontextmanager
async def serving(timeout_ms: int = 2000, base_url: str = "", **changes: Any) -> AsyncIterator[Twilio]:
    clock = ManualClock()
    api, waits = RestApi(clock), []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with answering(api) as url:
        settings = TwilioSettings(
            "https://voice.example.com",
            auth_token="not-a-real-token",
            account_sid=ACCOUNT,
            rest_base_url=base_url or url,
            rest_timeout_ms=timeout_ms,
            **changes,
        )
        rest = TwilioControl(settings, clock, sleep)
        yield Twilio(api, rest, waits)
        await rest.close()
        await rest.close()


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    async with serving() as running:
        yield running


class TestStart:
    async def test_dials(self, twilio: Twilio) -> None:
        call_sid = await twilio.rest.start(CALL)
        assert call_sid in twilio.api.calls
        form = {name: values if len(values) > 1 else values[0] for name, values in twilio.api.calls[call_sid].items()}
        assert form == {
            "To": CALL.to,
            "From": CALL.from_,
            "Url": f"https://voice.example.com/twilio/voice/front%20desk?call_id={CALL.call_id}",
            "StatusCallback": "https://voice.example.com/twilio/call-status",
            "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
            "Timeout": "25",
        }
        assert twilio.api.requests[0][1].startswith("Basic ")

    async def test_the_same_call_is_dialled_once(self, twilio: Twilio) -> None:
        sids = await asyncio.gather(*[twilio.rest.start(CALL) for _ in range(5)])
        assert len({*sids, await twilio.rest.start(CALL)}) == 1
        assert twilio.api.asked == ["create"]

    async def test_two_calls_to_one_number_are_two(self, twilio: Twilio) -> None:
        first = await twilio.rest.start(CALL)
        second = await twilio.rest.start(OutboundCall("another", CALL.to, CALL.from_, "x"))
        assert first != second

    async def test_too_many_requests_are_repeated(self, twilio: Twilio) -> None:
        twilio.api.trouble = [429, 429]
        await twilio.rest.start(CALL)
        assert twilio.api.asked == ["create"] * 3
        assert twilio.waits == [0.25, 1.0]

    async def test_not_for_ever(self, twilio: Twilio) -> None:
        twilio.api.trouble = [429] * 3
        with pytest.raises(ProviderUnavailable):
            await twilio.rest.start(CALL)
        assert len(twilio.api.calls) == 0
        await twilio.rest.start(CALL)
        assert twilio.api.asked == ["create"] * 4, "nothing rang, so there is nothing to look up"

    @pytest.mark.parametrize("status", [400, 401, 21212])
    async def test_refusals_are_not_repeated_and_name_no_number(self, twilio: Twilio, status: int) -> None:
        twilio.api.trouble = [status]
        with pytest.raises(ProviderError) as raised:
            await twilio.rest.start(CALL)
        assert twilio.api.asked == ["create"]
        assert CALL.to not in str(raised.value)

    async def test_an_answer_lost_on_its_way_is_looked_up(self) -> None:
        async with serving(timeout_ms=400) as twilio:
            twilio.api.trouble = ["lost answer"]
            call_sid = await twilio.rest.start(CALL)
            assert list(twilio.api.calls) == [call_sid]
            assert twilio.api.asked == ["create", "list"]

    async def test_a_server_error_is_looked_up(self, twilio: Twilio) -> None:
        twilio.api.trouble = ["500 though placed"]
        assert await twilio.rest.start(CALL) in twilio.api.calls
        assert twilio.api.asked == ["create", "list"]

    async def test_a_call_listed_late_is_found(self, twilio: Twilio) -> None:
        twilio.api.trouble = ["500 though placed"]
        twilio.api.is_listed = lambda sid: twilio.api.asked.count("list") > 1
        assert await twilio.rest.start(CALL) in twilio.api.calls
        assert twilio.api.asked == ["create", "list", "list"]

    async def test_in_doubt_it_raises_and_looks_again_before_dialling_again(self, twilio: Twilio) -> None:
        twilio.api.trouble = ["500 though placed"]
        twilio.api.is_listed = lambda sid: False
        with pytest.raises(ProviderTimeout):
            await twilio.rest.start(CALL)
        assert twilio.api.asked == ["create", "list", "list"]
        twilio.api.is_listed = lambda sid: True
        assert await twilio.rest.start(CALL) in twilio.api.calls
        assert len(twilio.api.calls) == 1

    async def test_not_found_after_all_it_is_dialled(self, twilio: Twilio) -> None:
        twilio.api.trouble = [500]
        with pytest.raises(ProviderTimeout):
            await twilio.rest.start(CALL)
        await twilio.rest.start(CALL)
        assert twilio.api.asked == ["create", "list", "list", "list", "list", "create"]

    async def test_what_a_process_that_is_gone_may_have_dialled_is_looked_for_first(self, twilio: Twilio) -> None:
        asked_wall_ms = twilio.api.clock.wall_ms()
        call_sid = await twilio.rest.start(CALL)
        twilio.rest._dials.clear()  # another process
        assert await twilio.rest.start(replace(CALL, asked_wall_ms=asked_wall_ms)) == call_sid
        assert twilio.api.asked == ["create", "list"]

    async def test_another_call_to_the_number_is_not_taken_for_it(self, twilio: Twilio) -> None:
        await twilio.rest.start(OutboundCall("another", CALL.to, CALL.from_, "x"))
        twilio.api.trouble = [500]
        with pytest.raises(ProviderTimeout):
            await twilio.rest.start(CALL)

    async def test_an_older_call_is_not_taken_for_it(self, twilio: Twilio) -> None:
        await twilio.rest.start(CALL)
        old = twilio.api._call(next(iter(twilio.api.calls)))
        twilio.api._call = lambda sid: old  # type: ignore[method-assign]
        twilio.api.clock.advance(control.CLOCK_SKEW_MS + 1000)
        twilio.api.trouble = [500]
        with pytest.raises(ProviderTimeout):
            await twilio.rest.start(OutboundCall("another", CALL.to, CALL.from_, "x"))

    async def test_no_connection(self) -> None:
        async with serving(base_url="http://127.0.0.1:1") as twilio:
            with pytest.raises(ProviderUnavailable):
                await twilio.rest.start(CALL)
            assert twilio.waits == [0.25, 1.0]

    async def test_what_is_remembered_is_bounded(self, twilio: Twilio, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(control, "REMEMBERED_DIALS", 2)
        for number in range(4):
            await twilio.rest.start(OutboundCall(f"call-{number}", CALL.to, CALL.from_, "x"))
        assert len(twilio.rest._dials) == 2


class TestMachineDetection:
    async def dial(self, twilio: Twilio, wanted: MachineDetection | None) -> dict[str, str]:
        call_sid = await twilio.rest.start(replace(CALL, machine_detection=wanted))
        form = twilio.api.calls[call_sid]
        return {name: values[0] for name, values in form.items() if "Amd" in name or "Machine" in name}

    async def test_is_not_asked_for_unasked(self, twilio: Twilio) -> None:
        assert await self.dial(twilio, None) == {}

    @pytest.mark.parametrize(("greeting_end", "mode"), [(True, "DetectMessageEnd"), (False, "Enable")])
    async def test_goes_on_behind_the_call_and_is_told_to_us(
        self, twilio: Twilio, greeting_end: bool, mode: str
    ) -> None:
        assert await self.dial(twilio, MachineDetection(greeting_end)) == {
            "MachineDetection": mode,
            "AsyncAmd": "true",
            "AsyncAmdStatusCallback": "https://voice.example.com/twilio/answered-by",
        }

    async def test_numbers_of_the_call_come_before_those_of_the_settings(self) -> None:
        settings = DetectionTuning(timeout_s=20, speech_ms=2000, speech_end_ms=900)
        async with serving(detection=settings) as twilio:
            form = await self.dial(twilio, MachineDetection(tuning=DetectionTuning(speech_ms=1500, silence_ms=4000)))
        numbers = {name.removeprefix("MachineDetection"): value for name, value in form.items() if value.isdigit()}
        assert numbers == {
            "Timeout": "20",
            "SpeechThreshold": "1500",
            "SpeechEndThreshold": "900",
            "SilenceTimeout": "4000",
        }


class TestHangUp:
    async def test_ends_the_call(self, twilio: Twilio) -> None:
        await twilio.rest.hang_up("CA1")
        assert twilio.api.requests[0][0] == "CA1"
        assert twilio.api.requests[0][2] == {"Status": ["completed"]}

    @pytest.mark.parametrize("status", [404, 20404, 21220])
    async def test_one_that_is_over(self, twilio: Twilio, status: int) -> None:
        twilio.api.trouble = [status]
        await twilio.rest.hang_up("CA1")
        assert len(twilio.api.requests) == 1

    @pytest.mark.parametrize("trouble", [[429], [500, 503], [503]])
    async def test_is_repeated(self, twilio: Twilio, trouble: list[int | str]) -> None:
        twilio.api.trouble = list(trouble)
        await twilio.rest.hang_up("CA1")
        assert len(twilio.api.requests) == len(trouble) + 1

    async def test_is_repeated_after_silence(self) -> None:
        async with serving(timeout_ms=400) as twilio:
            twilio.api.trouble = ["lost answer"]
            await twilio.rest.hang_up("CA1")
            assert len(twilio.api.requests) == 2

    async def test_not_for_ever(self, twilio: Twilio) -> None:
        twilio.api.trouble = [500] * 3
        with pytest.raises(ProviderTimeout):
            await twilio.rest.hang_up("CA1")

    async def test_a_refusal(self, twilio: Twilio) -> None:
        twilio.api.trouble = [401]
        with pytest.raises(ProviderError):
            await twilio.rest.hang_up("CA1")
        assert len(twilio.api.requests) == 1


class TestTransfer:
    @pytest.mark.parametrize(
        ("destination", "verb"),
        [
            ("+15550003333", "<Number>+15550003333</Number>"),
            ("911", "<Number>911</Number>"),
            ("sip:desk@pbx.example.com;transport=tls", "<Sip>sip:desk@pbx.example.com;transport=tls</Sip>"),
        ],
    )
    async def test_dials_the_destination(self, twilio: Twilio, destination: str, verb: str) -> None:
        await twilio.rest.transfer("CA1", destination)
        (document,) = twilio.api.requests[0][2]["Twiml"]
        assert verb in document
        assert document.endswith("<Hangup /></Response>")

    @pytest.mark.parametrize(
        "destination", ["", "bob", "+1555<Say>", "sip:", "https://x.example.com", "+1 555 0001111"]
    )
    async def test_not_just_anywhere(self, twilio: Twilio, destination: str) -> None:
        with pytest.raises(ProviderError):
            await twilio.rest.transfer("CA1", destination)
        assert not twilio.api.requests

    async def test_is_not_repeated_where_it_might_ring_twice(self, twilio: Twilio) -> None:
        twilio.api.trouble = [500]
        with pytest.raises(ProviderTimeout):
            await twilio.rest.transfer("CA1", "+15550003333")
        assert len(twilio.api.requests) == 1

    async def test_of_a_call_that_is_over(self, twilio: Twilio) -> None:
        twilio.api.trouble = [21220]
        with pytest.raises(ProviderError):
            await twilio.rest.transfer("CA1", "+15550003333")
