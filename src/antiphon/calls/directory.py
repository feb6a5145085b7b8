"""Live calls by their ids, and what may be asked of one from outside: by the API, wherever the call is held.

Of several worker processes, whatever concerns a call is brought to the one that holds it before it is looked at (``cluster``): so this
directory is of one process, and a register says which (``calls.cluster``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from antiphon.conversation import events as ev
from antiphon.errors import ConfigurationError
from antiphon.session.session import Session
from antiphon.vocabulary import EndReason


@dataclass(frozen=True, slots=True)
class Mute:
    """The agent is not heard, or does not hear; or is, and does, again."""

    who: Literal["assistant", "customer"]
    muted: bool


@dataclass(frozen=True, slots=True)
class PauseRecording:
    """The recording has silence for what is said, or that itself again."""

    paused: bool


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call ends now, without a goodbye."""

    reason: EndReason = EndReason.CANCELLED


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller to a number or SIP URI, after saying ``message``."""

    destination: str
    message: str = ""


Command = ev.SayRequested | ev.MessageAdded | ev.ReplyRequested | Mute | PauseRecording | HangUp | Transfer


class CallDirectory(Protocol):
    """Whoever asks need not know where a call is held."""

    async def is_live(self, call_id: str) -> bool: ...

    async def command(self, call_id: str, command: Command) -> bool:
        """False: there is no live call of this id. Raises ConfigurationError naming what this call cannot do."""
        ...


class MemoryDirectory:
    """The calls of this process."""

    def __init__(self, find: Callable[[str], Session | None]) -> None:
        self._find = find

    async def is_live(self, call_id: str) -> bool:
        return self._session(call_id) is not None

    async def command(self, call_id: str, command: Command) -> bool:
        session = self._session(call_id)
        if session is None:
            return False
        self.carry_out(session, command)
        return True

    def carry_out(self, session: Session, command: Command) -> None:
        """On a call of this process. Raises ConfigurationError."""
        match command:
            case Mute("customer", muted):
                session.mute_caller(muted)
            case Mute(_, muted):
                session.mute_agent(muted)
            case PauseRecording(paused):
                session.pause_recording(paused)
            case HangUp(reason):
                session.drop(reason)
            case Transfer():
                _transfer(session, command)
            case _:
                session.feed(command)

    def _session(self, call_id: str) -> Session | None:
        session = self._find(call_id)
        return session if session is not None and session.end_reason is None else None


def _transfer(session: Session, command: Transfer) -> None:
    if session.plan.transfer is None:
        raise ConfigurationError("destination", "this call has no carrier that could transfer it")
    if command.message:
        session.feed(ev.SayRequested(command.message, interruptible=False))
    session.transfer(command.destination)
