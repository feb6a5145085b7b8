"""The model's side of a session with OpenAI Realtime: one response at a time, whose sound, words and tool calls are told as they come.

A response may hold several messages ("One moment." and then the answer), and each is told. What was heard of them is known by our side
alone: ``cancel`` cuts the session's items to it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson
import structlog

from antiphon.errors import MalformedMessage
from antiphon.providers.base import ModelRequest, StopReason
from antiphon.providers.speech_to_speech import openai_wire as wire
from antiphon.providers.speech_to_speech.base import (
    ReplyAudio,
    ReplyFailed,
    ReplyOver,
    ReplyToolCall,
    ReplyWords,
    SpokenReplyEvent,
)
from antiphon.providers.speech_to_speech.memory import Item, SessionMemory
from antiphon.providers.websocket import presentable
from antiphon.vocabulary import AudioFormat, ToolCall

log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.25
_CANCELLED_WITHIN_S = 3.0
"""A response that was cancelled is over by then, whatever the vendor says."""
_REMEMBERED_REPLIES = 4
"""Whose items can still be cut: at most one is live, and the client may correct the last ones."""


@dataclass(slots=True)
class _Message:
    """One message of a reply, and how much sound has come of it."""

    item_id: str
    audio_bytes: int = 0
    done: bool = False
    remembered: bool = True
    """Whether it is in the session's conversation."""


@dataclass(slots=True)
class _Asked:
    """One response that was asked for, or will be."""

    reply: int
    name: str
    request: ModelRequest | None
    """None: ``text`` is to be spoken word for word."""
    text: str = ""
    since_s: float = 0.0
    """When it was asked for, or anything of it came last."""
    sent: bool = False
    cancelled: bool = False
    audible: bool = False
    tries: int = 0
    rest: bytes = b""
    """Half a sample that came at the end of a delta."""
    said: str = ""
    """Its last words."""


