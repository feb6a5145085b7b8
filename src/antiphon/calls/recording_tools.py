"""Tools of every assistant that names them: the recording is paused before the caller says what must be in none, and resumed after."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.errors import ConfigurationError
from antiphon.session.session import Session
from antiphon.vocabulary import CallContext


def offer_recording_tools(register: Callable[..., object], find: Callable[[str], Session | None]) -> None:
    """``register`` takes a function as a tool (``tools.local.LocalTools``). ``find``: the live call of an id."""

    async def pause_recording(context: CallContext) -> str:
        """Pause the recording, before the caller says what must not be recorded, e.g. a card number. Resume it afterwards."""
        return _told(find(context.call_id), paused=True)

    async def resume_recording(context: CallContext) -> str:
        """Resume the recording after it was paused."""
        return _told(find(context.call_id), paused=False)

    register(pause_recording)
    register(resume_recording)


def _told(session: Session | None, *, paused: bool) -> str:
    try:
        if session is not None:
            session.pause_recording(paused)
            return "The recording is paused now." if paused else "The call is recorded again."
    except ConfigurationError:
        pass
    return "This conversation is not recorded."
