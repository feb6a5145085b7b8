"""Requests to applications' servers: checked where they go, signed, with a deadline for all of it; bounded in number and in size."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpcore
import orjson

from antiphon.clock import Clock
from antiphon.errors import RequestFailed
from antiphon.ids import new_id
from antiphon.places import Places
from antiphon.tools.http import HttpAnswer, Outgoing
from antiphon.webhooks.egress import CheckedNetwork, Egress
from antiphon.webhooks.signing import Authentication, Bearer, OAuth2, Signed, bearer_headers, signed_headers

MAX_REDIRECTS = 3
_AGENT = "antiphon"
_NEVER_GIVEN = frozenset(["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"])
_GOES_ELSEWHERE_TOO = frozenset(["content-type", "accept", "user-agent", "idempotency-key", "webhook-id"])
"""Headers that follow a redirect to another host: no secrets."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What all requests of a process may cost."""

    per_host: int = 64
    """Requests to one host at once; others wait, within their deadline."""
    connections: int = 512
    idle: int = 64
    idle_s: float = 30.0
    answer_bytes: int = 1024 * 1024
    waiting: int = 4096
    """Requests at once, those that wait included."""


class WebhookClient:
    """One for a process; its connections are kept and shared."""

    def __init__(
        self, egress: Egress, clock: Clock, bounds: Bounds | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._egress = egress
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or ssl.create_default_context(),
            max_connections=self._bounds.connections,
            max_keepalive_connections=self._bounds.idle,
            keepalive_expiry=self._bounds.idle_s,
            network_backend=CheckedNetwork(egress),
        )
        self._hosts = Places(self._bounds.per_host)
        self._asked = 0
        self._tokens = _Tokens(self)

    async def close(self) -> None:
        """Safe to call twice."""
        await self._pool.aclose()

    @property
    def egress(self) -> Egress:
        """Where requests may go."""
        return self._egress

    async def send(self, request: Outgoing, authentication: Authentication | None = None) -> HttpAnswer:
        """The receiver's answer, whichever. Raises RequestFailed. Redirects of the kinds that keep the method are followed, each checked
        like the first address."""
        if self._asked >= self._bounds.waiting:
            raise RequestFailed("busy", "too many requests wait")
        self._asked += 1
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._authenticated(request, authentication)
        except TimeoutError:
            raise RequestFailed("timeout", f"no answer within {request.timeout_s:g} s") from None
        finally:
            self._asked -= 1

    async def _authenticated(self, request: Outgoing, authentication: Authentication | None) -> HttpAnswer:
        if not isinstance(authentication, OAuth2):
            return await self._followed(request, authentication)
        token = await self._tokens.get(authentication, request.timeout_s, self._clock.now_ms())
        answer = await self._followed(request, Bearer(token))
        if answer.status != 401:
            return answer
        self._tokens.drop(authentication, token)  # revoked before its time
        token = await self._tokens.get(authentication, request.timeout_s, self._clock.now_ms())
        return await self._followed(request, Bearer(token))

    async def _followed(self, request: Outgoing, authentication: Authentication | None) -> HttpAnswer:
        self._egress.check_url(request.url)  # what is no URL has no origin
        origin = _origin(request.url)
        message_id = request.id or new_id("msg")
        for _ in range(MAX_REDIRECTS + 1):
            proof = {}
            if _origin(request.url) == origin:  # nobody else learns what opens the receiver
                proof = self._proof(request, authentication, message_id)
            answer, location = await self._once(request, {**_given(request), **proof})
            keeps = answer.status in (307, 308) or (answer.status in (301, 302, 303) and request.method == "GET")
            if not keeps or not location:
                return answer
            url = _leads_to(request.url, location)
            self._egress.check_url(url)
            if request.url.startswith("https:") and not url.startswith("https:"):
                raise RequestFailed("redirect", "it leaves TLS")
            headers = dict(request.headers)
            if _origin(url) != origin:
                headers = {name: value for name, value in headers.items() if name.lower() in _GOES_ELSEWHERE_TOO}
            request = replace(request, url=url, headers=headers)
        raise RequestFailed("redirect", "there are too many")

    def _proof(self, request: Outgoing, authentication: Authentication | None, message_id: str) -> dict[str, str]:
        if isinstance(authentication, Bearer):
            return bearer_headers(authentication)
        if authentication is None or isinstance(authentication, OAuth2):
            return {}
        signed = Signed(request.body, request.method, request.url)
        return signed_headers(authentication, signed, self._clock.wall_ms() // 1000, message_id)

    async def _once(self, request: Outgoing, headers: Mapping[str, str]) -> tuple[HttpAnswer, str]:
        """One answer, and where it leads to. Many servers close a connection that nobody used for five seconds, and this request may just
        have been on its way: then it goes over another. The receiver knows it by its id should it come twice."""
        async with self._hosts.one(_origin(request.url)):
            while True:
                course = _Course()
                try:
                    return await self._exchanged(request, headers, course)
                except httpcore.TimeoutException:
                    raise RequestFailed("timeout") from None
                except (httpcore.NetworkError, httpcore.RemoteProtocolError, OSError) as error:
                    if not course.was_too_late:
                        raise RequestFailed("connection", type(error).__name__) from None
                except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, ValueError, TypeError):
                    raise RequestFailed("protocol", "a header or the method cannot be sent") from None

    async def _exchanged(
        self, request: Outgoing, headers: Mapping[str, str], course: _Course
    ) -> tuple[HttpAnswer, str]:
        async with self._pool.stream(
            request.method, request.url, headers=list(headers.items()), content=request.body,
            extensions={"trace": course.follow},
        ) as response:  # fmt: skip
            body = await _read(response, request.answer_bytes or self._bounds.answer_bytes)
            told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return HttpAnswer(response.status, body, told), told.get("location", "")


