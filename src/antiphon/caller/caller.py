"""One simulated call: rings the server, opens the stream, speaks and listens until the script is done.

Two things drive a caller, both on the event loop and never awaiting: ``tick`` (a 20 ms frame is complete) and ``_take`` (a
message has arrived). ``call`` only dials, waits for the end, and hangs up.
"""

from __future__ import annotations

import asyncio
import binascii
import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from antiphon.caller.beat import CallerBeat
from antiphon.caller.clips import LineNoise
from antiphon.caller.dialogue import Cued, Dialogue, Patience
from antiphon.caller.hearing import AUDIBLE_DBFS, UTTERANCE_GAP_MS, Hearing, Utterance
from antiphon.caller.impairment import Impairment, Link
from antiphon.caller.lateness import Spacing
from antiphon.caller.measure import Spoken
from antiphon.caller.path import Path
from antiphon.caller.playout import Playout
from antiphon.caller.record import CallRecord, Recording
from antiphon.caller.socket import MediaSocket, open_media_socket
from antiphon.caller.webhook import (
    CallFailed,
    CallRefused,
    Identity,
    Stream,
    ask_webhook,
    handshake_headers,
    new_stream_ids,
)
from antiphon.caller.wire import (
    CONNECTED,
    FRAME_MS,
    Mark,
    Media,
    ServerMessage,
    Uplink,
    parse,
)
from antiphon.errors import MalformedMessage

HANG_UP_S = 2.0
"""The server has this long to close its side."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What to call and what to do there. Exactly one of ``webhook_url`` and ``media_url`` is set."""

    lines: tuple[Cued, ...]
    webhook_url: str = ""
    media_url: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Custom parameters of the stream, where no webhook gives them."""
    identity: Identity = field(default_factory=Identity)
    patience: Patience = field(default_factory=Patience)
    noise: LineNoise = field(default_factory=lambda: LineNoise(None))
    impairment: Impairment = field(default_factory=Impairment)
    """Both ways, independently."""
    limit_ms: int = 300_000
    """A call longer than this is ended as broken."""
    keep_audio: bool = False
    """Record both sides: 16 kB a second."""
    audible_dbfs: float = AUDIBLE_DBFS
    """What is softer is not the agent's voice."""
    pause_ms: int = UTTERANCE_GAP_MS
    """A pause of the agent's as long as this parts two utterances."""


class Observer(Protocol):
    """Is told what happens on a call while it lasts."""

    def begins(self, call_sid: str) -> None:
        """The stream is open."""
        ...

    def caller_speaks(self, spoken: Spoken) -> None:
        """The caller has begun a line (its end is a forecast)."""
        ...

    def agent_spoke(self, utterance: Utterance, audio: bytes) -> None:
        """The agent has been quiet for a moment. ``audio`` is what was heard (8 kHz µ-law) where audio is kept."""
        ...


