"""OpenAI's Live sessions (developers.openai.com/api/docs/guides/live, /guides/live-conversations and /guides/live-delegation;
learn.microsoft.com/azure/foundry/openai/gpt-live-reference; the types of openai 3.52, ``types.live``), as of November 2026: strict
events, a model that listens and speaks at the same time and does not say when it begins or ends, and delegation to a Responses model.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
from typing import Any

from tests.providers.fakes.own_turns import OwnTurnSession, OwnTurnVendor
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speaking import Answer, Trouble
from websockets.http11 import Request

from antiphon.vocabulary import AudioFormat, Encoding

MODEL = "gpt-live-1"
BACKEND_USAGE = {
    "input_tokens": 120,
    "output_tokens": 12,
    "input_tokens_details": {"cached_tokens": 100},
    "total_tokens": 132,
}
_ENCODINGS = {"audio/pcm": Encoding.PCM16, "audio/pcmu": Encoding.MULAW, "audio/pcma": Encoding.ALAW}
_CONFIG = {"model", "instructions", "audio", "delegation", "input", "store", "client", "safety_identifier", "triggers"}
PAUSE_S = 0.95
_PROMPTS_NO_ANSWER = "From now on:"


class LiveFakeSession(OwnTurnSession):
    """One session."""

    vendor: FakeGptLive

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.session: dict[str, Any] = {}
        self.delegates: dict[str, asyncio.Event] = {}
        """Calls of tools that wait for their answers, and whether those were told to be all."""
        self.outputs: dict[str, str] = {}
        self.names: dict[str, tuple[str, str]] = {}
        self.voiced_s = 0.0
        """When it was heard last."""
        self.numbers = itertools.count(1)

    async def emit(self, kind: str, **fields: Any) -> None:
        # Sound has no id of its own.
        named = {} if kind == "session.output_audio.delta" else {"event_id": f"event_{next(self.numbers)}"}
        await self.socket.send(json.dumps({"type": kind, **named, **fields}))

    async def refuse(self, code: str, message: str = "") -> None:
        self.refused.append(code)
        await self.emit("error", error={"type": "invalid_request_error", "code": code, "message": message or code})

    async def close(self, reason: str) -> None:
        resource = {"id": "live_1", "object": "live.session", **self.session}
        await self.emit("session.closed", reason=reason, session=resource, usage={"seconds": 1.5})
        await self.socket.close(1000)

    # ------------------------------------------------------------------------------------------ the client

    async def told(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if not self.session and kind != "session.start":
            await self.refuse("session_not_started")
        elif kind == "session.start":
            await self._start(message["session"])
        elif kind == "session.input_audio.append":
            self.vendor.appended += 1
            await self.hear(base64.b64decode(message["audio"]))
        elif kind == "session.update":
            assert set(message["session"]) == {"delegation"}
            self.session["delegation"]["responses"] |= message["session"]["delegation"]["responses"]
        elif kind in ("session.instructions.append", "session.thinking.append", "session.commentary.append"):
            await self._appended(kind.split(".")[1], message)
        elif kind == "response.item.create":
            item = message["item"]
            assert item["type"] == "function_call_output" and item["call_id"] in self.names
            self.outputs[item["call_id"]] = item["output"]
        elif kind == "response.create":
            for event in self.delegates.values():
                event.set()
        elif kind == "session.close":
            self.ended = True
            await self.close("close_requested")
        else:
            await self.refuse("unknown_event", kind)

    async def _start(self, session: dict[str, Any]) -> None:
        if self.session:
            await self.refuse("session_already_started")
        elif set(session) - _CONFIG:
            await self.refuse("unknown_parameter", str(set(session) - _CONFIG))
        elif session.get("model") != MODEL:
            await self.refuse("model_not_found", "The model does not exist.")
        else:
            self.session = self.asked_with = session
            audio = session["audio"]["format"]
            self.format = AudioFormat(_ENCODINGS[audio["type"]], audio["rate"])
            for item in session.get("input", ()):
                (part,) = item["content"]
                assert part["type"] == ("output_text" if item["role"] == "assistant" else "input_text")
                role = {"developer": "system"}.get(item["role"], item["role"])
                self.lines.append(f"{role}: [{part['text']}]")
            if self.fault != "never_ready":
                resource = {"id": "live_1", "object": "live.session", **session}
                await self.emit("session.started", session=resource)

    async def _appended(self, kind: str, message: dict[str, Any]) -> None:
        assert set(message) == {"type", "content", "delegation_id"} and message["delegation_id"] is None
        assert len(message["content"]) <= 2000, "limited to 500 tokens"
        text = message["content"]
        await self.emit(f"session.{kind}.appended", start_ms=0, end_ms=0)
        if kind == "commentary":
            self.speak_next(self.vendor.own_words(text), ours=True)
            return
        typed = re.search(r'has written to you, and waits for your answer: "(.*)"$', text)
        self.lines.append(f"user: [{typed[1]}]" if typed else f"system: [{text}]")
        if kind == "instructions" and not text.startswith(_PROMPTS_NO_ANSWER):
            self.vendor.nudged += 1
            if text.startswith("Begin the conversation"):
                self.speak_next(Answer((self.vendor.first_message,)), ours=False)
            else:
                await self.answer()

    # ------------------------------------------------------------------------------------------ what is told

    async def tell_answer(self, text: str, *, ours: bool) -> None:
        """It speaks as people do: with a pause between two things."""
        if (left_s := self.voiced_s + PAUSE_S - asyncio.get_running_loop().time()) > 0 and not self.vendor.breathless:
            await asyncio.sleep(left_s)

    async def tell_words(self, words: str) -> None:
        for bit in re.findall(r" ?\S+", words):
            await self.emit("session.input_transcript.delta", delta=bit, start_ms=0, end_ms=100)

    async def tell_said(self, token: str) -> None:
        await self.emit("session.output_transcript.delta", delta=token, start_ms=0, end_ms=100)

    async def send_sound(self, data: bytes) -> None:
        self.voiced_s = asyncio.get_running_loop().time()
        await self.emit("session.output_audio.delta", delta=base64.b64encode(data).decode())

    async def trouble(self, trouble: Trouble) -> bool:
        if trouble == "expire":
            await self.close("expired")
        return trouble == "expire"

    async def call_tools(self, answer: Answer) -> None:
        config = self.session["delegation"]["responses"]
        assert {name for name, _ in answer.calls} <= {tool["name"] for tool in config["tools"]}
        asked: dict[str, asyncio.Event] = {}
        for name, arguments in answer.calls:
            id = f"call_{next(self.numbers)}"
            asked[id] = self.delegates[id] = asyncio.Event()
            self.names[id] = (name, arguments)
            self.lines.append(f"call: {name}({arguments})")
            item = {"type": "function_call", "id": f"fc_{id}", "call_id": id, "name": name, "arguments": arguments}
            await self._delegated({"type": "response.output_item.done", "output_index": 0, "item": item})
        usage = {"response": {"id": "resp_1", "usage": BACKEND_USAGE}}
        await self._delegated({"type": "response.completed", **usage})
        for id, event in asked.items():
            await event.wait()
            del self.delegates[id]
            self.lines.append(f"result: {self.outputs[id]}")
        await self.answer()

    async def _delegated(self, event: dict[str, Any]) -> None:
        await self.emit("response.event", delegation_id="dlg_1", event=event)


class FakeGptLive(OwnTurnVendor):
    session_class = LiveFakeSession

    def __init__(self) -> None:
        super().__init__()
        self.breathless = False
        """It makes no pauses."""
        self.appended = 0
        """Pieces of sound."""
        self.first_message = "Thank you for calling."

    @property
    def base_url(self) -> str:
        return f"https://localhost:{self.port}/v1"

    @property
    def live(self) -> LiveFakeSession:
        session = self.sessions[-1]
        assert isinstance(session, LiveFakeSession)
        return session

    @property
    def live_is_ready(self) -> bool:
        return bool(self.sessions) and bool(self.live.session)

    def authorised(self, request: Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {KEY}"

    def unfit(self, request: Request) -> str | None:
        return None if request.path == "/v1/live/sessions" else f"Unknown path {request.path}"
