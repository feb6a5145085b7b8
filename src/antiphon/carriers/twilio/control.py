"""Twilio's REST side: dial, transfer, hang up.

What may be repeated is repeated (hanging up; anything Twilio certainly did not do), what may not is looked up first: a
dial whose answer was lost is searched for among the account's calls before any other is placed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import structlog
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from antiphon.carriers.base import MachineDetection, OutboundCall
from antiphon.carriers.twilio import twiml
from antiphon.carriers.twilio.http import HttpxClient
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.clock import Clock
from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable

NAME = "twilio"
BACKOFF_MS = (250, 1000)
"""Waits before the second and the third attempt."""
LOOKUP_BACKOFF_MS = (500, 2000)
"""Waits before looking a lost dial up, and before looking again."""
CLOCK_SKEW_MS = 30_000
REMEMBERED_DIALS = 1000
TRANSFERRED = "/twilio/transferred"
"""What Twilio asks when a transfer is over."""
_GONE = frozenset({404, 20404, 21220})
"""HTTP not found; resource not found; "call is not in-progress, cannot redirect"."""
log = structlog.get_logger(__name__)
T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


class _Dial:
    """What we know of one dial. ``asked_wall_ms`` without ``call_sid``: it may ring or not."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.asked_wall_ms: int | None = None
        self.call_sid = ""


