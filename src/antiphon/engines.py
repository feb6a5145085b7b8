"""The engines of this process: made once for each kind, name and options, shared by all calls that name them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import structlog

from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.tools import tool_specs
from antiphon.config import Settings
from antiphon.engine_shelf import EngineHealth, EngineShelf, Shelved
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.providers import registry
from antiphon.providers.base import (
    CallContext,
    ExpectedAnswers,
    SpeechToText,
    TextToSpeech,
    ToolRunner,
    TurnDetector,
)
from antiphon.providers.llm.workflow import WorkflowModel
from antiphon.providers.tts.spoken_voice import SpokenVoice, language_of
from antiphon.providers.turn import smart_turn
from antiphon.session.plan import Engines
from antiphon.tools.bookings import Bookings
from antiphon.tools.local import LocalTools
from antiphon.vocabulary import ToolCall, ToolSpec

log = structlog.get_logger(__name__)

_DEFAULTS: dict[registry.Kind, str] = {"stt": "moonshine", "tts": "piper", "llm": "workflow"}
_PLACES: dict[registry.Kind, str] = {"stt": "transcriber", "llm": "model", "tts": "voice"}
"""Where an assistant names an engine of a kind."""


@runtime_checkable
class KnowsVoices(Protocol):
    """A voice that can say beforehand which names it takes."""

    def check_voice(self, name: str, field: str) -> None:
        """Raises ConfigurationError naming ``field`` and what there is."""
        ...


class OfferedTools:
    """The tools one assistant offers, out of those that can be run here."""

    def __init__(self, offered: tuple[ToolSpec, ...], runner: ToolRunner) -> None:
        self._offered = offered
        self._runner = runner

    def specs(self) -> tuple[ToolSpec, ...]:
        return self._offered

    async def run(self, call: ToolCall, context: CallContext) -> str:
        return await self._runner.run(call, context)


class EngineRoom:
    """Makes, starts, shares and frees engines."""

    def __init__(
        self,
        settings: Settings,
        in_use: Callable[[], Iterable[object]] = tuple,
        wanted: Callable[[], Iterable[AssistantSpec]] = tuple,
    ) -> None:
        """``in_use`` tells the engines that calls have, ``wanted`` the assistants that may be called: other engines are closed."""
        machine = {"hung_after_s": settings.engines.hung_after_s}
        own = {
            "stt": {"workers": settings.stt_workers, **machine},
            "tts": {"workers": settings.tts_workers, **machine},
            "turn": {"workers": settings.turn_workers, **machine},
        }
        self._turn_detector = _detector_named(settings.turn_detector)
        self._shelf = EngineShelf(
            own,
            settings.engines.most,
            settings.engines.idle_s,
            lambda: {id(engine) for engine in in_use()},
            lambda: {key for spec in wanted() for key in self._keys(spec)} | self._lasting,
        )
        self._lasting: set[bytes] = set()
        """Of engines that clients name, and of the turn detector: there are no more of them than names."""
        self._tools = LocalTools()
        self._bookings: Bookings | None = None
        self._bookings_path: Path = settings.data_dir / "bookings.sqlite3"

    async def start(self) -> None:
        """Start what has been prepared. Raises ProviderUnavailable where an engine that is needed cannot."""
        await self._shelf.start()

    async def close(self) -> None:
        await self._shelf.close()
        await self._tools.close()
        if self._bookings is not None:
            self._bookings.close()

    def prepare(self, spec: AssistantSpec, *, needed: bool = False) -> None:
        """Make the engines of an assistant, so that ``start`` starts them; ``needed``: or fails. Raises ConfigurationError naming what is
        wrong, ProviderUnavailable."""
        for entry in self._entries(self.for_assistant(spec)):
            entry.needed = entry.needed or needed

    def for_assistant(self, spec: AssistantSpec) -> Engines:
        """The engines an assistant names; the embedded ones where it names none. Raises ConfigurationError, ProviderUnavailable."""
        _check_language(spec)
        stt, llm, tts = (self._get(spec, kind) for kind in ("stt", "llm", "tts"))
        self.check_voice(spec, tts)
        options: dict[str, Any] = {}
        model = spec.model
        if model is not None and model.temperature is not None:
            options["temperature"] = model.temperature
        if model is not None and model.max_tokens is not None:
            options["max_tokens"] = model.max_tokens
        return Engines(
            stt=stt,
            models=(llm,),
            voices=(_as_spoken(spec, tts),),
            tools=self._offered_tools(spec),
            turn_detector=self._detector(spec),
            voice=spec.voice.voice_id if spec.voice else "",
            speed=(spec.voice.speed if spec.voice else None) or 1.0,
            model_options=options,
        )

    def check_voice(self, spec: AssistantSpec, tts: TextToSpeech) -> None:
        """Raises ConfigurationError where the assistant's voice is none of its engine's."""
        name = spec.voice.voice_id if spec.voice else ""
        if name and isinstance(tts, KnowsVoices):
            tts.check_voice(name, "voice.voiceId")

    def check(self, spec: AssistantSpec) -> None:
        """Whether an assistant makes sense, without keeping its engines. Raises ConfigurationError, ProviderUnavailable."""
        _check_language(spec)
        made = {kind: self._made(spec, kind) for kind in _PLACES}
        self.check_voice(spec, made["tts"])
        self._offered_tools(spec)

    def ready(self, engines: Engines) -> bool:
        """Whether a call would be served at once."""
        return all(entry.works for entry in self._entries(engines))

    def broken(self, engines: Engines) -> str:
        """Which of them could not be started, and why; empty where none."""
        failed = [entry for entry in self._entries(engines) if entry.state == "failed"]
        return "; ".join(f"{entry.name}: {entry.problem}" for entry in failed)

    def not_working(self, spec: AssistantSpec) -> list[str]:
        """The names of this assistant's engines that could serve nobody now."""
        return [entry.name for entry in self._entries(self.for_assistant(spec)) if not entry.works]

    def health(self) -> list[EngineHealth]:
        return self._shelf.health()

    def opening_answers(self, engines: Engines, context: CallContext) -> ExpectedAnswers:
        """What the caller may say to the greeting, where the model knows."""
        model = engines.models[0]
        return model.opening_answers(context) if isinstance(model, WorkflowModel) else ExpectedAnswers()

    def recogniser(self, name: str) -> SpeechToText | None:
        """The speech-to-text engine that a client may mean by this name, with its own defaults; None where there is none, or it needs
        more than a name."""
        if name not in registry.named_from_outside("stt"):
            return None
        try:
            engine: SpeechToText = self._shelf.get("stt", name, {})
        except AntiphonError as error:
            log.warning("recogniser_unusable", code=error.code)
            return None
        self._lasting.add(self._shelf.key("stt", name, {}))
        return engine

    def _detector(self, spec: AssistantSpec) -> TurnDetector | None:
        """Who judges by the sound whether callers have finished. A call without it goes by words and silence alone, so what keeps it from
        working is told and stops nothing. A scripted recogniser's words have nothing to do with any sound."""
        name = self._turn_detector
        if not name or registry.is_test_double("stt", _named(spec, "stt")[0]):
            return None
        try:
            engine: TurnDetector = self._shelf.get("turn", name, {})
        except AntiphonError as error:
            log.warning("turn_detector_unusable", code=error.code)
            return None
        self._lasting.add(self._shelf.key("turn", name, {}))
        entry = self._shelf.of(engine)
        return engine if entry is not None and entry.state != "failed" else None

    def _get(self, spec: AssistantSpec, kind: registry.Kind) -> Any:
        return self._named_by_field(kind, self._shelf.get, spec)

    def _made(self, spec: AssistantSpec, kind: registry.Kind) -> Any:
        return self._named_by_field(kind, registry.create, spec)

    def _named_by_field(self, kind: registry.Kind, make: Callable[..., Any], spec: AssistantSpec) -> Any:
        name, options = _named(spec, kind)
        try:
            return make(kind, name, options)
        except ConfigurationError as error:
            # The engine knows its own options; which field of the assistant they stand in is known here.
            first, _, option = error.field.partition(".")
            if first != kind:
                raise
            place = _PLACES[kind]
            raise ConfigurationError(
                f"{place}.options.{option}" if option else f"{place}.provider", error.problem
            ) from None

    def _keys(self, spec: AssistantSpec) -> Iterator[bytes]:
        for kind in _PLACES:
            yield self._shelf.key(kind, *_named(spec, kind))

    def _entries(self, engines: Engines) -> list[Shelved]:
        found = (self._shelf.of(engine) for engine in engines_behind(engines))
        return [entry for entry in found if entry is not None]

    def _offered_tools(self, spec: AssistantSpec) -> ToolRunner | None:
        wanted = tool_specs(spec)
        if not wanted:
            return None
        if self._bookings is None:
            self._bookings = Bookings(self._bookings_path)
            self._tools.register(self._bookings.book_appointment)
        here: Mapping[str, Callable[..., Any] | ToolSpec] = {tool.name: tool for tool in self._tools.specs()}
        missing = [tool.name for tool in wanted if tool.name not in here]
        if missing:
            raise ConfigurationError(
                "model.tools", f"{', '.join(missing)}: no such tool here; there are {', '.join(here)}"
            )
        return OfferedTools(wanted, self._tools)


