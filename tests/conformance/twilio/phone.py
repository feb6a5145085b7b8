"""A telephone on a real media stream, driven by hand: it sends 20 ms frames, plays what it is told to, and answers marks.

``Caller`` (antiphon.caller) follows a script; this one does what a test says, and can do it wrong. Wire, playout and
handshake are the simulated caller's own, so that both obey one reading of Twilio's documents.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import math
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from picows import WSListener, WSMsgType, WSTransport, ws_connect
from tests.stopwatch import Stopwatch

from antiphon.caller.beat import CallerBeat
from antiphon.caller.clips import Clip, LineNoise
from antiphon.caller.hearing import Hearing
from antiphon.caller.playout import SAMPLES_PER_MS, Playout
from antiphon.caller.socket import CONNECT_TIMEOUT_S, MediaSocket
from antiphon.caller.webhook import Identity, Stream, ask_webhook, handshake_headers, new_stream_ids
from antiphon.caller.wire import CONNECTED, FRAME_MS, Clear, Mark, Media, Uplink, parse

AUTH_TOKEN = "the-auth-token-of-the-account"
IDENTITY = Identity(auth_token=AUTH_TOKEN)
LINE_NOISE = LineNoise(-55.0)
"""A real line is never digitally silent."""

Marks = Literal["prompt", "late", "never", "twice", "early"]
"""How the telephone answers marks: as Twilio does, 300 ms late, never, twice, or before their time."""
LATE_MS = 300


@dataclass(frozen=True, slots=True)
class Received:
    """One message of the server's, at the moment it came (ms since the stream began)."""

    at_ms: float
    text: bytes

    @property
    def event(self) -> str:
        return str(json.loads(self.text)["event"])


