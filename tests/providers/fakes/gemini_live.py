"""Gemini's Live sessions (ai.google.dev/api/live, ai.google.dev/gemini-api/docs/live-api/capabilities, /session-management and /tools; the
types of google-genai 3.6), as of November 2026: activities told by the client, turns of the model that follow each of them, interruption,
blocking tool calls, resumption, and the end of a connection told before.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.providers.fakes.server import KEY, FakeVendor, Session
from tests.providers.fakes.speaking import LEVEL, MS_PER_CHARACTER, Answer
from websockets.http11 import Request

from antiphon.vocabulary import AudioFormat, Encoding

MODELS = ("gemini-3.1-flash-live-preview", "gemini-2.5-flash-native-audio-preview-12-2025")
PATH = re.compile(r"/+ws/google\.ai\.generativelanguage\.v1(beta|alpha)?\.GenerativeService\.BidiGenerateContent")
USAGE = {
    "promptTokenCount": 132,
    "responseTokenCount": 121,
    "totalTokenCount": 253,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 119}, {"modality": "AUDIO", "tokenCount": 13}],
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 91}, {"modality": "TEXT", "tokenCount": 30}],
}
HEARD, SPOKEN = AudioFormat(Encoding.PCM16, 16000), AudioFormat(Encoding.PCM16, 24000)
_TOP = {"setup", "clientContent", "realtimeInput", "toolResponse"}
_OPAQUE = {"args", "response", "parameters", "parametersJsonSchema", "parameters_json_schema"}
_NOTE = re.compile(r"\(For you to know, neither to be answered nor to be read out: (.*?)\)(?=\n|\]|$)", re.DOTALL)


@dataclass
class _Turn:
    """The model's."""

    lines: list[str] = field(default_factory=list)
    task: asyncio.Task[None] | None = None
    waits_for: dict[str, str] = field(default_factory=dict)
    """Names of tools, by the ids of their calls."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class LiveSession(Session):
    """One connection. ``lines`` are the conversation as the model would see it."""

    vendor: FakeGeminiLive

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.format = HEARD
        self.setup: dict[str, Any] = {}
        self.lines: list[str] = []
        self.active = False
        """The client has said that the user is active."""
        self.input: list[str] = []
        """Texts of this activity."""
        self.turn: _Turn | None = None
        self.unclosed = False
        """A turn of the model's is being played, as the service takes it, and its end is not told yet."""
        self.history_open = False
        self.refused: list[str] = []

    @property
    def reads(self) -> bool:
        """Whether it is one that only reads aloud."""
        return "You are a reader" in str(self.setup.get("systemInstruction"))

    async def _send(self, **message: Any) -> None:
        # The service sends its JSON in binary messages.
        await self.socket.send(json.dumps(message).encode())

    async def _content(self, **content: Any) -> None:
        await self._send(serverContent=content)

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        turn, self.turn = self.turn, None
        if turn is not None and turn.task is not None:
            turn.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await turn.task
            self.lines += turn.lines

    async def _refuse(self, code: int, reason: str) -> None:
        self.refused.append(reason)
        await self.socket.close(code, reason)

    async def told(self, message: dict[str, Any]) -> None:
        ((name, body),) = _camel_case(message).items()
        if name not in _TOP or (name == "setup") == bool(self.setup):
            await self._refuse(1007, f'Invalid JSON payload received. Unknown name "{name}"')
        elif name == "setup":
            await self._set_up(body)
        elif name == "clientContent":
            await self._client_content(body)
        elif name == "toolResponse":
            await self._tool_response(body)
        else:
            await self._realtime(body)

    # ------------------------------------------------------------------------------------------ setup and history

    async def _set_up(self, setup: dict[str, Any]) -> None:
        if self.vendor.closes_with is not None:
            await self._refuse(*self.vendor.closes_with)
            return
        if self.headers.get("x-goog-api-key") != KEY:
            await self._refuse(1007, "API key not valid. Please pass a valid API key.")
            return
        if setup["model"].removeprefix("models/") not in MODELS:
            await self._refuse(
                1008,
                f"{setup['model']} is not found for API version v1beta, or is not supported for bidiGenerateContent",
            )
            return
        if setup["generationConfig"]["responseModalities"] != ["AUDIO"]:
            await self._refuse(1007, "Request contains an invalid argument.")
            return
        handle = (setup.get("sessionResumption") or {}).get("handle")
        if handle:
            if handle not in self.vendor.kept:
                await self._refuse(1008, "BidiGenerateContent session not found")
                return
            self.lines = list(self.vendor.kept[handle])
            self.vendor.resumed += 1
        self.setup = setup
        self.history_open = bool((setup.get("historyConfig") or {}).get("initialHistoryInClientContent"))
        if self.fault != "never_ready":
            await self._send(setupComplete={})

    async def _client_content(self, body: dict[str, Any]) -> None:
        may = self.history_open or "gemini-2" in self.setup["model"]
        if not may:
            await self._refuse(1007, "Request contains an invalid argument.")
            return
        for turn in body.get("turns", []):
            role = {"user": "user", "model": "assistant"}[turn["role"]]
            self.lines += [f"{role}: [{part['text']}]" for part in turn["parts"]]
        self.history_open = self.history_open and not body.get("turnComplete")
        if "gemini-2" in self.setup["model"] and body.get("turnComplete"):
            await self._answer()

    # ------------------------------------------------------------------------------------------ the user

    async def _realtime(self, body: dict[str, Any]) -> None:
        manual = self.setup["realtimeInputConfig"]["automaticActivityDetection"]["disabled"]
        if self.history_open or not manual:
            await self._refuse(1007, "Request contains an invalid argument.")
        elif "activityStart" in body:
            if self.active:
                await self._refuse(1007, "Explicit activity control is out of order")
                return
            self.active = True
            await self._interrupt()
        elif "audio" in body:
            assert body["audio"]["mimeType"] == "audio/pcm;rate=16000"
            if self.active:
                await self.hear(base64.b64decode(body["audio"]["data"]))
        elif "text" in body:
            assert self.active, "text is input as sound is: activities are told by the client"
            self.input.append(body["text"])
        elif "activityEnd" in body:
            assert self.active
            self.active = False
            await self._activity_over()

    async def _interrupt(self) -> None:
        turn = self.turn
        if turn is None and not self.unclosed:
            return
        self.unclosed = False
        await self._stop()
        await self._content(interrupted=True)
        if turn is not None and turn.waits_for:
            await self._send(toolCallCancellation={"ids": list(turn.waits_for)})
        await self._content(turnComplete=True)

    async def _activity_over(self) -> None:
        heard = bool(self.audio)
        words = ""
        if heard:
            words = self.vendor.hears.popleft() if self.vendor.hears else " ".join(word.word for word in self.words())
        self.audio.clear()
        if heard and not self.vendor.no_words and words:
            await self._transcribe(words)
        self.lines += [f"user: {words}"] if words else []
        self.lines += [f"user: [{text}]" for text in self.input]
        self.input.clear()
        if not words and not self.lines:
            return
        await self._answer()

    async def _transcribe(self, words: str) -> None:
        """Gemini 2.5 tells them bit by bit, 3.1 at once; neither says that they are all."""
        bits = re.findall(r" ?\S+", words) if "gemini-2" in self.setup["model"] else [words]
        for bit in bits:
            await self._content(inputTranscription={"text": bit})

    # ------------------------------------------------------------------------------------------ the model

    async def _answer(self) -> None:
        if self.reads:
            text = self.lines[-1].removeprefix("user: [").removesuffix("]")
            answer = Answer((text,))
            if self.vendor.own_words_trouble:
                answer.trouble = self.vendor.own_words_trouble.popleft()
        else:
            answer = self._next_answer()
        if answer.trouble == "drop_before":
            self.socket.transport.abort()
            return
        if answer.trouble == "expire":
            await self.socket.close(1011, "The session has reached its longest duration")
            return
        turn = self.turn = _Turn()
        turn.task = asyncio.create_task(self._speak(turn, answer))

    def _next_answer(self) -> Answer:
        self.vendor.asked.append([*self.lines])
        self.vendor.asked_with.append(self.setup)
        return self.vendor.answers.popleft() if self.vendor.answers else Answer(("Yes.",))

    async def _speak(self, turn: _Turn, answer: Answer) -> None:
        if answer.trouble == "mute":
            await asyncio.sleep(3600)
        if answer.trouble == "silence":
            await self._content(turnComplete=True)
            self.turn = None
            return
        if answer.trouble == "fail":
            await self._content(turnComplete=True, turnCompleteReason="RESPONSE_REJECTED")
            self.turn = None
            return
        if answer.trouble == "bad_arguments":
            await self._content(turnComplete=True, turnCompleteReason="MALFORMED_FUNCTION_CALL")
            self.turn = None
            return
        await self._say(turn, answer)
        if self.turn is None:
            return
        if answer.calls:
            await self._call(turn, answer)
            await turn.answered.wait()
            turn.waits_for.clear()
            self.lines += turn.lines
            turn.lines.clear()
            again = self._next_answer()
            await self._speak(turn, again)
            return
        await self._content(generationComplete=True)
        self.lines += turn.lines
        self.turn = None
        self.unclosed = self.vendor.holds_turns_open
        if not self.unclosed:
            await self._turn_over()

    async def _turn_over(self) -> None:
        await self._send(serverContent={"turnComplete": True}, usageMetadata=USAGE)
        if "sessionResumption" in self.setup and self.vendor.keeps:
            handle = f"handle-{len(self.vendor.kept) + 1}"
            self.vendor.kept[handle] = list(self.lines)
            await self._send(sessionResumptionUpdate={"newHandle": handle, "resumable": True})

    async def _say(self, turn: _Turn, answer: Answer) -> None:
        for at, text in enumerate(answer.texts):
            turn.lines.append(f"assistant: {text}")
            for place, word in enumerate(text.split(" ")):
                heard = f" {word}" if at or place else word
                audio = np.full(
                    SPOKEN.rate_hz * MS_PER_CHARACTER * len(word if not place else heard) // 1000, LEVEL, np.int16
                )
                # An odd number of bytes: messages are cut where it suits the sender.
                data = audio.tobytes()
                cut = len(data) // 2 | 1
                await self._sound(data[:cut], answer, heard)
                await self._sound(data[cut:], answer)
                if answer.trouble == "interrupted":
                    await self._content(interrupted=True)
                    await self._content(turnComplete=True)
                    self.turn = None
                    return
                if answer.trouble == "drop_in_the_middle":
                    self.socket.transport.abort()
                    await asyncio.sleep(3600)
                await asyncio.sleep(answer.pace_ms / 1000)
                if answer.held:
                    await self.vendor.go.wait()

    async def _sound(self, piece: bytes, answer: Answer, words: str = "") -> None:
        """Gemini 3.1 tells sound and words in one message."""
        data = "?" if answer.trouble == "strange_audio" else base64.b64encode(piece).decode()
        part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}
        content: dict[str, Any] = {"modelTurn": {"parts": [part]}}
        if words and "gemini-2" not in self.setup["model"] and answer.trouble != "strange_audio":
            await self._content(**content, outputTranscription={"text": words})
            return
        await self._content(**content)
        if words:
            await self._content(outputTranscription={"text": words})

    async def _call(self, turn: _Turn, answer: Answer) -> None:
        calls = []
        for name, arguments in answer.calls:
            self.vendor.calls += 1
            id = f"function-call-{self.vendor.calls}"
            turn.waits_for[id] = name
            turn.lines.append(f"call: {name}({arguments})")
            calls.append({"id": id, "name": name, "args": json.loads(arguments)})
        await self._send(toolCall={"functionCalls": calls})

    async def _tool_response(self, body: dict[str, Any]) -> None:
        turn = self.turn
        answers = {each["id"]: each for each in body["functionResponses"]}
        if turn is None or set(answers) != set(turn.waits_for):
            await self._refuse(1007, "Request contains an invalid argument.")
            return
        for each in answers.values():
            assert each["name"] == turn.waits_for[each["id"]]
            turn.lines.append(f"result: {each['response'].get('output', each['response'])}")
        turn.answered.set()

    async def go_away(self) -> None:
        await self._send(goAway={"timeLeft": self.vendor.time_left})


