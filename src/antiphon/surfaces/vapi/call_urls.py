"""URLs that are good for one call and one purpose, and expire: whoever has one needs no key."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Literal

from antiphon.clock import Clock

Purpose = Literal["transport", "listen", "control", "media"]
_MAX_TOKEN_CHARS = 80
MONITOR_MS = 13 * 3_600_000
"""The longest call takes twelve hours."""


class CallUrls:
    """Makes and checks them. Any process with the secret can; how often one is used is looked after where it leads."""

    def __init__(self, base_url: str, secret: bytes, clock: Clock) -> None:
        self._base_url = base_url.rstrip("/")
        self._secret = hmac.new(secret, b"antiphon/call-urls", hashlib.sha256).digest()
        self._clock = clock

    def websocket(self, call_id: str, expires_ms: int) -> str:
        """The media of a ``vapi.websocket`` call. The token is in the path: clients look at how it ends."""
        return f"{self._socket_base}/call/{call_id}/{self._token('transport', call_id, expires_ms)}/transport"

    def web(self, call_id: str, expires_ms: int) -> str:
        """Where our web client joins a web call; its media are at ``…/call/{id}/media`` with the same token."""
        return f"{self._base_url}/web-call/{call_id}?token={self._token('media', call_id, expires_ms)}"

    def listen(self, call_id: str, lasts_ms: int = MONITOR_MS) -> str:
        return f"{self._socket_base}/call/{call_id}/{self._token('listen', call_id, lasts_ms)}/listen"

    def control(self, call_id: str) -> str:
        return f"{self._base_url}/call/{call_id}/{self._token('control', call_id, MONITOR_MS)}/control"

    def opens(self, purpose: Purpose, call_id: str, token: str) -> bool:
        """Whether this token is good for it now."""
        expiry, _, mac = token.partition(".")
        if len(token) > _MAX_TOKEN_CHARS or not expiry.isascii() or not expiry.isdigit():
            return False
        good = hmac.compare_digest(mac.encode(), self._mac(purpose, call_id, expiry).encode())
        return good and self._clock.wall_ms() < int(expiry)

    @property
    def _socket_base(self) -> str:
        return "ws" + self._base_url.removeprefix("http")

    def _token(self, purpose: Purpose, call_id: str, lasts_ms: int) -> str:
        expiry = str(self._clock.wall_ms() + lasts_ms)
        return f"{expiry}.{self._mac(purpose, call_id, expiry)}"

    def _mac(self, purpose: Purpose, call_id: str, expiry: str) -> str:
        digest = hmac.new(self._secret, f"{purpose}\0{call_id}\0{expiry}".encode(), hashlib.sha256).digest()
        return urlsafe_b64encode(digest[:24]).decode()
