"""Vapi's calls over a WebSocket, as of November 2026 (docs.vapi.ai/calls/websocket-transport, /calls/call-features,
/api-reference/calls/create, /server-url/events; the types of vapi-server-sdk 3.0): ``POST /call``, then one socket for sound both ways
(binary, no header) and messages (JSON). The service takes turns itself: it answers when it has heard a pause, and stops when the caller
interrupts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.providers.fakes.server import KEY, FakeVendor, Fault, Session
from tests.providers.fakes.speaking import LEVEL, MS_PER_CHARACTER, Answer, Trouble
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from antiphon.audio import codec
from antiphon.vocabulary import AudioFormat, Encoding

ASSISTANT_ID = "6bd2a5c8-0d1e-4b52-9d6c-6d2e3b0a1f11"
PAUSE_MS = 300
"""The caller has finished."""
INTERRUPTS_MS = 200
"""So much voice while it speaks stops it."""
_VOICE = 0.02
_OVERRIDES = {
    "analysisPlan", "artifactPlan", "backgroundSound", "backgroundSpeechDenoisingPlan", "clientMessages", "compliancePlan",
    "endCallMessage", "endCallPhrases", "firstMessage", "firstMessageInterruptionsEnabled", "firstMessageMode", "hooks", "keypadInputPlan",
    "maxDurationSeconds", "metadata", "model", "monitorPlan", "name", "observabilityPlan", "server", "serverMessages",
    "startSpeakingPlan", "stopSpeakingPlan", "tools:append", "transcriber", "variableValues", "voice", "voicemailDetection",
    "voicemailMessage",
}  # fmt: skip
_MESSAGES = {
    "conversation-update", "assistant.speechStarted", "function-call", "hang", "metadata", "model-output", "speech-update",
    "status-update", "transcript", "tool-calls", "transfer-update", "user-interrupted", "voice-input", "assistant.started",
}  # fmt: skip
_BODY = {"assistantId", "assistant", "assistantOverrides", "transport", "name"}


@dataclass
class MadeCall:
    """What was asked for, and what goes wrong on its socket."""

    body: dict[str, Any]
    fault: Fault | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def overrides(self) -> dict[str, Any]:
        return dict(self.body.get("assistantOverrides") or {})

    @property
    def audio(self) -> AudioFormat:
        asked = self.body["transport"].get("audioFormat") or {}
        kind = Encoding.MULAW if asked.get("format") == "mulaw" else Encoding.PCM16
        return AudioFormat(kind, asked.get("sampleRate", 8000 if kind is Encoding.MULAW else 16000))


class HostedSession(Session):
    """One call. ``lines`` are the conversation as the model would see it."""

    vendor: FakeHostedVapi

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        assert self.socket.request is not None
        self.call = self.vendor.calls_made[self.socket.request.path.split("/")[1]]
        self.fault, self.format = self.call.fault, self.call.audio
        self.lines: list[str] = []
        self.refused: list[str] = []
        self.ended = False
        """The client has said that it ends the call."""
        self.voiced_ms = self.paused_ms = 0.0
        """Of what the caller is saying."""
        self.turn = 0
        self.speaking: asyncio.Task[None] | None = None
        self.audible = False
        """It is being heard, and not only waited for."""
        self.waiting: deque[tuple[Answer, bool]] = deque()
        """What is to be said after that, and whether it is words of the client's."""
        self.spoken = ""
        """What has been voiced of what it says."""
        self.interruptions = 0

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            await self._stop()

    async def greet(self) -> None:
        await self.say("status-update", status="in-progress")

    async def say(self, kind: str, **fields: Any) -> None:
        wanted = self.call.overrides.get("clientMessages")
        if wanted is None or kind in wanted:
            await self.socket.send(json.dumps({"type": kind, **fields}))

    # ------------------------------------------------------------------------------------------ the caller

    async def progress(self) -> None:
        piece = bytes(self.audio[-self.vendor.pieces[-1] :])
        loud = float(np.abs(codec.decode_to_float(piece, self.format.encoding)).max(initial=0.0)) >= _VOICE
        length_ms = self.format.ms_of(len(piece))
        if loud:
            if not self.voiced_ms:
                await self.say("speech-update", role="user", status="started", turn=self.turn)
            self.voiced_ms += length_ms
            self.paused_ms = 0.0
            if self.audible and self.voiced_ms >= INTERRUPTS_MS and not self.vendor.deaf:
                await self._interrupted()
        elif self.voiced_ms:
            self.paused_ms += length_ms
            if self.paused_ms >= PAUSE_MS:
                await self._heard_out()

    async def _heard_out(self) -> None:
        self.voiced_ms = self.paused_ms = 0.0
        words = self.vendor.hears.popleft() if self.vendor.hears else " ".join(word.word for word in self.words())
        self.audio.clear()
        await self.say("speech-update", role="user", status="stopped", turn=self.turn)
        if not words or self.vendor.no_words:
            return
        head, _, _ = words.partition(" ")
        await self.say("transcript", role="user", transcriptType="partial", transcript=head)
        await self.say("transcript", role="user", transcriptType="final", transcript=words)
        self.lines.append(f"user: {words}")
        self.turn += 1
        if not self.audible:  # else it was no interruption, and wants no answer
            await self._answer()

    async def _interrupted(self) -> None:
        self.interruptions += 1
        said = self.spoken
        await self._stop()
        await self.say("user-interrupted", turnId=f"turn-{self.turn}")
        if said:
            await self.say("transcript", role="assistant", transcriptType="final", transcript=said)
        await self.say("speech-update", role="assistant", status="stopped", turn=self.turn)

    async def _stop(self) -> None:
        task, self.speaking = self.speaking, None
        self.waiting.clear()
        self.audible = False
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            if self.spoken:
                self.lines.append(f"assistant: {self.spoken}")
        self.spoken = ""

    # ------------------------------------------------------------------------------------------ the client

    async def told(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "add-message":
            role, text = message["message"]["role"], message["message"]["content"]
            assert role in ("system", "user", "assistant") and isinstance(text, str) and text
            self.lines.append(f"{role}: [{text}]")
            if message.get("triggerResponseEnabled", True):
                self.vendor.nudged += 1
                await self._answer()
        elif kind == "say":
            answer = Answer((message["content"],))
            if self.vendor.own_words_trouble:
                answer.trouble = self.vendor.own_words_trouble.popleft()
            if message.get("interruptAssistantEnabled"):
                await self._stop()
            self._speak_next(answer, ours=True)
        elif kind == "control" and message.get("control") == "say-first-message":
            if self.vendor.first_message:
                self._speak_next(Answer((self.vendor.first_message,)), ours=True)
        elif kind == "end-call":
            self.ended = True
            await self.socket.close(1000)
        else:
            self.refused.append(str(kind))

    # ------------------------------------------------------------------------------------------ the model

    async def _answer(self) -> None:
        self.vendor.asked.append([*self.lines])
        self.vendor.asked_with.append(self.call.body)
        answer = self.vendor.answers.popleft() if self.vendor.answers else Answer(("Yes.",))
        if answer.trouble == "drop_before":
            self.socket.transport.abort()
        elif answer.trouble == "expire":
            await self.end("exceeded-max-duration")
        elif answer.trouble in ("mute", "silence"):
            pass
        else:
            self._speak_next(answer, ours=False)

    def _speak_next(self, answer: Answer, *, ours: bool) -> None:
        self.waiting.append((answer, ours))
        if self.speaking is None:
            self.speaking = asyncio.create_task(self._speak())

    async def _speak(self) -> None:
        with contextlib.suppress(Exception):  # the client has gone
            while self.waiting:
                answer, ours = self.waiting.popleft()
                await self._say(answer, ours=ours)
            self.speaking = None

    async def _say(self, answer: Answer, *, ours: bool) -> None:
        self.turn += 1
        text = " ".join(answer.texts)
        if answer.trouble == "fail":
            await self.say("hang")
            return
        if not ours and self.vendor.tells_words:
            for token in re.findall(r"\S+\s*", text):
                await self.say("model-output", output=token, turnId=f"turn-{self.turn}")
        source = "force-say" if ours else "model"
        self.audible, self.spoken = True, ""
        if self.vendor.tells_speech:
            await self.say("speech-update", role="assistant", status="started", turn=self.turn)
            await self.say("assistant.speechStarted", text=text, turn=self.turn, source=source)
        for token in re.findall(r"\S+\s*", text):
            if answer.trouble != "strange_audio":
                await self._sound(len(token))
            self.spoken += token
            if answer.trouble == "interrupted":
                await self._interrupted()
                return
            if answer.trouble == "drop_in_the_middle":
                self.socket.transport.abort()
                return
            await asyncio.sleep(answer.pace_ms / 1000)
            if answer.held:
                await self.vendor.go.wait()
        self.lines.append(f"assistant: {text}")
        self.audible, self.spoken = False, ""
        await self.say("transcript", role="assistant", transcriptType="final", transcript=text)
        if self.vendor.tells_speech:
            await self.say("speech-update", role="assistant", status="stopped", turn=self.turn)
        if answer.trouble == "transfers":
            await self.say("transfer-update", destination={"type": "number", "number": "+15550100"})
            await self.end("assistant-forwarded-call")
        elif answer.trouble == "ends_call":
            await self.end("assistant-ended-call")

    async def _sound(self, characters: int) -> None:
        samples = np.full(self.format.rate_hz * MS_PER_CHARACTER * characters // 1000, LEVEL, np.int16)
        data = (
            codec.encode(samples, self.format.encoding) if self.format.encoding is Encoding.MULAW else samples.tobytes()
        )
        if not self.vendor.paced:
            # An odd number of bytes: messages are cut where it suits the sender.
            cut = len(data) // 2 | 1
            await self.socket.send(data[:cut])
            await self.socket.send(data[cut:])
            return
        frame = self.format.bytes_for_ms(20)
        for start in range(0, len(data), frame):
            await self.socket.send(data[start : start + frame])
            await asyncio.sleep(0.02)

    async def quiet(self, duration_ms: int) -> None:
        """Sound in which there is nothing."""
        level = b"\xff" if self.format.encoding is Encoding.MULAW else b"\x00"
        await self.socket.send(level * self.format.bytes_for_ms(duration_ms))

    async def speak_unasked(self, text: str) -> None:
        """As a hook of the assistant's does after a silence."""
        self._speak_next(Answer((text,)), ours=True)

    async def end(self, reason: str) -> None:
        """The service ends the call."""
        await self.say("status-update", status="ended", endedReason=reason)
        await self.socket.close(1000)


class FakeHostedVapi(FakeVendor):
    session_class = HostedSession

    def __init__(self) -> None:
        super().__init__()
        self.answers: deque[Answer] = deque()
        """What the next answers of the model are; with none left, "Yes."."""
        self.own_words_trouble: deque[Trouble] = deque()
        self.hears: deque[str] = deque()
        """What callers say, where it cannot be read from the sound."""
        self.asked: list[list[str]] = []
        self.asked_with: list[dict[str, Any]] = []
        self.nudged = 0
        """How often it was told to answer."""
        self.no_words = False
        self.paced = False
        """Sound is sent as it is heard, and not as it is made."""
        self.deaf = False
        """It does not notice that it is interrupted."""
        self.tells_words = self.tells_speech = True
        """Whether it tells what it says before it says it, and when it speaks."""
        self.first_message = "Thank you for calling."
        self.go = asyncio.Event()
        self.calls_made: dict[str, MadeCall] = {}
        self.bodies: list[dict[str, Any]] = []
        self._http: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> FakeHostedVapi:
        await super().__aenter__()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._http = await asyncio.start_server(self._http_client, "127.0.0.1", 0, ssl=context)
        return self

    async def __aexit__(self, *details: object) -> None:
        assert self._http is not None
        self._http.close()
        for writer in tuple(self._clients):
            writer.transport.abort()
        await self._http.wait_closed()
        await super().__aexit__(*details)

    @property
    def base_url(self) -> str:
        assert self._http is not None
        return f"https://localhost:{self._http.sockets[0].getsockname()[1]}"

    @property
    def live(self) -> HostedSession:
        session = self.sessions[-1]
        assert isinstance(session, HostedSession)
        return session

    @property
    def live_is_ready(self) -> bool:
        return bool(self.sessions)

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        parts = request.path.split("/")
        if len(parts) != 3 or parts[2] != "transport" or parts[1] not in self.calls_made:
            return socket.respond(404, "no such call")  # type: ignore[arg-type]
        return None

    # ------------------------------------------------------------------------------------------ POST /call

    async def _http_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while await self._one_request(reader, writer):
                pass
        self._clients.discard(writer)
        writer.transport.abort()

    async def _one_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *rest = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append(Request(request.split(" ")[1], None))  # type: ignore[arg-type]
        fault = self.faults.queue.popleft() if self.faults.queue else None
        if fault == "never_ready":
            await asyncio.sleep(3600)
        if fault == "refuse":
            status, answer = self.faults.refuse_status, {"message": self.faults.refuse_body, "statusCode": 0}
        else:
            status, answer = self._made(request, headers, content, fault)
        body = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        return True

    def _made(
        self, request: str, headers: dict[str, str], content: bytes, fault: Fault | None
    ) -> tuple[int, dict[str, Any]]:
        if not request.startswith("POST /call "):
            return 404, {"message": "Cannot find it", "error": "Not Found", "statusCode": 404}
        if headers.get("authorization") != f"Bearer {KEY}":
            return 401, {"message": "Invalid Key.", "error": "Unauthorized", "statusCode": 401}
        body = json.loads(content)
        if problems := _problems(body):
            return 400, {"message": problems, "error": "Bad Request", "statusCode": 400}
        call = MadeCall(body, fault)
        self.calls_made[call.id] = call
        self.bodies.append(body)
        transport = {**body["transport"], "websocketCallUrl": f"{self.url}/{call.id}/transport"}
        return 201, {
            "id": call.id,
            "orgId": "an-org",
            "type": "vapi.websocketCall",
            "status": "queued",
            "assistantId": body.get("assistantId"),
            "transport": transport,
            "monitor": {},
            "createdAt": "2026-11-30T09:00:00.000Z",
            "updatedAt": "2026-11-30T09:00:00.000Z",
        }


def _problems(body: dict[str, Any]) -> list[str]:
    """Unknown fields are refused, by their names."""
    overrides = body.get("assistantOverrides") or {}
    found = [f"property {name} should not exist" for name in set(body) - _BODY]
    found += [f"assistantOverrides.property {name} should not exist" for name in set(overrides) - _OVERRIDES]
    found += [f"clientMessages: {name}" for name in set(overrides.get("clientMessages", ())) - _MESSAGES]
    if body.get("transport", {}).get("provider") != "vapi.websocket":
        found.append("transport.provider must be vapi.websocket")
    if body.get("assistantId") not in (None, ASSISTANT_ID) or ("assistantId" in body) == ("assistant" in body):
        found.append("Couldn't Get Assistant.")
    return found


def said(lines: list[str]) -> list[str]:
    """A conversation without what only the model was told."""
    return [line for line in lines if not line.startswith("system: [")]


def notes_in(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("system: [")]
