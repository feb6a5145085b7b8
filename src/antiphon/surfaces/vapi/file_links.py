"""Addresses of a call's files that open without a key, for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from antiphon.calls.artifact import Addresses
from antiphon.calls.recorded_side import Side
from antiphon.clock import Clock, iso
from antiphon.surfaces.vapi.signed_urls import SignedUrls

FileKind = Side | Literal["log"]
NAMES: dict[FileKind, str] = {**{side: f"{side}-recording" for side in get_args(Side)}, "log": "call-logs"}
"""What a file is called in ``/call/{id}/…``."""


class FileLinks:
    """Makes and checks them."""

    def __init__(self, urls: SignedUrls, clock: Clock, valid_s: int) -> None:
        self._urls = urls
        self._clock = clock
        self._valid_s = valid_s

    def of(self, call_id: str, kind: FileKind) -> str:
        return self._urls.sign(path_of(call_id, kind), self._valid_s)

    def opens(self, call_id: str, kind: FileKind, query: Mapping[str, str]) -> bool:
        return self._urls.good(path_of(call_id, kind), query)

    def addresses(self, call_id: str, recorded: bool, logged: bool) -> Addresses:
        """Of all files of a call."""
        log = self.of(call_id, "log") if logged else ""
        expires_at = iso((self._clock.wall_ms() // 1000 + self._valid_s) * 1000)
        if not recorded:
            return Addresses(log=log, expires_at=expires_at)
        sides: tuple[Side, ...] = ("mono", "stereo", "customer", "assistant")
        mono, stereo, customer, assistant = (self.of(call_id, side) for side in sides)
        return Addresses(mono, stereo, customer, assistant, log, expires_at)


def path_of(call_id: str, kind: FileKind) -> str:
    """Of the file itself."""
    return f"/files/calls/{call_id}/{NAMES[kind]}.{'jsonl' if kind == 'log' else 'wav'}"
