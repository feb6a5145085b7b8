"""Requests to vendors over HTTP whose answers are streams of events: connections, deadlines, retries, and errors in one clear line.

One ``VendorHttp`` is one account of one vendor: its connections are shared by all calls, kept alive between turns, and opened
before the first one. Error texts are our own: a vendor's may repeat the prompt, or parts of the key.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import structlog

from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable
from antiphon.providers.credentials import setting_of, vendor_of, where_to_put_the_key
from antiphon.providers.http_transport import BODY, Body, transport_for

_CONNECT_S = 3.0
_WRITE_S = 5.0
_ATTEMPTS = 3
BACKOFF_S = 0.15
"""Before the second attempt; twice that before the third."""
_LONGEST_WAIT_S = 1.0
"""A vendor that asks for more patience than this is failed at once: a caller hears every second, and another vendor may stand in."""
_CONNECTIONS = 512
_IDLE_CONNECTIONS = 32
_IDLE_S = 90.0
_DRAIN_S = 0.25
_MOST_EVENT_BYTES = 1_048_576
_MOST_ERROR_BYTES = 65_536
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same request may do."""
_WORD = re.compile(r"^[A-Za-z0-9_.\[\]-]{1,64}$")
_OUT_OF_CREDIT = (
    "insufficient_quota",
    "credit balance",
    "billing_hard_limit",
    "exceeded your current quota",
    "billing",
)

log = structlog.get_logger(__name__)


class Refused(ProviderUnavailable):
    """The vendor answered a request with an error. ``param`` is the field it names, if any; ``final``: the same request will not do
    later either."""

    def __init__(self, provider: str, problem: str, status: int, param: str = "", *, final: bool = False) -> None:
        super().__init__(provider, problem)
        self.status = status
        self.param = param
        self.final = final


_More = Callable[[], Awaitable[bytes]]
"""The next bytes of an answer; none at its end."""


def _never(event: dict[str, Any]) -> bool:
    return False


