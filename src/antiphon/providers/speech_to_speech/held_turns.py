"""What a vendor has said and nobody has claimed: held back, told of, and dropped in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from antiphon.providers.base import TurnSignal
from antiphon.providers.speech_to_speech.base import SpokeUnasked
from antiphon.providers.speech_to_speech.own_requests import Asked, TurnLimits
from antiphon.providers.speech_to_speech.vendor_turn import VendorTurn


class HeldTurns:
    """In their order; what is being said may be the last of them."""

    def __init__(self, limits: TurnLimits) -> None:
        self._limits = limits
        self._turns: deque[VendorTurn] = deque()
        self._abandoned: deque[float] = deque()
        """Until when words of ours may still be said that nobody wants any more."""

    def __bool__(self) -> bool:
        return bool(self._turns)

    def __iter__(self) -> Iterator[VendorTurn]:
        return iter(tuple(self._turns))

    @property
    def first(self) -> VendorTurn | None:
        return self._turns[0] if self._turns else None

    def add(self, turn: VendorTurn) -> None:
        """One begins. Words of ours that nobody wants any more are the first that are no answer of the vendor's."""
        self._turns.append(turn)
        self._abandoned = deque(until_s for until_s in self._abandoned if until_s > turn.began_s)
        if self._abandoned and turn.verbatim is not False:
            self._abandoned.popleft()
            self.drop(turn)

    def take(self, turn: VendorTurn) -> None:
        """It is not held any more."""
        if turn in self._turns:
            self._turns.remove(turn)

    def drop(self, turn: VendorTurn) -> None:
        """Nobody claims it: the vendor is told that it was not heard."""
        self._turns.remove(turn)
        turn.give_up(0.0)

    def drop_older(self, latest: int) -> None:
        """Answers to what the caller has gone on after, once there is another."""
        for turn in self:
            if turn.over and turn.follows < latest:
                self.drop(turn)

    def drop_what_is_too_much(self) -> None:
        while sum(turn.audio_ms for turn in self._turns) > self._limits.most_held_ms:
            self.drop(self._turns[0])

    def drop_all(self) -> None:
        """The vendor takes all back."""
        self._abandoned.clear()
        for turn in self:
            self.drop(turn)

    def lose(self) -> None:
        """The session is gone that would have to be told."""
        self._abandoned.clear()
        self._turns.clear()

    def abandon(self, asked: Asked, now_s: float) -> None:
        """Words of ours that nobody wants any more and that the vendor may still say."""
        if asked.text is not None and asked.turn is None and asked.sent_s is not None:
            self._abandoned.append(now_s + self._limits.reply_timeout_s)

    def fitting(self, asked: Asked, now_s: float) -> VendorTurn | None:
        """What is asked for, where it is there."""
        for turn in self._turns:
            if asked.text is None:
                stale = turn.follows < asked.follows and now_s - asked.since_s < self._limits.nudge_after_s
                return None if stale else turn
            if turn.verbatim or (turn.verbatim is None and asked.sent_s is not None and turn.began_s >= asked.sent_s):
                return turn
        return None

    def told_of(self, unanswered: int, now_s: float) -> Iterator[TurnSignal | SpokeUnasked]:
        """What our side is told of those it does not know, as it asks for nothing: they are answers to the caller's latest utterance
        (``unanswered``), or to nothing (0)."""
        for turn in self._turns:
            if turn.signalled:
                continue
            turn.signalled = True
            if unanswered:
                yield TurnSignal(unanswered, "end")
            else:
                turn.offered_s = now_s
                yield SpokeUnasked()

    def look(self, now_s: float) -> Iterator[SpokeUnasked]:
        """What time brings while our side asks for nothing: they are offered for a while, and dropped."""
        limits = self._limits
        for turn in self:
            if now_s - turn.began_s > limits.held_for_s:
                self.drop(turn)
            elif turn.signalled and now_s - turn.began_s >= limits.offer_after_s:
                if turn.offered_s is None or now_s - turn.offered_s >= limits.offer_every_s:
                    turn.offered_s = now_s
                    yield SpokeUnasked()
