"""What a carrier can be asked to call: a telephone number, or a SIP URI."""

from __future__ import annotations

import re
from typing import Literal

_NUMBER = re.compile(r"\+?[0-9]{3,20}\Z")
_SIP = re.compile(r"sips?:[^\s@<>\"]+@[^\s@<>\"]+\Z")


def kind_of(address: str) -> Literal["number", "sip"] | None:
    """None for what is neither: a call never goes there."""
    if _NUMBER.match(address):
        return "number"
    return "sip" if _SIP.match(address) else None
