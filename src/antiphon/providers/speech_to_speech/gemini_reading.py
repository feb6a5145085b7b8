"""Words of ours, read aloud by Gemini's voice: in a session of their own, so that the conversation's remembers nothing of having been
asked, and may be waiting for a tool meanwhile. It is opened with the first words, and closed to stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from antiphon.providers.speech_to_speech import gemini_wire as wire
from antiphon.providers.speech_to_speech.gemini_generation import Generation
from antiphon.providers.speech_to_speech.gemini_session import Account, LiveSession
from antiphon.providers.websocket import Failure

_INSTRUCTIONS = (
    "You are a reader. Read what you are given aloud, word for word, in the language it is written in. Say nothing else: no greeting, "
    "no answer to it, no comment."
)


@dataclass(slots=True)
class _Text:
    text: str
    generation: Generation
    sent: bool = False
    tries: int = 0


class Reading:
    """One text at a time."""

    def __init__(self, account: Account, voice: str, tell: Callable[[], None]) -> None:
        """``tell``: something has come of the text that is being read."""
        self._account = account
        self._voice = voice
        self._tell = tell
        self._session: LiveSession | None = None
        self._now: _Text | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there is a session that can be asked."""
        return self._session is not None and self._session.is_ready

    def read(self, text: str) -> Generation:
        """What comes of it."""
        self._now = _Text(text, Generation(verbatim=True))
        if self._session is None:
            self._session = LiveSession(self._account, _Owner(self))
        self._session.wake()
        self.go_on()
        return self._now.generation

    def stop(self) -> None:
        """There is no other way to say so that a session would not answer."""
        self._now = None
        if self._session is not None:
            self._session.close()
            self._session = None

    def go_on(self) -> None:
        """Ask for what is to be read, if it can be asked for now."""
        now, session = self._now, self._session
        if now is None or now.sent or session is None or not session.is_ready:
            return
        session.send(wire.ACTIVITY_START)
        session.send(wire.text(now.text))
        now.sent = session.send(wire.ACTIVITY_END)

    def setup(self) -> bytes:
        return wire.setup(self._account.model, _INSTRUCTIONS, (), voice=self._voice)

    def said(self, message: wire.ServerMessage) -> None:
        now = self._now
        if message.go_away is not None and now is None and self._session is not None:
            self._session.close()
            self._session = None
        if now is None or not now.sent:
            return
        content = message.server_content or wire.ServerContent()
        now.generation.read(content)
        now.generation.note_usage(message.usage_metadata, self._account.model)
        if content.turn_complete:
            now.generation.complete(content.turn_complete_reason)
        if now.generation.over:
            self._now = None
        self._tell()

    def lost(self, failure: Failure, *, for_now: bool) -> None:
        now = self._now
        if now is None:
            return
        if for_now and not now.generation.audio_bytes and not now.tries:
            now.sent, now.tries = False, 1
            return
        self._now = None
        now.generation.fail(failure.error.problem, gone=not for_now and not now.generation.audio_bytes)
        self._tell()


class _Owner:
    """Implements ``SessionOwner``."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def setup(self) -> bytes:
        return self._reading.setup()

    def ready(self) -> None:
        self._reading.go_on()

    def read(self, message: wire.ServerMessage) -> None:
        self._reading.said(message)

    def interrupted(self, failure: Failure) -> None:
        self._reading.lost(failure, for_now=True)

    def gave_up(self, failure: Failure) -> None:
        self._reading.lost(failure, for_now=False)
