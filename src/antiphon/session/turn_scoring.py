"""Asks a turn detector whether the open turn sounds finished, and remembers for it what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from antiphon.conversation import actions as do
from antiphon.conversation.events import EndOfTurnScored, Event
from antiphon.losses import Losses
from antiphon.providers.base import TurnAudio, TurnDetector
from antiphon.session.tasks import CallTasks
from antiphon.session.turn_audio import TurnLine

_TIMEOUT_S = 1.0
"""A judgement of a silence that comes later than this is about another silence."""


class TurnScoring:
    """Of one call. A detector that fails is no evidence, and nothing worse."""

    def __init__(
        self,
        call_id: str,
        line: TurnLine | None,
        feed: Callable[[Event], object],
        tasks: CallTasks,
        losses: Losses,
        on_failure: Callable[[str, str], None],
    ) -> None:
        """``line`` remembers the turn's audio; None where nobody judges by ear."""
        self._call_id = call_id
        self._line = line
        self._feed = feed
        self._tasks = tasks
        self._losses = losses
        self._on_failure = on_failure
        self._asking: asyncio.Task[None] | None = None
        self._unjudged_turn = 0

    def turn_opened(self) -> None:
        if self._line is not None:
            self._line.turn_opens()

    def turn_over(self) -> None:
        if self._line is not None:
            self._line.turn_over()

    def ask(self, detector: TurnDetector | None, action: do.ScoreTurn) -> None:
        """Its answer is fed when it comes; the question before this one, about other words or an earlier moment, is dropped."""
        if detector is None:
            return
        if self._asking is not None:
            self._asking.cancel()
        audio = self._line.turn() if self._line is not None else None
        self._asking = self._tasks.spawn(self._ask(detector, action, audio), name="score-turn")

    async def _ask(self, detector: TurnDetector, action: do.ScoreTurn, audio: TurnAudio | None) -> None:
        probability: float | None = None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                probability = await detector.probability(action.messages, action.text, audio)
        except Exception as error:
            self._failed(detector, action.turn, type(error).__name__)
        self._feed(EndOfTurnScored(action.turn, probability, action.text))

    def _failed(self, detector: TurnDetector, turn: int, problem: str) -> None:
        """Told once a turn: it is asked ten times a second."""
        if turn != self._unjudged_turn:
            self._unjudged_turn = turn
            self._losses.tell("turn_detector_failed", self._call_id, provider=detector.name, problem=problem)
            self._on_failure(detector.name, problem)