class VendorHttp:
    """One account. ``name`` is the provider's, for errors and logs."""

    def __init__(
        self, name: str, base_url: str, headers: Mapping[str, str], *, first_byte_ms: int, stall_ms: int
    ) -> None:
        """``first_byte_ms`` is for everything until an answer begins, retries included; ``stall_ms`` between its pieces."""
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers)
        self._first_byte_s = first_byte_ms / 1000
        self._stall_s = stall_ms / 1000
        self._client: httpx.AsyncClient | None = None
        self._warming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open a connection beside the calls. That a vendor cannot be reached now is no reason not to start."""
        self._client = self._client or await asyncio.to_thread(self._new_client)
        self._warming = asyncio.get_running_loop().create_task(self._warm(), name="vendor-warm")

    async def close(self) -> None:
        client, self._client = self._client, None
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        if client is not None:
            await client.aclose()

    async def _warm(self) -> None:
        try:
            async with asyncio.timeout(_CONNECT_S * 2):
                await self._connected().head(self._base_url)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            log.warning("vendor_not_reached", provider=self._name, problem=type(error).__name__)

    def _new_client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(
            max_connections=_CONNECTIONS, max_keepalive_connections=_IDLE_CONNECTIONS, keepalive_expiry=_IDLE_S
        )
        tls = httpx.create_ssl_context()
        return httpx.AsyncClient(
            headers={"user-agent": "antiphon", **self._headers},
            timeout=httpx.Timeout(self._stall_s, connect=_CONNECT_S, write=_WRITE_S),
            limits=limits,
            verify=tls,
            transport=transport_for(tls, limits),
        )

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = self._new_client()
        return self._client

    async def events(
        self, path: str, body: Mapping[str, Any], model: str = "", ends: Callable[[dict[str, Any]], bool] = _never
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """POST, then the server-sent events of the answer: name (may be empty) and data. Ends at ``[DONE]``, after an event for
        which ``ends`` is true, or with the answer; the connection is kept for the next request.

        Closing it before closes the connection, so that the vendor stops. Raises ProviderError.
        """
        content = orjson.dumps(body)
        try:
            async with self._answer(path, content, model) as (piece, more):
                if piece.lstrip()[:1] == b"{":  # no event begins so: somebody's own server answers in one piece
                    yield "", self._parsed(await _whole(piece, more))
                    return
                reader = SseReader()
                while piece:
                    for name, data in reader.feed(piece):
                        event = {} if data == b"[DONE]" else self._parsed(data)
                        if event:
                            yield name, event
                        if not event or ends(event):
                            await _drained(more)
                            return
                    piece = await more()
                for name, data in reader.rest():
                    yield name, self._parsed(data)
        except httpx.TimeoutException:
            raise self._told(
                ProviderTimeout(self._name, f"nothing came for {self._stall_s:g} s amid an answer")
            ) from None
        except httpx.HTTPError as error:
            raise self._told(ProviderError(self._name, f"the answer broke off ({type(error).__name__})")) from None
        except _TooLong:
            raise self._told(ProviderError(self._name, "an event of the answer is too long")) from None

    def _parsed(self, data: bytes) -> dict[str, Any]:
        try:
            parsed = orjson.loads(data)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            raise self._told(ProviderError(self._name, "the answer cannot be read"))
        return parsed

    @asynccontextmanager
    async def _answer(self, path: str, content: bytes, model: str) -> AsyncIterator[tuple[bytes, _More]]:
        """The answer's first bytes and whom to ask for the others, after as many attempts as make sense."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._first_byte_s
        attempt = 0
        while True:
            attempt += 1
            wait_s = BACKOFF_S * 2 ** (attempt - 1)
            response: httpx.Response | None = None
            problem: ProviderError | None = None
            retry = True
            try:
                async with asyncio.timeout_at(deadline_s):
                    response = await self._send(path, content)
                    if response.status_code < 400:
                        more = _pieces_of(response)
                        first = await more()
                    else:
                        problem = refusal = self._refusal(response.status_code, await _bounded(response), model)
                        retry = refusal.status in _AGAIN and not refusal.final
                        wait_s = _asked_to_wait_s(response) or wait_s
            except (TimeoutError, httpx.ReadTimeout):
                await _close(response)
                raise self._told(ProviderTimeout(self._name, f"no answer within {self._first_byte_s:g} s")) from None
            except httpx.HTTPError as error:
                await _close(response)
                problem = self._unreachable(error)
            except BaseException:
                await _close(response)
                raise
            else:
                assert response is not None
                if problem is None:
                    try:
                        yield first, more
                    finally:
                        await _close(response)
                    return
                await _close(response)
            if not retry or attempt >= _ATTEMPTS or wait_s > _LONGEST_WAIT_S or loop.time() + wait_s >= deadline_s:
                raise self._told(problem)
            await asyncio.sleep(wait_s)

    async def _send(self, path: str, content: bytes) -> httpx.Response:
        client = self._connected()
        request = client.build_request(
            "POST",
            self._base_url + path,
            content=content,
            headers={"content-type": "application/json", "accept": "text/event-stream"},
        )
        return await client.send(request, stream=True)

    # ---------------------------------------------------------------------------------- what went wrong

    def _told(self, error: ProviderError) -> ProviderError:
        log.warning("vendor_failed", provider=self._name, code=error.code, problem=error.problem)
        return error

    def _unreachable(self, error: httpx.HTTPError) -> ProviderError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            host = urlsplit(self._base_url).hostname
            vendor = vendor_of(self._name)
            return ProviderUnavailable(
                self._name,
                f"{host} cannot be reached ({type(error).__name__}): check the network, and {setting_of(vendor, 'base_url')} if set",
            )
        return ProviderError(self._name, f"the connection failed ({type(error).__name__})")

    def _refusal(self, status: int, body: bytes, model: str) -> Refused:
        """One line that says what to do. Of the vendor's own words only its codes are kept."""
        codes, param = _codes(body)
        said = f" ({status}{''.join(f', {code}' for code in codes)})"
        lower = body[:_MOST_ERROR_BYTES].lower()
        vendor = vendor_of(self._name)
        final = False
        if status in (401, 403) or b"api_key_invalid" in lower:
            problem = f"the key was refused{said}: check {where_to_put_the_key(vendor)}"
        elif status == 402 or (status in (400, 429) and any(word.encode() in lower for word in _OUT_OF_CREDIT)):
            problem, final = f"the account has no credit left{said}: check the vendor's billing page", True
        elif status == 404 or "model_not_found" in codes:
            problem = f"there is no model {model!r} for this account{said}: check model.model"
        elif status == 429:
            problem = f"the account's rate limit is reached{said}"
        elif status >= 500:
            problem = f"the vendor has trouble{said}"
        else:
            problem = f"the request was refused{said}" + (f" because of {param}" if param else "")
        return Refused(self._name, problem, status, param, final=final)


