"""The engines of this process: made once for each kind, name and options, shared by all calls that name them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import structlog

from antiphon.assistants.spec import AssistantSpec, VoiceSpec
from antiphon.background.sounds import BackgroundSounds
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import Clock, SystemClock
from antiphon.config import Settings
from antiphon.engine_choice import OWN_VOICE, ProviderChoice, choices, hears_and_speaks, places
from antiphon.engine_shelf import EngineHealth, EngineShelf, Shelved
from antiphon.env_file import environment
from antiphon.errors import AntiphonError, ConfigurationError, ProviderUnavailable
from antiphon.knowledge.local_files import LocalFiles
from antiphon.providers import registry
from antiphon.providers.base import ExpectedAnswers, LanguageModel, SpeechToText, TextToSpeech, TurnDetector
from antiphon.providers.credentials import Credential, Credentials
from antiphon.providers.failover import (
    Breakers,
    ChosenModel,
    ChosenVoice,
    FailoverModel,
    InformedModel,
    InformedVoice,
    OnFailure,
)
from antiphon.providers.failover_stt import FailoverSpeechToText
from antiphon.providers.knowing_model import KnowingModel
from antiphon.providers.tts.spoken_voice import SpokenVoice, language_of
from antiphon.providers.turn import smart_turn
from antiphon.session.plan import Engines
from antiphon.session.speech_to_speech import Ears
from antiphon.tool_room import ToolRoom
from antiphon.tools.base import LoadsTools, ToolRunner
from antiphon.tools.handoff import HandOver
from antiphon.vocabulary import CallContext
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.egress import Egress
from antiphon.workflow.model import WorkflowModel

KNOWLEDGE = "knowledge"
"""The folder beside the assistant files that their ``query`` tools look into."""
log = structlog.get_logger(__name__)


@runtime_checkable
class KnowsVoices(Protocol):
    """A voice that can say beforehand which names it takes."""

    def check_voice(self, name: str, field: str) -> None:
        """Raises ConfigurationError naming ``field`` and what there is."""
        ...


def credentials_of(settings: Settings) -> Credentials:
    """The operator's accounts, the vendors' own variables included."""
    given = {
        name: Credential(vendor.api_key.get_secret_value(), vendor.base_url)
        for name, vendor in settings.vendors.items()
    }
    return Credentials(given, environment())


@dataclass(frozen=True, slots=True)
class TextEngines:
    """The engines of a conversation in text."""

    model: FailoverModel
    tools: ToolRunner | None
    model_options: Mapping[str, Any]


def egress_of(settings: Settings) -> Egress:
    """Where requests to applications may go."""
    return Egress(allow_private=settings.webhooks.private_addresses, allow_loopback=settings.is_local)


class EngineRoom:
    """Makes, starts, shares and frees engines."""

    def __init__(
        self,
        settings: Settings,
        in_use: Callable[[], Iterable[object]] = tuple,
        wanted: Callable[[], Iterable[AssistantSpec]] = tuple,
        clock: Clock | None = None,
    ) -> None:
        """``in_use`` tells the engines that calls have, ``wanted`` the assistants that may be called: other engines are closed."""
        machine = {"hung_after_s": settings.engines.hung_after_s, "models_dir": str(settings.models.place)}
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
            egress_of(settings).addresses,
        )
        self._credentials = credentials_of(settings)
        self._breakers = Breakers()
        self._lasting: set[bytes] = set()
        """Of engines that clients name, and of the turn detector: there are no more of them than names."""
        clock = clock or SystemClock()
        self.tools = ToolRoom(settings.data_dir / "bookings.sqlite3", WebhookClient(egress_of(settings), clock), clock)
        self._sounds = BackgroundSounds(self.tools.client.send, clock)
        if settings.tools_file is not None:
            self.tools.declare(settings.tools_file)
        if settings.assistants_dir is not None:
            self.tools.looks.append(LocalFiles(settings.assistants_dir / KNOWLEDGE, DEFAULT_ORG).look)

    async def start(self) -> None:
        """Start what has been prepared. Raises ProviderUnavailable where an engine that is needed cannot."""
        await self._shelf.start()

    async def close(self) -> None:
        self._sounds.close()
        await self._shelf.close()
        await self.tools.close()

    def prepare(self, spec: AssistantSpec, *, needed: bool = False) -> None:
        """Make the engines of an assistant, so that ``start`` starts them; ``needed``: or fails. Raises ConfigurationError naming what is
        wrong, ProviderUnavailable."""
        for entry in self._entries(self.for_assistant(spec)):
            entry.needed = entry.needed or needed

    def for_assistant(self, spec: AssistantSpec) -> Engines:
        """The engines an assistant names; the embedded ones where it names none. Raises ConfigurationError, ProviderUnavailable."""
        _check_language(spec)
        if hears_and_speaks(spec):
            return self._in_one(spec)
        stt, llm, tts = (self._get(spec, kind) for kind in ("stt", "llm", "tts"))
        _check_voices(tts)
        recognisers = tuple(engine for _, engine in stt)
        return Engines(
            stt=recognisers[0] if len(recognisers) == 1 else FailoverSpeechToText(recognisers, self._breakers),
            models=tuple(self._told(spec, choice, engine, first=choice is llm[0][0]) for choice, engine in llm),
            voices=tuple(self._spoken(spec, choice, engine, first=choice is tts[0][0]) for choice, engine in tts),
            tools=self.tools.runner(spec),
            turn_detector=self._detector(stt[0][0].provider),
            wait_adviser=self.tools.wait_adviser(spec),
            voice=spec.voice.voice_id if spec.voice else "",
            speed=(spec.voice.speed if spec.voice else None) or 1.0,
            model_options=_model_options(spec),
            breakers=self._breakers,
            background=self._sounds.of(spec.background_sound),
        )

    def _told(
        self, spec: AssistantSpec, choice: ProviderChoice, engine: LanguageModel, *, first: bool, in_call: bool = True
    ) -> LanguageModel:
        """The model with what it is told each time: by the assistant, and, where it is somebody's own, of the call."""
        model = _as_chosen(choice, engine, first=first)
        if (look_up := self.tools.knowing(spec)) is not None:
            model = KnowingModel(model, look_up)
        if registry.resolve(choice.kind, choice.provider) != "custom-llm":
            return model
        metadata = {"metadata": spec.metadata} if spec.metadata else {}
        return InformedModel(model, lambda context: {**metadata, **(self.tools.about_call(context) if in_call else {})})

    def _spoken(self, spec: AssistantSpec, choice: ProviderChoice, voice: TextToSpeech, *, first: bool) -> TextToSpeech:
        """The voice with what is written made what is said, and, where it is somebody's own, with what it is told of the call."""
        if registry.resolve(choice.kind, choice.provider) == OWN_VOICE:
            voice = InformedVoice(voice, self.tools.about_call)
        return _as_spoken(spec, choice, voice, first=first)

    def _in_one(self, spec: AssistantSpec) -> Engines:
        """Of an assistant whose model hears and speaks. The others write, and take over a call when that model is gone."""
        ((choice, engine),) = self._get(spec, "speech_to_speech")
        models = tuple(self._told(spec, other, model, first=False) for other, model in self._get(spec, "llm"))
        recognisers = tuple(other for _, other in self._get(spec, "stt"))
        common = Engines(
            stt=Ears(engine),
            models=models,
            voices=(),
            tools=self.tools.runner(spec),
            speed=(spec.voice.speed if spec.voice else None) or 1.0,
            model_options=_model_options(spec),
            breakers=self._breakers,
            background=self._sounds.of(spec.background_sound),
        )
        cascade = replace(
            common,
            stt=FailoverSpeechToText(recognisers, self._breakers) if recognisers else common.stt,
            models=models if recognisers else (),
            voices=tuple(self._spoken(spec, other, voice, first=False) for other, voice in self._get(spec, "tts")),
        )
        return replace(
            common,
            turn_detector=self._detector(choice.provider),
            wait_adviser=self.tools.wait_adviser(spec),
            voice=spec.voice.voice_id if spec.voice else "",
            speech_to_speech=engine,
            fallback=cascade,
        )

    def for_text(self, spec: AssistantSpec, on_failure: OnFailure, hand_over: HandOver | None = None) -> TextEngines:
        """What an assistant needs to answer in text; ``hand_over`` is what its handoffs do. Raises ConfigurationError,
        ProviderUnavailable."""
        models = [
            self._told(spec, choice, engine, first=at == 0, in_call=False)
            for at, (choice, engine) in enumerate(self._get(spec, "llm"))
        ]
        if not models:
            raise ConfigurationError(
                "model.fallbackModels",
                f"{spec.model.provider if spec.model else ''} speaks: name a model that writes here",
            )
        return TextEngines(
            FailoverModel(models, self._breakers, on_failure), self.tools.runner(spec, hand_over), _model_options(spec)
        )

    async def wait_for(self, engines: Iterable[object], within_s: float) -> None:
        """Until one of these has started, if they are starting. Raises ProviderUnavailable where none can."""
        entries = [entry for engine in engines if (entry := self._shelf.of(engine_behind(engine))) is not None]
        starting = [entry.task for entry in entries if entry.task is not None and not entry.task.done()]
        if starting and not any(entry.works for entry in entries):
            await asyncio.wait(starting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        failed = [entry for entry in entries if entry.state == "failed"]
        if failed and len(failed) == len(entries):
            raise ProviderUnavailable(failed[0].name, failed[0].problem)

    def check(self, spec: AssistantSpec) -> None:
        """Whether an assistant makes sense, without keeping its engines. Raises ConfigurationError, ProviderUnavailable."""
        _check_language(spec)
        made = {kind: self._each(spec, kind, registry.create) for kind in places(spec)}
        _check_voices(made.get("tts", ()))
        self.tools.runner(spec)

    def problems(self, spec: AssistantSpec) -> list[tuple[str, str]]:
        """Why engines that an assistant names cannot be had here (a vendor that is not spoken to, a key that is missing): each dotted
        field, and what is wrong. None is kept."""
        found = []
        for kind, place in places(spec).items():
            if getattr(spec, place) is not None:
                try:
                    made = self._each(spec, kind, registry.create)
                    if kind == "tts":
                        _check_voices(made)
                except ConfigurationError as error:
                    found.append((error.field, error.problem))
                except ProviderUnavailable:  # for now, perhaps
                    continue
        return list(dict.fromkeys(found))

    def ready(self, engines: Engines) -> bool:
        """Whether a call would be served at once."""
        return all(entry.works for entry in self._entries(engines))

    async def until_ready(self, engines: Engines) -> None:
        """Until all have been started, and it is known which tools there are. Raises ProviderUnavailable where one cannot serve."""
        await self.tools_known(engines.tools)
        starting = [entry.task for entry in self._entries(engines) if entry.task is not None and not entry.task.done()]
        if starting:
            await asyncio.wait(starting)
        if problem := self.broken(engines):
            raise ProviderUnavailable("engines", problem)

    async def tools_known(self, tools: object) -> None:
        """Until those have been asked that name tools (MCP servers), within a few seconds. What does not answer stops nothing."""
        if isinstance(tools, LoadsTools):
            await tools.load()

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
        model = engine_behind(engines.models[0]) if engines.models else None
        return model.opening_answers(context) if isinstance(model, WorkflowModel) else ExpectedAnswers()

    def workflow(self, engines: Engines) -> dict[str, Any] | None:
        """The outline of the workflow that a call follows (``WorkflowModel.outline``); None where its model follows none."""
        model = engine_behind(engines.models[0])
        return model.outline() if isinstance(model, WorkflowModel) else None

    def recogniser(self, name: str) -> SpeechToText | None:
        """The speech-to-text engine that a client may mean by this name, with its own defaults; None where there is none, or it needs
        more than a name."""
        if name not in registry.named_from_outside("stt"):
            return None
        try:
            options = self._account(name)
            engine: SpeechToText = self._shelf.get("stt", name, options)
        except AntiphonError as error:
            log.warning("recogniser_unusable", code=error.code)
            return None
        self._lasting.add(self._shelf.key("stt", name, options))
        return engine

    def _account(self, stt: str) -> dict[str, Any]:
        """What a recogniser that is known by its name alone is made with."""
        taken = registry.options("stt", stt)
        if "api_key" not in taken:
            return {}
        account = self._credentials.of(stt)
        given = {"api_key": account.api_key, "base_url": account.base_url}
        return {name: value for name, value in given.items() if value and name in taken}

    def _detector(self, recogniser: str) -> TurnDetector | None:
        """Who judges by the sound whether callers have finished. A call without it goes by words and silence alone, so what keeps it from
        working is told and stops nothing. A scripted recogniser's words have nothing to do with any sound."""
        name = self._turn_detector
        if not name or registry.is_test_double("stt", recogniser):
            return None
        try:
            engine: TurnDetector = self._shelf.get("turn", name, {})
        except AntiphonError as error:
            log.warning("turn_detector_unusable", code=error.code)
            return None
        self._lasting.add(self._shelf.key("turn", name, {}))
        entry = self._shelf.of(engine)
        return engine if entry is not None and entry.state != "failed" else None

    def _get(self, spec: AssistantSpec, kind: registry.Kind) -> list[tuple[ProviderChoice, Any]]:
        return self._each(spec, kind, self._shelf.get)

    def _each(
        self, spec: AssistantSpec, kind: registry.Kind, make: Callable[..., Any]
    ) -> list[tuple[ProviderChoice, Any]]:
        return [(choice, _named_by_field(choice, make)) for choice in choices(spec, kind, self._credentials)]

    def _keys(self, spec: AssistantSpec) -> Iterator[bytes]:
        for kind in places(spec):
            for choice in choices(spec, kind, self._credentials):
                yield self._shelf.key(kind, choice.provider, choice.options)

    def _entries(self, engines: Engines) -> list[Shelved]:
        found = (self._shelf.of(engine) for engine in engines_behind(engines))
        return [entry for entry in found if entry is not None]


def _model_options(spec: AssistantSpec) -> dict[str, Any]:
    model = spec.model
    given = {"temperature": model.temperature, "max_tokens": model.max_tokens} if model is not None else {}
    return {name: value for name, value in given.items() if value is not None}


def engine_behind(engine: object) -> object:
    """What is shared between calls, without what is put around it for one assistant."""
    while (behind := getattr(engine, "behind", None)) is not None:
        engine = behind
    return engine


def engines_in(engines: Engines) -> Iterator[object]:
    """All engines of a call that are shared between calls, those that may take it over among them."""
    yield from engines_behind(engines)
    if engines.fallback is not None:
        yield from engines_behind(engines.fallback)


def engines_behind(engines: Engines) -> Iterator[object]:
    """Those that a call begins with."""
    recognisers = engines.stt.targets if isinstance(engines.stt, FailoverSpeechToText) else (engines.stt,)
    in_one = () if engines.speech_to_speech is None else (engines.speech_to_speech,)
    for engine in (*recognisers, *engines.models, *engines.voices, *in_one):
        yield engine_behind(engine)


def _named_by_field(choice: ProviderChoice, make: Callable[..., Any]) -> Any:
    """Raises ConfigurationError naming the field of the assistant: the engine knows its options, where they stand is known here."""
    kind = choice.kind
    try:
        registry.checked(kind, choice.provider, choice.request)
        return make(kind, choice.provider, choice.options)
    except ConfigurationError as error:
        first, _, option = error.field.partition(".")
        if first != kind:
            raise
        place = f"{choice.place}.options.{option}" if option else f"{choice.place}.provider"
        raise ConfigurationError(place, error.problem) from None


def _check_voices(voices: Iterable[tuple[ProviderChoice, Any]]) -> None:
    """Raises ConfigurationError where an assistant's voice is none of its engine's."""
    for choice, engine in voices:
        name = choice.part.voice_id if isinstance(choice.part, VoiceSpec) else ""
        if name and isinstance(engine, KnowsVoices):
            engine.check_voice(name, f"{choice.place}.voiceId")


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


def _as_chosen(choice: ProviderChoice, model: LanguageModel, *, first: bool) -> LanguageModel:
    """The model with what the assistant tells it each time. One that stands in has numbers of its own, if any."""
    own = registry.checked(choice.kind, choice.provider, choice.request)
    if not first and choice.part is not None:
        numbers = choice.part.model_dump(include={"temperature", "max_tokens"}, exclude_none=True)
        own |= numbers
    return ChosenModel(model, own) if own else model


def _as_spoken(spec: AssistantSpec, choice: ProviderChoice, voice: TextToSpeech, *, first: bool) -> TextToSpeech:
    """The one place where written text becomes what is said, whichever the voice. A scripted voice says what its script says."""
    wanted = choice.part if isinstance(choice.part, VoiceSpec) else None
    if voice.name != "scripted":
        hints = (wanted.language, wanted.voice_id, str(wanted.options.get("voice", ""))) if wanted else ()
        spoken_language = spec.transcriber.language if spec.transcriber else ""
        main = spec.voice.pronunciations if spec.voice else {}
        own = wanted.pronunciations if wanted else {}
        voice = SpokenVoice(voice, language_of(*hints, spoken_language), {**main, **own})
    return voice if first or wanted is None else ChosenVoice(voice, wanted.voice_id, wanted.speed)
