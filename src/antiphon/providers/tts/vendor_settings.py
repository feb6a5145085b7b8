"""Settings that every vendor's voice has."""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog

from antiphon.errors import ConfigurationError

log = structlog.get_logger(__name__)


def check_vendor(provider: str, api_key: str, audio_timeout_ms: int, connections: int) -> None:
    """Raises ConfigurationError naming the option."""
    if not api_key.strip():
        raise ConfigurationError("tts.api_key", f"{provider} needs the API key of an account")
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ConfigurationError("tts.api_key", "holds a blank or a character that no key has")
    if not 100 <= audio_timeout_ms <= 60_000:
        raise ConfigurationError("tts.audio_timeout_ms", "must be 100 … 60000")
    if not 1 <= connections <= 1_000:
        raise ConfigurationError("tts.sockets", "must be 1 … 1000")


def speed_within(provider: str, wanted: float, slowest: float, fastest: float) -> float:
    """What the vendor can do of the wanted speed; less or more than that is told in the log."""
    given = min(max(wanted, slowest), fastest)
    if given != wanted:
        log.warning("voice_speed_out_of_range", provider=provider, wanted=wanted, given=given)
    return given


def websocket_url(base_url: str) -> str:
    """``base_url`` for a WebSocket, without a slash at its end. Raises ConfigurationError."""
    return _with_scheme(base_url, {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"})


def http_url(base_url: str) -> str:
    """``base_url`` for requests, without a slash at its end. Raises ConfigurationError."""
    return _with_scheme(base_url, {"https": "https", "http": "http", "wss": "https", "ws": "http"})


def _with_scheme(base_url: str, schemes: dict[str, str]) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in schemes or not parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError("tts.base_url", f"must be {' or '.join(schemes)}://host, perhaps with a path")
    return parts._replace(scheme=schemes[parts.scheme]).geturl().rstrip("/")
