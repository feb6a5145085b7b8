"""Whether the engines of an assistant work, asked of each of them: key, address, model, and how long the first word or sound takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from antiphon.assistants.spec import AssistantSpec, VoiceSpec
from antiphon.audio import codec
from antiphon.engine_choice import ProviderChoice, choices, places
from antiphon.errors import AntiphonError, ProviderError
from antiphon.providers import registry
from antiphon.providers.base import (
    ExpectedAnswers,
    ModelRequest,
    SpeechRequest,
    SpeechToText,
    TextDelta,
    Transcribed,
    TranscriptionEvent,
    TranscriptionFailed,
)
from antiphon.providers.credentials import Credentials
from antiphon.providers.speech_to_speech.base import ReplyAudio, ReplyFailed, SpeechToSpeech
from antiphon.vocabulary import CallContext, Message

_LIMIT_S = 60.0
"""For one engine, its start included."""
_TRIALS = 2
"""The second one finds the connection that the first one made, as a call's turns do."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One engine. ``first_ms``: until the first word or sound; of a recogniser, from the end of an utterance until its words. None where
    it is not a vendor's (embedded recognisers, workflows), or where ``problem`` tells why."""

    place: str
    provider: str
    model: str = ""
    first_ms: int | None = None
    problem: str = ""


async def check_engines(spec: AssistantSpec, credentials: Credentials) -> AsyncIterator[Checked]:
    """The engines of an assistant, one after the other, in the order of a turn."""
    for kind, place in places(spec).items():
        try:
            wanted = choices(spec, kind, credentials)
        except AntiphonError as error:
            yield Checked(place, "", problem=str(error))
            continue
        for choice in wanted:
            yield await _check(choice)


async def _check(choice: ProviderChoice) -> Checked:
    model = str(choice.request.get("model") or choice.options.get("model") or "")
    engine: Any = None
    try:
        async with asyncio.timeout(_LIMIT_S):
            engine = registry.create(choice.kind, choice.provider, choice.options)
            await engine.start()
            first_ms = None
            if choice.kind == "tts" or "api_key" in registry.options(choice.kind, choice.provider):
                for _ in range(_TRIALS):
                    first_ms = await _trial(choice, engine)
    except TimeoutError:
        return Checked(choice.place, choice.provider, model, problem=f"no answer within {_LIMIT_S:g} s")
    except AntiphonError as error:
        return Checked(choice.place, choice.provider, model, problem=getattr(error, "problem", str(error)))
    finally:
        if engine is not None:
            await engine.close()
    return Checked(choice.place, choice.provider, model, first_ms)


async def _trial(choice: ProviderChoice, engine: Any) -> int:
    if choice.kind == "speech_to_speech":
        return await _spoken_ms(engine)
    return await _answer_ms(engine) if choice.kind == "stt" else await _first_ms(choice, engine)


async def _spoken_ms(engine: SpeechToSpeech) -> int:
    """It says three words: a connection, and the first sound. Raises ProviderError."""
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(event: object) -> None:
        if answered.done():
            return
        if isinstance(event, ReplyFailed):
            answered.set_exception(ProviderError(engine.name, event.problem))
        elif isinstance(event, ReplyAudio):
            answered.set_result(None)

    stream = engine.open(engine.formats[0], engine.spoken_formats[0], "", 1.0, note)
    try:
        began_s = time.monotonic()
        stream.say(1, "I am ready.")
        await answered
    finally:
        stream.close()
    return max(round((time.monotonic() - began_s) * 1000), 1)


async def _answer_ms(engine: SpeechToText) -> int:
    """A second of silence is heard. Raises ProviderError."""
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(event: TranscriptionEvent) -> None:
        if answered.done():
            return
        if isinstance(event, TranscriptionFailed):
            answered.set_exception(ProviderError(engine.name, event.problem))
        elif isinstance(event, Transcribed) and event.final:
            answered.set_result(None)

    audio = engine.formats[0]
    stream = engine.open(audio, ExpectedAnswers(), note)
    try:
        stream.begin(1)
        stream.push(codec.silence_for(audio, 1000))
        began_s = time.monotonic()
        stream.finish(1)
        await answered
    finally:
        stream.close()
    return max(round((time.monotonic() - began_s) * 1000), 1)


async def _first_ms(choice: ProviderChoice, engine: Any) -> int:
    began_s = time.monotonic()
    if choice.kind == "llm":
        messages = (Message("system", "Answer with the one word: ready"), Message("user", "Are you ready?"))
        # Enough for models that think first.
        stream = engine.stream(ModelRequest(messages, (), CallContext("check"), {"max_tokens": 512, **choice.request}))
    else:
        voice = choice.part.voice_id if isinstance(choice.part, VoiceSpec) else ""
        stream = engine.synthesize(SpeechRequest("I am ready.", engine.formats[0], voice))
    first_ms = 0
    async with aclosing(stream) as parts:
        async for part in parts:
            if not first_ms and (choice.kind == "tts" or isinstance(part, TextDelta)):
                first_ms = max(round((time.monotonic() - began_s) * 1000), 1)
    return first_ms
