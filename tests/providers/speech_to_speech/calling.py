"""A call on a model that hears and speaks, and the vendors that stand behind one in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from tests.providers.fakes import gemini_live, hosted_vapi, openai_realtime, own_turns
from tests.providers.fakes.gemini_live import FakeGeminiLive
from tests.providers.fakes.gpt_live import FakeGptLive
from tests.providers.fakes.hosted_vapi import FakeHostedVapi
from tests.providers.fakes.openai_realtime import FakeOpenAIRealtime
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say, silence

from antiphon.providers.base import ModelRequest, Transcribed
from antiphon.providers.speech_to_speech.base import ReplyAudio, ReplyFailed, ReplyOver, ReplyWords, SpeechToSpeech
from antiphon.providers.speech_to_speech.gemini_live import GeminiLive
from antiphon.providers.speech_to_speech.gpt_live import GptLive
from antiphon.providers.speech_to_speech.openai_realtime import OpenAIRealtime
from antiphon.providers.speech_to_speech.vapi_hosted import HostedVapi
from antiphon.vocabulary import TELEPHONE, AudioFormat, CallContext, Message, ToolSpec

SYSTEM = Message("system", "Be brief.")
BOOK = ToolSpec("book", "Book a table.", {"type": "object", "properties": {"day": {"type": "string"}}})
PATIENCE_S = 60.0


class Caller:
    """One call on the engine, and all that is told of it."""

    def __init__(
        self,
        engine: SpeechToSpeech,
        heard: AudioFormat = TELEPHONE,
        spoken: AudioFormat | None = None,
        *begin_with: Message,
        tools: tuple[ToolSpec, ...] = (),
    ) -> None:
        """``begin_with`` and ``tools``: what the call is known to begin with, besides the prompt."""
        self.events: list[Any] = []
        self.playing: dict[int, int] = {}
        """How much was heard of replies that are being played, in ms."""
        self.heard, self.spoken = heard, spoken or heard
        self.continuous = bool(getattr(engine, "continuous", False))
        self._changed = asyncio.Event()
        self.stream = engine.open(self.heard, self.spoken, "", 1.0, self._note)
        self.stream.prepare(ModelRequest((SYSTEM, *begin_with), tools, CallContext("call"), {}), self.playing.get)
        self.utterances = 0

    def _note(self, event: Any) -> None:
        self.events.append(event)
        self._changed.set()

    def of(self, kind: type, reply: int | None = None) -> list[Any]:
        return [each for each in self.events if isinstance(each, kind) and (reply is None or each.reply == reply)]

    @property
    def finals(self) -> list[Transcribed]:
        return [each for each in self.of(Transcribed) if each.final]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def speak(self, text: str) -> int:
        """Say something, in frames of 20 ms. Returns the utterance's number."""
        self.begin(text)
        return self.finish()

    def finish(self) -> int:
        """Say no more; who wants to hear silence hears some."""
        self.stream.finish(self.utterances)
        if self.continuous:
            self._push(silence(400, self.heard))
        return self.utterances

    def begin(self, text: str) -> None:
        """Say something, and have not finished."""
        self.utterances += 1
        self.stream.begin(self.utterances)
        self._push(say(text, self.heard))

    def _push(self, audio: bytes) -> None:
        frame = self.heard.bytes_for_ms(20)
        for start in range(0, len(audio), frame):
            self.stream.push(audio[start : start + frame])

    async def words_of(self, number: int) -> str:
        await self.until(lambda: any(each.utterance == number and each.final for each in self.of(Transcribed)))
        return next(str(each.text) for each in self.of(Transcribed) if each.utterance == number and each.final)

    async def says(self, text: str) -> str:
        """Say something and wait for its words."""
        return await self.words_of(self.speak(text))

    def ask(self, reply: int, *history: Message, tools: tuple[ToolSpec, ...] = (), **options: Any) -> None:
        self.stream.respond(reply, ModelRequest((SYSTEM, *history), tools, CallContext("call"), options))

    async def over(self, reply: int) -> Any:
        """How it ended."""
        await self.until(lambda: bool(self.of(ReplyOver, reply) or self.of(ReplyFailed, reply)))
        return (*self.of(ReplyOver, reply), *self.of(ReplyFailed, reply))[0]

    def sound_ms(self, reply: int) -> float:
        return self.spoken.ms_of(sum(len(each.audio) for each in self.of(ReplyAudio, reply)))

    def words(self, reply: int) -> str:
        return "".join(each.text for each in self.of(ReplyWords, reply))