async def _whole(piece: bytes, more: _More) -> bytes:
    """The answer to its end. Raises ``_TooLong``."""
    whole = bytearray(piece)
    while piece := await more():
        whole += piece
        if len(whole) > _MOST_EVENT_BYTES:
            raise _TooLong
    return bytes(whole)


class SseReader:
    """Bytes → events, as WHATWG's "server-sent events" has them. Lines end at LF, CR LF or CR and nowhere else."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[tuple[str, bytes]]:
        """The events that are complete now. Raises ``_TooLong``."""
        text = self._rest + piece
        if b"\r" in text:
            held = text.endswith(b"\r")  # the LF may still come
            text = (text[:-1] if held else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n") + (
                b"\r" if held else b""
            )
        *lines, self._rest = text.split(b"\n")
        if len(self._rest) > _MOST_EVENT_BYTES:
            raise _TooLong
        events: list[tuple[str, bytes]] = []
        for line in lines:
            if not line:
                if self._data:
                    events.append((self._name, b"\n".join(self._data)))
                self._name, self._data = "", []
            elif line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
                if sum(map(len, self._data)) > _MOST_EVENT_BYTES:
                    raise _TooLong
            elif line.startswith(b"event:"):
                self._name = line[6:].strip().decode("ascii", "replace")
        return events

    def rest(self) -> list[tuple[str, bytes]]:
        """At the end of the answer: an event whose last blank line never came (some servers leave it out)."""
        return self.feed(b"\n\n")


class _TooLong(Exception):
    pass


def _codes(body: bytes) -> tuple[list[str], str]:
    """A vendor's own words for an error that are safe to show, and the field it is about."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return [], ""
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return [], ""
    found: list[str] = []
    for name in ("type", "code", "status"):
        value = error.get(name)
        if isinstance(value, str) and _WORD.match(value) and value not in found:
            found.append(value)
    param = error.get("param")
    return found, param if isinstance(param, str) and _WORD.match(param) else ""


def _asked_to_wait_s(response: httpx.Response) -> float | None:
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(float(response.headers[name]) / scale, 0.0)
        except (KeyError, ValueError):
            continue
    return None


async def _bounded(response: httpx.Response) -> bytes:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MOST_ERROR_BYTES:
            break
    return body


def _pieces_of(response: httpx.Response) -> _More:
    """Whom to ask for an answer's next bytes: what carries it, where that is ours and nothing is packed."""
    body: Body | None = response.extensions.get(BODY)
    if body is not None and "content-encoding" not in response.headers:
        return body.piece
    pieces = response.aiter_bytes()
    return lambda: anext(pieces, b"")


async def _drained(more: _More) -> None:
    """A connection is used again only where its answer has been read to the end: the few bytes behind the last event."""
    try:
        async with asyncio.timeout(_DRAIN_S):
            while await more():
                pass
    except (TimeoutError, httpx.HTTPError):
        pass  # it is closed, then


async def _close(response: httpx.Response | None) -> None:
    if response is not None:
        await response.aclose()
