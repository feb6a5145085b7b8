"""All HTTP connections of the process: how many there may be, and which makes room for the next.

A connection says who it is only with its first request, so nobody is turned away at the door: beyond the bound, the one
that has been waiting longest without a whole request is cut. A stranger's silent connections make room for the webhook of
a call, and a flood of them cuts its own. The same happens when file handles run short, whoever holds them.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from typing import Protocol

from antiphon.losses import Losses
from antiphon.transports.http_bounds import HttpBounds
from antiphon.transports.message_memory import MessageMemory

_BOUNDS = HttpBounds()
_UNLIMITED = 1 << 30


class Cuttable(Protocol):
    """An open connection."""

    def cut(self) -> None:
        """End it at once, without an answer."""
        ...


class Connections:
    """One per process. A connection enters, is whole (its request has arrived) or waits again (for the next), and leaves."""

    def __init__(
        self,
        bounds: HttpBounds = _BOUNDS,
        reserved: tuple[str, ...] = ("/twilio/",),
        losses: Losses | None = None,
        handles: int | None = None,
        memory: MessageMemory | None = None,
    ) -> None:
        """``reserved``: the beginnings of carriers' paths. ``handles``: the limit of file handles; None asks the system."""
        self.bounds = bounds
        self.losses = losses or Losses()
        self.memory = memory or MessageMemory()
        self._reserved = reserved
        self._handles = handles if handles is not None else handle_limit()
        self._open: set[Cuttable] = set()
        self._waiting: dict[Cuttable, None] = {}
        """The longest waiting first."""
        self._elsewhere: set[Cuttable] = set()
        """Busy with a request that is not a carrier's."""
        self._counts = {
            "http_connections_cut": 0,
            "file_handles_short": 0,
            "http_requests_refused": 0,
        }

    def __len__(self) -> int:
        return len(self._open)

    @property
    def counts(self) -> Mapping[str, int]:
        """What happened so far, for the metrics."""
        return self._counts

    def refused(self, reason: str, peer: str) -> None:
        """A request was answered with an error before any route saw it."""
        self._counts["http_requests_refused"] += 1
        self.losses.tell("http_request_refused", f"{reason} {peer}", reason=reason, peer=peer)

    def enter(self, connection: Cuttable, handle: int) -> None:
        """It has opened, on this file handle. It or another may be cut at once."""
        self._open.add(connection)
        self._waiting[connection] = None
        if len(self._open) > self.bounds.max_connections:
            self.losses.tell("http_connections_full", limit=self.bounds.max_connections)
            self._make_room()
        # The system gives out the lowest free number: one near the limit says that nearly all are taken.
        elif handle >= self._handles - self.bounds.spare_handles:
            self._counts["file_handles_short"] += 1
            self.losses.tell("file_handles_short", limit=self._handles, http_connections=len(self._open))
            self._make_room()

    def leave(self, connection: Cuttable) -> None:
        """It is gone, or has become a media socket. Safe to call twice."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self._elsewhere.discard(connection)

    def wait(self, connection: Cuttable) -> None:
        """Its request was answered; it waits for the next one."""
        self._elsewhere.discard(connection)
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def admit(self, connection: Cuttable, path: str) -> bool:
        """Whether a request for this path may be worked on; a carrier's always may."""
        if path.startswith(self._reserved):
            return True
        if len(self._elsewhere) >= self.bounds.max_elsewhere and connection not in self._elsewhere:
            return False
        self._elsewhere.add(connection)
        return True

    def whole(self, connection: Cuttable) -> None:
        """Its request has arrived and is worked on: it is not cut for others' sake."""
        self._waiting.pop(connection, None)

    def _make_room(self) -> None:
        """Cut the one that has waited longest: of three hundred that opened at once, it may be the newest itself."""
        longest = next(iter(self._waiting), None)
        if longest is not None:
            self._counts["http_connections_cut"] += 1
            self.leave(longest)
            longest.cut()


def handle_limit() -> int:
    """How many file handles this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft


def raise_handle_limit(to: int = 65_536) -> None:
    """As many file handles as this user may have, ``to`` at most. The usual 1,024 is there for programs that call select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = to if hard == resource.RLIM_INFINITY else min(to, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
