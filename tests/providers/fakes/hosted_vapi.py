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
from dataclasses import dataclass, field
from typing import Any

from tests.providers.fakes.own_turns import OwnTurnSession, OwnTurnVendor
from tests.providers.fakes.server import KEY, Fault
from tests.providers.fakes.speaking import Answer, Trouble
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from antiphon.vocabulary import AudioFormat, Encoding

ASSISTANT_ID = "6bd2a5c8-0d1e-4b52-9d6c-6d2e3b0a1f11"
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


class HostedSession(OwnTurnSession):
    """One call."""

    vendor: FakeHostedVapi

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        assert self.socket.request is not None
        self.call = self.vendor.calls_made[self.socket.request.path.split("/")[1]]
        self.fault, self.format, self.asked_with = self.call.fault, self.call.audio, self.call.body

    async def greet(self) -> None:
        await self.say("status-update", status="in-progress")

    async def say(self, kind: str, **fields: Any) -> None:
        wanted = self.call.overrides.get("clientMessages")
        if wanted is None or kind in wanted:
            await self.socket.send(json.dumps({"type": kind, **fields}))

    async def end(self, reason: str) -> None:
        """The service ends the call."""
        await self.say("status-update", status="ended", endedReason=reason)
        await self.socket.close(1000)

    # ------------------------------------------------------------------------------------------ what is told

    async def _speech(self, role: str, status: str) -> None:
        if role == "user" or self.vendor.tells_speech:
            await self.say("speech-update", role=role, status=status, turn=self.turn)

    async def tell_voice(self, *, started: bool) -> None:
        await self._speech("user", "started" if started else "stopped")

    async def tell_words(self, words: str) -> None:
        head, _, _ = words.partition(" ")
        await self.say("transcript", role="user", transcriptType="partial", transcript=head)
        await self.say("transcript", role="user", transcriptType="final", transcript=words)

    async def tell_interrupted(self, said: str) -> None:
        await self.say("user-interrupted", turnId=f"turn-{self.turn}")
        if said:
            await self.say("transcript", role="assistant", transcriptType="final", transcript=said)
        await self._speech("assistant", "stopped")

    async def tell_answer(self, text: str, *, ours: bool) -> None:
        if not ours and self.vendor.tells_words:
            for token in re.findall(r"\S+\s*", text):
                await self.say("model-output", output=token, turnId=f"turn-{self.turn}")
        await self._speech("assistant", "started")
        if self.vendor.tells_speech:
            source = "force-say" if ours else "model"
            await self.say("assistant.speechStarted", text=text, turn=self.turn, source=source)

    async def tell_over(self, text: str) -> None:
        await self.say("transcript", role="assistant", transcriptType="final", transcript=text)
        await self._speech("assistant", "stopped")

    async def send_sound(self, data: bytes) -> None:
        await self.socket.send(data)

    async def trouble(self, trouble: Trouble) -> bool:
        if trouble == "expire":
            await self.end("exceeded-max-duration")
        elif trouble == "fail":
            await self.say("hang")
        return trouble in ("expire", "fail")

    async def afterwards(self, answer: Answer) -> None:
        if answer.trouble == "transfers":
            await self.say("transfer-update", destination={"type": "number", "number": "+15550100"})
            await self.end("assistant-forwarded-call")
        elif answer.trouble == "ends_call":
            await self.end("assistant-ended-call")

    # ------------------------------------------------------------------------------------------ the client

    async def told(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "add-message":
            role, text = message["message"]["role"], message["message"]["content"]
            assert role in ("system", "user", "assistant") and isinstance(text, str) and text
            self.lines.append(f"{role}: [{text}]")
            if message.get("triggerResponseEnabled", True):
                self.vendor.nudged += 1
                await self.answer()
        elif kind == "say":
            if message.get("interruptAssistantEnabled"):
                await self.stop()
            self.speak_next(self.vendor.own_words(message["content"]), ours=True)
        elif kind == "control" and message.get("control") == "say-first-message":
            if self.vendor.first_message:
                self.speak_next(Answer((self.vendor.first_message,)), ours=True)
        elif kind == "end-call":
            self.ended = True
            await self.socket.close(1000)
        else:
            self.refused.append(str(kind))


class FakeHostedVapi(OwnTurnVendor):
    session_class = HostedSession

    def __init__(self) -> None:
        super().__init__()
        self.tells_words = self.tells_speech = True
        """Whether it tells what it says before it says it, and when it speaks."""
        self.first_message = "Thank you for calling."
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
