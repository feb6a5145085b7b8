"""The client's half of a WebSocket handshake (RFC 6455 §4.2.1), and how it and other requests are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

import orjson

VERSION = "13"
_SLASHES = re.compile("/{2,}")
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")  # 16 bytes in base64


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request is answered with this HTTP status and nothing else."""

    status: int
    reason: str
    """A short stable label, logged, and sent where there is no body."""
    body: bytes = b""
    """JSON, where the peer's protocol has a shape for errors."""
    headers: Mapping[str, str] = field(default_factory=dict)


ErrorBody = Callable[[str, int, str], bytes]
"""An error as JSON in the shape of the protocol that is spoken at this path: of path, status and message."""


def plain_error(path: str, status: int, message: str) -> bytes:
    """The shape where no protocol has its own."""
    return orjson.dumps({"detail": message})


def fold_slashes(path: str) -> str:
    """A base URL with a slash at its end and a path with one at its beginning make two, and mean one."""
    return _SLASHES.sub("/", path) if "//" in path else path


def answer(refusal: Refusal) -> bytes:
    """The whole response, after which the connection closes."""
    body = refusal.body or refusal.reason.encode()
    kind = "application/json" if refusal.body else "text/plain; charset=utf-8"
    phrase = HTTPStatus(refusal.status).phrase
    lines = [
        f"HTTP/1.1 {refusal.status} {phrase}",
        f"date: {formatdate(usegmt=True)}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
        *(f"{name}: {value}" for name, value in refusal.headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def find_fault(method: str, headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, str] | None:
    """What is wrong with a handshake, as status and message; None for a sound one. ``headers`` by lower-case names."""
    if method != "GET":
        return 405, "A WebSocket is opened with GET."
    given: dict[bytes, list[str]] = {}
    for name, value in headers:
        given.setdefault(name, []).append(value.decode("latin-1").strip())
    if given.get(b"transfer-encoding") or any(length.strip("0") for length in given.get(b"content-length", [])):
        return 400, "A WebSocket handshake has no body."
    versions = given.get(b"sec-websocket-version", [])
    if len(versions) == 1 and versions != [VERSION]:
        return 426, "Version 13 of the WebSocket protocol is spoken here."
    keys = given.get(b"sec-websocket-key", [])
    if len(versions) != 1 or len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        return 400, "This is no WebSocket handshake of RFC 6455."
    return None
