"""What the Twilio carrier must be told, and the two secrets derived from it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from antiphon.carriers.base import DetectionTuning
from antiphon.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class TwilioSettings:
    """Checked when built: raises ConfigurationError naming the field."""

    public_url: str
    """Where Twilio reaches us, as written in the Twilio console: ``https://voice.example.com`` and a path prefix if a
    proxy strips one. Every signature is computed over this, never over a Host header."""
    auth_token: str = field(default="", repr=False)
    """The account's primary auth token: signs webhooks, authenticates REST."""
    account_sid: str = ""
    verify_signatures: bool = True
    """Off only for a local demonstration: the stream token is checked in any case."""
    media_path: str = "/twilio/media"
    media_path_names_call: bool = False
    """Whether our id of the call follows it, so that whoever takes the socket sees which process holds the call."""
    assistant: str = "default"
    """The assistant that answers ``/twilio/voice``; ``/twilio/voice/{assistant}`` names another."""
    rest_base_url: str = "https://api.twilio.com"
    rest_timeout_ms: int = 10_000
    detection: DetectionTuning = field(default_factory=DetectionTuning)
    """For calls that ask for machine detection without numbers of their own."""
    token_secret: str = field(default="", repr=False)
    """Signs stream tokens and must be the same in every process. Derived from ``auth_token`` where empty."""
    token_ttl_ms: int = 60_000
    ended_calls_path: Path | None = None
    """Where it is kept which calls are over, for all processes; None: in this one's memory."""
    replay_window_days: float = 30.0
    """For so long a call that is over cannot be had again by what Twilio once signed for it."""
    max_waiting_sockets: int = 256
    """Media sockets that may be open without having shown a valid token yet."""

    def __post_init__(self) -> None:
        if not _is_plain_http_url(self.public_url):
            raise ConfigurationError("twilio.public_url", "must be http(s)://host[:port][/prefix], nothing after")
        if self.verify_signatures and not self.auth_token:
            raise ConfigurationError("twilio.auth_token", "is needed to verify signatures")
        if not (self.auth_token or self.token_secret):
            raise ConfigurationError("twilio.token_secret", "is needed where there is no auth_token")
        if not self.media_path.startswith("/") or self.media_path.endswith("/") or "?" in self.media_path:
            # Which form of a bare or slash-ended URL Twilio signs is not documented, and it drops the query.
            raise ConfigurationError("twilio.media_path", "must start with a slash, not end with one, no query")

    @property
    def base_url(self) -> str:
        """``public_url`` without a slash at its end."""
        return self.public_url.rstrip("/")

    @property
    def media_url(self) -> str:
        """What ``<Stream url>`` says: ``wss`` (``ws`` only where the public URL is plain http)."""
        return "ws" + self.base_url.removeprefix("http") + self.media_path

    def media_url_of(self, call_id: str) -> str:
        """The one that this call is told."""
        return f"{self.media_url}/{call_id}" if self.media_path_names_call else self.media_url

    def secret(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose, so that no key is used for two."""
        root = self.token_secret or self.auth_token
        return hmac.new(root.encode(), f"antiphon/twilio/{purpose}".encode(), hashlib.sha256).digest()


def _is_plain_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return port_is_valid and parts.scheme in ("http", "https") and bool(parts.hostname) and not set("?#") & set(url)
