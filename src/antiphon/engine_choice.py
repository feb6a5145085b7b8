"""Which engines an assistant means, and what each of them is told: the fields of the assistant, the operator's account, the options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from antiphon.assistants.spec import AssistantSpec, FallbackModel, ModelSpec, TranscriberSpec, VoiceSpec
from antiphon.errors import ConfigurationError
from antiphon.providers import registry
from antiphon.providers.credentials import Credentials, vendor_of, where_to_put_the_key
from antiphon.providers.tts.spoken_voice import language_of

OWN_RECOGNISER = "custom-transcriber"
"""An application's; without a server to ask, it is this machine's default that hears."""
OWN_VOICE = "custom-voice"
"""The same of a voice."""
DEFAULTS: dict[registry.Kind, str] = {"stt": "moonshine", "tts": "piper", "llm": "workflow"}
PLACES: dict[registry.Kind, str] = {"stt": "transcriber", "llm": "model", "tts": "voice"}
"""Where an assistant names an engine of a kind."""
_IN_ONE: dict[registry.Kind, str] = {"speech_to_speech": "model", "llm": "model", "stt": "transcriber", "tts": "voice"}
"""The same of an assistant whose model hears and speaks: the others write (in chats, about calls that are over), and take over a call when
that model is gone."""
_FALLBACKS: dict[registry.Kind, str] = {
    "stt": "transcriber.fallbackPlan.transcribers",
    "llm": "model.fallbackModels",
    "tts": "voice.fallbackPlan.voices",
}
_SAID_AS: dict[str, tuple[str, ...]] = {
    "endpointing": ("endpointing", "endpointing_ms"),
    "keywords": ("keywords", "keyterms"),
    "keyterm": ("keyterms",),
    "keyterms_prompt": ("keyterms",),
}
"""Fields of an assistant that engines know by other names, ours."""
_SAID_OTHERWISE = frozenset(
    {"provider", "options", "url", "voice_id", "speed", "pronunciations", "temperature", "max_tokens", "messages", "tools",
     "tool_ids", "system_prompt", "fallback_plan", "fallback_models", "api_key", "base_url"}
)  # fmt: skip
"""Fields that reach the engine by another way than its options, or that are none of its business."""

Part = ModelSpec | FallbackModel | TranscriberSpec | VoiceSpec


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """One engine as one assistant wants it."""

    kind: registry.Kind
    provider: str
    options: Mapping[str, Any] = field(repr=False)
    """What the engine is made with; engines made alike are one. May hold a key."""
    place: str
    """The field of the assistant that names it."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """What it is told with each request."""
    part: Part | None = None
    """What the assistant says of it; None where it says nothing."""


def hears_and_speaks(spec: AssistantSpec) -> bool:
    """Whether an assistant's model is its recogniser and its voice as well."""
    return spec.model is not None and bool(registry.in_one(spec.model.provider, spec.model.model))


def places(spec: AssistantSpec) -> Mapping[registry.Kind, str]:
    """The kinds of engines that an assistant has, and where it names each."""
    return _IN_ONE if hears_and_speaks(spec) else PLACES


def choices(spec: AssistantSpec, kind: registry.Kind, credentials: Credentials) -> tuple[ProviderChoice, ...]:
    """The engine an assistant means, then those that stand in for it. Where its model hears and speaks, there may be none of the kind
    ``llm``, and none of the kind ``stt`` without one, or where this machine's own does not know the language. Raises ConfigurationError,
    ProviderUnavailable."""
    told = _heard_as(spec) if kind == "speech_to_speech" else {}
    return tuple(
        _choice(kind, provider, part, place, credentials, told) for provider, part, place in _named(spec, kind)
    )


def _named(spec: AssistantSpec, kind: registry.Kind) -> Iterator[tuple[str, Part | None, str]]:
    """Provider, what is said of it, and where it stands."""
    part: Part | None
    further: tuple[Part | str, ...] = ()
    if hears_and_speaks(spec):
        yield from _named_in_one(spec, kind)
        return
    if kind == "llm":
        if spec.model is None:
            raise ConfigurationError("model", "an assistant needs a model")
        part, further = spec.model, spec.model.fallback_models
    elif kind == "stt":
        part = spec.transcriber
        if part is not None and part.fallback_plan is not None:
            further = part.fallback_plan.transcribers
    else:
        part = spec.voice
        if part is not None and part.fallback_plan is not None:
            further = part.fallback_plan.voices
    provider = _voice_provider(spec) if kind == "tts" else part.provider if part is not None else ""
    provider = provider or DEFAULTS[kind]
    yield provider, part, PLACES[kind]
    for number, other in enumerate(further):
        place = f"{_FALLBACKS[kind]}.{number}"
        if isinstance(other, str):
            assert isinstance(part, ModelSpec), "only models are named by a word alone"
            yield provider, part.model_copy(update={"model": other}), place
        else:
            yield other.provider, other, place


