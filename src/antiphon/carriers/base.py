"""The contract of a telephone carrier: what it offers besides media."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Protocol

from antiphon.vocabulary import AnsweredBy


@dataclass(frozen=True, slots=True)
class DetectionTuning:
    """The numbers a carrier tells people from answering machines by. ``None`` leaves a number to whoever is asked next: the settings,
    then the carrier."""

    timeout_s: int | None = None
    """After this it gives up: ``unknown``."""
    speech_ms: int | None = None
    """Whoever says hello speaks less than this without a pause; a machine's greeting is longer."""
    speech_end_ms: int | None = None
    """Silence after which that speech is over."""
    silence_ms: int | None = None
    """Nobody has spoken until then: ``unknown``."""

    def over(self, defaults: DetectionTuning) -> DetectionTuning:
        """These numbers, and those of ``defaults`` where there is none."""
        return replace(defaults, **{name: number for name, number in asdict(self).items() if number is not None})


@dataclass(frozen=True, slots=True)
class MachineDetection:
    """The carrier shall find out who answers, in the background: the call goes on meanwhile, and ``CallAnswered`` comes late."""

    greeting_end: bool = True
    """Tell of a machine when its greeting is over and a message can be left. False: as soon as it is known for one, to hang up."""
    tuning: DetectionTuning = field(default_factory=DetectionTuning)


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """What a carrier found out about a call. It may have ended meanwhile; repetitions are kept back by the carrier's room."""

    provider_call_id: str
    by: AnsweredBy
    detection_ms: int | None = None
    """What finding out took; None where the carrier does not say."""


@dataclass(frozen=True, slots=True)
class RingingCall:
    """A call whose carrier asks what to do with it."""

    call_id: str
    """Our public id."""
    provider_call_id: str
    caller: str
    called: str
    direction: Literal["inbound", "outbound"]
    assistant: str = ""
    """The one that is named by the URL it rang at; empty for none."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """No assistant takes the call."""

    say: str = ""
    """Spoken to the caller; empty for an apology, where the call goes nowhere else."""
    destination: str = ""
    """Where it goes then: a number or SIP URI; empty: it ends."""


PrepareCall = Callable[[RingingCall], Awaitable[str | NotTaken]]
"""Decides which assistant takes a call, and makes all ready for it. Raises ConfigurationError, CapacityError, ProviderError."""
OnCallAnswered = Callable[[CallAnswered], None]
"""Called on the event loop, without awaiting; must not raise."""


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """A call to place."""

    call_id: str
    """Our public id, minted before dialling: the idempotency key of this dial."""
    to: str
    from_: str
    assistant: str
    ring_timeout_s: int = 60
    machine_detection: MachineDetection | None = None
    """None: whoever answers is taken for a person. (Carriers charge for detection.)"""
    asked_wall_ms: int | None = None
    """When a process that is gone may have dialled it: it is looked for first."""


class CallControl(Protocol):
    """The carrier's REST side. Every method has a timeout, runs off the media path, and raises ProviderError."""

    async def start(self, call: OutboundCall) -> str:
        """Dial. Returns the carrier's call id. Never dials twice for one ``call_id``."""
        ...

    async def transfer(self, provider_call_id: str, destination: str) -> None:
        """Hand the caller to a number or SIP URI; the media stream ends by this."""
        ...

    async def hang_up(self, provider_call_id: str) -> None:
        """End the call. A call that has already ended is a success."""
        ...

    async def close(self) -> None:
        """Free the HTTP client."""
        ...
