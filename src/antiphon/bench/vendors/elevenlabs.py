"""ElevenLabs' ``multi-stream-input`` for many calls: a hum as long as the text, in messages that come faster than they are spoken.

µ-law or linear PCM at 8 kHz; five contexts a connection, as the vendor has it. A context that is closed says what it was given before it
ends, and ``close_socket`` ends them all (elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from antiphon.audio import g711
from antiphon.bench.vendors.delays import Delays
from antiphon.bench.vendors.messages import elevenlabs_audio
from antiphon.bench.vendors.trouble import Plan, Trouble

MOST_CONTEXTS = 5
SILENCE = b"\xff"
DOCUMENTED = "contextId"
"""Of a context's name in what the vendor sends. Some clients know no other …"""
SPELLINGS = ("context_id", DOCUMENTED)
"""… but both occur."""
FORMATS = ("ulaw_8000", "pcm_8000")

Sound = Callable[[str, int], bytes]
"""The µ-law bytes of a piece of text that begins at so many characters of its context; every character is as long as the next."""


@dataclass
class _Context:
    name: str
    trouble: Trouble | None
    text: str = ""
    at: int = 0
    messages: int = 0
    closing: bool = False
    timer: asyncio.TimerHandle | None = None


class ElevenLabsListener(WSListener):
    """One connection, with the replies of several calls."""

    def __init__(
        self,
        sound: Sound,
        ms_per_character: float,
        delays: Delays,
        plan: Plan,
        output_format: str = FORMATS[0],
        spellings: Sequence[str] = SPELLINGS,
    ) -> None:
        """``spellings``: those of ``SPELLINGS`` that its messages have, in turn."""
        super().__init__()
        self._sound, self._ms, self._delays, self._plan = sound, ms_per_character, delays, plan
        self._linear = output_format == "pcm_8000"
        self._spellings = spellings
        self._characters = max(1, round(delays.message_audio_ms / ms_per_character))
        self._contexts: dict[str, _Context] = {}
        self._transport: WSTransport | None = None

    @property
    def at_work(self) -> int:
        """Contexts that are open."""
        return len(self._contexts)

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        for context in self._contexts.values():
            if context.timer is not None:
                context.timer.cancel()
        self._contexts.clear()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), b"")
            transport.disconnect()
            return
        if frame.msg_type is not WSMsgType.TEXT:
            return
        message = orjson.loads(frame.get_payload_as_bytes())
        if message.get("close_socket"):
            transport.send_close(WSCloseCode.OK, b"")
            transport.disconnect()
            return
        name = message.get("context_id")
        if name is None:  # keeps the connection alive
            return
        context = self._contexts.get(name)
        if context is None:
            if message.get("close_context"):
                return
            if len(self._contexts) >= MOST_CONTEXTS:
                transport.send_close(WSCloseCode.POLICY_VIOLATION, b"Maximum simultaneous contexts exceeded (5).")
                transport.disconnect()
                return
            context = self._contexts[name] = _Context(name, self._plan.next("elevenlabs"))
        if message.get("close_context"):
            context.closing = True
        elif message.get("text", "").strip():
            # Each piece is spoken for itself: the next one does not go on with its last word.
            context.text += message["text"] if message["text"][-1].isspace() else f"{message['text']} "
        self._wake(context)

    def _wake(self, context: _Context) -> None:
        """Go on where it waits for text or for its end."""
        if context.timer is not None or context.trouble == "stalled":
            return
        if context.at < len(context.text):
            self._later(context, self._delays.first_audio_ms)
        elif context.closing:
            self._end(context)

    def _later(self, context: _Context, delay_ms: float) -> None:
        context.timer = asyncio.get_running_loop().call_later(delay_ms / 1000, self._speak, context)

    def _speak(self, context: _Context) -> None:
        context.timer = None
        transport = self._transport
        if transport is None:
            return
        if context.trouble in ("killed", "throttled") and context.messages >= 1:
            transport.disconnect(graceful=False)
            return
        text = context.text[context.at : context.at + self._characters]
        sound = self._sound(text, context.at)
        if context.trouble == "silent":
            sound = SILENCE * len(sound)
        if self._linear:
            sound = g711.mulaw_decode(np.frombuffer(sound, dtype=np.uint8)).astype("<i2").tobytes()
        message = elevenlabs_audio(base64.b64encode(sound).decode(), text, self._ms)
        message[self._spellings[context.messages % len(self._spellings)]] = context.name
        context.at += len(text)
        context.messages += 1
        if context.trouble == "garbled" and context.messages == 2:
            transport.send(WSMsgType.TEXT, b'{"audio":"')
        else:
            transport.send(WSMsgType.TEXT, orjson.dumps(message))
        if context.at < len(context.text):
            self._later(context, self._delays.message_every_ms)
        elif context.closing:
            self._end(context)

    def _end(self, context: _Context) -> None:
        self._contexts.pop(context.name, None)
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, orjson.dumps({"isFinal": True, "contextId": context.name}))
