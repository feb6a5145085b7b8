"""The conversation as it happens, in words: the caller's from its script, the agent's from whoever knows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import httpx

from antiphon.caller.hearing import Utterance
from antiphon.caller.measure import Spoken
from antiphon.caller.timeline import fetch_timeline
from antiphon.providers.base import (
    ExpectedAnswers,
    SpeechToText,
    SpeechToTextStream,
    Transcribed,
    TranscriptionEvent,
    TranscriptionFailed,
)
from antiphon.vocabulary import TELEPHONE

Print = Callable[[str, str], None]
"""Who (``caller`` or ``agent``) said what."""

DRAIN_S = 5.0


class AgentWords(Protocol):
    """Finds out what the agent said."""

    def begin(self, call_sid: str) -> None:
        """The call is up."""
        ...

    def heard(self, audio: bytes) -> None:
        """The agent has said something: ``audio`` is what was heard, 8 kHz µ-law, where audio is kept."""
        ...

    async def close(self) -> None:
        """Print what is still to come, within a few seconds, and stop."""
        ...


class Transcript:
    """Prints a call (see ``caller.Observer``)."""

    def __init__(self, show: Print, words: AgentWords) -> None:
        self._show = show
        self._words = words

    def begins(self, call_sid: str) -> None:
        self._words.begin(call_sid)

    def caller_speaks(self, spoken: Spoken) -> None:
        said = spoken.content if spoken.kind == "say" else f"({spoken.kind} {spoken.content})"
        self._show("caller", said)

    def agent_spoke(self, utterance: Utterance, audio: bytes) -> None:
        self._words.heard(audio)


class ServerWords:
    """The agent's words from the server's own timeline. A server without one leaves them out."""

    def __init__(self, show: Print, client: httpx.AsyncClient, base: str, api_key: str) -> None:
        self._show = show
        self._client = client
        self._base = base
        self._api_key = api_key
        self._call_sid = ""
        self._shown: dict[int, str] = {}
        self._refused = False
        """Whoever is not let in does not ask at every pause: each refusal is a warning in the server's log."""
        self._asked = asyncio.Event()
        self._task = asyncio.create_task(self._follow())

    def begin(self, call_sid: str) -> None:
        self._call_sid = call_sid

    def heard(self, audio: bytes) -> None:
        self._asked.set()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._show_new()

    async def _follow(self) -> None:
        # One request at a time however often the agent pauses.
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._show_new()

    async def _show_new(self) -> None:
        if not self._call_sid or self._refused:
            return
        timeline = await fetch_timeline(self._client, self._base, self._call_sid, self._api_key)
        self._refused = timeline.refused
        for row in timeline.rows:
            shown = self._shown.get(row.turn, "")
            news = row.text.removeprefix(shown).strip()
            if news:
                self._show("agent", news)
            self._shown[row.turn] = row.text


class RecognisedWords:
    """The agent's words as a speech recogniser hears them: works with any server, with a recogniser's mistakes."""

    def __init__(self, show: Print, engine: SpeechToText) -> None:
        """Raises ProviderError."""
        self._show = show
        self._stream: SpeechToTextStream = engine.open(TELEPHONE, ExpectedAnswers(), self._on_event)
        self._asked = 0
        self._pending: set[int] = set()
        self._settled = asyncio.Event()
        self._settled.set()

    def begin(self, call_sid: str) -> None:
        """Nothing to do: the words come from the sound."""

    def heard(self, audio: bytes) -> None:
        self._asked += 1
        self._pending.add(self._asked)
        self._settled.clear()
        self._stream.begin(self._asked)
        self._stream.push(audio)
        self._stream.finish(self._asked)

    async def close(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._settled.wait()
        except TimeoutError:
            self._show("agent", "(the recogniser is still busy with the rest)")
        self._stream.close()

    def _on_event(self, event: TranscriptionEvent) -> None:
        if isinstance(event, Transcribed):
            if not event.final:
                return
            self._show("agent", event.text or "(not understood)")
        elif isinstance(event, TranscriptionFailed):
            self._show("agent", f"(not transcribed: {event.problem})")
        else:
            return
        self._pending.discard(event.utterance)
        if not self._pending:
            self._settled.set()
