"""What vendors of recognisers say when they end a session by themselves, as they document it: for good, and another recogniser has the
utterance; or in passing, and the next session has it. No word is lost either way, and nobody's key is told.

Sources: developers.deepgram.com/docs/stt-troubleshooting-websocket-data-and-net-errors and /reference/speech-to-text/listen-flux;
assemblyai.com/docs/streaming/common-session-errors-and-closures; elevenlabs ``realtime/scribe.py`` 2.78; cartesia 4.2 (``error`` of the
STT WebSocket); developers.openai.com/api/docs/guides/error-codes; soniox.com/docs/stt/api-reference/websocket-api (November 2026).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.providers.contract import Ear
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say, silence
from tests.providers.stt.test_vendor_faults import SAID, VENDORS, Line, line_to

from antiphon.providers.base import ExpectedAnswers, StreamInterrupted, Transcribed, TranscriptionFailed
from antiphon.providers.failover import Breakers
from antiphon.providers.failover_stt import FailoverSpeechToText
from antiphon.providers.scripted import ScriptedSpeechToText
from antiphon.providers.socket import SocketLimits
from antiphon.providers.stt.openai import OpenAISpeechToText

TOLD = f"of the key {KEY}, says the vendor\r\n"


@dataclass(frozen=True)
class Ending:
    vendor: str
    why: str
    says: dict[str, Any] | None = None
    closes: tuple[int, str] = (1000, "")
    for_good: str = ""
    """What our error names; empty for an end that passes."""


def _deepgram(vendor: str) -> Iterator[Ending]:
    yield Ending(vendor, "no audio for 10 s", closes=(1011, f"NET-0001 {KEY}"))
    yield Ending(vendor, "the service restarts", closes=(1001, ""))
    yield Ending(vendor, "audio that cannot be read", closes=(1008, f"DATA-0000 {KEY}"), for_good="model and language")
    yield Ending(vendor, "trouble", {"type": "Error", "code": "INTERNAL_SERVER_ERROR", "description": TOLD}, (1011, ""))


def _assemblyai() -> Iterator[Ending]:
    for code, why, for_good in (
        (1008, "key no more valid", "api_key"),
        (4001, "key no more valid", "api_key"),
        (4002, "no credit", "account"),
        (4029, "too many sessions", ""),
        (3005, "trouble", ""),
        (3008, "longest session", ""),
        (4031, "idle", ""),
    ):
        yield Ending("assemblyai", f"{code} {why}", None, (code, TOLD.strip()), for_good)
    yield Ending("assemblyai", "error", {"type": "Error", "error_code": 4002, "error": TOLD}, (4002, ""), "account")


def _elevenlabs() -> Iterator[Ending]:
    for kind, for_good in (
        ("auth_error", "api_key"),
        ("quota_exceeded", "account"),
        ("input_error", "model and language"),
        ("rate_limited", ""),
        ("resource_exhausted", ""),
        ("queue_overflow", ""),
        ("session_time_limit_exceeded", ""),
        ("insufficient_audio_activity", ""),
        ("transcriber_error", ""),
    ):
        yield Ending("elevenlabs", kind, {"message_type": kind, "error": TOLD}, (1000, ""), for_good)


def _by_status(vendor: str, said: Any) -> Iterator[Ending]:
    for status, for_good in (
        (400, "model"),
        (401, "api_key"),
        (402, "account"),
        (408, ""),
        (429, ""),
        (500, ""),
        (503, ""),
    ):
        yield Ending(vendor, str(status), said(status), (1000, ""), for_good)


def _openai() -> Iterator[Ending]:
    for code, for_good in (
        ("invalid_api_key", "api_key"),
        ("insufficient_quota", "account"),
        ("model_not_found", "model"),
        ("session_expired", ""),
        ("server_error", ""),
    ):
        error = {"type": "invalid_request_error", "code": code, "message": TOLD}
        yield Ending("openai", code, {"type": "error", "error": error}, (1000, ""), for_good)
    yield Ending("openai", "closed for its quota", None, (1008, "insufficient_quota"), "account")


def _of_an_application() -> Iterator[Ending]:
    """Its protocol knows no errors: a socket that closes may be opened again, whatever is said with it."""
    yield Ending("custom-transcriber", "it is done", closes=(1000, ""))
    yield Ending("custom-transcriber", "trouble", closes=(1011, TOLD.strip()))
    yield Ending("custom-transcriber", "it restarts", closes=(1012, ""))
    yield Ending(
        "custom-transcriber", "says what nobody knows", {"type": "error", "message": TOLD}, (1008, TOLD.strip())
    )


ENDINGS = (
    *_deepgram("deepgram"),
    *_deepgram("deepgram-flux"),
    *_assemblyai(),
    *_elevenlabs(),
    *_by_status("cartesia", lambda status: {"type": "error", "status_code": status, "title": "Oh", "message": TOLD}),
    *_by_status("soniox", lambda status: {"tokens": [], "error_code": status, "error_message": TOLD}),
    *_openai(),
    *_of_an_application(),
)


def test_every_vendor_is_in_the_table() -> None:
    assert {ending.vendor for ending in ENDINGS} == set(VENDORS)


@pytest.fixture(params=VENDORS, ids=str)
async def line(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Line]:
    async with line_to(VENDORS[request.param], tmp_path) as line:
        yield line


class Call:
    """On the vendor's recogniser, with another behind it."""

    def __init__(self, line: Line) -> None:
        self.audio = line.engine.formats[0]
        self.ear = Ear()
        second = ScriptedSpeechToText(["(by the other)"])
        stt = FailoverSpeechToText([line.engine, second], Breakers())
        self.stream = stt.open(self.audio, ExpectedAnswers(), self.ear)

    async def says(self, utterance: int, text: str) -> str:
        self.stream.begin(utterance)
        self.stream.push(say(text, self.audio) + silence(200, self.audio))
        self.stream.finish(utterance)
        answer = (await self.ear.wait_for(utterance))[-1]
        assert isinstance(answer, Transcribed), answer
        return answer.text


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: f"{ending.vendor}-{ending.why}")
async def test_the_utterance_has_its_words_all_the_same(ending: Ending, tmp_path: Path) -> None:
    async with line_to(VENDORS[ending.vendor], tmp_path) as line:
        faults = line.fake.faults
        faults.last_words, faults.closes_with = ending.says, ending.closes
        faults.add("end_after_words")
        call = Call(line)
        with structlog.testing.capture_logs() as logs:
            heard = await call.says(1, SAID)
        call.stream.close()
    told = [event for event in call.ear.events if isinstance(event, StreamInterrupted | TranscriptionFailed)]
    problems = [event.problem for event in told]
    assert heard == ("(by the other)" if ending.for_good else SAID)
    assert len(line.fake.requests) == (1 if ending.for_good else 2)
    assert ending.for_good in str(problems)
    assert KEY not in f"{logs}{problems}" and SAID not in f"{logs}"
    assert all(problem.isprintable() for problem in problems)


