"""Which engines there are. To add one, add its line here; the module is imported only when somebody asks for it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

from antiphon.errors import ConfigurationError, ProviderUnavailable

Kind = Literal["vad", "stt", "llm", "tts", "turn"]

_PROVIDERS: dict[Kind, dict[str, str]] = {
    "vad": {
        "silero": "antiphon.providers.vad.silero:SileroVoiceActivity",
        "silero-onnx": "antiphon.providers.vad.silero_onnx:SileroOnnx",
    },
    "stt": {
        "pocketsphinx": "antiphon.providers.stt.pocketsphinx:PocketsphinxSpeechToText",
        "scripted": "antiphon.providers.scripted:ScriptedSpeechToText",
    },
    "llm": {
        "workflow": "antiphon.providers.llm.workflow:WorkflowModel",
        "scripted": "antiphon.providers.scripted:ScriptedLanguageModel",
    },
    "tts": {
        "espeak": "antiphon.providers.tts.espeak:EspeakTextToSpeech",
        "piper": "antiphon.providers.tts.piper:PiperTextToSpeech",
        "scripted": "antiphon.providers.scripted:ScriptedTextToSpeech",
    },
    "turn": {
        "scripted": "antiphon.providers.scripted:ScriptedTurnDetector",
    },
}

_ALIASES: dict[Kind, dict[str, str]] = {
    # Names the voice platform's SDKs let an assistant say, and who stands behind them here (reference/vapi.md, 0.4).
    "vad": {},
    "stt": {"vapi": "pocketsphinx", "custom-transcriber": "pocketsphinx"},
    "llm": {"vapi": "workflow", "custom-llm": "workflow"},
    "tts": {"vapi": "piper", "custom-voice": "piper"},
    "turn": {},
}


def names(kind: Kind) -> tuple[str, ...]:
    """Every name ``create`` takes for this kind, aliases last."""
    return (*_PROVIDERS[kind], *_ALIASES[kind])


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
    module, _, attribute = _PROVIDERS[kind][resolve(kind, name)].partition(":")
    try:
        factory = getattr(import_module(module), attribute)
    except ImportError as missing:
        raise ProviderUnavailable(name, f"the package {missing.name} is not installed") from missing
    given = dict(options or {})
    allowed = tuple(inspect.signature(factory).parameters)
    unknown = [option for option in given if option not in allowed]
    if unknown:
        raise ConfigurationError(f"{kind}.{unknown[0]}", f"{name} takes {', '.join(allowed) or 'no options'}")
    try:
        return factory(**given)
    except TypeError as wrong:
        raise ConfigurationError(kind, f"the options of {name} do not fit: {wrong}") from wrong
