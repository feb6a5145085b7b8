"""Who said what, as it happens."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from antiphon.caller import transcript as module
from antiphon.caller.hearing import Utterance
from antiphon.caller.measure import Spoken
from antiphon.caller.transcript import RecognisedWords, ServerWords, Transcript
from antiphon.providers.base import ExpectedAnswers, OnTranscription, Transcribed, TranscriptionFailed
from antiphon.vocabulary import TELEPHONE, AudioFormat

UTTERANCE = Utterance(0, 0, 100)


class Page:
    """What was printed."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.written = asyncio.Event()

    def __call__(self, who: str, words: str) -> None:
        self.lines.append((who, words))
        self.written.set()


class Recogniser:
    """Hears how long an utterance was; says so when ``answer`` is called."""

    name = "length"
    formats = (TELEPHONE,)
    continuous = False
    partials = "reliable"
    punctuation = 0.8

    behind = False

    def __init__(self) -> None:
        self.heard: dict[int, bytes] = {}
        self.closed = False

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> "Recogniser":
        assert audio == TELEPHONE
        self.tell = on_event
        return self

    def begin(self, utterance: int) -> None:
        self.current = utterance

    def push(self, audio: bytes) -> None:
        self.heard[self.current] = audio

    def finish(self, utterance: int) -> None:
        assert utterance == self.current

    def expect(self, answers: ExpectedAnswers) -> None:
        raise AssertionError("free dictation")


class Stream(Recogniser):
    def close(self) -> None:  # type: ignore[override]
        self.closed = True


async def test_the_server_s_words_are_printed_as_they_grow(http_server: Any, client: httpx.AsyncClient) -> None:
    rows: list[dict[str, Any]] = [{"turn": 1, "text": "Hello."}]
    page = Page()
    async with http_server(lambda request: (200, orjson.dumps(rows))) as origin:
        words = ServerWords(page, client, origin, "")
        transcript = Transcript(page, words)
        transcript.begins("CA1")
        transcript.agent_spoke(UTTERANCE, b"")
        await asyncio.wait_for(page.written.wait(), 5)
        rows[0]["text"] = "Hello. What can I do?"
        transcript.caller_speaks(Spoken("say", "A table, please", 0, 1, True))
        transcript.caller_speaks(Spoken("noise", "cough", 0, 1, False))
        rows += [{"turn": 2, "text": "Certainly."}, {"turn": 3, "text": ""}]
        await words.close()
    assert page.lines == [
        ("agent", "Hello."),
        ("caller", "A table, please"),
        ("caller", "(noise cough)"),
        ("agent", "What can I do?"),
        ("agent", "Certainly."),
    ]


async def test_a_server_that_refuses_is_asked_once() -> None:
    asked = asyncio.Event()
    requests: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        asked.set()
        return httpx.Response(401)

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
        words = ServerWords(Page(), client, "http://server", "")
        words.begin("CA1")
        words.heard(b"")
        await asyncio.wait_for(asked.wait(), 5)
        words.heard(b"")
        await words.close()
    assert len(requests) == 1


async def test_a_call_that_never_began_has_no_words(client: httpx.AsyncClient) -> None:
    page = Page()
    await ServerWords(page, client, "http://127.0.0.1:1", "").close()
    assert page.lines == []


async def test_a_recogniser_s_words_are_printed_when_final() -> None:
    page, engine = Page(), Stream()
    words = RecognisedWords(page, engine)  # type: ignore[arg-type]
    words.begin("CA1")
    words.heard(b"\x00" * 800)
    words.heard(b"\x01" * 800)
    assert engine.heard == {1: b"\x00" * 800, 2: b"\x01" * 800}
    engine.tell(Transcribed(1, "hel", final=False))
    engine.tell(Transcribed(1, "hello", final=True))
    engine.tell(TranscriptionFailed(2, "too busy"))
    words.heard(b"\x02" * 80)
    engine.tell(Transcribed(3, "", final=True))
    await words.close()
    assert page.lines == [
        ("agent", "hello"),
        ("agent", "(not transcribed: too busy)"),
        ("agent", "(not understood)"),
    ]
    assert engine.closed


async def test_a_recogniser_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_S", 0.01)
    page, engine = Page(), Stream()
    words = RecognisedWords(page, engine)  # type: ignore[arg-type]
    words.heard(b"\x00")
    await words.close()
    assert page.lines == [("agent", "(the recogniser is still busy with the rest)")]
    assert engine.closed
