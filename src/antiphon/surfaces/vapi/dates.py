"""Times as they are asked for: ISO 8601. (How they are written: ``clock.iso``.)"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from antiphon.surfaces.vapi.errors import ApiError

_MAX_CHARS = 40
_ZONE = re.compile(r" (?=\d\d:?\d\d$)")
_FIRST_MS, _LAST_MS = -62_135_596_799_000, 253_402_300_798_999
"""The years 1 to 9999 in UTC, but for a second at both ends. A zone may carry a moment beyond them, where no date can be written."""


def ms_of(text: str, field: str = "date") -> int:
    """UTC milliseconds; what has no zone is UTC. Raises ApiError 400 naming ``field``."""
    try:
        if len(text) > _MAX_CHARS:
            raise ValueError
        # A plus sign in a query that nobody encoded has become a space.
        moment = datetime.fromisoformat(_ZONE.sub("+", text.strip()) if "T" in text else text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        wall_ms = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 + 0.5)
        return min(max(wall_ms, _FIRST_MS), _LAST_MS)
    except (ValueError, OverflowError):
        raise ApiError(400, [f"{field} must be a valid ISO 8601 date string"]) from None
