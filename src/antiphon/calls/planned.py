"""A call somebody has asked for, before its media is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from antiphon.assistants.compile import Assistant
from antiphon.calls.stores import CallRecord
from antiphon.errors import CapacityError
from antiphon.session.observers import SessionObserver
from antiphon.session.plan import Engines

CallType = Literal["inboundPhoneCall", "outboundPhoneCall", "webCall", "vapi.websocketCall"]


@dataclass(frozen=True, slots=True)
class CallRequest:
    """What is asked for. Exactly one of ``assistant_id`` and ``assistant`` is set."""

    org_id: str
    type: CallType
    assistant_id: str = ""
    """Of a stored assistant, or the name of an assistant file."""
    assistant: Mapping[str, Any] | None = field(default=None, repr=False)
    """One that comes with the call."""
    overrides: Mapping[str, Any] = field(default_factory=dict, repr=False)
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What templates may say of the call beside its id and type: ``customer``, ``phoneNumber``, ``transport``."""
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the record shall say beside its columns: the request as it came."""
    warnings: tuple[tuple[str, str], ...] = ()
    """Fields of the request that have no effect, and why."""
    name: str = ""
    squad_id: str = ""
    phone_number_id: str = ""
    customer_number: str = ""
    provider_call_id: str = ""
    admitted: bool = False
    """Whether the process has been asked for room already: by the carrier's webhook."""
    call_id: str = ""
    """Where the carrier's call has one already; empty for a new one."""


@dataclass(eq=False, slots=True)
class PlannedCall:
    """It waits under its id until its media comes, or its time is over."""

    record: CallRecord
    assistant: Assistant
    engines: Engines
    expires_ms: int
    """On the session clock."""
    observers: tuple[SessionObserver, ...] = ()
    """Who will watch this call, beside those who watch all."""

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def org_id(self) -> str:
        return self.record.org_id


class ConcurrencyReached(CapacityError):
    """This organisation has as many calls as it may have."""

    code = "concurrency"

    def __init__(self, limit: int) -> None:
        super().__init__("concurrency")
        self.limit = limit
