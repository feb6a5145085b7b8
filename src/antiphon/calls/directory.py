"""Live calls by their ids, and what may be asked of one from outside: by the API, wherever the call is held.

Of several worker processes, whatever concerns a call is brought to the one that holds it before it is looked at (``cluster``): so this
directory is of one process, and a register says which (``calls.cluster``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from antiphon.conversation import events as ev
from antiphon.errors import ConfigurationError, ProviderError, StoreUnavailable, ValueRefused
from antiphon.session.session import Session
from antiphon.vocabulary import EndReason

log = structlog.get_logger(__name__)


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


@dataclass(frozen=True, slots=True)
class Handoff:
    """Let another assistant lead the call, after saying ``message``. ``destination`` as the API has it."""

    destination: Mapping[str, Any]
    message: str = ""


Command = ev.SayRequested | ev.MessageAdded | ev.ReplyRequested | Mute | PauseRecording | HangUp | Transfer | Handoff
HandOver = Callable[[str, Handoff], Awaitable[object]]
"""On a call of this process. Raises ConfigurationError, ProviderError, StoreUnavailable: then all stays as it is."""


class CallDirectory(Protocol):
    """Whoever asks need not know where a call is held."""

    async def is_live(self, call_id: str) -> bool: ...

    async def command(self, call_id: str, command: Command) -> bool:
        """False: there is no live call of this id. Raises ConfigurationError naming what this call cannot do."""
        ...


class MemoryDirectory:
    """The calls of this process."""

    def __init__(self, find: Callable[[str], Session | None], hand_over: HandOver | None = None) -> None:
        self._find = find
        self._hand_over = hand_over
        self._handoffs: set[asyncio.Task[None]] = set()

    async def is_live(self, call_id: str) -> bool:
        return self._session(call_id) is not None

    async def command(self, call_id: str, command: Command) -> bool:
        session = self._session(call_id)
        if session is None:
            return False
        if isinstance(command, Handoff):
            await self._handed_over(call_id, command)
        else:
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
            case Handoff():
                self._begin_handoff(session.call.call_id, command)
            case _:
                session.feed(command)

    async def _handed_over(self, call_id: str, command: Handoff) -> None:
        if self._hand_over is None:
            raise ConfigurationError("destination", "this call has no other assistants")
        try:
            await self._hand_over(call_id, command)
        except (ProviderError, StoreUnavailable, ValueRefused) as error:
            raise ConfigurationError("destination", f"could not take over ({error.code})") from None

    def _begin_handoff(self, call_id: str, command: Handoff) -> None:
        """Its engines may have to start: whoever asked does not wait."""

        async def hand_over() -> None:
            try:
                await self._handed_over(call_id, command)
            except ConfigurationError as error:
                log.warning("handoff_failed", call_id=call_id, field=error.field, problem=error.problem)

        task = asyncio.get_running_loop().create_task(hand_over(), name="handoff")
        self._handoffs.add(task)
        task.add_done_callback(self._handoffs.discard)

    def _session(self, call_id: str) -> Session | None:
        session = self._find(call_id)
        return session if session is not None and session.end_reason is None else None


def _transfer(session: Session, command: Transfer) -> None:
    if session.plan.transfer is None:
        raise ConfigurationError("destination", "this call has no carrier that could transfer it")
    if command.message:
        session.feed(ev.SayRequested(command.message, interruptible=False))
    session.transfer(command.destination)
