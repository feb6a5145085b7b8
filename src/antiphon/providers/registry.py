"""Which engines there are. To add one, add its line here; the module is imported only when somebody asks for it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Literal

from pydantic import TypeAdapter

from antiphon.errors import ConfigurationError, ProviderUnavailable

Kind = Literal["vad", "stt", "llm", "tts", "turn", "speech_to_speech"]

_PROVIDERS: dict[Kind, dict[str, str]] = {
    "vad": {
        "silero": "antiphon.providers.vad.silero:SileroVoiceActivity",
        "silero-onnx": "antiphon.providers.vad.silero_onnx:SileroOnnx",
    },
    "stt": {
        "moonshine": "antiphon.providers.stt.moonshine:MoonshineSpeechToText",
        "pocketsphinx": "antiphon.providers.stt.pocketsphinx:PocketsphinxSpeechToText",
        "custom-transcriber": "antiphon.providers.stt.custom_transcriber:CustomTranscriber",
        "assemblyai": "antiphon.providers.stt.assemblyai:AssemblyAISpeechToText",
        "cartesia": "antiphon.providers.stt.cartesia:CartesiaSpeechToText",
        "deepgram": "antiphon.providers.stt.deepgram:DeepgramSpeechToText",
        "deepgram-flux": "antiphon.providers.stt.deepgram_flux:DeepgramFluxSpeechToText",
        "elevenlabs": "antiphon.providers.stt.elevenlabs:ElevenLabsSpeechToText",
        "faster-whisper": "antiphon.providers.stt.faster_whisper:FasterWhisperSpeechToText",
        "openai": "antiphon.providers.stt.openai:OpenAISpeechToText",
        "openai-file": "antiphon.providers.stt.openai_file:OpenAIFileSpeechToText",
        "sherpa-onnx": "antiphon.providers.stt.sherpa_onnx:SherpaOnnxSpeechToText",
        "soniox": "antiphon.providers.stt.soniox:SonioxSpeechToText",
        "vosk": "antiphon.providers.stt.vosk:VoskSpeechToText",
        "scripted": "antiphon.providers.scripted:ScriptedSpeechToText",
    },
    "llm": {
        "workflow": "antiphon.workflow.model:WorkflowModel",
        "anthropic": "antiphon.providers.llm.anthropic:Anthropic",
        "google": "antiphon.providers.llm.gemini:Gemini",
        "openai": "antiphon.providers.llm.openai_responses:OpenAiResponses",
        "openai-chat": "antiphon.providers.llm.openai_chat:OpenAiChat",
        "custom-llm": "antiphon.providers.llm.custom_llm:CustomLlm",
        "cerebras": "antiphon.providers.llm.openai_chat:Cerebras",
        "deepinfra": "antiphon.providers.llm.openai_chat:DeepInfra",
        "deepseek": "antiphon.providers.llm.openai_chat:DeepSeek",
        "groq": "antiphon.providers.llm.openai_chat:Groq",
        "mistral": "antiphon.providers.llm.openai_chat:Mistral",
        "ollama": "antiphon.providers.llm.openai_chat:Ollama",
        "openrouter": "antiphon.providers.llm.openai_chat:OpenRouter",
        "perplexity": "antiphon.providers.llm.openai_chat:Perplexity",
        "together": "antiphon.providers.llm.openai_chat:Together",
        "vllm": "antiphon.providers.llm.openai_chat:Vllm",
        "xai": "antiphon.providers.llm.openai_chat:XAi",
        "scripted": "antiphon.providers.scripted:ScriptedLanguageModel",
    },
    "tts": {
        "cartesia": "antiphon.providers.tts.cartesia:CartesiaTextToSpeech",
        "custom-voice": "antiphon.providers.tts.custom_voice:CustomVoice",
        "deepgram": "antiphon.providers.tts.deepgram:DeepgramTextToSpeech",
        "elevenlabs": "antiphon.providers.tts.elevenlabs:ElevenLabsTextToSpeech",
        "espeak": "antiphon.providers.tts.espeak:EspeakTextToSpeech",
        "kokoro": "antiphon.providers.tts.kokoro:KokoroTextToSpeech",
        "openai": "antiphon.providers.tts.openai:OpenAITextToSpeech",
        "piper": "antiphon.providers.tts.piper:PiperTextToSpeech",
        "scripted": "antiphon.providers.scripted:ScriptedTextToSpeech",
    },
    "turn": {
        "smart-turn": "antiphon.providers.turn.smart_turn:SmartTurnDetector",
        "scripted": "antiphon.providers.scripted:ScriptedTurnDetector",
    },
    "speech_to_speech": {
        "openai-realtime": "antiphon.providers.speech_to_speech.openai_realtime:OpenAIRealtime",
        "google-live": "antiphon.providers.speech_to_speech.gemini_live:GeminiLive",
        "openai-live": "antiphon.providers.speech_to_speech.gpt_live:GptLive",
        "vapi-hosted": "antiphon.providers.speech_to_speech.vapi_hosted:HostedVapi",
    },
}

_OWN_ASSISTANTS = frozenset({"vapi-hosted"})
_TEST_DOUBLES = frozenset({"scripted"})
_NOT_BY_NAME_ALONE = frozenset({"scripted", "custom-transcriber", "custom-voice"})

_ALIASES: dict[Kind, dict[str, str]] = {
    # Names the voice platform's SDKs let an assistant say, and who stands behind them here (reference/vapi.md, 0.4).
    "vad": {},
    "stt": {"vapi": "moonshine", "11labs": "elevenlabs"},
    "llm": {
        "vapi": "workflow",
        "deep-seek": "deepseek",
        "perplexity-ai": "perplexity",
        "together-ai": "together",
    },
    "tts": {"vapi": "piper", "11labs": "elevenlabs"},
    "turn": {},
    "speech_to_speech": {},
}


_LANGUAGES: dict[str, tuple[str, ...]] = {"pocketsphinx": ("en",), "cartesia": ("en",)}
"""What a recogniser knows, where it does not know all: ISO 639-1."""


def languages(stt: str) -> tuple[str, ...]:
    """The languages that a recogniser knows, by its name or alias; empty where it is not for us to say."""
    return _LANGUAGES.get(_ALIASES["stt"].get(stt, stt), ())


def names(kind: Kind) -> tuple[str, ...]:
    """Every name ``create`` takes for this kind, aliases last."""
    return (*_PROVIDERS[kind], *_ALIASES[kind])


def named_from_outside(kind: Kind) -> tuple[str, ...]:
    """The engines that a client may ask for by name: each by its own. Test doubles, and what needs an
    application's server, are for assistants alone."""
    return tuple(name for name in _PROVIDERS[kind] if name not in _NOT_BY_NAME_ALONE)


