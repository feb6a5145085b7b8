"""Several models or voices as one: the next answers where one does not, and one that keeps failing is left alone for a while.

Nothing is begun twice: where words or sound have come out already, a failure is a failure of the whole, since another
engine would begin anew and the caller would hear the beginning again.
"""

from __future__ import annotations

import asyncio
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from antiphon.errors import ProviderError, ProviderTimeout
from antiphon.providers.base import (
    ABOUT_CALL,
    LanguageModel,
    ModelDelta,
    ModelRequest,
    SpeechChunk,
    SpeechRequest,
    TextDelta,
    TextToSpeech,
    UsageDelta,
    VoiceRequest,
    VoiceStream,
    model_of,
)
from antiphon.providers.failover_stream import FailoverStream
from antiphon.providers.one_shot import open_voice
from antiphon.providers.stalls import StallWatch
from antiphon.providers.wrapped import WrappedModel, WrappedVoice
from antiphon.vocabulary import CallContext

MODEL_STALL_S = 15.0
"""A model that says nothing for this long has failed."""
VOICE_STALL_S = 10.0
"""A voice that sends nothing for this long has failed."""
_FAILURES = 3
"""In a row, before an engine is left alone."""
_REST_S = 20.0
"""For so long it is; then one request tries it again."""
_MOST_CIRCUITS = 64
"""Different models of one engine whose failures are remembered."""

OnFailure = Callable[[str, str], None]
"""``(provider, code)``"""
T = TypeVar("T")

log = structlog.get_logger(__name__)


def now_s() -> float:
    """Seconds of the running loop."""
    return asyncio.get_running_loop().time()


class Breaker:
    """Whether one engine is worth asking. What counts as a success is an answer, not a connection."""

    def __init__(self) -> None:
        self._failures = 0
        self._rests_until_s = 0.0
        self._incident: object = None

    def closed(self, now_s: float) -> bool:
        """Whether it may be asked. After its rest, one request tries it while the others go on doing without."""
        if self._failures < _FAILURES:
            return True
        if now_s < self._rests_until_s:
            return False
        self._rests_until_s = now_s + _REST_S
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, now_s: float, incident: object = None) -> None:
        """``incident``: as in ``ProviderError``. What one incident has ended is one failure, however many it was."""
        if incident is not None and incident is self._incident:
            return
        self._incident = incident
        self._failures += 1
        if self._failures >= _FAILURES:
            self._rests_until_s = now_s + _REST_S


class Breakers:
    """Those of all engines of a process, shared by its calls; forgotten with their engines."""

    def __init__(self) -> None:
        self._of: weakref.WeakKeyDictionary[Any, dict[str, Breaker]] = weakref.WeakKeyDictionary()

    def of(self, target: Any) -> Breaker:
        """The same for all who ask the same engine for the same model."""
        circuit = str(getattr(target, "circuit", ""))
        while (behind := getattr(target, "behind", None)) is not None:
            target = behind
        own = self._of.setdefault(target, {})
        if circuit not in own and len(own) >= _MOST_CIRCUITS:
            del own[next(iter(own))]
        return own.setdefault(circuit, Breaker())

    def in_order(self, targets: Sequence[T]) -> list[T]:
        """Those that may be asked, in their order, then the others: where nobody else is left, one that fails is still asked."""
        if len(targets) == 1:
            return list(targets)
        now = now_s()
        rests: list[T] = []
        ready: list[T] = []
        for target in targets:
            # Who comes after one that is ready is asked only if that fails: its trial is not used up here.
            usable = bool(ready) or self.of(target).closed(now)
            (ready if usable else rests).append(target)
        return ready + rests


class ChosenModel(WrappedModel):
    """A model with what an assistant tells it with each request."""

    def __init__(self, model: LanguageModel, options: Mapping[str, Any]) -> None:
        """``options`` win over the request's."""
        super().__init__(model)
        self.circuit = str(options.get("model", ""))
        self._options = dict(options)

    def stream(self, request: ModelRequest) -> Any:
        return self.behind.stream(replace(request, options={**request.options, **self._options}))


class InformedModel(WrappedModel):
    """A model that is told with each request which call it is for."""

    def __init__(self, model: LanguageModel, about: Callable[[CallContext], Mapping[str, Any]]) -> None:
        super().__init__(model)
        self._about = about

    def stream(self, request: ModelRequest) -> Any:
        return self.behind.stream(
            replace(request, options={**request.options, ABOUT_CALL: self._about(request.context)})
        )


class InformedVoice(WrappedVoice):
    """A voice that is told with each reply which call it is for."""

    def __init__(self, voice: TextToSpeech, about: Callable[[CallContext], Mapping[str, Any]]) -> None:
        super().__init__(voice)
        self._about = about

    def synthesize(self, request: SpeechRequest) -> Any:
        return self.behind.synthesize(request)

    def open(self, request: VoiceRequest) -> VoiceStream:
        return open_voice(self.behind, replace(request, about=self._about(request.context)))


class ChosenVoice(WrappedVoice):
    """A voice that stands in, by its own name and at its own speed."""

    def __init__(self, voice: TextToSpeech, name: str, speed: float | None) -> None:
        """``name`` empty: the engine's own. ``speed`` None: the request's."""
        super().__init__(voice)
        self._voice, self._speed = name, speed

    def synthesize(self, request: SpeechRequest) -> Any:
        speed = request.speed if self._speed is None else self._speed
        return self.behind.synthesize(replace(request, voice=self._voice, speed=speed))

    def open(self, request: VoiceRequest) -> VoiceStream:
        speed = request.speed if self._speed is None else self._speed
        return open_voice(self.behind, replace(request, voice=self._voice, speed=speed))


