"""A WebSocket to a vendor that stays up: it connects, notices every way of dying, waits and connects again.

What it keeps true, for recognisers and for models that hear and speak alike:

- connecting, and the vendor's first message where it sends one, have deadlines; a peer that vanishes is found by pings;
- what waits to be written is bounded: a vendor that stops reading is a connection that is lost;
- a connection that dies soon after its handshake counts as a failure, like one that never came up. Failures wait longer each time
  (with chance in it, so that a thousand calls do not knock together) and are numbered: after ``max_failures`` it gives up for
  ``rest_s``, then the next ``wake`` tries again. A key, a model or an account that is refused is not tried again at all;
- a (re)connection is told to the owner (``ready``), who says again what the vendor has to know, and sends again what it lost;
- nothing of a vendor's reason reaches an error unless it is short, printable and without the key.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import structlog

from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable
from antiphon.providers.websocket import (
    MAX_MESSAGE_BYTES,
    MAX_WAITING_BYTES,
    Addresses,
    Connection,
    Failure,
    Refused,
    connect,
    presentable,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Deadlines and bounds of one connection to a vendor."""

    connect_timeout_s: float = 5.0
    first_message_timeout_s: float = 5.0
    """From the handshake to ``VendorSocket.greeted``, for vendors that greet."""
    ping_after_s: float = 10.0
    """A connection on which nothing came for so long is asked by a ping …"""
    pong_timeout_s: float = 10.0
    """… and lost without an answer in this time."""
    max_waiting_bytes: int = MAX_WAITING_BYTES
    max_message_bytes: int = MAX_MESSAGE_BYTES
    messages_per_s: float = 2000.0
    """A voice that sends its sound in frames of 20 ms, forty times as fast as it is heard …"""
    messages_at_once: float = 4000.0
    """… of which so many may wait. A connection on which more come is lost: all calls would wait for it."""
    max_useless: int = 20
    """Messages of one connection that cannot be read, or refuse something. With so many it is useless."""
    steady_s: float = 5.0
    """A connection that dies before this was a failure, whatever its handshake said."""
    max_failures: int = 5
    first_wait_s: float = 0.1
    max_wait_s: float = 5.0
    rest_s: float = 30.0
    """After giving up, nothing is tried for so long."""
    close_timeout_s: float = 2.0

    def wait_s(self, failures: int, chance: float) -> float:
        """Before the next try, after so many failures in a row; ``chance`` 0…1 takes up to half of it off. Nothing after none: a
        connection that was steady is replaced at once."""
        if failures == 0:
            return 0.0
        return min(self.first_wait_s * 2.0 ** min(failures - 1, 30), self.max_wait_s) * (1 - chance / 2)


SocketEvent = Literal["connected", "refused", "lost", "gave_up"]


@dataclass(slots=True)
class SocketCounts:
    """What became of the connections to one vendor: one of these for each engine, shared by its calls."""

    counts: dict[SocketEvent, int] = field(
        default_factory=lambda: {"connected": 0, "refused": 0, "lost": 0, "gave_up": 0}
    )

    def count(self, event: SocketEvent) -> None:
        self.counts[event] += 1


class SocketOwner(Protocol):
    """Whom a ``VendorSocket`` tells. Called on the event loop; must not raise, nor block."""

    def opened(self) -> None:
        """The handshake is done: say what the vendor has to be told first. Where it greets, nothing else may be sent until then."""
        ...

    def ready(self) -> None:
        """The connection takes everything now."""
        ...

    def message(self, payload: bytes, *, text: bool) -> None: ...

    def closed_by_vendor(self, code: int, reason: str) -> Failure | None:
        """What a close code of this vendor's means; None where it means nothing special."""
        ...

    def interrupted(self, failure: Failure) -> None:
        """A connection that was ready is no more, or none came up; another one is being tried."""
        ...

    def gave_up(self, failure: Failure) -> None:
        """Nothing more is tried until ``wake``, and never again where it is permanent."""
        ...