async def test_a_key_that_expires_amid_a_call(line: Line) -> None:
    """The session that is lost cannot be opened again."""
    line.fake.faults.add("drop_after_words", "refuse")
    call = Call(line)
    with structlog.testing.capture_logs() as logs:
        assert await call.says(1, SAID) == "(by the other)"
    assert len(line.fake.requests) == 2
    named = "transcriber.server.secret" if line.engine.name == "custom-transcriber" else "api_key"
    assert named in str(call.ear.events) and KEY not in f"{logs}{call.ear.events}"
    call.stream.close()


async def test_a_vendor_that_asks_for_a_pause_is_not_waited_for(line: Line) -> None:
    """429 with Retry-After: a caller who speaks cannot wait so long."""
    line.engine.socket_limits = SocketLimits(first_wait_s=0.01, max_wait_s=0.02, max_failures=2)
    line.fake.faults.refuse_status, line.fake.faults.refuse_headers = 429, {"Retry-After": "30"}
    line.fake.faults.add(*["refuse"] * 9)
    call = Call(line)
    assert await call.says(1, SAID) == "(by the other)"
    assert "limit is reached" in str(call.ear.events)
    call.stream.close()


async def test_finals_that_never_come_do_not_hold_the_call_up(line: Line) -> None:
    """What was heard in passing counts, or another recogniser hears the utterance."""
    line.fake.faults.add("no_finals")
    call = Call(line)
    heard = await call.says(1, SAID)
    assert heard and (heard == "(by the other)" or SAID.startswith(heard))
    call.stream.close()


async def test_that_audio_was_taken_is_no_word_of_what_is_in_it(tmp_path: Path) -> None:
    """A model that says nothing before its last words, and then does not say them: the next session is asked, and answers."""
    quiet = replace(VENDORS["openai"], engine=partial(OpenAISpeechToText, model="gpt-transcribe"))
    async with line_to(quiet, tmp_path) as line:
        line.fake.faults.add("no_finals")
        call = Call(line)
        assert await call.says(1, SAID) == SAID
        assert len(line.fake.sessions) == 2
        call.stream.close()
