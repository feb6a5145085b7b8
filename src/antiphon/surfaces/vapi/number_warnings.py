"""What of a telephone number's document is kept and not honoured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OWN_ACCOUNT = "kept, and calls are made with the server's own account (twilio.account_sid)"
_NO_EFFECT: Mapping[str, str] = {
    "hooks": "kept, and no hook of a number is run",
    "sipUri": "kept, and has no effect: there is no SIP here",
    "numberDesiredAreaCode": "kept, and buys no number: say number",
    "smsEnabled": "kept, and no text message is taken",
    "workflowId": "kept, and has no effect: an assistant may follow a workflow (model.workflow)",
    "twilioAccountSid": _OWN_ACCOUNT,
    "credentialId": _OWN_ACCOUNT,
}
_NO_CARRIER = "there is no carrier of this name here: calls come in and are made over Twilio alone"
_OTHERS = ("vonage", "telnyx")


def without_effect(number: Mapping[str, Any]) -> list[str]:
    """A line for each field."""
    lines = [f"{field}: {reason}" for field, reason in _NO_EFFECT.items() if number.get(field)]
    if number.get("provider") in _OTHERS:
        lines.append(f"provider: {_NO_CARRIER}")
    if not number.get("number"):
        lines.append("number: without one nobody can call it, and nobody can be called from it")
    return lines
