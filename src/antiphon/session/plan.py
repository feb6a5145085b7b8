"""Everything a session needs, put together by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.conversation.context import ContextPlan
from antiphon.conversation.policy import Policy
from antiphon.media.settings import HearingSettings
from antiphon.providers.base import (
    ExpectedAnswers,
    LanguageModel,
    SpeechToText,
    TextToSpeech,
    TurnDetector,
    WaitAdviser,
)
from antiphon.providers.failover import Breakers, FailoverModel, FailoverVoice, OnFailure
from antiphon.providers.speech_to_speech.base import SpeechToSpeech
from antiphon.session.observers import SessionObserver
from antiphon.tools.base import ToolRunner
from antiphon.vocabulary import AudioFormat, Message, ToolSpec

BackgroundSound = Callable[[AudioFormat], Awaitable[bytes | None]]
"""A sound of at least a second to be heard over and over, in the call's outbound format; None where it cannot be had."""


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines of one call. Further ones in a tuple stand in when the first fails."""

    stt: SpeechToText
    models: tuple[LanguageModel, ...]
    voices: tuple[TextToSpeech, ...]
    tools: ToolRunner | None = None
    turn_detector: TurnDetector | None = None
    wait_adviser: WaitAdviser | None = None
    """Who says how long to wait after what the caller says, where the assistant has a say in it."""
    voice: str = ""
    speed: float = 1.0
    model_options: Mapping[str, Any] = field(default_factory=dict)
    breakers: Breakers = field(default_factory=Breakers)
    """What all calls know of engines that fail."""
    speech_to_speech: SpeechToSpeech | None = None
    """A model that hears and speaks itself: calls use it in the place of recogniser, model and voice."""
    background: BackgroundSound | None = None
    """What is heard behind the agent where the server plays it out."""
    fallback: Engines | None = None
    """Who takes over a call when that model is gone; without a model among them, they only say so."""

    def model(self, on_failure: OnFailure) -> FailoverModel:
        """The models as one. ``on_failure`` is told of each that failed, also where another stood in."""
        return FailoverModel(self.models, self.breakers, on_failure)

    def speaker(self, on_failure: OnFailure) -> FailoverVoice:
        """The voices as one."""
        return FailoverVoice(self.voices, self.breakers, on_failure)


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """How one call shall be led."""

    assistant: str
    policy: Policy
    messages: tuple[Message, ...]
    engines: Engines
    hearing: HearingSettings = field(default_factory=HearingSettings)
    recording: Path | None = None
    event_log: Path | None = None
    opening: ExpectedAnswers = field(default_factory=ExpectedAnswers)
    """What the caller may say to the greeting."""
    variables: Mapping[str, str] = field(default_factory=dict)
    transfer: Callable[[str, str], Awaitable[None]] | None = None
    """``transfer(provider_call_id, destination)``; None where the transport cannot."""
    client_tools: tuple[ToolSpec, ...] = ()
    """Tools that the client runs, beside those of the engines."""
    audio_ahead_ms: int | None = None
    """Where the client owns playback (its transport is not ``paced``): how far ahead of its playing time a reply is handed over, so that a
    reply that is being heard is still a reply in progress, and a client's memory is not our buffer. None: as it is made."""
    observers: tuple[SessionObserver, ...] = ()
    """Who watches this call, beside those who watch all. One that fails is dropped, and the call goes on."""
    surface: SessionObserver | None = None
    """The API client's side of the call, where it has one. The call is nothing without it: it ends where this fails."""


@dataclass(frozen=True, slots=True)
class Successor:
    """Another assistant that shall lead a live call."""

    assistant: str
    """Its name."""
    policy: Policy
    messages: tuple[Message, ...]
    engines: Engines
    context: ContextPlan = field(default_factory=ContextPlan)
    """What of the past its model is shown."""
    assistant_id: str = ""
    opening: ExpectedAnswers = field(default_factory=ExpectedAnswers)
    """What the caller may say to its first words."""
    leaving: str = ""
    """The name of the one that leads until then."""
    leaving_id: str = ""