class Replying:
    """Told what the vendor says by the session's ``read``; sends by ``send``, which returns False where there is no session."""

    def __init__(
        self,
        audio: AudioFormat,
        model: str,
        key: str,
        memory: SessionMemory,
        send: Callable[[bytes], bool],
        tell: Callable[[SpokenReplyEvent], None],
        may_ask: Callable[[], bool],
        prepare: Callable[[ModelRequest], None],
        timeout_s: float,
    ) -> None:
        """``may_ask``: whether the session is up and has all that was said. ``prepare`` tells it instructions, tools and history."""
        self._audio = audio
        self._model, self._key = model, key
        self._memory = memory
        self._send, self._tell = send, tell
        self._may_ask, self._prepare = may_ask, prepare
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Asked] = deque()
        self._active: _Asked | None = None
        self._response_id = ""
        self._messages: OrderedDict[int, list[_Message]] = OrderedDict()
        self._asked = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        return self._active is None and not self._queue

    # -------------------------------------------------------------------------------------------- our side

    def respond(self, reply: int, request: ModelRequest) -> None:
        self._ask(reply, request, "")

    def say(self, reply: int, text: str) -> None:
        self._ask(reply, None, text)

    def _ask(self, reply: int, request: ModelRequest | None, text: str) -> None:
        self._asked += 1
        name = f"antiphon_{reply}_{self._asked}"
        self._queue.append(_Asked(reply, name, request, text, self._loop.time()))
        if reply not in self._messages:
            self._messages[reply] = []
            while len(self._messages) > _REMEMBERED_REPLIES:
                self._messages.popitem(last=False)
        self.go_on()
        self._watch()

    def go_on(self) -> None:
        """Ask for the next response, if it can be asked for now."""
        if self._active is not None or not self._queue or not self._may_ask():
            return
        asked = self._queue.popleft()
        asked.since_s = self._loop.time()
        if asked.request is not None:
            self._prepare(asked.request)
            tokens = asked.request.options.get("max_tokens")
            message = wire.create_response(asked.name, tools_allowed=bool(asked.request.tools), max_tokens=tokens)
        else:
            message = wire.say_verbatim(asked.name, asked.text)
        if self._send(message):
            asked.sent = True
            self._active, self._response_id = asked, ""
        else:
            self._queue.appendleft(asked)

    def cancel(self, reply: int, heard_ms: int) -> None:
        self._queue = deque(asked for asked in self._queue if asked.reply != reply)
        active = self._active
        if active is not None and active.reply == reply and not active.cancelled:
            active.cancelled = True
            active.since_s = self._loop.time()
            self._send(wire.CANCEL)
        self._cut(self._messages.pop(reply, []), heard_ms)

    def _cut(self, messages: list[_Message], heard_ms: int) -> None:
        """The session remembers what was heard of them."""
        start_ms = 0
        for message in messages:
            length_ms = int(self._audio.ms_of(message.audio_bytes))
            heard = heard_ms - start_ms
            start_ms += length_ms
            if not message.remembered or (message.done and heard >= length_ms):
                continue
            if heard > 0:
                self._send(wire.truncate(message.item_id, min(heard, length_ms)))
            else:
                self._memory.drop(message.item_id)
                self._send(wire.delete(message.item_id))

    def close(self) -> None:
        self._queue.clear()
        self._active = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -------------------------------------------------------------------------------------------- the session's life

    def lost(self) -> None:
        """The session is gone, and all it remembered. A reply of which nothing was heard is asked for again, once."""
        for messages in self._messages.values():
            for message in messages:
                message.remembered = False
        asked, self._active = self._active, None
        if asked is None or asked.cancelled:
            return
        if asked.audible or asked.tries:
            self._tell(ReplyFailed(asked.reply, "the session was lost in the middle of it"))
        else:
            self._messages[asked.reply] = []
            again = replace(asked, tries=1, sent=False, said="", rest=b"", since_s=self._loop.time())
            self._queue.appendleft(again)

    def fail_all(self, problem: str) -> None:
        """There is no session, and none will be for a while."""
        waiting = [*([self._active] if self._active is not None else []), *self._queue]
        self._active = None
        self._queue.clear()
        for asked in waiting:
            if not asked.cancelled:
                self._tell(ReplyFailed(asked.reply, problem, gone=True))

    def refused(self, name: str, problem: str) -> None:
        """The vendor answers a ``response.create`` with an error."""
        asked = self._active
        if asked is not None and asked.name == name:
            self._end(asked, ReplyFailed(asked.reply, problem))

    def _watch(self) -> None:
        if self._timer is None and not self.idle:
            self._timer = self._loop.call_later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """Nothing is waited for without end."""
        self._timer = None
        now_s = self._loop.time()
        active = self._active
        if active is not None and active.cancelled and now_s - active.since_s > _CANCELLED_WITHIN_S:
            self._end(active, None)
        elif active is not None and not active.cancelled and now_s - active.since_s > self._timeout_s:
            self._send(wire.CANCEL)
            active.cancelled, active.since_s = True, now_s
            self._tell(ReplyFailed(active.reply, f"nothing came of it for {self._timeout_s:.0f} s"))
        elif active is None and self._queue and now_s - self._queue[0].since_s > self._timeout_s:
            asked = self._queue.popleft()
            problem = f"the session was not ready within {self._timeout_s:.0f} s"
            self._tell(ReplyFailed(asked.reply, problem, gone=True))
        self.go_on()
        self._watch()

    # -------------------------------------------------------------------------------------------- the vendor's side

    def read(self, kind: str, event: wire.ServerEvent) -> None:
        """An event whose type is ``response.`` and ``kind``."""
        asked = self._active
        if kind == "created":
            if asked is not None and self._is_of(asked, event.response):
                self._response_id = event.response.id
                if asked.cancelled:  # our word came before there was anything to cancel
                    self._send(wire.CANCEL)
            return
        id = event.response.id if kind == "done" else event.response_id
        if asked is None or not id or id != self._response_id:
            return  # of a response that is none of ours, or long over
        asked.since_s = self._loop.time()
        if kind == "done":
            self._done(asked, event.response)
        elif kind == "output_item.added":
            self._item_added(asked, event.item)
        elif kind == "output_item.done":
            self._item_done(asked, event.item)
        elif asked.cancelled:
            return
        elif kind == "output_audio.delta":
            self._heard(asked, event.item_id, event.delta)
        elif kind == "output_audio_transcript.delta" and asked.request is not None:
            self._said(asked, event.item_id, event.delta)

    def _is_of(self, asked: _Asked, response: wire.ServerResponse) -> bool:
        """A server that tells no metadata back has only one response at a time all the same."""
        metadata = response.metadata
        return not isinstance(metadata, dict) or metadata.get("antiphon", asked.name) == asked.name

    def _item_added(self, asked: _Asked, item: wire.ServerItem) -> None:
        if item.type != "message":
            return
        remembered = asked.request is not None
        if remembered:
            self._memory.add(Item(item.id, "assistant"))
        if asked.cancelled:
            if remembered:  # it was begun while our word was on its way
                self._memory.drop(item.id)
                self._send(wire.delete(item.id))
            return
        self._messages.setdefault(asked.reply, []).append(_Message(item.id, remembered=remembered))
        if asked.said and not asked.said[-1:].isspace():
            self._tell(ReplyWords(asked.reply, " "))  # between two messages

    def _item_done(self, asked: _Asked, item: wire.ServerItem) -> None:
        if item.type == "message":
            for message in self._messages.get(asked.reply, ()):
                message.done = message.done or message.item_id == item.id
            return
        if item.type != "function_call" or asked.cancelled or item.status == "incomplete":
            return
        try:
            arguments = orjson.loads(item.arguments or "{}")
        except orjson.JSONDecodeError:
            arguments = None
        if not isinstance(arguments, dict) or not item.call_id or not item.name:
            self._send(wire.CANCEL)
            asked.cancelled = True
            self._tell(ReplyFailed(asked.reply, "a tool call has no name, or its arguments are no JSON object"))
            return
        self._memory.add(Item(item.id, "call", call_id=item.call_id))
        self._tell(ReplyToolCall(asked.reply, ToolCall(item.call_id, item.name, arguments)))

    def _heard(self, asked: _Asked, item_id: str, delta: str) -> None:
        try:
            audio = asked.rest + wire.audio_of(delta)
        except MalformedMessage:
            log.warning("vendor_message_unreadable", provider="openai-realtime", kind="audio")
            return
        whole = len(audio) - len(audio) % self._audio.bytes_per_sample
        audio, asked.rest = audio[:whole], audio[whole:]
        if not audio:
            return
        asked.audible = True
        for message in self._messages.get(asked.reply, ()):
            if message.item_id == item_id:
                message.audio_bytes += len(audio)
        self._tell(ReplyAudio(asked.reply, audio))

    def _said(self, asked: _Asked, item_id: str, words: str) -> None:
        item = self._memory.find(item_id)
        if item is not None:
            item.text += words
        asked.said = words or asked.said
        self._tell(ReplyWords(asked.reply, words))

    def _done(self, asked: _Asked, response: wire.ServerResponse) -> None:
        usage = wire.usage_of(response.usage, self._model)
        details = response.status_details or wire.StatusDetails()
        if response.status == "failed":
            error = details.error or wire.ServerError()
            problem = presentable(error.message or error.code or "the model failed", self._key)
            self._end(asked, ReplyFailed(asked.reply, problem))
            return
        reasons: dict[str, StopReason] = {"max_output_tokens": "max_tokens", "content_filter": "refused"}
        reason: StopReason = reasons.get(details.reason or "", "stop") if response.status == "incomplete" else "stop"
        self._end(asked, ReplyOver(asked.reply, usage, reason))

    def _end(self, asked: _Asked, told: SpokenReplyEvent | None) -> None:
        self._active, self._response_id = None, ""
        if told is not None and not asked.cancelled:
            self._tell(told)
        elif isinstance(told, ReplyOver) and told.usage:
            self._tell(ReplyOver(0, told.usage))  # what was cancelled is paid for all the same
        self.go_on()
