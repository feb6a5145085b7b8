"""ElevenLabs: one context of its multi-context WebSocket for each reply.

The wire: elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input, and the message types of the
vendor's Python package (``WebsocketTtsClientMessageMulti``, ``WebsocketTtsServerMessageMulti``). A telephone call is spoken in µ-law, as
the vendor makes it: nothing is resampled.
"""

from __future__ import annotations

import asyncio
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import orjson
import structlog

from antiphon.errors import ConfigurationError, ProviderError, ProviderUnavailable
from antiphon.providers.base import SpeechChunk, SpeechRequest, VoiceRequest
from antiphon.providers.one_shot import speak_once
from antiphon.providers.tts.character_alignment import CharacterAlignment, timed
from antiphon.providers.tts.vendor_settings import check_vendor, speed_within, websocket_url
from antiphon.providers.tts.vendor_socket import SocketPool, VendorSocket, meaning
from antiphon.providers.tts.vendor_stream import FORMATS, Lost, Piece, VendorStream
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

NAME = "elevenlabs"
CONTEXTS_A_SOCKET = 5
"""The vendor's limit; the sixth closes the connection with code 1008."""
SLOWEST, FASTEST = 0.7, 1.2
INACTIVITY_TIMEOUT_S = 180
"""The longest the vendor takes: a connection that waits for the next reply is kept so long."""
_FINAL_WITHIN_S = 10.0
"""A context that was closed and has not ended by then keeps its place for good: the connection is replaced."""
_QUIET_S = 0.25
"""The last character of all that was said was spoken, and nothing has come for so long: the piece is over. The vendor does not tell."""

log = structlog.get_logger(__name__)


class _Alignment(msgspec.Struct):
    chars: list[str] = []
    charStartTimesMs: list[float] | None = None
    charsStartTimesMs: list[float] | None = None
    charDurationsMs: list[float] | None = None
    charsDurationsMs: list[float] | None = None


class _Message(msgspec.Struct):
    audio: str | None = None
    alignment: _Alignment | None = None
    isFinal: bool | None = None
    contextId: str | None = None
    context_id: str | None = None
    error: Any = None
    message: Any = None
    code: Any = None


_DECODER = msgspec.json.Decoder(_Message)


class _Socket(VendorSocket):
    """One connection, for one voice in one format; tells its contexts what is theirs."""

    def __init__(self, url: str, pool: SocketPool) -> None:
        super().__init__(NAME, url)
        self._pool = pool
        self.contexts: dict[str, ElevenLabsStream | None] = {}
        """Those that the vendor counts; None where nobody listens any more."""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._serial = 0

    def begin(self, stream: ElevenLabsStream) -> str:
        self._serial += 1
        context = f"r{self._serial}"
        self.contexts[context] = stream
        return context

    def leave(self, context: str) -> None:
        """Nobody listens any more. The place is free when the vendor says so."""
        if context not in self.contexts:
            return
        self.contexts[context] = None
        self._close(context)

    def close_context(self, context: str) -> None:
        """Its stream has said everything and listens to the end."""
        self._close(context)

    def on_text(self, message: bytes) -> None:
        try:
            told = _DECODER.decode(message)
        except msgspec.DecodeError:
            self._broken("the vendor sent a message that cannot be read")
            return
        context = told.contextId or told.context_id or ""
        if told.error or (told.audio is None and told.message):
            problem = meaning(str(told.error or ""), str(told.message or ""))
            if context in self.contexts:
                self._tell_failed(context, ProviderError(NAME, problem))
            else:
                self._broken(problem)
            return
        stream = self.contexts.get(context)
        if stream is not None:
            stream.take(told)
        if told.isFinal and context in self.contexts:
            self._final(context)

    def on_lost(self, problem: str) -> None:
        self._pool.lost(self)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for context in tuple(self.contexts):
            self._tell_failed(context, Lost(NAME, problem))
            self._final(context)

    def _close(self, context: str) -> None:
        if context not in self._timers and self.is_open:
            self.send(orjson.dumps({"context_id": context, "close_context": True}))
            self._timers[context] = asyncio.get_running_loop().call_later(_FINAL_WITHIN_S, self._overdue, context)

    def _overdue(self, context: str) -> None:
        self._timers.pop(context, None)
        log.warning("voice_context_never_ended", provider=NAME)
        self._pool.retire(self)
        self._final(context)

    def _final(self, context: str) -> None:
        stream = self.contexts.pop(context, None)
        if (timer := self._timers.pop(context, None)) is not None:
            timer.cancel()
        self._pool.release(self)
        if stream is not None:
            stream.over()

    def _tell_failed(self, context: str, problem: ProviderError) -> None:
        if (stream := self.contexts.get(context)) is not None:
            stream.failed(problem)

    def _broken(self, problem: str) -> None:
        """What was said is for nobody we know: every reply on this connection would wait in vain."""
        for context in tuple(self.contexts):
            self._tell_failed(context, ProviderUnavailable(NAME, problem))
        self._pool.retire(self)


