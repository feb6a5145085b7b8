"""A request to an application's server, as tools ask for it. Who sends it, and where it may go, is ``webhooks``'s business."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request. ``timeout_s`` is for all of it: waiting for a connection, redirects, the answer."""

    url: str
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 20.0
    id: str = ""
    """The same for a request that is made again: the receiver can tell that it has it already."""
    answer_bytes: int | None = None
    """The longest answer that is read; None for the usual bound."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; of several of one name the last."""

    @property
    def content_type(self) -> str:
        """As its header says; empty where there is none."""
        return self.headers.get("content-type", "")[:256]

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


Send = Callable[[Outgoing], Awaitable[HttpAnswer]]
"""Sends a request; raises RequestFailed. Whatever the receiver answered is an answer."""
