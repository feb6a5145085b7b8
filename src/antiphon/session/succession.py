"""Other engines for a live call: opened beforehand, engaged when the conversation says so, released when nothing of theirs is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from antiphon.conversation.events import AssistantReady
from antiphon.conversation.policy import Policy
from antiphon.errors import ProviderError
from antiphon.providers.base import SpeechToText, doubted_below_of, last_words_of, partials_of, punctuation_of
from antiphon.providers.failover import OnFailure
from antiphon.session.listening import Listening, OpenedRecogniser
from antiphon.session.pipeline import Speaks, Thinks
from antiphon.session.plan import Engines, Successor
from antiphon.session.speaking import Speaking
from antiphon.session.thinking import Thinking
from antiphon.session.tools import Tools


@dataclass(frozen=True, slots=True)
class _Ready:
    handoff: int
    successor: Successor
    recogniser: OpenedRecogniser
    close: Callable[[], None]


class Succession:
    """The engines of one call, one assistant's after the other's. Knows the call's parts, not the session."""

    def __init__(
        self,
        engines: Engines,
        listening: Listening,
        thinking: Thinks,
        speaking: Speaks,
        tools: Tools,
        on_failure: OnFailure,
        *,
        remembers: bool,
    ) -> None:
        """``remembers``: whether the call keeps what a turn detector wants to hear; one is begun with, or not at all."""
        self.engines = engines
        """Those that lead the call."""
        self._listening = listening
        self._thinking = thinking
        self._speaking = speaking
        self._tools = tools
        self._on_failure = on_failure
        self._remembers = remembers
        self._handoffs = 0
        self._ready: _Ready | None = None
        self._leaving: Engines | None = None
        """Those before, while their recogniser still has a last word to say."""

    def prepare(self, successor: Successor) -> AssistantReady:
        """What the conversation is told. Raises ProviderError where its recogniser cannot be opened, or where a model that hears and speaks
        itself is to take or to leave a call: nothing has changed then."""
        if self.engines.speech_to_speech is not None or successor.engines.speech_to_speech is not None:
            raise ProviderError(
                "handoff", "a model that hears and speaks itself keeps its call from the beginning to the end"
            )
        engines = self._fitting(successor.engines)
        recogniser = self._listening.open(engines.stt)
        self._forget_ready()
        self._handoffs += 1
        self._ready = _Ready(self._handoffs, replace(successor, engines=engines), recogniser, recogniser.stream.close)
        tools = tuple(engines.tools.specs()) if engines.tools is not None else ()
        return AssistantReady(
            self._handoffs, successor.assistant, policy_for(successor.policy, engines.stt, engines), successor.messages,
            tools, successor.context, successor.assistant_id, successor.leaving, successor.leaving_id,
        )  # fmt: skip

    def change(self, handoff: int) -> None:
        """The conversation has nothing left of the assistant before."""
        ready, self._ready = self._ready, None
        assert ready is not None and ready.handoff == handoff, "the latest that was told of is the one that is meant"
        engines = ready.successor.engines
        tools = tuple(engines.tools.specs()) if engines.tools is not None else ()
        assert isinstance(self._thinking, Thinking) and isinstance(self._speaking, Speaking), (
            "or ``prepare`` has refused"
        )
        self._thinking.engage(engines.model(self._on_failure), tools, engines.model_options)
        self._speaking.engage(engines.speaker(self._on_failure), engines.voice, engines.speed)
        self._tools.engage(engines.tools)
        self._listening.expect(ready.successor.opening)
        self._listening.change_to(ready.recogniser)
        self._leaving, self.engines = self.engines, engines

    def in_use(self) -> Iterator[Engines]:
        """Those that must not be closed."""
        yield self.engines
        if self._ready is not None:
            yield self._ready.successor.engines
        if self._leaving is not None and not self._listening.changing:
            self._leaving = None
        if self._leaving is not None:
            yield self._leaving

    def close(self) -> None:
        self._forget_ready()

    def _forget_ready(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.close()

    def _fitting(self, engines: Engines) -> Engines:
        """Without a turn detector where it has nothing to listen to."""
        detector = engines.turn_detector
        deaf = detector is not None and detector.audio_ms > 0 and not self._remembers
        return replace(engines, turn_detector=None) if deaf else engines


def policy_for(policy: Policy, stt: SpeechToText, engines: Engines) -> Policy:
    """The policy, knowing what the words of a recogniser are worth and whether the end of a turn can be judged by ear."""
    endpointing = replace(
        policy.endpointing,
        detector=engines.turn_detector is not None,
        advised=engines.wait_adviser is not None,
        punctuation=punctuation_of(stt),
        last_words_ms=last_words_of(stt),
        min_confidence=doubted_below_of(stt),
        # A model that is asked in its own session would remember a speculative request, and speak it.
        speculative_reply=policy.endpointing.speculative_reply and engines.speech_to_speech is None,
    )
    return replace(policy, partials=partials_of(stt), endpointing=endpointing)