class Rig(Protocol):
    """A vendor's fake, and our engine for it."""

    vendor: Any
    heard: AudioFormat
    spoken: AudioFormat
    failing: tuple[tuple[str, str], ...]
    """Troubles that answers may have, and what our errors say of them."""
    has_tools: bool
    """Ours. (An assistant that runs elsewhere has its own.)"""
    counts_tokens: bool
    """Text and sound apart, with each answer."""

    @property
    def tries(self) -> int:
        """How often a session was asked for."""
        ...

    def engine(self, key: str = KEY, **options: Any) -> SpeechToSpeech: ...

    def conversation(self, at: int) -> list[str]:
        """Who had said what when the model was asked for the ``at``-th time. What was told as text stands in brackets."""
        ...

    def refused(self) -> list[str]:
        """What the vendor did not accept."""
        ...


class OpenAIRig:
    heard = spoken = TELEPHONE
    failing = (("fail", "the model is overloaded"), ("bad_arguments", "no JSON object"))
    has_tools = counts_tokens = True

    def __init__(self, vendor: FakeOpenAIRealtime, ca_file: str) -> None:
        self.vendor, self._ca_file = vendor, ca_file

    def engine(self, key: str = KEY, **options: Any) -> OpenAIRealtime:
        return OpenAIRealtime(key, self.vendor.base_url, ca_file=self._ca_file, **options)

    @property
    def tries(self) -> int:
        return len(self.vendor.sessions)

    def conversation(self, at: int) -> list[str]:
        return openai_realtime.said(self.vendor.asked[at])

    def refused(self) -> list[str]:
        return self.vendor.live.refused


class GeminiRig:
    heard, spoken = gemini_live.HEARD, gemini_live.SPOKEN
    failing = (("fail", "refused to answer"), ("bad_arguments", "cannot be read"))
    has_tools = counts_tokens = True

    def __init__(self, vendor: FakeGeminiLive, ca_file: str, model: str) -> None:
        self.vendor, self._ca_file, self._model = vendor, ca_file, model

    def engine(self, key: str = KEY, **options: Any) -> GeminiLive:
        return GeminiLive(key, self.vendor.base_url, self._model, ca_file=self._ca_file, **options)

    @property
    def tries(self) -> int:
        return len(self.vendor.sessions)

    def conversation(self, at: int) -> list[str]:
        return gemini_live.said(self.vendor.asked[at])

    def refused(self) -> list[str]:
        return self.vendor.refused


class VapiRig:
    heard = spoken = TELEPHONE
    failing = ()
    has_tools = counts_tokens = False

    def __init__(self, vendor: FakeHostedVapi, ca_file: str) -> None:
        self.vendor, self._ca_file = vendor, ca_file

    def engine(self, key: str = KEY, **options: Any) -> HostedVapi:
        return HostedVapi(key, self.vendor.base_url, hosted_vapi.ASSISTANT_ID, ca_file=self._ca_file, **options)

    @property
    def tries(self) -> int:
        return len(self.vendor.requests)

    def conversation(self, at: int) -> list[str]:
        return own_turns.said(self.vendor.asked[at])

    def refused(self) -> list[str]:
        return self.vendor.live.refused


class LiveRig:
    heard = spoken = TELEPHONE
    failing = ()
    has_tools, counts_tokens = True, False

    def __init__(self, vendor: FakeGptLive, ca_file: str) -> None:
        self.vendor, self._ca_file = vendor, ca_file

    def engine(self, key: str = KEY, **options: Any) -> GptLive:
        return GptLive(key, self.vendor.base_url, ca_file=self._ca_file, **options)

    @property
    def tries(self) -> int:
        return len(self.vendor.sessions)

    def conversation(self, at: int) -> list[str]:
        return own_turns.said(self.vendor.asked[at])

    def refused(self) -> list[str]:
        return self.vendor.live.refused
