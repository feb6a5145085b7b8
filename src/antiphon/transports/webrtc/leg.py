"""One browser on aiortc's ICE, DTLS and SCTP and our own RTP: the ``WebRtcLeg`` of the aiortc engine.

    answering ──▶ connecting ──▶ live ──▶ closed

What arrives is handled in the moment it arrives, without a task between the socket and the session. Time is looked at by ``check``,
which one ``SocketWatch`` calls for all legs, and by the pacer's beat.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import Enum, auto

import structlog

from antiphon.clock import Clock
from antiphon.errors import CapacityError
from antiphon.transports.base import CallSink, LostReason
from antiphon.transports.webrtc import rtp
from antiphon.transports.webrtc.answer import Answer, write_answer
from antiphon.transports.webrtc.base import EventTooLarge, LegListener
from antiphon.transports.webrtc.events import EventChannel
from antiphon.transports.webrtc.ice import IceLink
from antiphon.transports.webrtc.inbound import Inbound
from antiphon.transports.webrtc.opus import OpusEncoder
from antiphon.transports.webrtc.outbound import Frame, Outbound
from antiphon.transports.webrtc.sdp import Offer, Setup
from antiphon.transports.webrtc.secure import SecureLink
from antiphon.transports.webrtc.settings import WebRtcSettings
from antiphon.vocabulary import AudioFormat, Encoding

REPORT_EVERY_MS = 5000
"""RTCP to the client. It tunes its encoder to the loss that we report; more often tells it nothing more."""
MAX_PACKETS_PER_CHECK = 400
"""Media between two checks, 250 ms apart: thirty times the usual, so that what a stalled network lets go at once is taken."""
MAX_MESSAGES_PER_CHECK = 1000
_STEP_TIMEOUT_S = 1.0
_LINGER_STEP_S = 0.02
log = structlog.get_logger(__name__)


class _State(Enum):
    ANSWERING = auto()
    CONNECTING = auto()
    LIVE = auto()
    CLOSED = auto()


class Leg:
    """Made by the engine, which is told by ``on_gone`` when everything of it has been freed."""

    marks = False
    paced = True

    def __init__(
        self,
        offer: Offer,
        settings: WebRtcSettings,
        clock: Clock,
        listener: LegListener,
        on_gone: Callable[[Leg], None],
    ) -> None:
        self.format_in = AudioFormat(Encoding.PCM16, settings.rate_in_hz)
        self.format_out = AudioFormat(Encoding.PCM16, settings.rate_out_hz)
        self.max_event_bytes = offer.data.max_message_bytes if offer.data is not None else 0
        self.anomalies: Counter[str] = Counter()
        self._offer = offer
        self._settings = settings
        self._clock = clock
        self._listener = listener
        self._on_gone = on_gone
        self._state = _State.ANSWERING
        self._sink: CallSink | None = None
        self._setup: Setup = "passive" if offer.setup == "active" else "active"
        self._link = IceLink(settings.ice, self._media_arrived)
        self._secure = SecureLink(self._link)
        self._events: EventChannel | None = None
        if offer.data is not None:
            self._events = EventChannel(
                self._secure, offer.data, settings, self._channel_opened, self._message, self._channel_gone
            )
        self._inbound = Inbound(
            offer.audio, settings.rate_in_hz, settings.reorder_wait_ms, self._audio_arrived, self._key_pressed
        )
        encoder = OpusEncoder(settings.rate_out_hz, settings.bitrate_bps, settings.complexity)
        ssrc = secrets.randbits(32)
        self._outbound = Outbound(self.format_out, encoder, offer.audio.opus, ssrc, settings.max_backlog_ms)
        self._speaks = offer.audio.direction in ("sendrecv", "recvonly")
        self._cname = secrets.token_hex(8)
        self._connecting: asyncio.Task[None] | None = None
        self._tearing_down: asyncio.Task[None] | None = None
        self._began_ms = self._heard_at_ms = self._reported_ms = clock.now_ms()
        self._packets = self._messages = 0
        self._packets_checked = self._messages_checked = self._signs_checked = 0

    # What the engine does.

    async def answer(self) -> str:
        """Open the ports and write the answer; from then on the leg connects by itself. Raises CapacityError when no port is free."""
        candidates = await self._link.gather(self._settings.gather_timeout_ms)
        if not candidates:
            raise CapacityError("full")
        answer = Answer(
            session_id=secrets.randbits(62),
            ssrc=self._outbound.sent.ssrc,
            cname=self._cname,
            ice_username=self._link.username,
            ice_password=self._link.password,
            fingerprint=self._secure.fingerprint,
            setup=self._setup,
            candidates=candidates,
            rate_in_hz=self._settings.rate_in_hz,
            rate_out_hz=self._settings.rate_out_hz,
            bitrate_bps=self._settings.client_bitrate_bps,
            sctp_port=self._events.port if self._events is not None else 0,
        )
        text = write_answer(self._offer, answer)
        if self._state is _State.ANSWERING:
            self._state = _State.CONNECTING
            self._began_ms = self._clock.now_ms()
            self._connecting = asyncio.get_running_loop().create_task(self._connect(), name="webrtc-connect")
        return text

    async def _connect(self) -> None:
        offer = self._offer
        try:
            await self._link.connect(offer.ice_username, offer.ice_password, offer.ice_lite, offer.candidates)
            await self._secure.shake_hands(offer.fingerprints, self._setup)
            self._secure.when_ended(self._secure_ended)
            if self._events is not None:
                await self._events.start()
        except ConnectionError:
            self._lose("reset")
        except Exception as error:
            self.fail_ours(error)
        else:
            if self._state is _State.CONNECTING:
                self._state = _State.LIVE
                log.info("webrtc_leg_connected", after_ms=self._clock.now_ms() - self._began_ms)
                self._tell(self._listener.connected)

    # What the session says (CallTransport), and the surface.

    def listen(self, sink: CallSink) -> None:
        if self._state is not _State.CLOSED:
            self._sink = sink

    def send_audio(self, audio: bytes) -> None:
        if self._state is not _State.CLOSED:
            self._outbound.write(audio)

    def send_mark(self, name: str) -> None:
        """There are no marks on RTP: playback is estimated by the clock."""

    def clear(self) -> None:
        self._outbound.clear()

    def unsent_bytes(self) -> int:
        """None: what waits, waits for its time. UDP takes everything."""
        return 0

    def send_event(self, text: str) -> None:
        if self._state is _State.CLOSED:
            return
        if self._events is None:
            raise EventTooLarge(len(text), 0)
        self._events.send(text)

    def unsent_event_bytes(self) -> int:
        return self._events.unsent_bytes() if self._events is not None else 0

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self._state is not _State.CLOSED:
            self._end()

    # What the client says.

    def _media_arrived(self, data: bytes) -> None:
        """SRTP or SRTCP, straight from the socket. Only what can be decrypted is known to be the client's."""
        if rtp.is_rtcp(data) or self._state is _State.CLOSED:
            return
        packet = self._secure.open_media(data)
        if packet is None:
            self.anomalies["undecryptable"] += 1
            return
        self._packets += 1
        try:
            self._inbound.receive(packet, self._clock.now_ms())
        except Exception as error:
            self.fail_ours(error)

    def _audio_arrived(self, pcm: bytes, media_ms: int) -> None:
        if self._sink is not None:
            self._sink.audio(pcm, media_ms)
        else:
            self.anomalies["before_listen"] += 1

    def _key_pressed(self, key: str) -> None:
        if self._sink is not None:
            self._sink.dtmf(key)

    def _channel_opened(self, label: str) -> None:
        self._tell(lambda: self._listener.channel_opened(label))

    def _message(self, text: str) -> None:
        self._messages += 1
        if self._state is not _State.CLOSED:
            self._tell(lambda: self._listener.message(text))

    def _channel_gone(self, reason: LostReason) -> None:
        self._lose(reason)

    def _secure_ended(self, error: BaseException | None) -> None:
        if error is not None:
            self.anomalies[f"dtls_{type(error).__name__}"] += 1
        self._lose("hangup" if error is None and not self._link.closed else "reset")

    # What time does.

    def beat(self, now_ms: int) -> None:
        self._inbound.release(now_ms)

    def next_frame(self, beat: int) -> Frame | None:
        return self._outbound.next_frame(beat) if self._state is _State.LIVE and self._speaks else None

    def encode(self, frame: Frame) -> bytes:
        return self._outbound.encode(frame)

    def transmit(self, frame: Frame, opus: bytes) -> None:
        packet = self._outbound.packet(frame, opus)
        if packet is not None and self._state is _State.LIVE:
            self._link.send(self._secure.seal_media(packet))

    def check(self, now_ms: int) -> None:
        """Find a client that never came, is gone, or floods. Called a few times a second."""
        packets, messages = self._packets - self._packets_checked, self._messages - self._messages_checked
        self._packets_checked, self._messages_checked = self._packets, self._messages
        signs = self._signs_of_life()
        if signs != self._signs_checked:
            self._signs_checked, self._heard_at_ms = signs, now_ms
        if self._state is _State.CONNECTING:
            if now_ms - self._began_ms >= self._settings.connect_timeout_ms:
                self._lose("stalled")
        elif self._state is _State.LIVE:
            if packets > MAX_PACKETS_PER_CHECK or messages > MAX_MESSAGES_PER_CHECK:
                self._lose("violation")
            elif now_ms - self._heard_at_ms >= self._settings.silence_timeout_ms:
                self._lose("stalled")
            elif now_ms - self._reported_ms >= REPORT_EVERY_MS:
                self._reported_ms = now_ms
                self._report()

    def excuse(self, now_ms: int) -> None:
        """This process was held up: the client may have been there all the time."""
        self._packets_checked, self._messages_checked = self._packets, self._messages
        self._heard_at_ms = now_ms

    def _signs_of_life(self) -> int:
        """How much has come that nobody but the client can have sent."""
        return self._packets + self._link.checks + (self._events.received if self._events is not None else 0)

    def _report(self) -> None:
        outbound = self._outbound
        packet = rtp.report(
            outbound.sent,
            outbound.timestamp_at(self._clock.now_ms()),
            self._clock.wall_ms(),
            self._inbound.heard,
            self._cname,
        )
        self._link.send(self._secure.seal_control(packet))

    # The end.

    def fail_ours(self, error: Exception) -> None:
        """Our own code, or the owner's, failed on this leg: it ends, the process goes on. Never raises."""
        log.error("webrtc_leg_failed", error_type=type(error).__name__, exc_info=error)
        self._lose("reset")

    def _tell(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            self.fail_ours(error)

    def _lose(self, reason: LostReason) -> None:
        """The leg is gone, not by ``close``: free it, and say so."""
        if self._state is _State.CLOSED:
            return
        sink, listener = self._sink, self._listener
        self._end()
        log.info("webrtc_leg_lost", reason=reason)
        for tell in (sink.closed if sink is not None else None, listener.closed):
            if tell is not None:
                try:
                    tell(reason)
                except Exception as error:
                    log.error("webrtc_leg_teardown_failed", error_type=type(error).__name__, exc_info=error)

    def _end(self) -> None:
        self._state = _State.CLOSED
        self._sink = None
        self._outbound.clear()
        self._tearing_down = asyncio.get_running_loop().create_task(self._tear_down(), name="webrtc-teardown")

    async def closed(self) -> None:
        """Until everything has been freed, after ``close`` or the end."""
        if self._tearing_down is not None:
            await asyncio.shield(self._tearing_down)

    async def _tear_down(self) -> None:
        """Free everything: the last events first, then what stands on what."""
        connecting = self._connecting
        if connecting is not None:
            connecting.cancel()
            await asyncio.wait((connecting,))
        if self._events is not None:
            await self._linger(self._events)
            await self._stop(self._events.stop)
        await self._stop(self._secure.stop)
        await self._stop(self._link.close)
        counts = self.anomalies + self._inbound.anomalies + self._outbound.anomalies + self._link.anomalies
        if self._events is not None:
            counts += self._events.anomalies
        log.info("webrtc_leg_closed", anomalies=dict(counts), sent=self._outbound.sent.packets, received=self._packets)
        self.anomalies = counts
        self._on_gone(self)

    async def _linger(self, events: EventChannel) -> None:
        """The last events are given a moment: what we abort is not sent again."""
        waited_s = 0.0
        while not events.idle and waited_s * 1000 < self._settings.linger_ms:
            await asyncio.sleep(_LINGER_STEP_S)
            waited_s += _LINGER_STEP_S

    async def _stop(self, step: Callable[[], Awaitable[None]]) -> None:
        """One step of the teardown; the next one comes whatever happens."""
        try:
            async with asyncio.timeout(_STEP_TIMEOUT_S):
                await step()
        except Exception as error:
            log.warning("webrtc_leg_teardown_failed", error_type=type(error).__name__)