def engines_behind(engines: Engines) -> Iterator[object]:
    """Those that are shared between calls, and not what is put around them for one assistant."""
    yield from (engines.stt, *engines.models)
    for voice in engines.voices:
        yield voice.behind if isinstance(voice, SpokenVoice) else voice


def _detector_named(setting: str) -> str:
    """The engine that a setting means; empty for none."""
    if setting == "auto":
        return smart_turn.NAME if smart_turn.installed() else ""
    return "" if setting == "off" else setting


def _check_language(spec: AssistantSpec) -> None:
    """A recogniser that does not know the language would hear words of its own in it. Raises ConfigurationError."""
    if spec.transcriber is None:
        return
    known = registry.languages(spec.transcriber.provider)
    language = spec.transcriber.language
    if language and known and re.split(r"[-_]", language.lower())[0] not in known:
        raise ConfigurationError(
            "transcriber.language",
            f"{spec.transcriber.provider} does not know {language[:20]!r}; it knows {', '.join(known)} (and regions: {known[0]}-US)",
        )


def _voice_provider(spec: AssistantSpec) -> str:
    """Where no voice is named: Piper for English, espeak-ng for what Piper's voice cannot say."""
    if spec.voice is not None:
        return spec.voice.provider
    heard = spec.transcriber.language if spec.transcriber else ""
    return "" if language_of(heard) == "en" else "espeak"


def _as_spoken(spec: AssistantSpec, voice: TextToSpeech) -> TextToSpeech:
    """The one place where written text becomes what is said, whichever the voice. A scripted voice says what its script says."""
    if voice.name == "scripted":
        return voice
    wanted = spec.voice
    hints = (wanted.language, wanted.voice_id, str(wanted.options.get("voice", ""))) if wanted else ()
    spoken_language = spec.transcriber.language if spec.transcriber else ""
    return SpokenVoice(voice, language_of(*hints, spoken_language), wanted.pronunciations if wanted else {})


def _named(spec: AssistantSpec, kind: registry.Kind) -> tuple[str, dict[str, Any]]:
    """The engine an assistant means, and what it tells it."""
    if kind == "llm":
        model = spec.model
        if model is None:
            raise ConfigurationError("model", "an assistant needs a model")
        workflow = {} if model.workflow is None else {"workflow": model.workflow}
        return model.provider or _DEFAULTS[kind], {**model.options, **workflow}
    part = spec.transcriber if kind == "stt" else spec.voice
    provider = _voice_provider(spec) if kind == "tts" else part.provider if part is not None else ""
    return provider or _DEFAULTS[kind], dict(part.options) if part is not None else {}
