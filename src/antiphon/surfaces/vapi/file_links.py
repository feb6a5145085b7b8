"""Addresses of a call's files that open without a key, for a while: signed, so that nobody makes one for another file or a later day."""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal, get_args

from antiphon.calls.artifact import Addresses
from antiphon.calls.recorded_side import Side
from antiphon.clock import Clock
from antiphon.surfaces.vapi.dates import iso

FileKind = Side | Literal["log"]
NAMES: dict[FileKind, str] = {**{side: f"{side}-recording" for side in get_args(Side)}, "log": "call-logs"}
"""What a file is called in ``/call/{id}/…``."""


class FileLinks:
    """Makes and checks them."""

    def __init__(self, secret: str, base_url: str, clock: Clock, valid_s: float) -> None:
        self._key = hashlib.sha256(b"antiphon file links\0" + secret.encode()).digest()
        self._base_url = base_url
        self._clock = clock
        self._valid_s = valid_s

    def of(self, call_id: str, kind: FileKind) -> str:
        expires_s = self._expires_s()
        ending = "jsonl" if kind == "log" else "wav"
        signature = self._signature(call_id, kind, expires_s)
        return (
            f"{self._base_url}/files/calls/{call_id}/{NAMES[kind]}.{ending}?expires={expires_s}&signature={signature}"
        )

    def opens(self, call_id: str, kind: FileKind, expires: str, signature: str) -> bool:
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            return False
        right = self._signature(call_id, kind, int(expires))
        return (
            hmac.compare_digest(right.encode(), signature.encode("utf-8", "replace"))
            and self._clock.wall_ms() < int(expires) * 1000
        )

    def addresses(self, call_id: str, recorded: bool, logged: bool) -> Addresses:
        """Of all files of a call."""
        log = self.of(call_id, "log") if logged else ""
        expires_at = iso(self._expires_s() * 1000)
        if not recorded:
            return Addresses(log=log, expires_at=expires_at)
        mono, stereo, customer, assistant = (
            self.of(call_id, side) for side in ("mono", "stereo", "customer", "assistant")
        )
        return Addresses(mono, stereo, customer, assistant, log, expires_at)

    def _expires_s(self) -> int:
        return int(self._clock.wall_ms() / 1000 + self._valid_s)

    def _signature(self, call_id: str, kind: FileKind, expires_s: int) -> str:
        return hmac.new(self._key, f"{call_id}\n{kind}\n{expires_s}".encode(), hashlib.sha256).hexdigest()
