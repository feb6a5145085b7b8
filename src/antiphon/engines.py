"""The engines of this process: made once for each kind, name and options, shared by all calls that name them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import structlog

from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.tools import tool_specs
from antiphon.config import Settings
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.providers import registry
from antiphon.providers.base import CallContext, ExpectedAnswers, Lifecycle, SpeechToText, TextToSpeech, ToolRunner
from antiphon.providers.llm.workflow import WorkflowModel
from antiphon.providers.tts.spoken_voice import SpokenVoice, language_of
from antiphon.session.plan import Engines
from antiphon.tools.bookings import Bookings
from antiphon.tools.local import LocalTools
from antiphon.vocabulary import ToolCall, ToolSpec

log = structlog.get_logger(__name__)

_DEFAULTS: dict[registry.Kind, str] = {"stt": "pocketsphinx", "tts": "piper", "llm": "workflow"}


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

    def __init__(self, settings: Settings) -> None:
        self._workers = {"stt": settings.stt_workers, "tts": settings.tts_workers}
        self._engines: dict[bytes, Lifecycle] = {}
        self._started = False
        self._starting: set[asyncio.Task[None]] = set()
        self._tools = LocalTools()
        self._bookings: Bookings | None = None
        self._bookings_path: Path = settings.data_dir / "bookings.sqlite3"

    async def start(self) -> None:
        """Start what has been prepared. Raises ProviderUnavailable."""
        await asyncio.gather(*(engine.start() for engine in self._engines.values()))
        self._started = True

    async def close(self) -> None:
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*(engine.close() for engine in self._engines.values()), return_exceptions=True)
        await self._tools.close()
        if self._bookings is not None:
            self._bookings.close()

    def prepare(self, spec: AssistantSpec) -> None:
        """Make the engines of an assistant, so that ``start`` starts them. Raises ConfigurationError naming what is wrong."""
        self.for_assistant(spec)

    def for_assistant(self, spec: AssistantSpec) -> Engines:
        """The engines an assistant names; the embedded ones where it names none. Raises ConfigurationError."""
        model = spec.model
        stt = self._engine("stt", spec.transcriber.provider if spec.transcriber else "", _stt_options(spec))
        tts = self._engine("tts", _voice_provider(spec), dict(spec.voice.options) if spec.voice else {})
        llm = self._engine("llm", model.provider if model else "", _model_options(spec))
        options: dict[str, Any] = {}
        if model is not None and model.temperature is not None:
            options["temperature"] = model.temperature
        if model is not None and model.max_tokens is not None:
            options["max_tokens"] = model.max_tokens
        return Engines(
            stt=stt,
            models=(llm,),
            voices=(_as_spoken(spec, tts),),
            tools=self._offered_tools(spec),
            voice=spec.voice.voice_id if spec.voice else "",
            speed=(spec.voice.speed if spec.voice else None) or 1.0,
            model_options=options,
        )

    def opening_answers(self, engines: Engines, context: CallContext) -> ExpectedAnswers:
        """What the caller may say to the greeting, where the model knows."""
        model = engines.models[0]
        return model.opening_answers(context) if isinstance(model, WorkflowModel) else ExpectedAnswers()

    def recogniser(self, name: str) -> SpeechToText | None:
        """The speech-to-text engine of this name with its own defaults; None where there is none, or it needs more than a name."""
        if name not in registry.names("stt"):
            return None
        try:
            engine: SpeechToText = self._engine("stt", name, {})
        except AntiphonError as error:
            log.warning("recogniser_unusable", code=error.code)
            return None
        return engine

    def _engine(self, kind: registry.Kind, name: str, options: Mapping[str, Any]) -> Any:
        name = name or _DEFAULTS[kind]
        # Workers are the machine's matter, not the assistant's.
        given = (
            {"workers": self._workers[kind], **options}
            if name in ("pocketsphinx", "espeak", "piper")
            else dict(options)
        )
        key = orjson.dumps([kind, name, given], option=orjson.OPT_SORT_KEYS)
        engine = self._engines.get(key)
        if engine is None:
            engine = registry.create(kind, name, given)
            self._engines[key] = engine
            if self._started:
                self._start_late(engine)
        return engine

    def _start_late(self, engine: Lifecycle) -> None:
        """An assistant that was not known at the start: its engine starts beside the first call."""

        async def start() -> None:
            try:
                await engine.start()
            except AntiphonError as error:
                log.error("engine_start_failed", code=error.code)

        task = asyncio.get_running_loop().create_task(start(), name="engine-start")
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def _offered_tools(self, spec: AssistantSpec) -> ToolRunner | None:
        wanted = tool_specs(spec)
        if not wanted:
            return None
        if self._bookings is None:
            self._bookings_path.parent.mkdir(parents=True, exist_ok=True)
            self._bookings = Bookings(self._bookings_path)
            self._tools.register(self._bookings.book_appointment)
        here: Mapping[str, Callable[..., Any] | ToolSpec] = {tool.name: tool for tool in self._tools.specs()}
        missing = [tool.name for tool in wanted if tool.name not in here]
        if missing:
            raise ConfigurationError(
                "model.tools", f"{', '.join(missing)}: no such tool here; there are {', '.join(here)}"
            )
        return OfferedTools(wanted, self._tools)


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


def _stt_options(spec: AssistantSpec) -> dict[str, Any]:
    return dict(spec.transcriber.options) if spec.transcriber else {}


def _model_options(spec: AssistantSpec) -> dict[str, Any]:
    model = spec.model
    if model is None:
        raise ConfigurationError("model", "an assistant needs a model")
    options = dict(model.options)
    if model.workflow is not None:
        options["workflow"] = model.workflow
    return options
