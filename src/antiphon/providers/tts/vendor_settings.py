"""Settings that every vendor's voice has."""

from __future__ import annotations

import structlog

from antiphon.errors import ConfigurationError
from antiphon.providers.vendor_settings import checked_key

log = structlog.get_logger(__name__)


def check_vendor(api_key: str, audio_timeout_ms: int, connections: int) -> None:
    """Raises ConfigurationError naming the option."""
    checked_key(api_key, "tts.api_key")
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