_LIVE = re.compile(r"(^|[-/])(live|native-audio)(-|$)")
"""In the names of Google's models that hear and speak."""


def in_one(provider: str, model: str) -> str:
    """The engine that is recogniser, model and voice, where an assistant's model is one; else empty. Google's and OpenAI's Live models are
    told by their names."""
    if provider == "google" and _LIVE.search(model):
        return "google-live"
    if provider == "openai" and model.startswith("gpt-live"):
        return "openai-live"
    return provider if provider in _PROVIDERS["speech_to_speech"] else ""


def has_own_assistant(in_one: str) -> bool:
    """Whether an engine that is recogniser, model and voice is an assistant itself, with a prompt, tools and a first message of its own."""
    return in_one in _OWN_ASSISTANTS


def is_test_double(kind: Kind, name: str) -> bool:
    """Whether an engine, by its name or alias, only plays one."""
    return _ALIASES[kind].get(name, name) in _TEST_DOUBLES


def resolve(kind: Kind, name: str) -> str:
    """An engine's own name for a name or an alias. Raises ConfigurationError naming what is allowed."""
    own = _ALIASES[kind].get(name, name)
    if own not in _PROVIDERS[kind]:
        raise ConfigurationError(kind, f"no provider {name!r}; there are {', '.join(names(kind))}")
    return own


def create(kind: Kind, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """A new engine, not started. What it implements is the protocol of its kind in ``base``.

    Raises ConfigurationError for an unknown name, an unknown option or a bad value, ProviderUnavailable when a package is missing.
    """
    factory = _factory(kind, name)
    given = checked(kind, name, options or {})
    try:
        return factory(**given)
    except TypeError as wrong:
        raise ConfigurationError(kind, f"the options of {name} do not fit: {wrong}") from wrong


def checked(kind: Kind, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the engine's own signature wants them. Raises ConfigurationError for an unknown one or a bad value."""
    parameters = _parameters(_factory(kind, name))
    fit: dict[str, Any] = {}
    for option, value in given.items():
        if option not in parameters:
            raise ConfigurationError(f"{kind}.{option}", f"{name} takes {', '.join(parameters) or 'no options'}")
        fit[option] = _checked(f"{kind}.{option}", value, parameters[option].annotation)
    return fit


def per_request(kind: Kind, name: str) -> frozenset[str]:
    """Options of an engine that are told with each request, so that one engine serves all who differ in nothing else: a class says so
    in ``per_request``."""
    return frozenset(getattr(_factory(kind, name), "per_request", ()))


def needs_key(kind: Kind, name: str) -> bool:
    """Whether an engine is of no use without a key: a class says so in ``needs_key``, or has no default for ``api_key``."""
    factory = _factory(kind, name)
    key = _parameters(factory).get("api_key")
    return key is not None and bool(getattr(factory, "needs_key", key.default is key.empty))


@cache
def options(kind: Kind, name: str) -> tuple[str, ...]:
    """What an engine can be told. Raises as ``create``."""
    return tuple(_parameters(_factory(kind, name)))


@cache
def _parameters(factory: Any) -> Mapping[str, inspect.Parameter]:
    """What an engine is made with: its own, and where it hands on more by keyword, those by keyword of the class that takes them."""
    known = dict(inspect.signature(factory).parameters)
    for base in factory.__mro__[1:] if inspect.isclass(factory) else ():
        rest = next((name for name, each in known.items() if each.kind is each.VAR_KEYWORD), None)
        if rest is None:
            break
        del known[rest]
        taken = inspect.signature(base).parameters.items()
        known |= {name: each for name, each in taken if each.kind in (each.KEYWORD_ONLY, each.VAR_KEYWORD)}
    return known


def _factory(kind: Kind, name: str) -> Any:
    module, _, attribute = _PROVIDERS[kind][resolve(kind, name)].partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as missing:
        raise ProviderUnavailable(name, f"the package {missing.name} is not installed") from missing


_SIMPLE: dict[str, tuple[type, str]] = {
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "str": (str, "text"),
    "bool": (bool, "true or false"),
}
"""By the annotation's text: engines' modules keep annotations unevaluated."""


@cache
def _adapter(wanted: type) -> TypeAdapter[Any]:
    return TypeAdapter(wanted)


def _checked(field: str, value: Any, annotation: Any) -> Any:
    """The value as the engine's own signature wants it, where that is simple. (YAML knows 1 from 1.0, a variable is text.)"""
    wanted, name = _SIMPLE.get(annotation, (None, ""))
    if wanted is None:
        return value
    try:
        if isinstance(value, bool) and wanted is not bool:
            raise ValueError
        return _adapter(wanted).validate_python(value)
    except ValueError:
        raise ConfigurationError(field, f"must be {name}") from None