class Caller:
    """One call. Use once."""

    def __init__(self, plan: CallPlan, beat: CallerBeat, *, number: int = 1, observer: Observer | None = None) -> None:
        self.ids = new_stream_ids(plan.identity.account_sid)
        self._number = number
        self._plan = plan
        self._beat = beat
        self._observer = observer
        # What the caller takes for the end of the agent's speech cannot lie within an utterance.
        self._gap_ms = min(plan.pause_ms, plan.patience.agent_done_ms)
        self._hearing = Hearing(self._gap_ms, plan.audible_dbfs)
        self._playout = Playout(keep_audio=plan.keep_audio)
        self._dialogue = Dialogue(plan.lines, plan.patience, plan.noise, self._hearing)
        self._spacing = Spacing()
        self._faults: Counter[str] = Counter()
        self._media_messages = 0
        self._uplink = Uplink(self.ids)
        self._socket = MediaSocket(self._on_text, self._on_closed)
        self._up: Path[bytes] | None = None
        self._down: Path[ServerMessage] | None = None
        if not plan.impairment.perfect:
            self._up = Path(Link(plan.impairment, f"up {number}"), self._socket.send, self._now_ms)
            self._down = Path(Link(plan.impairment, f"down {number}"), self._take, self._now_ms)
        self._origin_ms = 0.0
        self._started_wall_ms = 0
        self._frames_sent = 0
        self._said_from_ms: float | None = None
        self._said = bytearray()
        self._told_spoken = 0
        self._told_utterances = 0
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._closed = asyncio.Event()

    async def call(self, client: httpx.AsyncClient) -> CallRecord:
        """Place the call and live through it. Never raises for what a server does: see ``CallRecord.problem``."""
        plan = self._plan
        rang_wall_ms = time.time_ns() // 1_000_000
        try:
            if plan.media_url:
                stream = Stream(plan.media_url, plan.parameters)
            else:
                stream = await ask_webhook(client, plan.webhook_url, plan.identity, self.ids)
            headers = handshake_headers(stream.url, plan.identity.auth_token)
            await open_media_socket(stream.url, headers, self._socket)
        except CallFailed as failure:
            refused = isinstance(failure, CallRefused)
            return CallRecord(
                self._number, self.ids.call_sid, str(failure), refused, self._dialogue.unsaid, rang_wall_ms
            )
        try:
            self._begin(stream)
            problem = await self._ended
            duration_ms = self._now_ms()
        finally:
            await self._hang_up()
        return self._record(stream, problem, duration_ms)

    def hang_up(self) -> None:
        """End the call now, whatever is unsaid: ``call`` returns its record (if its stream is not open yet, as soon as it is)."""
        self._end("")

    def tick(self, now_ms: float) -> None:
        """A frame of 20 ms is complete: send it, and play what was received. ``now_ms`` is the beat's clock."""
        now_ms -= self._origin_ms
        if self._said_from_ms is None:
            self._said_from_ms = now_ms - FRAME_MS
        frame = self._dialogue.tick(now_ms)
        self._transmit(self._uplink.media(frame, self._frames_sent * FRAME_MS), media=True)
        self._frames_sent += 1
        if self._plan.keep_audio:
            self._said += binascii.a2b_base64(frame)
        key = self._dialogue.take_key(now_ms)
        if key is not None:
            self._transmit(self._uplink.dtmf(key), media=False)
        self._playout.advance(now_ms)
        self._echo_marks()
        if self._observer is not None:
            self._tell(self._observer, now_ms)
        if self._dialogue.finished:
            self._end("")
        elif now_ms > self._plan.limit_ms:
            self._end(f"the call was not over after {self._plan.limit_ms / 1000:g} s")

    def _begin(self, stream: Stream) -> None:
        self._origin_ms = self._beat.now_ms()
        self._started_wall_ms = time.time_ns() // 1_000_000
        self._socket.send(CONNECTED)
        self._socket.send(self._uplink.start(stream.parameters))
        if self._observer is not None:
            self._observer.begins(self.ids.call_sid)
        self._beat.add(self)

    async def _hang_up(self) -> None:
        self._beat.remove(self)
        for path in (self._up, self._down):
            if path is not None:
                path.close()
        if not self._closed.is_set():
            self._socket.send(self._uplink.stop())
            self._socket.close()
            try:
                await asyncio.wait_for(self._closed.wait(), HANG_UP_S)
            except TimeoutError:
                self._faults["close_not_answered"] += 1
                self._socket.abort()

    def _now_ms(self) -> float:
        return self._beat.now_ms() - self._origin_ms

    def _end(self, problem: str) -> None:
        self._beat.remove(self)
        if not self._ended.done():
            self._ended.set_result(problem)

    def _on_closed(self, reason: str) -> None:
        self._closed.set()
        unsaid = self._dialogue.unsaid
        lines = f"{unsaid} line{'s' if unsaid != 1 else ''} unsaid"
        # An agent that hangs up once everything has been said (after its goodbye) is in its right.
        self._end(f"the server ended the call ({reason}) with {lines}" if unsaid else "")

    def _on_text(self, message: bytes) -> None:
        try:
            parsed = parse(message, self.ids.stream_sid)
        except MalformedMessage as error:
            self._faults[error.kind] += 1
            return
        if self._down is not None:
            self._down.push(parsed, media=isinstance(parsed, Media))
        else:
            self._take(parsed)

    def _take(self, message: ServerMessage) -> None:
        now_ms = self._now_ms()
        if isinstance(message, Media):
            self._media_messages += 1
            self._spacing.arrived(now_ms, len(message.audio) / 8)
            heard_ms = self._playout.receive(message.audio, now_ms)
            if heard_ms is not None:
                self._hearing.feed(message.audio, received_ms=now_ms, heard_ms=heard_ms)
        elif isinstance(message, Mark):
            self._playout.mark(message.name, now_ms)
        else:
            self._spacing.interrupted()
            self._playout.clear(now_ms)
            self._hearing.cut(now_ms)
        self._echo_marks()

    def _echo_marks(self) -> None:
        for name in self._playout.echoes():
            self._transmit(self._uplink.mark(name), media=False)

    def _transmit(self, message: bytes, *, media: bool) -> None:
        if self._up is not None:
            self._up.push(message, media=media)
        else:
            self._socket.send(message)

    def _tell(self, observer: Observer, now_ms: float) -> None:
        for utterance in self._hearing.utterances[self._told_utterances :]:
            # Only what is certainly over: a ``clear`` can still undo what lies ahead.
            if now_ms < utterance.heard_to_ms + self._gap_ms:
                break
            self._told_utterances += 1
            span_ms = (utterance.heard_from_ms, utterance.heard_to_ms)
            observer.agent_spoke(utterance, self._playout.heard(*span_ms) if self._plan.keep_audio else b"")
        for spoken in self._dialogue.spoken[self._told_spoken :]:
            self._told_spoken += 1
            observer.caller_speaks(spoken)

    def _record(self, stream: Stream, problem: str, duration_ms: float) -> CallRecord:
        self._playout.advance(duration_ms)
        self._hearing.end(duration_ms)
        if self._observer is not None:
            self._tell(self._observer, math.inf)
        links = [path.link for path in (self._up, self._down) if path is not None]
        return CallRecord(
            number=self._number,
            call_sid=self.ids.call_sid,
            problem=problem,
            unsaid=self._dialogue.unsaid,
            started_wall_ms=self._started_wall_ms,
            duration_ms=duration_ms,
            spoken=tuple(self._dialogue.spoken),
            utterances=tuple(self._hearing.utterances),
            cuts_ms=tuple(self._hearing.cuts_ms),
            media_messages=self._media_messages,
            underruns=self._playout.underruns,
            underrun_ms=self._playout.underrun_ms,
            playout_lateness=self._playout.lateness,
            cleared_ms=self._playout.cleared_ms,
            frame_lateness=self._spacing.lateness,
            faults=dict(self._faults + self._socket.faults),
            lost=sum(link.lost for link in links),
            reordered=sum(link.reordered for link in links),
            warnings=stream.warnings,
            recording=self._recording(duration_ms),
        )

    def _recording(self, duration_ms: float) -> Recording | None:
        if not self._plan.keep_audio:
            return None
        heard = self._playout.heard(0.0, duration_ms)
        lead = round((self._said_from_ms or 0.0) * 8)
        said = b"\xff" * lead + bytes(self._said[max(0, -lead) :])
        return Recording(said[: len(heard)].ljust(len(heard), b"\xff"), heard)