class FakeGeminiLive(FakeVendor):
    session_class = LiveSession

    def __init__(self) -> None:
        super().__init__()
        self.answers: deque[Answer] = deque()
        """What the next turns of the model are; with none left, "Yes."."""
        self.own_words_trouble: deque[Any] = deque()
        """The same of words that are to be read aloud."""
        self.asked: list[list[str]] = []
        """The conversation, at each turn of the model."""
        self.asked_with: list[dict[str, Any]] = []
        """And what the session was told as it began."""
        self.hears: deque[str] = deque()
        """What the next utterances are; with none left, the words in their sound."""
        self.go = asyncio.Event()
        self.no_words = False
        self.holds_turns_open = False
        """As while the service takes it that a turn is still being played."""
        self.kept: dict[str, list[str]] = {}
        """Sessions that can be gone on with, by their handles."""
        self.keeps = True
        self.time_left = "50s"
        self.closes_with: tuple[int, str] | None = None
        """How sessions end instead of being set up."""
        self.resumed = 0
        self.calls = 0

    def authorised(self, request: Request) -> bool:
        """Keys are checked with the first message."""
        return True

    @property
    def base_url(self) -> str:
        return f"https://localhost:{self.port}/v1beta"

    @property
    def live(self) -> LiveSession:
        """The latest session that converses."""
        return next(each for each in reversed(self.sessions) if isinstance(each, LiveSession) and not each.reads)

    @property
    def live_is_ready(self) -> bool:
        return any(isinstance(each, LiveSession) and each.setup and not each.reads for each in self.sessions[-1:])

    @property
    def refused(self) -> list[str]:
        return [reason for each in self.sessions if isinstance(each, LiveSession) for reason in each.refused]

    def unfit(self, request: Request) -> str | None:
        # The vendor's SDK writes two slashes after the host, and the service does not mind.
        return None if PATH.fullmatch(request.path.partition("?")[0]) else "no such path"


def notes_in(lines: list[str]) -> list[str]:
    """What the model was told beside what was said."""
    return [note for line in lines for note in _NOTE.findall(line)]


def said(lines: list[str]) -> list[str]:
    """The conversation without such notes."""
    left = [re.sub(r"\n*$", "", _NOTE.sub("", line).replace("[\n", "[")) for line in lines]
    return [line for line in left if line not in ("user: []", "assistant: []")]


def _camel_case(value: Any) -> Any:
    """Names of fields may be written with underscores, as in JSON of any protocol buffer."""
    if isinstance(value, list):
        return [_camel_case(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {_camel(name): each if name in _OPAQUE else _camel_case(each) for name, each in value.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
