"""File transcription against a server of our own, which OpenAI's SDK talks to as well."""

from __future__ import annotations

import asyncio
import io
import socket
import wave
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from openai import AsyncOpenAI
from tests.providers.contract import Ear, SpeechToTextContract
from tests.providers.fakes.openai import file_app
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say

from antiphon.providers.base import ExpectedAnswers, Transcribed, TranscriptionFailed
from antiphon.providers.stt.openai_file import OpenAIFileSpeechToText
from antiphon.transports.stopping import StoppableServer
from antiphon.vocabulary import AudioFormat, Encoding

PCM = AudioFormat(Encoding.PCM16, 16000)


@dataclass
class Service:
    url: str = ""
    answers: deque[int] = field(default_factory=deque)
    seen: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    there = Service()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        server = StoppableServer(uvicorn.Config(file_app(there.answers, there.seen), log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve([listening]))
        yield there
        server.stop()
        await task


@pytest.fixture
async def stt(service: Service) -> AsyncIterator[OpenAIFileSpeechToText]:
    engine = OpenAIFileSpeechToText(KEY, service.url, language="en", prompt="a restaurant")
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


async def heard(stt: OpenAIFileSpeechToText, *texts: str) -> list[Transcribed | TranscriptionFailed]:
    ear = Ear()
    stream = stt.open(PCM, ExpectedAnswers(), ear)
    for utterance, text in enumerate(texts, start=1):
        stream.begin(utterance)
        stream.push(say(text, PCM))
        stream.finish(utterance)
    answers = await ear.wait_for(len(texts))
    stream.close()
    return answers


async def test_the_vendors_own_sdk_gets_the_words_of_a_file(service: Service) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes(say("thank you", PCM))
    client = AsyncOpenAI(api_key=KEY, base_url=service.url)
    answer = await client.audio.transcriptions.create(model="gpt-transcribe", file=("a.wav", file.getvalue()))
    assert answer.text == "thank you"
    await client.close()


async def test_utterances_in_order_with_what_was_set(service: Service, stt: OpenAIFileSpeechToText) -> None:
    answers = await heard(stt, "i want a table", "for two")
    assert [answer.text for answer in answers if isinstance(answer, Transcribed)] == ["i want a table", "for two"]
    wanted = {"model": "gpt-transcribe", "response_format": "json", "language": "en", "prompt": "a restaurant"}
    assert service.seen[0] == wanted


async def test_a_passing_fault_is_tried_once_more(service: Service, stt: OpenAIFileSpeechToText) -> None:
    service.answers.extend([503, 200, 429, 429, 200])
    first, second, third = await heard(stt, "yes", "no", "please")
    assert isinstance(first, Transcribed) and first.text == "yes"
    assert isinstance(second, TranscriptionFailed) and "HTTP 429" in second.problem
    assert isinstance(third, Transcribed) and third.text == "please"


async def test_a_wrong_key_names_the_option(service: Service) -> None:
    engine = OpenAIFileSpeechToText("another-key", service.url)
    (answer,) = await heard(engine, "yes")
    assert isinstance(answer, TranscriptionFailed) and "api_key" in answer.problem
    await engine.close()


async def test_nobody_there(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()[1]
    engine = OpenAIFileSpeechToText(KEY, f"http://127.0.0.1:{address}/v1")
    (answer,) = await heard(engine, "yes")
    assert isinstance(answer, TranscriptionFailed) and "base_url" in answer.problem
    await engine.close()
