"""OpenAI's Realtime sessions (developers.openai.com/api/docs/guides/realtime-conversations, /api/reference/resources/realtime/client-events
and /server-events; the types of openai 3.57), as of November 2026: manual turns, items, responses with several messages and tool calls.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from tests.providers.fakes.openai import ENCODINGS
from tests.providers.fakes.server import FakeVendor, Session
from tests.providers.fakes.speaking import LEVEL, MS_PER_CHARACTER, Answer, Trouble
from websockets.http11 import Request

from antiphon.audio import codec
from antiphon.vocabulary import AudioFormat, Encoding

MODELS = ("gpt-realtime", "gpt-realtime-2")
USAGE = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 13,
        "image_tokens": 0,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}


@dataclass
class _Response:
    id: str
    task: asyncio.Task[None] | None = None
    items: list[dict[str, Any]] = field(default_factory=list)


class RealtimeSession(Session):
    """One session. ``items`` are the conversation as the model would see it."""

    vendor: FakeOpenAIRealtime

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.session: dict[str, Any] = {
            "type": "realtime", "object": "realtime.session", "id": "sess_1", "model": self.query["model"][0], "instructions": "",
            "tools": [], "tool_choice": "auto", "output_modalities": ["audio"],
            "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": {"type": "server_vad"}},
                      "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"}},
        }  # fmt: skip
        self.items: list[dict[str, Any]] = []
        self.sounds_ms: dict[str, float] = {}
        """How much sound was made of each message."""
        self.truncated: dict[str, int] = {}
        self.refused: list[str] = []
        """Codes of the errors that were answered."""
        self.spoken_form = AudioFormat(Encoding.PCM16, 24000)
        self.format = AudioFormat(Encoding.PCM16, 24000)
        self.active: _Response | None = None
        self._number = itertools.count(1)

    async def _send(self, kind: str, **fields: Any) -> None:
        await self.send({"type": kind, "event_id": f"event_{next(self._number)}", **fields})

    async def greet(self) -> None:
        await self._send("session.created", session=self.session)

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            if self.active is not None and self.active.task is not None:
                self.active.task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self.active.task

    async def told(self, message: dict[str, Any]) -> None:
        handler = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create_item,
            "conversation.item.delete": self._delete_item,
            "conversation.item.truncate": self._truncate_item,
            "response.create": self._create_response,
            "response.cancel": self._cancel_response,
        }.get(message["type"])
        if handler is None:
            await self._error("invalid_value", f"Invalid value: '{message['type']}'", message)
        else:
            await handler(message)

    async def _error(self, code: str, text: str, message: dict[str, Any]) -> None:
        self.refused.append(code)
        echo = {"event_id": message["event_id"]} if "event_id" in message else {}
        await self._send("error", error={"type": "invalid_request_error", "code": code, "message": text, **echo})

    # ------------------------------------------------------------------------------------------ session and audio

    async def _update(self, message: dict[str, Any]) -> None:
        new = message["session"]
        if new.get("type") != "realtime":
            await self._error("missing_required_parameter", "Missing required parameter: 'session.type'.", message)
            return
        _merge(self.session, new)
        audio = self.session["audio"]
        self.format = _format(audio["input"]["format"])
        self.spoken_form = _format(audio["output"]["format"])
        if self.fault != "never_ready":
            await self._send("session.updated", session=self.session)

    async def _append(self, message: dict[str, Any]) -> None:
        await self.hear(base64.b64decode(message["audio"]))

    async def _clear(self, message: dict[str, Any]) -> None:
        self.audio.clear()
        await self._send("input_audio_buffer.cleared")

    async def _commit(self, message: dict[str, Any]) -> None:
        if self.heard_ms < 100:
            await self._error(
                "input_audio_buffer_commit_empty", "Error committing input audio buffer: buffer too small.", message
            )
            return
        words = self.vendor.hears.popleft() if self.vendor.hears else " ".join(word.word for word in self.words())
        self.audio.clear()
        item = self._item({"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]})
        before = self.items[-1]["id"] if self.items else None
        self.items.append({**item, "heard": words})
        await self._send("input_audio_buffer.committed", item_id=item["id"], previous_item_id=before)
        await self._send("conversation.item.added", item=item, previous_item_id=before)
        await self._send("conversation.item.done", item=item, previous_item_id=before)
        if self.vendor.words_fail:
            error = {"type": "transcription_error", "code": "audio_unintelligible", "message": "no words"}
            await self._transcription("failed", item["id"], error=error)
        elif not self.vendor.no_words:
            usage = {"type": "duration", "seconds": 1.0}
            await self._transcription("completed", item["id"], transcript=words, usage=usage)

    async def _transcription(self, kind: str, item_id: str, **fields: Any) -> None:
        name = f"conversation.item.input_audio_transcription.{kind}"
        await self._send(name, item_id=item_id, content_index=0, **fields)

    # ------------------------------------------------------------------------------------------ items

    def _item(self, item: dict[str, Any], status: str = "completed") -> dict[str, Any]:
        return {
            "id": item.get("id") or f"item_{next(self._number)}",
            "object": "realtime.item",
            "status": status,
            **item,
        }

    def _at(self, id: str) -> int | None:
        return next((at for at, item in enumerate(self.items) if item["id"] == id), None)

    async def _create_item(self, message: dict[str, Any]) -> None:
        item, after = self._item(message["item"]), message.get("previous_item_id")
        if self._at(item["id"]) is not None:
            await self._error("item_create_duplicate_item_id", "duplicate id", message)
            return
        at = 0 if after == "root" else len(self.items) if after is None else self._at(after)
        if at is None:
            await self._error("item_create_invalid_previous_item_id", f"no item {after}", message)
            return
        at += after not in (None, "root")
        self.items.insert(at, item)
        before = self.items[at - 1]["id"] if at else None
        await self._send("conversation.item.added", item=item, previous_item_id=before)
        await self._send("conversation.item.done", item=item, previous_item_id=before)

    async def _delete_item(self, message: dict[str, Any]) -> None:
        at = self._at(message["item_id"])
        if at is None:
            await self._error("item_delete_invalid_item_id", "Error deleting item: it does not exist.", message)
            return
        del self.items[at]
        await self._send("conversation.item.deleted", item_id=message["item_id"])

    async def _truncate_item(self, message: dict[str, Any]) -> None:
        id, end_ms = message["item_id"], message["audio_end_ms"]
        if self._at(id) is None:
            await self._error("item_truncate_invalid_item_id", "Error truncating item: it does not exist.", message)
        elif end_ms > self.sounds_ms.get(id, 0) + 1:
            text = f"Audio content of {self.sounds_ms.get(id, 0)}ms is already shorter than {end_ms}ms"
            await self._error("invalid_value", text, message)
        else:
            self.truncated[id] = end_ms
            await self._send("conversation.item.truncated", item_id=id, content_index=0, audio_end_ms=end_ms)

    # ------------------------------------------------------------------------------------------ responses

    async def _create_response(self, message: dict[str, Any]) -> None:
        if self.active is not None:
            await self._error(
                "conversation_already_has_active_response", "Conversation already has an active response.", message
            )
            return
        asked = message.get("response") or {}
        outside = asked.get("conversation") == "none"
        if outside:
            answer = Answer((asked["input"][0]["content"][0]["text"],))
            if self.vendor.own_words_trouble:
                answer.trouble = self.vendor.own_words_trouble.popleft()
        else:
            self.vendor.asked.append([dict(item) for item in self.items])
            self.vendor.asked_with.append({**self.session, **asked})
            answer = self.vendor.answers.popleft() if self.vendor.answers else Answer(("Yes.",))
        if answer.trouble == "drop_before":
            self.socket.transport.abort()
            return
        if answer.trouble == "expire":
            await self._send(
                "error",
                error={
                    "type": "invalid_request_error",
                    "code": "session_expired",
                    "message": "Your session hit the maximum duration of 60 minutes.",
                },
            )
            await self.socket.close(1001, "session_expired")
            return
        response = self.active = _Response(f"resp_{next(self._number)}")
        response.task = asyncio.create_task(self._respond(response, answer, asked, outside=outside))

    def _response(self, response: _Response, asked: dict[str, Any], status: str, **fields: Any) -> dict[str, Any]:
        outside = asked.get("conversation") == "none"
        return {
            "object": "realtime.response", "id": response.id, "status": status, "status_details": None, "output": response.items,
            "conversation_id": None if outside else "conv_1", "output_modalities": ["audio"], "max_output_tokens": "inf",
            "metadata": asked.get("metadata"), "usage": None, **fields,
        }  # fmt: skip

    async def _respond(self, response: _Response, answer: Answer, asked: dict[str, Any], *, outside: bool) -> None:
        status: dict[str, Any] = {"status": "completed"}
        try:
            await self._send("response.created", response=self._response(response, asked, "in_progress"))
            if answer.trouble == "mute":
                await asyncio.sleep(3600)
            if answer.trouble == "fail":
                error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "the model is overloaded"}
                status = {"status": "failed", "status_details": {"type": "failed", "error": error}}
            else:
                for index, text in enumerate(answer.texts):
                    await self._speak(response, index, text, answer, outside=outside)
                for index, (name, arguments) in enumerate(answer.calls, start=len(answer.texts)):
                    await self._call(response, index, name, arguments)
        except asyncio.CancelledError:
            if not self.vendor.cancels:
                raise
            status = {"status": "cancelled", "status_details": {"type": "cancelled", "reason": "client_cancelled"}}
        self.active = None
        done = self._response(response, asked, **{"usage": USAGE, **status})
        await self._send("response.done", response=done)

    async def _speak(self, response: _Response, index: int, text: str, answer: Answer, *, outside: bool) -> None:
        item = self._item({"type": "message", "role": "assistant", "content": []}, "in_progress")
        id = item["id"]
        part: dict[str, Any] = {"response_id": response.id, "output_index": index, "item_id": id, "content_index": 0}
        head = {"response_id": response.id, "output_index": index}
        await self._send("response.output_item.added", **head, item=item)
        if not outside:
            self.items.append({**item, "said": text})
            await self._send("conversation.item.added", item=item, previous_item_id=None)
        await self._send("response.content_part.added", **part, part={"type": "audio", "transcript": ""})
        finished = {**item, "status": "incomplete", "content": [{"type": "output_audio", "transcript": text}]}
        try:
            for at, word in enumerate(text.split(" ")):
                heard = f" {word}" if at else word
                await self._send("response.output_audio_transcript.delta", **part, delta=heard)
                await self._sound(part, id, heard, answer)
            finished["status"] = "completed"
        finally:
            response.items.append(finished)
            await self._send("response.output_audio.done", **part)
            await self._send("response.output_audio_transcript.done", **part, transcript=text)
            await self._send("response.content_part.done", **part, part={"type": "audio", "transcript": text})
            if not outside:
                await self._send("conversation.item.done", item=finished, previous_item_id=None)
            await self._send("response.output_item.done", **head, item=finished)

    async def _sound(self, part: dict[str, Any], id: str, text: str, answer: Answer) -> None:
        form = self.spoken_form
        samples = np.full(form.rate_hz * MS_PER_CHARACTER * len(text) // 1000, LEVEL, np.int16)
        audio = samples.tobytes() if form.encoding is Encoding.PCM16 else codec.encode(samples, form.encoding)
        # An odd number of bytes: messages are cut where it suits the sender.
        cut = len(audio) // 2 | 1
        for piece in (audio[:cut], audio[cut:]):
            self.sounds_ms[id] = self.sounds_ms.get(id, 0.0) + form.ms_of(len(piece))
            delta = "?" if answer.trouble == "strange_audio" else base64.b64encode(piece).decode()
            await self._send("response.output_audio.delta", **part, delta=delta)
        if answer.trouble == "drop_in_the_middle":
            self.socket.transport.abort()
            await asyncio.sleep(3600)
        await asyncio.sleep(answer.pace_ms / 1000)
        if answer.held:
            await self.vendor.go.wait()

    async def _call(self, response: _Response, index: int, name: str, arguments: str) -> None:
        call_id = f"call_{next(self._number)}"
        item = self._item({"type": "function_call", "call_id": call_id, "name": name, "arguments": ""}, "in_progress")
        head = {"response_id": response.id, "output_index": index}
        await self._send("response.output_item.added", **head, item=item)
        await self._send("conversation.item.added", item=item, previous_item_id=None)
        of = {**head, "item_id": item["id"], "call_id": call_id}
        await self._send("response.function_call_arguments.delta", **of, delta=arguments)
        await self._send("response.function_call_arguments.done", **of, name=name, arguments=arguments)
        finished = {**item, "status": "completed", "arguments": arguments}
        self.items.append(finished)
        response.items.append(finished)
        await self._send("conversation.item.done", item=finished, previous_item_id=None)
        await self._send("response.output_item.done", **head, item=finished)

    async def _cancel_response(self, message: dict[str, Any]) -> None:
        active = self.active
        if active is None or active.task is None:
            await self._error("response_cancel_not_active", "Cancellation failed: no active response found", message)
        else:
            active.task.cancel()


class FakeOpenAIRealtime(FakeVendor):
    session_class = RealtimeSession

    def __init__(self) -> None:
        super().__init__()
        self.answers: deque[Answer] = deque()
        """What the next responses are; with none left, "Yes."."""
        self.own_words_trouble: deque[Trouble | None] = deque()
        """The same of words that are to be read aloud."""
        self.asked: list[list[dict[str, Any]]] = []
        """The conversation, at each ``response.create`` in it."""
        self.asked_with: list[dict[str, Any]] = []
        """And what the session and the request said."""
        self.hears: deque[str] = deque()
        """What the next utterances are; with none left, the words in their sound."""
        self.go = asyncio.Event()
        self.no_words = False
        self.words_fail = False
        self.cancels = True

    @property
    def base_url(self) -> str:
        return f"https://localhost:{self.port}/v1"

    @property
    def live(self) -> RealtimeSession:
        """The latest session."""
        session = self.sessions[-1]
        assert isinstance(session, RealtimeSession)
        return session

    @property
    def live_is_ready(self) -> bool:
        """Whether the latest session has been told what it is to be."""
        return bool(self.sessions) and any(text["type"] == "session.update" for text in self.sessions[-1].texts)

    def unfit(self, request: Request) -> str | None:
        address = urlsplit(request.path)
        if address.path.removeprefix("/v1") != "/realtime":
            return "no such path"
        if parse_qs(address.query).get("model", [""])[0] not in MODELS:
            return "The model does not exist"
        return None


def said(items: list[dict[str, Any]]) -> list[str]:
    """The conversation in short: who said what."""
    lines = []
    for item in items:
        if item["type"] == "function_call":
            lines.append(f"call: {item['name']}({item['arguments']})")
        elif item["type"] == "function_call_output":
            lines.append(f"result: {item['output']}")
        else:
            text = item.get("heard", item.get("said"))
            lines.append(
                f"{item['role']}: {text}" if text is not None else f"{item['role']}: [{item['content'][0]['text']}]"
            )
    return lines


def _format(form: dict[str, Any]) -> AudioFormat:
    return AudioFormat(ENCODINGS[form["type"]], int(form.get("rate", 8000)))


def _merge(into: dict[str, Any], new: dict[str, Any]) -> None:
    """As the API does: objects are merged, but for those that are replaced whole."""
    for name, value in new.items():
        whole = name in ("turn_detection", "transcription", "format", "tools")
        if isinstance(value, dict) and isinstance(into.get(name), dict) and not whole:
            _merge(into[name], value)
        else:
            into[name] = json.loads(json.dumps(value))
