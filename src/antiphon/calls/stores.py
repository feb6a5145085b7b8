"""What an organisation keeps, as protocols: documents that people write (assistants, tools, …), and the records of calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

CallStatus = Literal["scheduled", "queued", "ringing", "in-progress", "forwarding", "ended"]
Order = Literal["newest", "oldest"]
Sort = Literal["created", "cost", "duration"]
MAX_LISTED = 1000
DEFAULT_ORG = "6d1f4f0e-9a51-4c6f-8f3b-2b1b7a9c0d10"
"""The organisation of keys that name none, and of whoever asks without one on this machine."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of wall time in UTC milliseconds; None: open at that end. Both ends belong to it."""

    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of a list is asked for."""

    limit: int = 100
    """At most ``MAX_LISTED``."""
    offset: int = 0
    order: Order = "newest"
    sort: Sort = "created"
    """``cost`` and ``duration`` are of calls; ``newest`` then stands for the most expensive and the longest first."""
    created: Span = Span()
    updated: Span = Span()
    equal: Mapping[str, str | Collection[str]] = field(default_factory=dict)
    """Fields of the record that must have this value, or one of these: for resources ``name`` and what its kind has links for
    (``LINKS``), for calls any text column."""
    ids: Sequence[str] | None = None


LINKS = ("assistant_id", "squad_id", "session_id", "phone_number_id", "number", "purpose")
"""What a resource may point to, kept in columns of their own so that it can be searched by."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A document of an organisation: an assistant, a tool, a squad … Every field it came with is in ``body``."""

    kind: str
    id: str
    org_id: str
    body: Mapping[str, Any]
    created_wall_ms: int
    updated_wall_ms: int
    version: int = 1
    """Counted from 1, one more with every change."""
    links: Mapping[str, str] = field(default_factory=dict)
    changed_by: str = ""
    """The name of the person who made this version in the console; empty where it was no person (an API key)."""


class ResourceStore(Protocol):
    """Documents by kind, organisation and id. All raise ``StoreUnavailable`` where the database does not answer."""

    async def add(self, resource: Resource) -> bool:
        """False where there is one of this id already: nothing is changed. Raises ValueTaken for a telephone number that another has, of
        whatever organisation."""
        ...

    async def find(self, kind: str, org_id: str, id: str) -> Resource | None: ...

    async def list(self, kind: str, org_id: str, listing: Listing) -> Sequence[Resource]: ...

    async def count(self, kind: str, org_id: str, listing: Listing) -> int:
        """How many the listing would have without its limit."""
        ...

    async def replace(self, resource: Resource) -> bool:
        """Put this in the place of the one with the same kind and id, if that has ``version - 1``. False: it has not, or is not there.
        The version that was there is kept (``versions``). Raises ValueTaken, as ``add``."""
        ...

    async def delete(self, kind: str, org_id: str, id: str, version: int | None = None) -> Resource | None:
        """The resource that was there, with all its versions gone. ``version``: only if that is the one that is there."""
        ...

    async def versions(self, kind: str, org_id: str, id: str) -> Sequence[Resource]:
        """Those that were replaced, newest first."""
        ...

    async def find_by(self, kind: str, field: str, value: str) -> Sequence[Resource]:
        """A few, of whatever organisation: for our own work (which assistant has this telephone number?), never for a request."""
        ...


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call, from the moment somebody asked for it."""

    id: str
    org_id: str
    type: str
    """As the Vapi API calls it: ``inboundPhoneCall``, ``outboundPhoneCall``, ``webCall``, ``vapi.websocketCall``."""
    status: CallStatus
    created_wall_ms: int
    updated_wall_ms: int
    started_wall_ms: int | None = None
    ended_wall_ms: int | None = None
    ended_reason: str = ""
    """As the Vapi API calls it, e.g. ``customer-ended-call``."""
    name: str = ""
    assistant_id: str = ""
    squad_id: str = ""
    phone_number_id: str = ""
    customer_number: str = ""
    provider_call_id: str = ""
    """The carrier's own id; empty where no carrier is in it."""
    node: str = ""
    """Which process holds it, or held it."""
    cost_usd: float = 0.0
    body: Mapping[str, Any] = field(default_factory=dict)
    """What else the API's Call object says: assistant, overrides, customer, metadata, artifact, analysis, costs, warnings …"""


class CallStore(Protocol):
    """Records of calls. All raise ``StoreUnavailable`` where the database does not answer."""

    async def add(self, call: CallRecord) -> bool:
        """False where there is one of this id already."""
        ...

    async def find(self, org_id: str | None, id: str) -> CallRecord | None:
        """``org_id`` None: of whatever organisation (for our own work, never for a request)."""
        ...

    async def list(self, org_id: str, listing: Listing, *, bodies: bool = True) -> Sequence[CallRecord]:
        """``bodies`` false: each ``body`` is empty. They are long, and a table shows nothing of them."""
        ...

    async def count(self, org_id: str, listing: Listing) -> int: ...

    async def change(
        self, id: str, wall_ms: int, body: Mapping[str, Any] | None = None, **columns: Any
    ) -> CallRecord | None:
        """Set ``columns``, and the top-level fields of ``body`` that are given; the others stay. One transaction: two that change
        different fields at once lose nothing. None where there is no such call."""
        ...

    async def delete(self, org_id: str, id: str) -> CallRecord | None: ...

    async def nodes(self, beginning: str) -> Sequence[str]:
        """Names of processes that begin so and have calls that are planned or live."""
        ...

    async def end_of(self, node: str, wall_ms: int, ended_reason: str) -> Sequence[tuple[str, str]]:
        """End the calls of a process that is gone, planned or live. ``(id, org_id)`` of each, told to one of several that ask at once."""
        ...

    async def end_waiting(self, before_wall_ms: int, wall_ms: int, ended_reason: str) -> int:
        """End those that were planned before then, and are ``queued`` since: their server is gone. Returns how many there were."""
        ...
