"""A call whose model hears and speaks, and what becomes of it when that model is gone: a cascade goes on, or the caller is told so and the
call ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from antiphon.conversation import events as ev
from antiphon.conversation.actions import StartReply
from antiphon.session.pipeline import Speaks, Thinks
from antiphon.session.speech_to_speech import SpeechToSpeechCall
from antiphon.vocabulary import EndReason, ToolSpec

GONE = "session_lost"
"""The label under which it is counted."""

log = structlog.get_logger(__name__)


class Takeover:
    """Implements ``Thinks`` and ``Speaks`` for such a call, by whoever leads it. Its recogniser is replaced by itself
    (``FailoverSpeechToText``)."""

    def __init__(
        self,
        call_id: str,
        provider: str,
        one: SpeechToSpeechCall,
        cascade: Callable[[], tuple[Thinks | None, Speaks | None]],
        feed: Callable[[ev.Event], object],
        on_failure: Callable[[str, str], None],
        apology: Callable[[], str],
    ) -> None:
        """``cascade`` makes those who take over. Without a model among them, the voice says the ``apology`` and the call ends."""
        self._call_id, self._provider = call_id, provider
        self._one: SpeechToSpeechCall | None = one
        self._cascade = cascade
        self._feed = feed
        self._on_failure = on_failure
        self._apology = apology
        self._thinks: Thinks = one
        self._speaks: Speaks = one
        one.on_gone = self._take_over

    def begin(self) -> None:
        """The call begins. A vendor that has failed several calls in a row is not asked at all for a while."""
        if self._one is not None and not self._one.is_there:
            self._take_over("it has failed on the calls before this one")

    def end_call(self) -> None:
        one, self._one = self._one, None
        if one is not None:
            one.end_call()

    def _take_over(self, problem: str) -> None:
        one, self._one = self._one, None
        if one is None:
            return
        thinks, speaks = self._cascade()
        log.warning(
            "speech_to_speech_gone", call_id=self._call_id, provider=self._provider, problem=problem, replaced=thinks is not None
        )  # fmt: skip
        self._on_failure(self._provider, GONE)
        if thinks is None:
            self._feed(ev.EndRequested(EndReason.PROVIDER_FAILED, self._apology()))
        else:
            thinks.tools, thinks.options = one.tools, one.options
        if speaks is not None:
            one.hand_over(thinks, speaks)
        self._thinks, self._speaks = thinks or self._thinks, speaks or self._speaks

    # ---------------------------------------------------------------------------------- as a model

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return self._thinks.tools

    @tools.setter
    def tools(self, tools: tuple[ToolSpec, ...]) -> None:
        self._thinks.tools = tools

    @property
    def options(self) -> Mapping[str, Any]:
        return self._thinks.options

    @options.setter
    def options(self, options: Mapping[str, Any]) -> None:
        self._thinks.options = options

    def start(self, action: StartReply) -> None:
        self._thinks.start(action)

    def adopt(self, reply: int) -> None:
        self._thinks.adopt(reply)

    # ---------------------------------------------------------------------------------- as a voice

    @property
    def voice(self) -> str:
        return self._speaks.voice

    @voice.setter
    def voice(self, voice: str) -> None:
        self._speaks.voice = voice

    @property
    def speed(self) -> float:
        return self._speaks.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._speaks.speed = speed

    def speak(self, reply: int, piece: int, text: str) -> None:
        self._speaks.speak(reply, piece, text)

    def speak_as(self, reply: int, voice: str) -> None:
        self._speaks.speak_as(reply, voice)

    def end(self, reply: int) -> None:
        self._speaks.end(reply)

    def report(self, reply: int) -> None:
        self._speaks.report(reply)

    def stop(self, reply: int) -> None:
        self._thinks.stop(reply)

    def cancel(self, reply: int) -> None:
        """Of both."""
        self._thinks.cancel(reply)
        self._speaks.cancel(reply)
