"""One session with Gemini Live, kept up: connected, set up, read, mended, and replaced before the vendor ends it."""

from __future__ import annotations

import ssl
from typing import Protocol

import structlog

from antiphon.errors import MalformedMessage
from antiphon.providers.socket import SocketCounts, SocketLimits, VendorSocket
from antiphon.providers.speech_to_speech import gemini_wire as wire
from antiphon.providers.websocket import Failure

log = structlog.get_logger(__name__)


class Account(Protocol):
    """What of the engine a session needs."""

    name: str
    model: str
    api_key: str
    address: str
    limits: SocketLimits
    counts: SocketCounts

    @property
    def tls(self) -> ssl.SSLContext: ...


class SessionOwner(Protocol):
    """Whom a ``LiveSession`` tells. Called on the event loop."""

    def setup(self) -> bytes:
        """The first message of each connection."""
        ...

    def ready(self) -> None:
        """The vendor has taken it."""
        ...

    def read(self, message: wire.ServerMessage) -> None:
        """What else the vendor says. Raises MalformedMessage for sound that cannot be read."""
        ...

    def interrupted(self, failure: Failure) -> None:
        """The connection is no more; another one is being tried."""
        ...

    def gave_up(self, failure: Failure) -> None:
        """Nothing more is tried until ``wake``."""
        ...


class LiveSession:
    """Implements ``SocketOwner``."""

    def __init__(self, account: Account, owner: SessionOwner) -> None:
        self._account, self._owner = account, owner
        self.resuming = False
        """Whether this connection goes on with a session that was: one that is refused is none of the account's."""
        self._set_up = False
        self._socket = self._connection()

    def _connection(self) -> VendorSocket:
        account = self._account
        return VendorSocket(
            account.name, lambda: account.address, lambda: {"x-goog-api-key": account.api_key}, self,
            greets=True, tls=account.tls, secret=account.api_key, limits=account.limits, counts=account.counts,
        )  # fmt: skip

    @property
    def is_ready(self) -> bool:
        return self._socket.is_ready

    def wake(self) -> None:
        """Connect, unless that is done or being done."""
        self._socket.wake()

    def send(self, message: bytes) -> bool:
        """False where there is no session that takes it: nothing is kept."""
        return self._socket.is_ready and self._socket.send(message, text=True)

    def replace(self) -> None:
        """Leave this connection and make another one: no failure of anybody's. Nothing more is told of the one that was."""
        self._socket.close()
        self._socket = self._connection()
        self._socket.wake()

    def close(self) -> None:
        self._socket.close()

    # -------------------------------------------------------------------------------------------- SocketOwner

    def opened(self) -> None:
        self._set_up = False
        self._socket.send(self._owner.setup(), text=True)

    def ready(self) -> None:
        self._set_up = True
        self._owner.ready()

    def message(self, payload: bytes, *, text: bool) -> None:
        try:
            message = wire.read(payload)  # the vendor sends its JSON in binary messages
            if message.setup_complete is not None:
                self._socket.greeted()
            else:
                self._owner.read(message)
        except MalformedMessage as error:
            self._socket.unreadable(str(error))

    def closed_by_vendor(self, code: int, reason: str) -> Failure | None:
        account = self._account
        return wire.failure_of(
            account.name, code, reason, new=not self._set_up, resuming=self.resuming, secret=account.api_key
        )

    def interrupted(self, failure: Failure) -> None:
        self._owner.interrupted(failure)

    def gave_up(self, failure: Failure) -> None:
        log.warning("vendor_failed", provider=self._account.name, problem=failure.error.problem)
        self._owner.gave_up(failure)
