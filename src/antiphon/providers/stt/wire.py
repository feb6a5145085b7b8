"""What a vendor's streaming recogniser is to us: a ``Wire`` turns audio into its messages, and its messages into what is told here.

A wire knows one vendor's protocol and nothing of utterances, reconnecting or time limits: those are ``streamed.py``'s. One wire
serves one call; ``opened`` begins a new connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from antiphon.errors import MalformedMessage
from antiphon.providers.base import ExpectedAnswers, HeardWord, TurnSignalKind
from antiphon.providers.websocket import Failure


@dataclass(frozen=True, slots=True)
class Segment:
    """Words for a stretch of audio. Times are ms of the audio sent on this connection, its words' too.

    A segment that is not final stands for everything after the last final one, and the next takes its place.
    """

    text: str
    final: bool
    start_ms: float
    end_ms: float
    words: tuple[HeardWord, ...] = ()
    confidence: float | None = None
    language: str = ""
    closes: bool = False
    """The vendor heard the end of speech after it."""
    utterance: int | None = None
    """Whose words these are, where the vendor takes speech in pieces that we cut; otherwise time tells."""
    current: bool = False
    """It is of the utterance that is being heard now (of such a vendor, before the utterance ends)."""

    @property
    def timed(self) -> bool:
        """Whether time tells whose words these are."""
        return self.utterance is None and not self.current


@dataclass(frozen=True, slots=True)
class Flushed:
    """The vendor has answered a ``finish``: all that was sent before it has been told. ``utterance``: as in ``Segment``."""

    utterance: int | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """The vendor's opinion of the caller's turn."""

    kind: TurnSignalKind
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Greeted:
    """The connection takes audio now (only of a wire that ``greets``)."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The vendor gives up one utterance, and goes on."""

    problem: str
    utterance: int | None = None


Told = Segment | Flushed | Turned | Greeted | Rejected | Failure


class Wire(Protocol):
    """One vendor's protocol for one call. Nothing here blocks; ``read`` may raise MalformedMessage."""

    greets: bool
    """Whether audio must wait for ``Greeted``."""
    interim_suffices: bool
    """Whether an interim segment that reaches the end of an utterance has all its words: for vendors that are asked for no finals."""
    talks_back: bool
    """Whether something is said of speech while it goes on, so that a vendor that says nothing is known to be dead."""
    answers_silence: bool
    """Whether ``finish`` is answered even where there was no word."""
    smallest_ms: int
    """A shorter piece of audio is not sent by itself."""
    quiet_after_s: float
    """Without audio for so long, ``filler`` is heard and ``idle`` is sent (0: never)."""
    filler: bytes
    """Silence that stands in for the audio of a line that stalls, for vendors that count on audio; it counts in the positions of words."""

    def url(self) -> str: ...

    def headers(self) -> Mapping[str, str]: ...

    def opened(self) -> Sequence[bytes]:
        """A new connection: what to say first, as text messages."""
        ...

    def audio(self, piece: bytes) -> tuple[bytes, bool]:
        """The message that carries a piece of audio, and whether it is text."""
        ...

    def finish(self, utterance: int) -> bytes | None:
        """The text message that asks for the final words of all audio sent; None where nothing is asked."""
        ...

    def idle(self) -> tuple[bytes, bool] | None:
        """What keeps a connection alive on which no audio flows, and whether it is text."""
        ...

    def expect(self, answers: ExpectedAnswers) -> bytes | None:
        """The text message that tells what is likely to be heard; None where this cannot be told on a connection."""
        ...

    def goodbye(self) -> bytes | None:
        """The last text message before the connection is closed."""
        ...

    def read(self, payload: bytes, *, text: bool) -> Sequence[Told]: ...

    def closed(self, code: int, reason: str) -> Failure | None:
        """What a close code of this vendor's means; None where it means nothing special."""
        ...


def json_object(payload: bytes, *, text: bool) -> dict[str, Any]:
    """A vendor's message. Raises MalformedMessage where it is no JSON object."""
    if not text:
        raise MalformedMessage("binary")
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise MalformedMessage("not_json") from None
    if not isinstance(message, dict):
        raise MalformedMessage("not_an_object")
    return message
