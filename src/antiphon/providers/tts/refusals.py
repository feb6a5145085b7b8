"""A vendor that has refused a voice is not asked again before its time: calls go to the voice that stands in, at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog

from antiphon.errors import ProviderUnavailable
from antiphon.providers.websocket import refusal

LONGEST_S = 60.0
"""A vendor that asks for a longer pause is asked again nevertheless: the limit may be another one by then."""
UNTOLD_S = 5.0
"""A vendor that refuses without saying for how long is spared so long."""

log = structlog.get_logger(__name__)


def retry_after_s(headers: Mapping[str, Any]) -> float:
    """How long a vendor that refuses wants to be left alone, bounded (RFC 9110 §10.2.3, in seconds)."""
    try:
        return min(max(float(headers.get("Retry-After", UNTOLD_S)), 0.0), LONGEST_S)
    except (TypeError, ValueError):
        return UNTOLD_S


class Refusals:
    """Those of one vendor and account."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._until_s = 0.0
        self._problem = ""

    def check(self) -> None:
        """Raises ProviderUnavailable while the vendor wants to be left alone."""
        rest_s = self._until_s - time.monotonic()
        if rest_s > 0:
            raise ProviderUnavailable(self._provider, f"{self._problem}; asked again in {rest_s:.0f} s")

    def refused(self, status: int, headers: Mapping[str, Any]) -> ProviderUnavailable:
        """An HTTP status instead of a voice, as an error that names the setting."""
        self._problem = refusal(self._provider, status).error.problem
        self._until_s = time.monotonic() + retry_after_s(headers) if status in (401, 402, 403, 429, 503) else 0.0
        log.warning("voice_refused", provider=self._provider, status=status, problem=self._problem)
        return ProviderUnavailable(self._provider, self._problem)