async def _read(response: httpcore.Response, most_bytes: int) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_stream():
        size += len(part)
        if size > most_bytes:
            raise RequestFailed("too_large", f"the answer is larger than {most_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


class _Course:
    """How far one request came, as httpcore tells it."""

    def __init__(self) -> None:
        self._own_connection = self._answered = False

    async def follow(self, event: str, info: Mapping[str, Any]) -> None:
        self._own_connection = self._own_connection or event == "connection.connect_tcp.started"
        self._answered = self._answered or event == "http11.receive_response_headers.complete"

    @property
    def was_too_late(self) -> bool:
        """Whether it went over a connection that others had used, and nothing of an answer came."""
        return not self._own_connection and not self._answered


class _Tokens:
    """OAuth 2 tokens, fetched once for all who wait for the same one."""

    _MOST = 256
    _EARLY_MS = 30_000
    """A token is replaced this long before it ends."""

    def __init__(self, client: WebhookClient) -> None:
        self._client = client
        self._tokens: OrderedDict[OAuth2, tuple[str, int]] = OrderedDict()
        self._fetching: dict[OAuth2, asyncio.Task[tuple[str, int]]] = {}

    async def get(self, plan: OAuth2, timeout_s: float, now_ms: int) -> str:
        """Raises RequestFailed."""
        token, until_ms = self._tokens.get(plan, ("", 0))
        if token and now_ms < until_ms:
            self._tokens.move_to_end(plan)
            return token
        task = self._fetching.get(plan)
        if task is None:
            task = asyncio.create_task(self._fetch(plan, timeout_s), name="oauth2 token")
            self._fetching[plan] = task
            task.add_done_callback(lambda done: self._fetched(plan, done))
        token, lasts_ms = await asyncio.shield(task)
        self._tokens[plan] = (token, now_ms + lasts_ms - self._EARLY_MS)
        while len(self._tokens) > self._MOST:
            self._tokens.popitem(last=False)
        return token

    def drop(self, plan: OAuth2, token: str) -> None:
        if self._tokens.get(plan, ("", 0))[0] == token:
            del self._tokens[plan]

    def _fetched(self, plan: OAuth2, task: asyncio.Task[tuple[str, int]]) -> None:
        del self._fetching[plan]
        if not task.cancelled():
            task.exception()  # whoever waited has it

    async def _fetch(self, plan: OAuth2, timeout_s: float) -> tuple[str, int]:
        form = {"grant_type": "client_credentials", "client_id": plan.client_id, "client_secret": plan.client_secret}
        if plan.scope:
            form["scope"] = plan.scope
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        answer = await self._client.send(
            Outgoing(plan.url, urlencode(form).encode(), headers=headers, timeout_s=timeout_s)
        )
        try:
            said = orjson.loads(answer.body) if answer.ok else {}
            token, lasts_s = said["access_token"], float(said.get("expires_in", 300))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise RequestFailed("authentication", "the token's server gave none") from None
        if not isinstance(token, str) or not token.isprintable():
            raise RequestFailed("authentication", "the token's server gave none")
        return token, round(min(max(lasts_s, 0), 86_400) * 1000)


def _given(request: Outgoing) -> dict[str, str]:
    named = {name: value for name, value in request.headers.items() if name.lower() not in _NEVER_GIVEN}
    known = {name.lower() for name in named}
    defaults = {"user-agent": _AGENT, "accept": "application/json"}
    if request.body:
        defaults["content-type"] = "application/json"
    url = urlsplit(request.url)
    host = {"host": url.netloc.rpartition("@")[2]}
    length = {"content-length": str(len(request.body))} if request.body or request.method not in ("GET", "HEAD") else {}
    return {**host, **length, **{name: value for name, value in defaults.items() if name not in known}, **named}


def _leads_to(url: str, location: str) -> str:
    """Raises RequestFailed."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise RequestFailed("redirect", "it leads to what is no URL") from None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"
