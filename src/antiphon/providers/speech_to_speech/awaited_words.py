"""Utterances that are finished and whose words have not come: each gets words or a failure, once, and waits for them so long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from antiphon.providers.base import TranscriptionFailed


class Numbered(Protocol):
    @property
    def number(self) -> int: ...


UtteranceT = TypeVar("UtteranceT", bound=Numbered)


class AwaitedWords(Generic[UtteranceT]):
    def __init__(
        self,
        tell: Callable[[TranscriptionFailed], None],
        timeout_s: float,
        settled_s: float,
        settled: Callable[[], None],
    ) -> None:
        """``settled`` is called once no more words have come for ``settled_s``, where the vendor does not say which are all."""
        self._tell = tell
        self._timeout_s = timeout_s
        self._settled_s = settled_s
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self.heard: list[UtteranceT] = []
        """Those that the session has had whole, in their order."""
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._settling: asyncio.TimerHandle | None = None

    def begin(self, utterance: UtteranceT) -> None:
        """It is finished."""
        problem = f"no words within {self._timeout_s:.0f} s"
        self._timers[utterance.number] = self._loop.call_later(self._timeout_s, self.fail, utterance, problem)

    def waits_for(self, utterance: UtteranceT) -> bool:
        """Whether nothing has been told of it."""
        return utterance.number in self._timers

    def settle(self) -> None:
        """Words have come, and more may."""
        if self._settling is not None:
            self._settling.cancel()
        self._settling = self._loop.call_later(self._settled_s, self._settle_now)

    def _settle_now(self) -> None:
        self._settling = None
        self._settled()

    def take(self, utterance: UtteranceT) -> bool:
        """It waits no more; whether it did: whoever has its words tells them then."""
        if utterance in self.heard:
            self.heard.remove(utterance)
        timer = self._timers.pop(utterance.number, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def fail(self, utterance: UtteranceT, problem: str) -> None:
        if self.take(utterance):
            self._tell(TranscriptionFailed(utterance.number, problem))

    def fail_all(self, utterances: Iterable[UtteranceT], unfinished: UtteranceT | None, problem: str) -> None:
        """There is no session, and none will be for a while."""
        for utterance in utterances:
            if self.take(utterance) or utterance is unfinished:
                self._tell(TranscriptionFailed(utterance.number, problem))

    def close(self) -> None:
        for timer in (*self._timers.values(), *([self._settling] if self._settling is not None else [])):
            timer.cancel()
        self._timers.clear()
        self.heard.clear()
        self._settling = None