class VendorSocket:
    """One lasting connection. All methods are called on the event loop."""

    def __init__(
        self,
        provider: str,
        url: Callable[[], str],
        headers: Callable[[], Mapping[str, str]],
        owner: SocketOwner,
        *,
        greets: bool = False,
        tls: ssl.SSLContext | None = None,
        secret: str = "",
        limits: SocketLimits | None = None,
        counts: SocketCounts | None = None,
        arrange: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``url`` and ``headers`` are asked before every try, after ``arrange``, for vendors that have to be asked for an address first:
        it raises Refused, and has deadlines of its own. ``greets``: the connection is not ready before the owner calls
        ``greeted``. ``secret`` is taken out of what the vendor says."""
        self._provider, self._url, self._headers, self._owner = provider, url, headers, owner
        self._greets, self._tls, self._secret = greets, tls, secret
        self.limits = limits or SocketLimits()
        self._counts = counts or SocketCounts()
        self._arrange = arrange
        self.addresses: Addresses | None = None
        """Which addresses of a name may be called; None: all."""
        self._link: _Link | None = None
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._useless = 0
        """Messages of this connection."""
        self._came_s = self._may_come = 0.0
        """When the last message came, and how many more may come at once."""
        self._given_up: Failure | None = None
        self._rests_until_s = 0.0
        self._closed = False

    @property
    def is_ready(self) -> bool:
        """Whether ``send`` reaches the vendor."""
        return self._link is not None and self._link.ready

    @property
    def problem(self) -> Failure | None:
        """Why it has given up; None while it has not."""
        return self._given_up

    def wake(self) -> None:
        """Connect, unless that is being done, was given up for good, or a moment ago."""
        if self._closed or self._task is not None:
            return
        loop = asyncio.get_running_loop()
        if self._given_up is not None:
            if self._given_up.permanent or loop.time() < self._rests_until_s:
                return
            self._given_up, self._failures = None, 0
        self._task = loop.create_task(self._keep_up(), name=f"{self._provider}-socket")

    def send(self, message: bytes, *, text: bool) -> bool:
        """False where there is no connection that takes it: nothing is kept."""
        link = self._link
        return link is not None and not link.over and link.send(message, text=text)

    def greeted(self) -> None:
        """The vendor has said that it is ready (only where it greets)."""
        if self._link is not None and not self._link.ready:
            self._become_ready(self._link)

    def fail(self, failure: Failure) -> None:
        """The owner has found this connection useless: a mute vendor, an error message that ends it."""
        if self._link is not None:
            self._link.fail(failure)

    def unreadable(self, kind: str) -> None:
        """The vendor has sent what cannot be read: told, and borne so often in a connection."""
        log.warning("vendor_message_unreadable", provider=self._provider, kind=kind)
        self._bear("the vendor sends what cannot be read")

    def complains(self, problem: str) -> None:
        """The vendor has refused something that it was asked, and goes on: likewise."""
        log.warning("vendor_complains", provider=self._provider, problem=problem)
        self._bear("the vendor refuses too much")

    def _bear(self, problem: str) -> None:
        self._useless += 1
        if self._useless >= self.limits.max_useless:
            self.fail(Failure(ProviderUnavailable(self._provider, problem)))

    def close(self, goodbye: bytes | None = None) -> None:
        """Say ``goodbye`` (a text message), begin the closing handshake, and call the owner never again."""
        if self._closed:
            return
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            link.leave(goodbye, self.limits.close_timeout_s)
        if self._task is not None:
            self._task.cancel()

    # ---------------------------------------------------------------------------------------------- the loop

    async def _keep_up(self) -> None:
        try:
            while not self._closed:
                failure = await self._one_connection()
                if failure.permanent or self._failures >= self.limits.max_failures:
                    self._give_up(failure)
                    return
                self._owner.interrupted(failure)
                await asyncio.sleep(self.limits.wait_s(self._failures, random.random()))
        except Exception as bug:
            log.exception("vendor_socket_failed", provider=self._provider, error_type=type(bug).__name__)
            self._give_up(Failure(ProviderError(self._provider, "the connection's own code failed"), permanent=True))
        finally:
            self._task = None

    def _give_up(self, failure: Failure) -> None:
        self._given_up = failure
        self._rests_until_s = asyncio.get_running_loop().time() + self.limits.rest_s
        self._counts.count("gave_up")
        self._owner.gave_up(failure)

    async def _one_connection(self) -> Failure:
        """Until it is no more; answers why."""
        loop = asyncio.get_running_loop()
        link = _Link(self._opened, self._arrived, self.limits.max_waiting_bytes, self.limits.max_message_bytes)
        try:
            if self._arrange is not None:
                await self._arrange()
            await self._connect(link)
        except Refused as refused:
            self._link = None
            self._failures += 1
            self._counts.count("refused")
            link.drop()
            return refused.failure
        except asyncio.CancelledError:
            link.drop()
            raise
        began_s = loop.time()
        try:
            try:
                async with asyncio.timeout(None if link.ready else self.limits.first_message_timeout_s):
                    await link.ready_or_gone.wait()
            except TimeoutError:
                link.fail(self._timed_out("the vendor accepted the connection and did not say that it is ready"))
            await link.gone.wait()
        finally:
            self._link = None
            if not link.left:
                link.drop()
        was_steady = link.ready and loop.time() - began_s >= self.limits.steady_s
        self._failures = 0 if was_steady else self._failures + 1
        self._counts.count("lost")
        return self._reason(link)

    async def _connect(self, link: _Link) -> None:
        limits = self.limits
        await connect(
            link, self._provider, self._url(), self._headers(), tls=self._tls, timeout_s=limits.connect_timeout_s,
            ping_after_s=limits.ping_after_s, pong_timeout_s=limits.pong_timeout_s,
            max_message_bytes=limits.max_message_bytes, secret=self._secret, addresses=self.addresses,
        )  # fmt: skip

    def _timed_out(self, problem: str) -> Failure:
        return Failure(ProviderTimeout(self._provider, problem))

    def _opened(self, link: _Link) -> None:
        if self._closed:
            return
        self._link, self._useless = link, 0
        self._came_s, self._may_come = asyncio.get_running_loop().time(), self.limits.messages_at_once
        self._owner.opened()
        if not self._greets:
            self._become_ready(link)

    def _become_ready(self, link: _Link) -> None:
        link.ready = True
        link.ready_or_gone.set()
        self._counts.count("connected")
        self._owner.ready()

    def _arrived(self, link: _Link, payload: bytes, text: bool) -> None:
        if link is not self._link or link.over:
            return
        now_s = asyncio.get_running_loop().time()
        limits = self.limits
        self._may_come = min(self._may_come + (now_s - self._came_s) * limits.messages_per_s, limits.messages_at_once)
        self._came_s = now_s
        if self._may_come < 1:
            self.fail(Failure(ProviderUnavailable(self._provider, "the vendor sends more messages than can be read")))
            return
        self._may_come -= 1
        self._owner.message(payload, text=text)

    def _reason(self, link: _Link) -> Failure:
        if link.failure is not None:
            return link.failure
        if link.close_code is None:
            return Failure(ProviderUnavailable(self._provider, "the connection was lost"))
        special = self._owner.closed_by_vendor(link.close_code, link.close_reason)
        if special is not None:
            return special
        said = presentable(link.close_reason, self._secret)
        text = f"the vendor closed the connection ({link.close_code}{f': {said}' if said else ''})"
        return Failure(ProviderUnavailable(self._provider, text))


class _Link(Connection):
    """One connection of several, and how it ended."""

    def __init__(
        self,
        opened: Callable[[_Link], None],
        arrived: Callable[[_Link, bytes, bool], None],
        max_waiting: int,
        max_message: int,
    ) -> None:
        super().__init__(max_waiting_bytes=max_waiting, max_message_bytes=max_message)
        self._on_opened, self._on_arrived = opened, arrived
        self.over = False
        self.ready = False
        self.ready_or_gone = asyncio.Event()
        self.gone = asyncio.Event()
        self.failure: Failure | None = None

    def opened(self) -> None:
        self._on_opened(self)

    def arrived(self, payload: bytes, text: bool) -> None:
        self._on_arrived(self, payload, text)

    def ended(self) -> None:
        self.over = True
        self.ready_or_gone.set()
        self.gone.set()

    def drop(self) -> None:
        super().drop()
        self.ended()

    def fail(self, failure: Failure) -> None:
        self.failure = self.failure or failure
        self.drop()
