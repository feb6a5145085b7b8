"""A call somebody has asked for, before its media is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from antiphon.assistants.compile import Assistant
from antiphon.assistants.tools import run_tools
from antiphon.calls.squads import Squad
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
    squad: Squad | None = None
    """Those that the call can be handed to by name; the assistant above is one of them."""
    phone_number_id: str = ""
    customer_number: str = ""
    provider_call_id: str = ""
    admitted: bool = False
    """Whether the process has been asked for room already: by the carrier's webhook."""
    call_id: str = ""
    """Where the carrier's call has one already; empty for a new one."""
    mocks: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What tools of these names answer, without anybody being asked: of a call that is tried out."""


@runtime_checkable
class KnowsStatus(Protocol):
    """An observer of a call that is told what becomes of it before it lives."""

    def status_changed(self, status: str, ended_reason: str) -> None:
        """Must be quick, and not raise. ``ended``: nothing more will be told."""
        ...


@dataclass(frozen=True, slots=True)
class Coming:
    """Who leads next."""

    assistant: Assistant
    asked: CallRequest
    """As which it was found."""
    squad: Squad | None = None


@dataclass(eq=False, slots=True)
class PlannedCall:
    """It waits under its id until its media comes, or its time is over."""

    record: CallRecord
    assistant: Assistant
    """Who leads it: another one once it has been handed over."""
    engines: Engines
    """Those it begins with."""
    expires_ms: int
    """On the session clock."""
    observers: tuple[SessionObserver, ...] = ()
    """Who will watch this call, beside those who watch all."""
    squad: Squad | None = None
    coming: Coming | None = None
    """Ready to take over."""
    handoffs: int = 0
    lead: CallRequest | None = None
    """As which whoever leads it was found; None for the one it began with."""
    mocks: Mapping[str, str] = field(default_factory=dict)
    """As it was asked for with; for all who lead it."""

    @property
    def id(self) -> str:
        return self.record.id

    def told(self, status: str, ended_reason: str = "") -> None:
        """Its status before it lives, or that it never will, in the API's words."""
        for observer in self.observers:
            if isinstance(observer, KnowsStatus):
                observer.status_changed(status, ended_reason)

    @property
    def may_be_handed_over(self) -> bool:
        """By those who lead it; it can be by its control URL, too."""
        return self.squad is not None or any(tool.type == "handoff" for tool, _ in run_tools(self.assistant.spec))

    def follow(self) -> None:
        """Whoever was coming leads."""
        if self.coming is not None:
            self.assistant, self.squad, self.lead = self.coming.assistant, self.coming.squad, self.coming.asked
            self.coming = None

    @property
    def org_id(self) -> str:
        return self.record.org_id


class ConcurrencyReached(CapacityError):
    """This organisation has as many calls as it may have."""

    code = "concurrency"

    def __init__(self, limit: int) -> None:
        super().__init__("concurrency")
        self.limit = limit