def _named_in_one(spec: AssistantSpec, kind: registry.Kind) -> Iterator[tuple[str, Part | None, str]]:
    """As ``_named``, of an assistant whose model hears and speaks."""
    model = spec.model
    assert model is not None
    vendor = vendor_of(model.provider)
    for name, part in (("transcriber", spec.transcriber), ("voice", spec.voice)):
        if part is not None and vendor_of(part.provider) != vendor:
            raise ConfigurationError(
                f"{name}.provider", f"{model.provider} hears and speaks itself: leave {name} out, or name {vendor}"
            )
    if kind == "speech_to_speech":
        yield registry.in_one(model.provider, model.model), model, "model"
        return
    if kind == "llm":
        for number, other in enumerate(model.fallback_models):
            place = f"{_FALLBACKS['llm']}.{number}"
            if isinstance(other, str):
                yield vendor, model.model_copy(update={"model": other, "options": {}}), place
            else:
                yield other.provider, other, place
    elif kind == "stt" and model.fallback_models:
        plan = spec.transcriber.fallback_plan if spec.transcriber is not None else None
        yield from _standing_in(
            kind, plan.transcribers if plan is not None else (), DEFAULTS[kind] if _english(spec) else ""
        )
    elif kind == "tts":
        voices = spec.voice.fallback_plan.voices if spec.voice is not None and spec.voice.fallback_plan else ()
        yield from _standing_in(kind, voices, _default_voice(spec))


def _standing_in(
    kind: registry.Kind, named: Sequence[TranscriberSpec | VoiceSpec], default: str
) -> Iterator[tuple[str, Part | None, str]]:
    """Those that are named, or the one of this machine, if it will do."""
    for number, part in enumerate(named):
        yield part.provider, part, f"{_FALLBACKS[kind]}.{number}"
    if default and not named:
        yield default, None, PLACES[kind]


def _heard_as(spec: AssistantSpec) -> dict[str, Any]:
    """What an assistant says of a transcriber, to a model that is its own."""
    told = {} if spec.transcriber is None else dict(_fields(spec.transcriber))
    return {
        own: told[name] for name, own in (("language", "language"), ("model", "transcription_model")) if name in told
    }


def _choice(
    kind: registry.Kind,
    provider: str,
    part: Part | None,
    place: str,
    credentials: Credentials,
    told: Mapping[str, Any],
) -> ProviderChoice:
    if provider in (OWN_RECOGNISER, OWN_VOICE) and getattr(part, "server", None) is None:
        provider = DEFAULTS[kind]
    try:
        taken = registry.options(kind, provider)
        per_request = registry.per_request(kind, provider)
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}.provider", error.problem) from None
    given = {name: value for name, value in told.items() if name in taken}
    if part is not None:
        for name, value in _fields(part):
            given |= {own: value for own in engine_names(name) if own in taken}
        given |= part.options
    if "api_key" in taken:
        url = str(given.get("base_url") or getattr(part, "url", ""))
        account = credentials.of(provider, url)
        given = {"api_key": account.api_key, "base_url": account.base_url} | {
            name: value for name, value in given.items() if name != "base_url" and not (name == "api_key" and not value)
        }
        if "base_url" not in taken or not given["base_url"]:
            del given["base_url"]
        if not given["api_key"]:
            del given["api_key"]
            if registry.needs_key(kind, provider) and not url:
                vendor = vendor_of(provider)
                raise ConfigurationError(
                    f"{place}.provider", f"{provider} needs a key: set {where_to_put_the_key(vendor)}"
                )
    request = {name: value for name, value in given.items() if name in per_request}
    made_with = {name: value for name, value in given.items() if name not in per_request}
    return ProviderChoice(kind, provider, made_with, place, request, part)


def engine_names(field: str) -> tuple[str, ...]:
    """What engines may call a field of an assistant (snake case)."""
    return _SAID_AS.get(field, (field,))


def _fields(part: BaseModel) -> Iterator[tuple[str, Any]]:
    """What the assistant says, by the names engines use: fields we know, then those that are kept as they came."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        if name not in _SAID_OTHERWISE and name in part.model_fields_set and value not in ("", None):
            yield name, value.model_dump(by_alias=True, exclude_unset=True) if isinstance(value, BaseModel) else value
    for name, value in (part.model_extra or {}).items():
        if (own := to_snake(name)) not in _SAID_OTHERWISE:
            yield own, value


def _voice_provider(spec: AssistantSpec) -> str:
    return spec.voice.provider if spec.voice is not None else _default_voice(spec)


def _default_voice(spec: AssistantSpec) -> str:
    """Piper for English, espeak-ng for what Piper's voice cannot say."""
    return DEFAULTS["tts"] if _english(spec) else "espeak"


def _english(spec: AssistantSpec) -> bool:
    """Whether English is what is spoken, as far as the assistant says."""
    return language_of(spec.transcriber.language if spec.transcriber else "") == "en"