class _Failover(ABC):
    """What models and voices have in common."""

    kind = ""

    @property
    @abstractmethod
    def stall_s(self) -> float:
        """One that says nothing for so long has failed."""

    def __init__(self, targets: Sequence[Any], breakers: Breakers, on_failure: OnFailure) -> None:
        self.targets = tuple(targets)
        self._breakers = breakers
        self._on_failure = on_failure
        self.name: str = self.targets[0].name
        """Of the one that answered last; before that, the first one's."""

    async def start(self) -> None:
        for target in self.targets:
            await target.start()

    async def close(self) -> None:
        for target in self.targets:
            await target.close()

    async def _first_that_answers(
        self, ask: Callable[[Any], Any], look: Callable[[Any, Any], Any] | None = None
    ) -> AsyncGenerator[Any, None]:
        """Raises ProviderError where none does, or one fails in the middle. ``look`` is shown each part of an answer and who gave it,
        returns what is passed on, and may raise what makes it a failure. (A generator of its own would cost with every part.)"""
        problem = ProviderError(self.name, "no engine")
        for target in self._breakers.in_order(self.targets):
            breaker = self._breakers.of(target)
            watch = StallWatch(self.stall_s)
            stream: Any = None
            try:
                stream = ask(target)
                async with watch:
                    async for part in stream:
                        passed_on = part if look is None else look(target, part)
                        watch.begun = watch.away = True
                        self.name = target.name
                        yield passed_on
                        watch.away = False
                        watch.alive()
            except TimeoutError:
                problem = ProviderTimeout(target.name, f"nothing came for {self.stall_s:g} s")
                log.warning("engine_failed", kind=self.kind, provider=target.name, code=problem.code)
                self._failed(breaker, target.name, problem.code)
            except ProviderError as error:
                problem = error
                log.warning("engine_failed", kind=self.kind, provider=error.provider, code=error.code)
                self._failed(breaker, error.provider, error.code, error.incident)
            except Exception as error:
                problem = ProviderError(target.name, f"it broke ({type(error).__name__})")
                log.error("engine_failed", kind=self.kind, provider=target.name, code=type(error).__name__)
                self._failed(breaker, target.name, "exception")
            else:
                self.name = target.name
                breaker.succeeded()
                return
            finally:
                if isinstance(stream, AsyncGenerator):
                    await stream.aclose()
            if watch.begun:
                break
        raise problem

    def _failed(self, breaker: Breaker, provider: str, code: str, incident: object = None) -> None:
        breaker.failed(now_s(), incident)
        self._on_failure(provider, code)


class FailoverModel(_Failover):
    """A ``LanguageModel`` out of several."""

    kind = "llm"

    @property
    def stall_s(self) -> float:
        return MODEL_STALL_S

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        return self._first_that_answers(lambda model: model.stream(request), _Answer(request).take)


class _Answer:
    """What models say to one request. One that ends without a word has failed: its caller would wait in silence. After a tool's result it
    may have said all before."""

    def __init__(self, request: ModelRequest) -> None:
        self._answered = bool(request.messages) and request.messages[-1].role == "tool"

    def take(self, model: LanguageModel, part: ModelDelta) -> ModelDelta:
        """Raises ProviderError where the part ends an answer that was none. (One that is no answer is followed by another model's.)"""
        if isinstance(part, TextDelta):
            self._answered = self._answered or bool(part.text.strip())
        elif not isinstance(part, UsageDelta):
            self._answered = True
        elif not self._answered:
            raise ProviderError(model.name, "the model answered with nothing")
        elif not part.provider:
            return replace(part, provider=model.name)
        return part


class FailoverVoice(_Failover):
    """A ``TextToSpeech`` out of several."""

    kind = "tts"

    def __init__(self, targets: Sequence[TextToSpeech], breakers: Breakers, on_failure: OnFailure) -> None:
        super().__init__(targets, breakers, on_failure)
        self.formats = self.targets[0].formats
        self.model = model_of(self.targets[0])

    @property
    def stall_s(self) -> float:
        return VOICE_STALL_S

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        return self._first_that_answers(lambda voice: voice.synthesize(request))

    def open(self, request: VoiceRequest) -> FailoverStream:
        """A reply, of which the rest of a sentence is said by the next voice where that is known."""
        return FailoverStream(self, request)

    def order(self) -> list[TextToSpeech]:
        return self._breakers.in_order(self.targets)

    def answered(self, voice: TextToSpeech) -> None:
        self.name, self.model = voice.name, model_of(voice)
        self._breakers.of(voice).succeeded()

    def failed(self, voice: TextToSpeech, problem: Exception) -> None:
        incident: object = None
        if isinstance(problem, ProviderError):
            name, code, incident = problem.provider, problem.code, problem.incident
            log.warning("engine_failed", kind=self.kind, provider=name, code=code)
        else:
            name, code = voice.name, "exception"
            log.error("engine_failed", kind=self.kind, provider=name, code=type(problem).__name__)
        self._failed(self._breakers.of(voice), name, code, incident)
