"""Engines by name."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest

from antiphon.errors import ConfigurationError
from antiphon.providers import registry
from antiphon.providers.scripted import ScriptedSpeechToText
from antiphon.providers.stt.moonshine import MoonshineSpeechToText

KINDS: tuple[registry.Kind, ...] = get_args(registry.Kind)


def test_options_reach_the_engine() -> None:
    engine = registry.create("stt", "scripted", {"transcripts": ["yes"], "final_delay_ms": 5})
    assert isinstance(engine, ScriptedSpeechToText)


def test_the_platforms_names_mean_the_embedded_engines() -> None:
    assert isinstance(registry.create("stt", "vapi"), MoonshineSpeechToText)
    assert registry.resolve("tts", "vapi") == "piper"
    assert registry.resolve("llm", "deep-seek") == "deepseek"


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_is_told_what_there_is(kind: registry.Kind) -> None:
    with pytest.raises(ConfigurationError) as error:
        registry.create(kind, "nonesuch")
    assert all(name in str(error.value) for name in registry.names(kind))


@pytest.mark.parametrize(
    ("options", "field"), [({"final_delay": 5}, "stt.final_delay"), ({"final_delay_ms": "soon"}, "stt.final_delay_ms")]
)
def test_an_option_that_does_not_fit(options: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        registry.create("stt", "scripted", options)
    assert error.value.field == field


MINIMAL: dict[str, dict[str, object]] = {
    "workflow": {"workflow": {}},
    **{
        vendor: {"api_key": "k"}
        for vendor in (
            "deepgram",
            "deepgram-flux",
            "openai",
            "openai-file",
            "assemblyai",
            "soniox",
            "cartesia",
            "elevenlabs",
        )
    },
    "custom-llm": {"base_url": "https://models.example.com/v1"},
    "custom-transcriber": {"server": {"url": "wss://example.com"}},
    "custom-voice": {"server": {"url": "https://example.com"}},
    "vapi-hosted": {"model": "an-assistant"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_of_the_table_leads_somewhere(kind: registry.Kind) -> None:
    for name in registry.names(kind):
        options = MINIMAL.get(registry.resolve(kind, name), {})
        try:
            engine = registry.create(kind, name, options)
        except ConfigurationError as error:
            # The engine was reached and found its own options wanting.
            if not error.field.startswith("model.workflow"):
                raise
        else:
            assert engine.rate_hz if kind == "vad" else engine.name


def test_looking_at_the_table_loads_no_engine() -> None:
    code = (
        "import sys; import antiphon.providers.registry as r; r.names('stt');"
        "print([m for m in ('onnxruntime', 'pocketsphinx', 'espeakng_loader', 'numpy') if m in sys.modules])"
    )
    answer = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["vad", "stt", "llm", "tts", "turn"])
def test_from_outside_no_test_double_and_no_alias_can_be_named(kind: registry.Kind) -> None:
    named = registry.named_from_outside(kind)
    assert "scripted" not in named
    assert all(registry.resolve(kind, name) == name for name in named)
    assert {*named, "scripted", "custom-transcriber", "custom-voice"} >= {
        registry.resolve(kind, name) for name in registry.names(kind)
    }
