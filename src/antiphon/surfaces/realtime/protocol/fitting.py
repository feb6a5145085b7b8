"""Server events for a client that takes only short messages (``a=max-message-size`` of its data channel; 64 KiB is usual).

What is too long is shortened where that does no harm: an event that says less is better than one that never comes, because clients
wait for each. A function's arguments are never cut, since half of them would be obeyed as if they were all.
"""

from __future__ import annotations

from typing import Any

import orjson

from antiphon.surfaces.realtime.protocol.server_events import Event

_LONGEST_TEXTS = (16_384, 4096, 1024, 256)
_WHOLE = frozenset(["arguments", "event_id", "type"])
_CUT = "…"


def fitted(payload: bytes, limit_bytes: int) -> bytes | None:
    """An event as JSON of at most ``limit_bytes``: itself, or with its long texts cut, or without the tools and outputs that clients
    know from elsewhere, or an ``error`` that says it could not be sent. None where not even that is short enough."""
    if len(payload) <= limit_bytes:
        return payload
    event = orjson.loads(payload)
    kind = event["type"]
    if not kind.startswith("response.function_call_arguments."):
        for longest in _LONGEST_TEXTS:
            shorter = orjson.dumps(_cut(event, longest))
            if len(shorter) <= limit_bytes:
                return shorter
        shorter = orjson.dumps(_cut(_without_lists(event), _LONGEST_TEXTS[-1]))
        if len(shorter) <= limit_bytes:
            return shorter
    refusal = orjson.dumps(_too_large(event, len(payload), limit_bytes))
    return refusal if len(refusal) <= limit_bytes else None


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + _CUT
    if isinstance(value, list):
        return [_cut(entry, longest) for entry in value]
    if isinstance(value, dict):
        return {name: entry if name in _WHOLE else _cut(entry, longest) for name, entry in value.items()}
    return value


def _without_lists(event: Event) -> Event:
    """``tools`` may be left out of a session; the items of a response were all told before it was done."""
    shorter = dict(event)
    if "session" in event:
        shorter["session"] = {name: value for name, value in event["session"].items() if name != "tools"}
    if "response" in event:
        shorter["response"] = {**event["response"], "output": []}
    return shorter


def _too_large(event: Event, size_bytes: int, limit_bytes: int) -> Event:
    error = {
        "type": "server_error",
        "code": "event_too_large",
        "message": f"An event '{event['type']}' of {size_bytes} bytes could not be sent: "
        f"this client takes {limit_bytes} bytes at most.",
    }
    return {"event_id": event["event_id"], "type": "error", "error": error}
