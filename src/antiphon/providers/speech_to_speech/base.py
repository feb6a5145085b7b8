"""The protocol of a model that hears and speaks: audio in, audio out, words of both beside it.

The floor stays ours: we say when the caller speaks and has spoken, when the model answers, and what of its answer was heard. So a stream is
a recogniser (``SpeechToTextStream``) that can also be asked to reply. Of a vendor that takes turns itself, what it says is held until it is
asked for (``own_turns``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from antiphon.providers.base import (
    Lifecycle,
    ModelRequest,
    SpeechToTextStream,
    StopReason,
    TranscriptionEvent,
)
from antiphon.vocabulary import AudioFormat, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """More of a reply's sound, in the format that was asked for; all of it, whichever of the vendor's items it came in."""

    reply: int
    audio: bytes


@dataclass(frozen=True, slots=True)
class ReplyWords:
    """More of what a reply says, in the order of its sound, which may be ahead or behind."""

    reply: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyToolCall:
    """The model asks for a tool; answers come with the next request's history."""

    reply: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class ReplyOver:
    """What was asked for last for this reply is complete: no more sound, words or calls of it. Exactly one of these or ``ReplyFailed``
    for each ``respond`` and ``say``, unless it was cancelled."""

    reply: int
    usage: tuple[Usage, ...] = ()
    stop_reason: StopReason = "stop"
    cut: bool = False
    """The vendor broke it off, having heard the caller: it has said more words than it has sounded."""


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """There will be no more of it, and it is not whole."""

    reply: int
    problem: str
    gone: bool = False
    """There was no session to ask, for as long as a caller can wait."""


@dataclass(frozen=True, slots=True)
class ReplyEndsCall:
    """The vendor's assistant has ended the call with this reply, the latest of its own (0: there was none)."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyTransfersCall:
    """It has handed the call over to ``destination`` (a number or a SIP URI)."""

    reply: int
    destination: str


@dataclass(frozen=True, slots=True)
class SpokeUnasked:
    """A vendor that takes turns itself has begun to speak, and the caller has said nothing it could be an answer to. It waits to be asked
    for. Told again while it waits."""


SpokenReplyEvent = ReplyAudio | ReplyWords | ReplyToolCall | ReplyOver | ReplyFailed
OwnTurnEvent = ReplyEndsCall | ReplyTransfersCall | SpokeUnasked
"""Told by vendors that take turns themselves."""
SpeechEvent = TranscriptionEvent | SpokenReplyEvent | OwnTurnEvent
HeardMs = Callable[[int], int | None]
"""How much of a reply's sound was heard until now; None for one that is not being played."""
OnSpeech = Callable[[SpeechEvent], None]


class SpeechToSpeechStream(SpeechToTextStream, Protocol):
    """One call's session with the model. As a recogniser's stream: nothing blocks, everything is bounded, a connection that is lost is
    mended, and what was being heard is sent again."""

    def prepare(self, request: ModelRequest, heard_ms: HeardMs) -> None:
        """What the first reply will be asked with, as far as it is known: prompt, tools, what was said before; and whom to ask what of a
        reply was heard. Told once, before anything is heard or asked for."""
        ...

    def respond(self, reply: int, request: ModelRequest) -> None:
        """Answer, aloud, to the history in ``request``: what the caller said last is known by its sound where it was heard on this session.
        After what was asked for before."""
        ...

    def say(self, reply: int, text: str) -> None:
        """Speak these very words as part of a reply; nothing of it is remembered by the session. After what was asked for before."""
        ...

    def cancel(self, reply: int, heard_ms: int) -> None:
        """Stop this reply, whether it is being made, waits or was made: ``heard_ms`` of its sound were heard, and so much the model shall
        remember. Nothing more is told of it. Does nothing for a reply that is not known."""
        ...


class SpeechToSpeech(Lifecycle, Protocol):
    name: str
    model: str
    transcriber: str
    """Which of the vendor's models writes the caller's words down."""
    formats: tuple[AudioFormat, ...]
    """What it takes, best first."""
    spoken_formats: tuple[AudioFormat, ...]
    """What it gives, best first."""
    # Those that take turns themselves may say three things besides: ``continuous``, that they want all of the caller's audio, and
    # ``partials``, that they tell words while they are being said, both as recognisers do; and ``words_with_sound``, that the words of
    # what they say come as they are heard, and not before.

    def open(
        self, heard: AudioFormat, spoken: AudioFormat, voice: str, speed: float, on_event: OnSpeech
    ) -> SpeechToSpeechStream:
        """A session for one call; ``voice`` is the vendor's name of one, empty for its default. ``on_event`` is called on the event loop,
        never from inside a call of ours. Raises ProviderError."""
        ...


def instructions_of(request: ModelRequest) -> str:
    """The prompt: a first message of the system's."""
    first = request.messages[0] if request.messages else None
    return first.content if first is not None and first.role == "system" else ""
