"""An application's server: where it listens, how it is convinced that we are who calls, and how often we try."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from antiphon.errors import ConfigurationError, RequestFailed, StoreUnavailable
from antiphon.tools.http import HttpAnswer, Outgoing
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.signing import SECRET_HEADER, Authentication

_CAP_S = 3600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """When a request that was not acknowledged is made again [backoffPlan]."""

    kind: Literal["fixed", "exponential"] = "exponential"
    base_s: float = 1.0
    max_retries: int = 0
    excluded: tuple[int, ...] = ()
    """Statuses after which it is not."""

    def delay_s(self, attempts: int, status: int | None, id: str) -> float | None:
        """After so many attempts in vain; None: never again. Up to a tenth is added, other for each ``id``: what failed together is not
        all made again together."""
        if attempts > self.max_retries or (status is not None and status in self.excluded):
            return None
        base = self.base_s if self.kind == "fixed" else self.base_s * 2 ** min(attempts - 1, 16)
        return min(base, _CAP_S) * (1 + zlib.crc32(f"{id}{attempts}".encode()) % 1000 / 10_000)


UNTIL_ACKNOWLEDGED = Backoff("exponential", 1.0, 32)
"""For what must arrive: 32 retries, the last ones an hour apart, go on for a day."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one kind of message goes."""

    url: str
    timeout_s: float = 20.0
    secret: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    authentication: Authentication | None = None
    credential_id: str = ""
    """Of a credential that says how requests are authenticated; looked up for each (``authenticated``)."""
    backoff: Backoff | None = None
    """None: the sender's own."""

    def request(self, body: bytes, id: str = "", timeout_s: float | None = None) -> Outgoing:
        secret = {SECRET_HEADER: self.secret} if self.secret else {}
        marks = {"idempotency-key": id} if id else {}
        return Outgoing(self.url, body, "POST", {**marks, **secret, **self.headers}, timeout_s or self.timeout_s, id)


Authenticate = Callable[[str, str], Awaitable[Authentication]]
"""What a credential says: by organisation, and the credential's id. Raises ConfigurationError, StoreUnavailable."""


async def authenticated(target: Target, org_id: str, authenticate: Authenticate | None) -> Target:
    """With what its credential says now. Raises RequestFailed: without it, the receiver would refuse us."""
    if not target.credential_id:
        return target
    if authenticate is None:
        raise RequestFailed("authentication", "there are no credentials here")
    try:
        return replace(target, authentication=await authenticate(org_id, target.credential_id))
    except (ConfigurationError, StoreUnavailable) as error:
        raise RequestFailed("authentication", error.code) from None


async def post(
    client: WebhookClient, target: Target, body: bytes, id: str = "", timeout_s: float | None = None
) -> HttpAnswer:
    """Raises RequestFailed."""
    return await client.send(target.request(body, id, timeout_s), target.authentication)


async def persistently(backoff: Backoff, id: str, send: Callable[[], Awaitable[HttpAnswer]]) -> HttpAnswer:
    """The answer, once there is one with a 2xx, or the last one. Whoever waits for it cancels. Raises RequestFailed where the last request
    had none; an address that may not be called is asked for once."""
    attempts = 0
    while True:
        attempts += 1
        try:
            answer = await send()
        except RequestFailed as error:
            delay_s = None if error.reason == "refused" else backoff.delay_s(attempts, None, id)
            if delay_s is None:
                raise
        else:
            delay_s = None if answer.ok else backoff.delay_s(attempts, answer.status, id)
            if delay_s is None:
                return answer
        await asyncio.sleep(delay_s)
