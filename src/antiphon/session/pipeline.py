"""What a session asks of its model and voice, whichever way they are made: in a cascade (``Thinking``, ``Speaking``) or in one
(``SpeechToSpeechCall``). Both act on the conversation's words and tell it events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from antiphon.conversation.actions import StartReply
from antiphon.vocabulary import ToolSpec


class Thinks(Protocol):
    """The model of a call."""

    tools: tuple[ToolSpec, ...]
    options: Mapping[str, Any]

    def start(self, action: StartReply) -> None: ...

    def cancel(self, reply: int) -> None: ...

    def stop(self, reply: int) -> None:
        """As ``cancel``, and the reply's voice goes on."""
        ...

    def adopt(self, reply: int) -> None: ...


class Speaks(Protocol):
    """The voice of a call."""

    voice: str
    speed: float

    def speak(self, reply: int, piece: int, text: str) -> None: ...

    def speak_as(self, reply: int, voice: str) -> None: ...

    def end(self, reply: int) -> None: ...

    def cancel(self, reply: int) -> None: ...

    def report(self, reply: int) -> None: ...
