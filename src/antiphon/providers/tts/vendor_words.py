"""What a vendor of voices says of a fault, in our words: its own may hold what was to be said, and are not told on."""

from __future__ import annotations

_KEY = "the vendor refused the setting api_key"
_QUOTA = "the quota of the account of the setting api_key is used up"
_CROWDED = "too many replies at once on one connection"
_SIGNS = (
    ("api_key", _KEY),
    ("api key", _KEY),
    ("unauthorized", _KEY),
    ("invalid_authorization", _KEY),
    ("quota", _QUOTA),
    ("credit", _QUOTA),
    ("voice", "the vendor does not know the voice of the setting voiceId"),
    ("model", "the vendor does not know the setting model"),
    ("language", "the vendor does not take the setting language"),
    ("max_active_conversations", _CROWDED),
    ("simultaneous contexts", _CROWDED),
    ("rate limit", "the vendor's limit of requests is reached"),
    ("concurren", "the vendor's limit of replies at once is reached"),
)


def meaning(*told: object) -> str:
    """What a vendor's error means for the operator, as one line that names the setting."""
    text = " ".join(str(each or "") for each in told).lower()
    return next((each for sign, each in _SIGNS if sign in text), "the vendor reported an error")


def closing(code: int | None, reason: str) -> str:
    """What the end of a connection means."""
    if code is None:
        return "the connection was lost"
    told = reason.lower()
    known = next((each for sign, each in _SIGNS if sign in told), None)
    return known or f"the vendor closed the connection with code {code}"