class TwilioControl:
    """``carriers.base.CallControl`` over the twilio SDK. One per process."""

    def __init__(self, settings: TwilioSettings, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._settings = settings
        self._clock = clock
        self._sleep = sleep
        self._http = HttpxClient(settings.rest_base_url, settings.rest_timeout_ms)
        self._client = Client(
            settings.account_sid or "unset",
            settings.auth_token or "unset",
            http_client=self._http,
            # Credentials, region and edge come from our settings alone; an empty mapping would mean os.environ.
            environment={"_": ""},
        )
        self._dials: OrderedDict[str, _Dial] = OrderedDict()

    async def start(self, call: OutboundCall) -> str:
        """Dial, once per ``call.call_id``. Raises ProviderError; after ProviderTimeout it is not known whether the
        phone rings, and the same ``start`` may be asked again: it looks before it dials."""
        dial = self._dials.get(call.call_id) or self._remember(call.call_id)
        async with dial.lock:
            if dial.asked_wall_ms is None:
                dial.asked_wall_ms = call.asked_wall_ms
            if not dial.call_sid and dial.asked_wall_ms is not None:
                dial.call_sid = await self._find(call, dial, dial.asked_wall_ms)
            if not dial.call_sid:
                dial.call_sid = await self._place(call, dial)
            return dial.call_sid

    async def transfer(self, provider_call_id: str, destination: str) -> None:
        """Replace the call's TwiML by a ``<Dial>``; the media stream ends with a ``stop``."""
        try:
            document = twiml.dial(destination, f"{self._settings.base_url}{TRANSFERRED}")
        except ValueError as error:
            raise ProviderError(NAME, str(error)) from None
        # Asked twice it would ring twice, so only what Twilio certainly did not do is repeated.
        await self._ask(
            lambda: self._client.calls(provider_call_id).update_async(twiml=document), "transfer", idempotent=False
        )

    async def hang_up(self, provider_call_id: str) -> None:
        """End the call. One that is over already is a success."""
        try:
            await self._ask(
                lambda: self._client.calls(provider_call_id).update_async(status="completed"),
                "hang_up",
                idempotent=True,
            )
        except _Gone:
            return

    async def close(self) -> None:
        """Free the HTTP client."""
        await self._http.close()

    async def _place(self, call: OutboundCall, dial: _Dial) -> str:
        asked_wall_ms = dial.asked_wall_ms = self._clock.wall_ms()
        try:
            placed = await self._ask(lambda: self._create(call), "start", idempotent=False)
        except ProviderTimeout:
            log.warning("twilio_dial_in_doubt", call_id=call.call_id)
            found = await self._find(call, dial, asked_wall_ms)
            if not found:
                raise
            return found
        except ProviderError:
            dial.asked_wall_ms = None  # it certainly does not ring
            raise
        return str(placed.sid)

    async def _create(self, call: OutboundCall) -> Any:
        base = f"{self._settings.base_url}/twilio"
        return await self._client.calls.create_async(
            to=call.to,
            from_=call.from_,
            url=f"{base}/voice/{quote(call.assistant, safe='')}?call_id={quote(call.call_id, safe='')}",
            status_callback=f"{base}/call-status",
            status_callback_event=["initiated", "ringing", "answered", "completed"],
            timeout=call.ring_timeout_s,
            **self._detection(call.machine_detection),
        )

    def _detection(self, wanted: MachineDetection | None) -> dict[str, Any]:
        """Parameters that ask for answering-machine detection. Always the asynchronous kind: the other keeps whoever answers in
        silence until Twilio has made up its mind."""
        if wanted is None:
            return {}
        tuning = wanted.tuning.over(self._settings.detection)
        numbers = {
            "machine_detection_timeout": tuning.timeout_s,
            "machine_detection_speech_threshold": tuning.speech_ms,
            "machine_detection_speech_end_threshold": tuning.speech_end_ms,
            "machine_detection_silence_timeout": tuning.silence_ms,
        }
        return {
            "machine_detection": "DetectMessageEnd" if wanted.greeting_end else "Enable",
            "async_amd": "true",
            "async_amd_status_callback": f"{self._settings.base_url}/twilio/answered-by",
            **{name: number for name, number in numbers.items() if number is not None},
        }

    async def _find(self, call: OutboundCall, dial: _Dial, asked_wall_ms: int) -> str:
        """The CallSid of a dial in doubt; empty where there is no such call.

        A call just placed may not be listed at once, and has no start time before it is answered: so it is known by
        its numbers, its age, and by being nobody else's.
        """
        others = {known.call_sid for known in self._dials.values() if known is not dial}
        earliest = datetime.fromtimestamp((asked_wall_ms - CLOCK_SKEW_MS) / 1000, UTC)
        for wait_ms in LOOKUP_BACKOFF_MS:
            await self._sleep(wait_ms / 1000)
            listed = await self._ask(
                lambda: self._client.calls.list_async(to=call.to, from_=call.from_, limit=20),
                "lookup",
                idempotent=True,
            )
            for candidate in listed:
                created = candidate.date_created
                if candidate.sid not in others and created is not None and created >= earliest:
                    return str(candidate.sid)
        return ""

    def _remember(self, call_id: str) -> _Dial:
        if len(self._dials) >= REMEMBERED_DIALS:
            self._dials.popitem(last=False)
        dial = self._dials[call_id] = _Dial()
        return dial

    async def _ask(self, request: Callable[[], Awaitable[T]], what: str, *, idempotent: bool) -> T:
        """One request with its repetitions. Raises ProviderError, ProviderUnavailable (it never arrived),
        ProviderTimeout (it may have been carried out)."""
        for wait_ms in (*BACKOFF_MS, None):
            try:
                return await request()
            except (httpx.TransportError, TwilioException) as error:
                failure = _failure(error, what)
            if wait_ms is None or not (failure.harmless or (idempotent and failure.passing)):
                raise failure.error
            log.warning("twilio_request_retried", request=what, problem=failure.error.problem)
            await self._sleep(wait_ms / 1000)
        raise AssertionError("the last attempt returns or raises")


class _Gone(ProviderError):
    """The call is over."""


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ProviderError
    harmless: bool = False
    """Certainly not carried out, and likely to work if asked again."""
    passing: bool = False
    """May have been carried out, and may work if asked again."""


def _failure(error: Exception, what: str) -> _Failure:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return _Failure(ProviderUnavailable(NAME, f"{what}: cannot connect"), harmless=True)
    if isinstance(error, httpx.TransportError):
        return _Failure(ProviderTimeout(NAME, f"{what}: no answer"), passing=True)
    http_status, code = getattr(error, "status", 0), getattr(error, "code", 0)
    problem = f"{what}: HTTP {http_status}, code {code}"
    if http_status == 404 or code in _GONE:
        return _Failure(_Gone(NAME, problem))
    if http_status == 429:
        return _Failure(ProviderUnavailable(NAME, problem), harmless=True)
    if http_status >= 500:
        return _Failure(ProviderTimeout(NAME, problem), passing=True)
    return _Failure(ProviderError(NAME, problem))
