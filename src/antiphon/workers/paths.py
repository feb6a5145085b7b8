"""Which worker answers a request, by what it asks for. Pure."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Scope

from antiphon.cluster.forwarding import HERE, Owner
from antiphon.surfaces.realtime.http import PREFIXES
from antiphon.transports.handshake import fold_slashes
from antiphon.transports.socket import UpgradeRequest

_CONSOLE_S_REST = "/console/api/rest"
_FIRST = Owner("first")
_ALL = Owner("all")
_ROWS = Owner("rows")
_BY_CALL_SID = Owner("form", "CallSid")


def owner_of(scope: Scope) -> Owner:
    """Of an HTTP request. What a worker keeps for itself is asked of one: a call's things of the worker that holds it, the talk page and
    the console's first account of the first worker. A new call goes to one that takes any."""
    path, asks = fold_slashes(scope["path"]), scope["method"] == "POST"
    path = path.removeprefix(_CONSOLE_S_REST)
    for prefix in PREFIXES:
        if path.startswith(f"{prefix}/calls/"):
            return Owner("call", path.removeprefix(f"{prefix}/calls/").split("/")[0])
        if path in (prefix, f"{prefix}/calls") and asks:
            return Owner("new")
    match path.split("/")[1:]:
        case ["call"] | ["call", "phone" | "web"] if asks:
            return Owner("new", _header(scope, b"idempotency-key"))
        case ["call"] if scope["method"] == "DELETE":
            return Owner("each")
        case ["call"] | ["v2", "call"] if scope["method"] == "GET":
            return _ROWS
        case ["call", id, *_] | ["calls", id, "timeline"] | ["console", "api", "live", id, *_] if id:
            return Owner("call", id)
        case ["twilio", "voice", *_] | ["twilio", "after" | "call-status" | "answered-by"]:
            # A call that was dialled says our id, and may be answered before its carrier's id is known here.
            dialled = parse_qs(scope["query_string"].decode("latin-1")).get("call_id", [""])[-1]
            return Owner("call", dialled) if dialled else _BY_CALL_SID
        case ["console", "api", "live"] | ["metrics"]:
            return _ALL
        case ["console", "api", "me" | "setup" | "overview"] | ["talk", *_]:
            return _FIRST
        case ["readyz"]:
            return Owner("free")
    return HERE


def call_of(request: UpgradeRequest) -> str:
    """The call that a WebSocket is for; empty where it begins one, and may do that in any worker."""
    path = request.folded_path
    if path in PREFIXES:
        return parse_qs(request.query).get("call_id", [""])[-1]
    match path.split("/")[1:]:
        case ["call", id, _, "transport" | "listen"] | ["call", id, "media"] | ["twilio", "media", id]:
            return id
    return ""


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
