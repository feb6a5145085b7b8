"""ElevenLabs: one context of its multi-context WebSocket for each reply.

The wire: elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input, and the message types of the
vendor's Python package (``WebsocketTtsClientMessageMulti``, ``WebsocketTtsServerMessageMulti``). A telephone call is spoken in µ-law, as
the vendor makes it: nothing is resampled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import orjson
import structlog

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import VoiceRequest
from antiphon.providers.tts.character_alignment import CharacterAlignment, timed
from antiphon.providers.tts.vendor_stream import Piece
from antiphon.providers.tts.vendor_voice import ReplySocket, SocketStream, VendorVoice
from antiphon.providers.tts.vendor_words import meaning
from antiphon.vocabulary import AudioFormat, Encoding

CONTEXTS_A_SOCKET = 5
"""The vendor's limit; the sixth closes the connection with code 1008."""
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


class _Socket(ReplySocket["ElevenLabsStream"]):
    """One connection, for one voice in one format. A context holds its place until the vendor says that it has ended."""

    def __init__(self, voice: ElevenLabsTextToSpeech, url: str) -> None:
        super().__init__(voice, url)
        self._closing: dict[str, asyncio.TimerHandle] = {}
        """Contexts that we have closed, and until when they may last."""

    def let_go(self, stream: ElevenLabsStream) -> None:
        """Nobody listens any more. The place is free when the vendor says so."""
        if self.contexts.pop(stream.context, None) is not None:
            self.close_context(stream.context)

    def close_context(self, context: str) -> None:
        """Nothing more will be said in it."""
        if context not in self._closing and self.is_open:
            self.send(orjson.dumps({"context_id": context, "close_context": True}))
            self._closing[context] = asyncio.get_running_loop().call_later(_FINAL_WITHIN_S, self._overdue, context)

    def told(self, message: bytes) -> None:
        told = _DECODER.decode(message)
        context = told.contextId or told.context_id or ""
        stream = self.contexts.get(context)
        if told.error or (told.audio is None and told.message):
            problem = meaning(told.error, told.message)
            if stream is not None:
                stream.failed(ProviderError(self.provider, problem))
            elif context not in self._closing:
                self.broken(problem)
            return
        if stream is not None:
            stream.take(told)
        if told.isFinal:
            self._final(context)

    def on_lost(self, problem: str) -> None:
        lost = {*self.contexts, *self._closing}
        super().on_lost(problem)
        for context in lost:
            self._free(context)

    def _overdue(self, context: str) -> None:
        log.warning("voice_context_never_ended", provider=self.provider)
        self.pool.retire(self)
        self._final(context)

    def _final(self, context: str) -> None:
        stream = self.contexts.pop(context, None)
        if stream is not None or context in self._closing:
            self._free(context)
        if stream is not None:
            stream.over()

    def _free(self, context: str) -> None:
        """The vendor counts it no more."""
        if (timer := self._closing.pop(context, None)) is not None:
            timer.cancel()
        self.pool.release(self)


class ElevenLabsStream(SocketStream["ElevenLabsTextToSpeech", _Socket]):
    """One reply, in one context. Times come for each character; where one piece ends and the next begins is read from them."""

    def __init__(self, voice: ElevenLabsTextToSpeech, request: VoiceRequest) -> None:
        super().__init__(voice, request)
        self._alignment = CharacterAlignment()
        self._words_until_ms = 0
        self._closing = False
        self._aligned = False
        """Whether the vendor tells times at all."""
        self._timed_ms = 0.0
        self._quiet: asyncio.TimerHandle | None = None

    def begin(self, socket: _Socket) -> None:
        super().begin(socket)
        self._closing = False
        self._alignment, self._words_until_ms, self._timed_ms = CharacterAlignment(), 0, 0.0
        begin: dict[str, Any] = {"text": " ", "context_id": self.context}
        if settings := self.voice.settings(self.request):
            begin["voice_settings"] = settings
        socket.send(orjson.dumps(begin))

    def send_piece(self, piece: Piece) -> None:
        assert self.socket is not None
        self._alignment.say(piece.text)
        self._stop_quiet()
        # A text ends with a blank, or the vendor takes its last word for the beginning of a longer one.
        message = {"text": f"{piece.text.strip()} ", "context_id": self.context, "flush": True}
        self.socket.send(orjson.dumps(message))

    def send_end(self) -> None:
        # A context closed before its first audio may stay silent (pipecat issue 4681): it is closed when some has come.
        if self.heard or not any(piece.sounds for piece in self.pieces):
            self._close()

    def disconnect(self) -> None:
        self._stop_quiet()
        super().disconnect()

    def take(self, told: _Message) -> None:
        """One message of this context."""
        audio = self.read_base64(told.audio or "")
        if not audio:
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
            self.failed(ProviderError(self.provider, "the vendor ended before it had said everything"))

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
        if self.socket is not None:
            self.socket.close_context(self.context)


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


class ElevenLabsTextToSpeech(VendorVoice):
    """Words are timed by the vendor."""

    name = "elevenlabs"
    socket_class, stream_class, places = _Socket, ElevenLabsStream, CONTEXTS_A_SOCKET
    speeds = (0.7, 1.2)

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
        super().__init__(
            api_key=api_key, base_url=base_url, model=model, voice=voice, language=language, sockets=sockets,
            audio_timeout_ms=audio_timeout_ms, headers={"xi-api-key": api_key},
        )  # fmt: skip
        for field, value in (("stability", stability), ("similarity_boost", similarity_boost), ("style", style)):
            if value != -1.0 and not 0 <= value <= 1:
                raise ConfigurationError(f"tts.{field}", "must be 0 … 1")
        if text_normalization not in ("off", "auto", "on"):
            raise ConfigurationError("tts.text_normalization", "must be off, auto or on")
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

    def url(self, request: VoiceRequest) -> str:
        query = {
            "model_id": self.model,
            "output_format": _output_format(request.audio),
            "auto_mode": "true",
            "sync_alignment": "true",
            "inactivity_timeout": str(INACTIVITY_TIMEOUT_S),
            "apply_text_normalization": self._normalization,
        }
        language = self.language or request.language
        if language and not self.model.endswith(
            ("_v2", "_v1")
        ):  # the others know one language, or find it out by themselves
            query["language_code"] = language
        voice = quote(request.voice or self.default_voice, safe="")
        return f"{self.base_url}/v1/text-to-speech/{voice}/multi-stream-input?{urlencode(query)}"

    def settings(self, request: VoiceRequest) -> dict[str, Any]:
        """What a context is told of its voice."""
        speed = self.speed(request)
        return {**self._settings, **({"speed": speed} if speed is not None else {})}


def _output_format(audio: AudioFormat) -> str:
    return {Encoding.MULAW: "ulaw", Encoding.ALAW: "alaw", Encoding.PCM16: "pcm"}[audio.encoding] + f"_{audio.rate_hz}"
