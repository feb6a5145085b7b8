"""The first assistant of a new installation: a receptionist that talks through the engines somebody has chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

_ENGLISH = (
    "Good day, how can I help you?",
    "You answer the telephone of a small company. What you write is spoken aloud: use one or two short sentences, no lists and no "
    "markdown. Say that you do not know where you do not. Say goodbye when the caller does.",
    "Are you still there?",
)
_KOREAN = (
    "안녕하세요, 무엇을 도와드릴까요?",
    "당신은 작은 회사의 전화를 받는 상담원입니다. 쓰는 말은 그대로 소리 내어 읽힙니다. 목록이나 마크다운 없이 한두 문장으로 짧고 정중하게 "
    "한국어로 대답하세요. 모르는 것은 모른다고 말하고, 고객이 인사하면 인사로 마치세요.",
    "여보세요, 듣고 계신가요?",
)


@dataclass(frozen=True, slots=True)
class Part:
    """An engine: a provider of the registry, and a model or a voice of its where it is to be a certain one."""

    provider: str
    model: str = ""
    voice: str = ""


@dataclass(frozen=True, slots=True)
class Stack:
    """What an assistant is made of."""

    transcriber: Part
    model: Part
    voice: Part


STACKS: dict[str, Stack] = {
    "vendors": Stack(Part("deepgram", "nova-3"), Part("openai", "gpt-5.4-mini"), Part("elevenlabs")),
    "openai": Stack(
        Part("openai", "gpt-live-transcribe"), Part("openai", "gpt-5.4-mini"), Part("openai", voice="marin")
    ),
    "local": Stack(Part("moonshine"), Part("ollama", "qwen3:8b"), Part("piper", voice="joe")),
}
"""Common ones, by name; the first is the default."""

MODELS: dict[str, str] = {
    "anthropic": "claude-haiku-4-5",
    "google": "gemini-3-flash",
    "groq": "llama-3.3-70b-versatile",
    "ollama": "qwen3:8b",
    "openai": "gpt-5.4-mini",
}
"""A model to begin with, of vendors that have many."""


def starter_assistant(name: str, stack: Stack, language: str) -> str:
    """An assistant file. ``language``: a code such as ``en`` or ``ko-KR``; in others than these two it greets as the model will."""
    short = language.partition("-")[0].lower()
    greeting, prompt, idle = _KOREAN if short == "ko" else _ENGLISH
    assistant: dict[str, Any] = {"name": name, "firstMessage": greeting}
    if short not in ("en", "ko"):
        prompt += f" Speak the language with the code {language}."
        assistant = {"name": name, "firstMessageMode": "assistant-speaks-first-with-model-generated-message"}
    assistant["transcriber"] = _without_nothing(
        provider=stack.transcriber.provider, model=stack.transcriber.model, language=language
    )
    assistant["model"] = {
        **_without_nothing(provider=stack.model.provider, model=stack.model.model),
        "messages": [{"role": "system", "content": prompt}],
    }
    assistant["voice"] = _without_nothing(
        provider=stack.voice.provider, voiceId=stack.voice.voice, model=stack.voice.model, language=language
    )
    assistant["silenceTimeoutSeconds"] = 30
    if short in ("en", "ko"):
        assistant["messagePlan"] = {"idleMessages": [idle], "idleTimeoutSeconds": 8}
    text: str = yaml.safe_dump(assistant, allow_unicode=True, sort_keys=False, width=120)
    return text


def _without_nothing(**fields: str) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}