class ElevenLabsStream(VendorStream):
    """One reply, in one context. Times come for each character; where one piece ends and the next begins is read from them."""

    def __init__(self, voice: ElevenLabsTextToSpeech, request: VoiceRequest) -> None:
        super().__init__(NAME, request, voice.audio_timeout_s)
        self._voice = voice
        self._socket: _Socket | None = None
        self._context = ""
        self._alignment = CharacterAlignment()
        self._words_until_ms = 0
        self._closing = False
        self._aligned = False
        """Whether the vendor tells times at all."""
        self._timed_ms = 0.0
        self._quiet: asyncio.TimerHandle | None = None

    async def connect(self) -> bool:
        socket = await self._voice.pool.lease(self._voice.url(self.request))
        assert isinstance(socket, _Socket)
        self._socket, self._context, self._closing = socket, socket.begin(self), False
        self._alignment, self._words_until_ms, self._timed_ms = CharacterAlignment(), 0, 0.0
        begin: dict[str, Any] = {"text": " ", "context_id": self._context}
        if settings := self._voice.settings(self.request):
            begin["voice_settings"] = settings
        socket.send(orjson.dumps(begin))
        return socket.used

    def send_piece(self, piece: Piece) -> None:
        assert self._socket is not None
        self._alignment.say(piece.text)
        self._stop_quiet()
        # A text ends with a blank, or the vendor takes its last word for the beginning of a longer one.
        message = {"text": f"{piece.text.strip()} ", "context_id": self._context, "flush": True}
        self._socket.send(orjson.dumps(message))

    def send_end(self) -> None:
        # A context closed before its first audio may stay silent (pipecat issue 4681): it is closed when some has come.
        if self.heard or not any(piece.sounds for piece in self.pieces):
            self._close()

    def disconnect(self) -> None:
        self._stop_quiet()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.leave(self._context)

    def take(self, told: _Message) -> None:
        """One message of this context."""
        if not told.audio:
            return
        try:
            audio = a2b_base64(told.audio)
        except (NotBase64, ValueError):
            self.failed(ProviderError(NAME, "the vendor sent audio that cannot be read"))
            return
        self._stop_quiet()
        self._speak(audio, told.alignment)
        if self.ended and self.heard and not self._closing:
            self._close()
        if self._alignment.over and self.pieces and not self.ended:
            self._quiet = asyncio.get_running_loop().call_later(_QUIET_S, self._quiet_now)

    def over(self) -> None:
        """The vendor has ended the context."""
        if (
            self._alignment.over or not self._aligned
        ):  # of a voice without times all that came counts for the piece it came in
            while self.pieces and not self.has_failed and (self.spoken_bytes or not self._aligned):
                self._ended_piece()
        if self.pieces:
            self.failed(ProviderError(NAME, "the vendor ended before it had said everything"))

    def _speak(self, audio: bytes, alignment: _Alignment | None) -> None:
        """A message's audio, cut where a piece ends in it."""
        form = self.request.audio
        length_ms = form.ms_of(len(audio))
        self._aligned = self._aligned or alignment is not None
        characters, starts, durations = _times(alignment, self._timed_ms, length_ms)
        self._timed_ms += length_ms
        at = 0
        for stretch in self._alignment.take(characters, starts, durations):
            end = (
                len(audio) if stretch.ends_ms is None else min(max(form.bytes_for_ms(stretch.ends_ms), at), len(audio))
            )
            origin_ms = form.ms_of(self.spoken_bytes) - form.ms_of(at)
            words = timed(stretch.words, origin_ms, self._words_until_ms)
            if words:
                self._words_until_ms = words[-1].end_ms
            self.audio(audio[at:end], words)
            at = end
            if stretch.ends_ms is not None:
                self._words_until_ms = 0
                self.piece_done()

    def _ended_piece(self) -> None:
        self._alignment.next_piece()
        self._words_until_ms = 0
        self.piece_done(unheard=not self._aligned)

    def _quiet_now(self) -> None:
        self._quiet = None
        if self.pieces and self._alignment.over:
            self._ended_piece()

    def _stop_quiet(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None

    def _close(self) -> None:
        self._closing = True
        if self._socket is not None:
            self._socket.close_context(self._context)


def _times(
    alignment: _Alignment | None, before_ms: float, length_ms: float
) -> tuple[list[str], list[float], list[float]]:
    """Characters with their times in the message's own audio. Times count from the message's first sample, by some reports (and in other
    endpoints of the vendor) from that of the context."""
    if alignment is None:
        return [], [], []
    starts = alignment.charStartTimesMs or alignment.charsStartTimesMs or []
    durations = alignment.charDurationsMs or alignment.charsDurationsMs or []
    if starts and before_ms and starts[0] >= length_ms:
        starts = [start - before_ms for start in starts]
    return alignment.chars, [min(max(start, 0.0), length_ms) for start in starts], durations


class ElevenLabsTextToSpeech:
    """Implements ``TextToSpeech`` and ``StreamingVoice``. Words are timed by the vendor."""

    name = NAME
    formats = FORMATS
    needs_key = True

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "wss://api.elevenlabs.io",
        model: str = "eleven_flash_v2_5",
        voice: str = "JBFqnCBsd6RMkjVDRZzb",
        language: str = "",
        stability: float = -1.0,
        similarity_boost: float = -1.0,
        style: float = -1.0,
        use_speaker_boost: bool | None = None,
        text_normalization: str = "off",
        sockets: int = 32,
        audio_timeout_ms: int = 4_000,
    ) -> None:
        """``voice`` is the vendor's id of a voice. ``language`` (ISO 639-1) wins over that of the assistant. The voice's own settings hold
        where ``stability``, ``similarity_boost`` and ``style`` (0 … 1) are −1. ``text_normalization`` is ``off`` because figures and dates
        are written out here (else ``auto``, ``on``). Raises ConfigurationError."""
        check_vendor(NAME, api_key, audio_timeout_ms, sockets)
        for field, value in (("stability", stability), ("similarity_boost", similarity_boost), ("style", style)):
            if value != -1.0 and not 0 <= value <= 1:
                raise ConfigurationError(f"tts.{field}", "must be 0 … 1")
        if text_normalization not in ("off", "auto", "on"):
            raise ConfigurationError("tts.text_normalization", "must be off, auto or on")
        self._base_url = websocket_url(base_url)
        self.model = model
        self._default_voice = voice
        self._language = language
        self._normalization = text_normalization
        self._settings: Mapping[str, Any] = {
            name: value
            for name, value in (
                ("stability", stability),
                ("similarity_boost", similarity_boost),
                ("style", style),
                ("use_speaker_boost", use_speaker_boost),
            )
            if value is not None and value != -1.0
        }
        self.audio_timeout_s = audio_timeout_ms / 1000
        self.pool = SocketPool(NAME, self._make, {"xi-api-key": api_key}, places=CONTEXTS_A_SOCKET, most=sockets)

    async def start(self) -> None:
        """Connect for telephone calls. Raises ProviderUnavailable where the vendor refuses."""
        await self.pool.warm(self.url(VoiceRequest(TELEPHONE)))

    async def close(self) -> None:
        self.pool.close()

    def open(self, request: VoiceRequest) -> ElevenLabsStream:
        return ElevenLabsStream(self, request)

    def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        return speak_once(self, request)

    def url(self, request: VoiceRequest) -> str:
        query = {
            "model_id": self.model,
            "output_format": _output_format(request.audio),
            "auto_mode": "true",
            "sync_alignment": "true",
            "inactivity_timeout": str(INACTIVITY_TIMEOUT_S),
            "apply_text_normalization": self._normalization,
        }
        language = self._language or request.language
        if language and not self.model.endswith(
            ("_v2", "_v1")
        ):  # the others know one language, or find it out by themselves
            query["language_code"] = language
        voice = quote(request.voice or self._default_voice, safe="")
        return f"{self._base_url}/v1/text-to-speech/{voice}/multi-stream-input?{urlencode(query)}"

    def settings(self, request: VoiceRequest) -> dict[str, Any]:
        """What a context is told of its voice."""
        if request.speed == 1.0:
            return dict(self._settings)
        return {**self._settings, "speed": speed_within(NAME, request.speed, SLOWEST, FASTEST)}

    def _make(self, url: str) -> _Socket:
        return _Socket(url, self.pool)


def _output_format(audio: AudioFormat) -> str:
    return {Encoding.MULAW: "ulaw", Encoding.ALAW: "alaw", Encoding.PCM16: "pcm"}[audio.encoding] + f"_{audio.rate_hz}"