class Phone:
    """One stream. Use once; times are milliseconds since it began."""

    def __init__(self, beat: CallerBeat, *, marks: Marks = "prompt", identity: Identity = IDENTITY) -> None:
        self.ids = new_stream_ids(identity.account_sid)
        self.identity = identity
        self.stream = Stream("")
        self.uplink = Uplink(self.ids)
        self.playout = Playout(keep_audio=True)
        self.hearing = Hearing()
        self.received: list[Received] = []
        self.clears_ms: list[float] = []
        self.most_buffered_ms = 0.0
        """The most there ever was to play."""
        self.mark_names: list[str] = []
        self.closed = asyncio.Event()
        self.close_reason = ""
        self.closed_ms = math.inf
        self.sends_frames = True
        """Off: the line falls silent as a dead connection does, not as a quiet caller does."""
        self.said = bytearray()
        """What it sent, as µ-law."""
        self.transform: Callable[[bytes, float], bytes] | None = None
        """Changes each outgoing µ-law frame, given the frame and its position in all that was sent (a loudspeaker's echo)."""
        self._marks = marks
        self._delayed: list[tuple[float, str]] = []
        self._beat = beat
        self._socket = MediaSocket(self._on_text, self._on_closed)
        self._tcp: WSTransport | None = None
        self._origin_ms = 0.0
        self._frames: list[bytes] = []
        self._frames_sent = 0
        self._ticked_ms = 0.0
        self._changed = asyncio.Event()

    def __str__(self) -> str:
        state = f"closed ({self.close_reason})" if self.closed.is_set() else "open"
        heard = [f"{each.start_ms:.0f}-{each.end_ms:.0f}" for each in self.playout.stretches]
        return f"{self.ids.call_sid}: {state}, at {self.now_ms:.0f} ms, {len(self.received)} messages, heard {heard}"

    # ---------------------------------------------------------------------------------- life

    async def ring(self, http: httpx.AsyncClient, webhook_url: str) -> None:
        """Ask the voice webhook where the media goes. Raises CallFailed."""
        self.stream = await ask_webhook(http, webhook_url, self.identity, self.ids)

    async def connect(self, *, receive_buffer: int = 0) -> None:
        """Open the media socket; nothing is said on it yet. ``receive_buffer``: the kernel's, where not its usual."""

        def narrow(_url: Any) -> socket.socket:
            tcp = socket.socket()
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            tcp.setblocking(False)
            return tcp

        async def narrow_connected(url: Any) -> socket.socket:
            tcp = narrow(url)
            await asyncio.get_running_loop().sock_connect(tcp, (url.host, url.port))
            return tcp

        def listener() -> WSListener:
            return self._socket

        self._tcp, _ = await ws_connect(
            listener,
            self.stream.url,
            extra_headers=handshake_headers(self.stream.url, self.identity.auth_token),
            websocket_handshake_timeout=CONNECT_TIMEOUT_S,
            max_redirects=0,
            socket_factory=narrow_connected if receive_buffer else None,
        )
        self._origin_ms = self._beat.now_ms()

    def begin(self) -> None:
        """``connected``, ``start``, and a frame every 20 ms from now on."""
        self._origin_ms = self._beat.now_ms()
        self.send(CONNECTED)
        self.send(self.uplink.start(self.stream.parameters))
        self.run()

    def run(self) -> None:
        """Send a frame every 20 ms, and play, from now on."""
        self._beat.add(self)

    async def hang_up(self) -> None:
        """As a caller does: ``stop``, then close. Does nothing where the stream is over."""
        self._beat.remove(self)
        if self._tcp is not None and not self.closed.is_set():
            self.send(self.uplink.stop())
            self._socket.close()
            try:
                await asyncio.wait_for(self.closed.wait(), 2)
            except TimeoutError:
                self._socket.abort()

    def drop(self) -> None:
        """Close without a ``stop``."""
        self._beat.remove(self)
        self._socket.close()

    def reset(self) -> None:
        """TCP RST, as of a machine that lost power and came back. Does nothing where the connection is gone."""
        self._beat.remove(self)
        if self.closed.is_set():
            return
        tcp = self._transport.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def stop_reading(self) -> None:
        """Read nothing more; frames still go out."""
        self._transport.pause_reading()

    @property
    def _transport(self) -> Any:
        assert self._tcp is not None
        return self._tcp.underlying_transport

    # ---------------------------------------------------------------------------------- the caller

    def send(self, message: bytes | str) -> None:
        self._socket.send(message.encode() if isinstance(message, str) else message)

    def send_raw(self, kind: WSMsgType, payload: bytes, *, fin: bool = True) -> None:
        """One frame of any kind."""
        assert self._tcp is not None
        self._tcp.send(kind, payload, fin)

    def say(self, *clips: Clip) -> float:
        """Speak, from the next frame on. Returns when the last sound of it will have been, in ms."""
        began_ms = self._ticked_ms + FRAME_MS * len(self._frames)
        for clip in clips:
            self._frames += clip.frames
        before_ms = sum(clip.duration_ms for clip in clips[:-1])
        return began_ms + before_ms + clips[-1].offset_ms

    def send_audio(self, audio: bytes) -> None:
        """One media message, of any length, at its place in time."""
        payload = binascii.b2a_base64(audio, newline=False)
        self.send(self.uplink.media(payload, len(self.said) // SAMPLES_PER_MS))
        self.said += audio

    def press(self, digits: Iterable[str]) -> None:
        for digit in digits:
            self.send(self.uplink.dtmf(digit))

    @property
    def now_ms(self) -> float:
        return self._beat.now_ms() - self._origin_ms

    @property
    def speaking(self) -> bool:
        return bool(self._frames)

    @property
    def machine_late_ms(self) -> float:
        """The most by which a telephone of this server was late itself: what this machine adds to every figure."""
        return self._beat.lateness.worst_ms

    @property
    def faults(self) -> dict[str, int]:
        """What the server sent that Twilio does not take."""
        return dict(self._socket.faults)

    def tick(self, now_ms: float) -> None:
        """A frame of 20 ms is complete (called by the beat)."""
        now_ms -= self._origin_ms
        self._ticked_ms = now_ms
        frame = self._frames.pop(0) if self._frames else LINE_NOISE.frames[self._frames_sent % 50]
        if self.sends_frames:
            audio = binascii.a2b_base64(frame)
            if self.transform is not None:
                audio = self.transform(audio, len(self.said) / SAMPLES_PER_MS)
            self.send_audio(audio)
            self._frames_sent += 1
        self.playout.advance(now_ms)
        self._answer_marks(now_ms)
        self._changed.set()

    # ---------------------------------------------------------------------------------- what it hears

    async def until(self, condition: Callable[[], object], within_s: float = 60.0) -> None:
        """Wait until something is so. It is looked at whenever a message came or a frame left. Raises AssertionError."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"it never happened; {self}") from None

    async def until_quiet(self, quiet_ms: float = 400, within_s: float = 60.0) -> None:
        """Until the agent has said something and then nothing for so long."""
        hearing = self.hearing
        await self.until(lambda: hearing.utterances and self.now_ms > hearing.spoken_until_ms + quiet_ms, within_s)

    async def until_hears(self, heard_ms: float, within_s: float = 60.0) -> None:
        """Until so much of the agent's present stretch was played."""
        playing = self.playout

        def reached() -> bool:
            return playing.playing is not None and self.now_ms >= playing.playing.start_ms + heard_ms

        await self.until(reached, within_s)

    @property
    def heard_ms(self) -> float:
        """How much was played."""
        playing = self.playout.playing
        present_ms = self.now_ms - playing.start_ms if playing is not None else 0.0
        return sum(each.end_ms - each.start_ms for each in self.playout.stretches) + present_ms

    def heard(self) -> bytes:
        """All that was played, as µ-law, without the silence between."""
        return b"".join(self.stretches())

    def stretches(self) -> list[bytes]:
        """What was played, one piece for each stretch without a hole."""
        ended = list(self.playout.stretches)
        if self.playout.playing is not None:
            ended.append(self.playout.playing)
        return [self._played(each.start_ms, min(each.end_ms, self.now_ms)) for each in ended]

    def _played(self, from_ms: float, to_ms: float) -> bytes:
        # Whole samples only: of the sample in which a ``clear`` fell, nothing was heard.
        samples = math.floor((to_ms - from_ms) * SAMPLES_PER_MS)
        return self.playout.heard(from_ms, from_ms + samples / SAMPLES_PER_MS)

    def _on_text(self, text: bytes) -> None:
        now_ms = self.now_ms
        self.received.append(Received(now_ms, text))
        match parse(text, self.ids.stream_sid):
            case Media(audio):
                heard_ms = self.playout.receive(audio, now_ms)
                self.most_buffered_ms = max(self.most_buffered_ms, self.playout.buffered_ms(now_ms))
                assert heard_ms is not None
                self.hearing.feed(audio, received_ms=now_ms, heard_ms=heard_ms)
            case Mark(name):
                self.mark_names.append(name)
                self.playout.mark(name, now_ms)
                if self._marks == "early":
                    self.send(self.uplink.mark(name))
            case Clear():
                self.clears_ms.append(now_ms)
                self.playout.clear(now_ms)
                self.hearing.cut(now_ms)
        self._answer_marks(now_ms)
        self._changed.set()

    def _answer_marks(self, now_ms: float) -> None:
        for name in self.playout.echoes():
            if self._marks == "late":
                self._delayed.append((now_ms + LATE_MS, name))
            elif self._marks in ("prompt", "twice"):
                for _ in range(2 if self._marks == "twice" else 1):
                    self.send(self.uplink.mark(name))
        while self._delayed and self._delayed[0][0] <= now_ms:
            self.send(self.uplink.mark(self._delayed.pop(0)[1]))

    def _on_closed(self, reason: str) -> None:
        self._beat.remove(self)
        self.close_reason = reason
        self.closed_ms = self.now_ms
        self.closed.set()
        self._changed.set()


async def eventually(condition: Callable[[], object], within_s: float = 60.0) -> None:
    """Wait for something that no telephone can see, as long as this machine gave us. Raises TimeoutError."""
    watch = Stopwatch()
    while not condition():
        if watch.wall_s > within_s and watch.own_s > within_s:
            raise TimeoutError("it never happened")
        await asyncio.sleep(0.005)
