"""Telephone numbers as carriers take them. One that is written otherwise is never rung, and never recognised when it rings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from antiphon.surfaces.vapi.errors import ApiError

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")


def require_e164(of: Mapping[str, Any], field: str) -> None:
    """``of``: what has ``number``, and perhaps ``numberE164CheckEnabled: false``, as for extensions of an exchange. Raises ApiError 400 in
    the platform's words."""
    number = of.get("number")
    if (
        not isinstance(number, str)
        or not number
        or of.get("numberE164CheckEnabled") is False
        or _E164.fullmatch(number)
    ):
        return
    tip = "Hot tip, you may be missing the country code (Eg. US: +1)"
    raise ApiError(400, [f"{field} must be a valid phone number in the E.164 format. {tip}"])
