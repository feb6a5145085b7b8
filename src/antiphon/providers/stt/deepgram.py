"""Deepgram's Nova over ``/v1/listen``: it hears all audio, µ-law as it comes, and is asked for final words where we hear an end.

Protocol: developers.deepgram.com/docs/live-streaming-audio, /docs/finalize, /docs/audio-keep-alive, /docs/close-stream, and the types of
deepgram-sdk 7.17 (``listen.v1``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, HeardWord
from antiphon.providers.stt.key_terms import MOST_KEY_TERMS, key_terms, phrases_of
from antiphon.providers.stt.streamed import StreamedSpeechToText
from antiphon.providers.stt.wire import Flushed, Segment, Told, Wire, json_object
from antiphon.providers.vendor_settings import websocket_url
from antiphon.providers.websocket import Failure, refusal
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

ENCODINGS: Mapping[Encoding, str] = {
    Encoding.MULAW: "mulaw",
    Encoding.ALAW: "alaw",
    Encoding.PCM16: "linear16",
}
FORMATS = (
    TELEPHONE,
    AudioFormat(Encoding.ALAW, 8000),
    AudioFormat(Encoding.PCM16, 16000),
    AudioFormat(Encoding.PCM16, 24000),
    AudioFormat(Encoding.PCM16, 8000),
)
_KEEP_ALIVE = b'{"type":"KeepAlive"}'
_FINALIZE = b'{"type":"Finalize"}'
_CLOSE = b'{"type":"CloseStream"}'
_KEEP_ALIVE_S = 4.0
"""Ten seconds without audio or KeepAlive end a connection (NET-0001)."""


class DeepgramSpeechToText(StreamedSpeechToText):
    """Nova. Implements ``SpeechToText``."""

    name = "deepgram"
    formats = FORMATS
    last_words_ms = 250
    """128 of silence and what a ``Finalize`` takes. By itself Deepgram makes words final after 10 ms of silence, and takes it that what
    comes later would not better them (developers.deepgram.com/docs/endpointing): it may be asked at the first pause."""

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "wss://api.deepgram.com",
        model: str = "nova-3",
        language: str = "en",
        *,
        endpointing_ms: int = 300,
        utterance_end_ms: int = 0,
        smart_format: bool = True,
        numerals: bool = False,
        keyterms: Sequence[str] = (),
        mip_opt_out: bool = False,
        ca_file: str = "",
    ) -> None:
        """``endpointing_ms``: silence after which Deepgram makes words final by itself (0: never). ``utterance_end_ms``: its other end of
        speech, by gaps between words (0: off; Deepgram takes 1000 and more). ``keyterms``: words it shall listen for. Raises
        ConfigurationError."""
        super().__init__(api_key, ca_file)
        if endpointing_ms < 0:
            raise ConfigurationError("endpointing_ms", "must not be negative")
        if utterance_end_ms and utterance_end_ms < 1000:
            raise ConfigurationError("utterance_end_ms", "must be 0 or at least 1000")
        self._base_url = websocket_url(base_url)
        self._keyterms = key_terms(keyterms)
        self._query: list[tuple[str, str]] = [
            ("model", model),
            ("language", language),
            ("interim_results", "true"),
            ("endpointing", str(endpointing_ms) if endpointing_ms else "false"),
            ("smart_format", "true" if smart_format else "false"),
            ("punctuate", "true"),
            ("channels", "1"),
        ]
        if numerals:
            self._query.append(("numerals", "true"))
        if utterance_end_ms:
            self._query += [("utterance_end_ms", str(utterance_end_ms)), ("vad_events", "true")]
        if mip_opt_out:
            self._query.append(("mip_opt_out", "true"))
        self.model = model
        self._takes_key_terms = model.startswith("nova-3")

    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        terms = list(dict.fromkeys((*self._keyterms, *phrases_of(answers, MOST_KEY_TERMS))))[:MOST_KEY_TERMS]
        query = [*self._query, ("encoding", ENCODINGS[audio.encoding]), ("sample_rate", str(audio.rate_hz))]
        if self._takes_key_terms:  # older models refuse the request
            query += [("keyterm", term) for term in terms]
        return NovaWire(self.name, self.api_key, f"{self._base_url}/v1/listen?{urlencode(query)}")


class NovaWire:
    """One call on ``/v1/listen``. Implements ``Wire``."""

    greets = False
    interim_suffices = False
    talks_back = True
    answers_silence = True
    smallest_ms = 0
    quiet_after_s = _KEEP_ALIVE_S
    filler = b""

    def __init__(self, provider: str, api_key: str, url: str) -> None:
        self._provider, self._key, self._address = provider, api_key, url

    def url(self) -> str:
        return self._address

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Token {self._key}"}

    def opened(self) -> Sequence[bytes]:
        return ()

    def audio(self, piece: bytes) -> tuple[bytes, bool]:
        return piece, False

    def finish(self, utterance: int) -> bytes | None:
        return _FINALIZE

    def idle(self) -> tuple[bytes, bool] | None:
        return _KEEP_ALIVE, True

    def expect(self, answers: ExpectedAnswers) -> bytes | None:
        return None  # key terms belong to the connection's address

    def goodbye(self) -> bytes | None:
        return _CLOSE

    def read(self, payload: bytes, *, text: bool) -> Sequence[Told]:
        message = json_object(payload, text=text)
        kind = message.get("type")
        if kind == "Results":
            return self._results(message)
        if kind == "Error":
            return (self._error(message),)
        return ()  # Metadata, SpeechStarted, UtteranceEnd: time tells us as much

    def _results(self, message: dict[str, Any]) -> list[Told]:
        best = message["channel"]["alternatives"][0]
        start_ms = float(message["start"]) * 1000
        words = tuple(
            HeardWord(
                str(word.get("punctuated_word") or word["word"]),
                round(float(word["start"]) * 1000),
                round(float(word["end"]) * 1000),
                float(word["confidence"]),
            )
            for word in best.get("words", ())
        )
        text = str(best["transcript"])
        languages = best.get("languages") or ()
        segment = Segment(
            text,
            bool(message.get("is_final")),
            start_ms,
            start_ms + float(message["duration"]) * 1000,
            words,
            float(best["confidence"]) if text else None,
            str(languages[0]) if languages else "",
            closes=bool(message.get("speech_final")),
        )
        return [segment, Flushed()] if message.get("from_finalize") else [segment]

    def _error(self, message: dict[str, Any]) -> Failure:
        reason = f"{message.get('code', '')} {message.get('description') or message.get('message') or ''}"
        return refusal(self._provider, 500, reason, secret=self._key)

    def closed(self, code: int, reason: str) -> Failure | None:
        if code == 1008:  # DATA-0000: the audio could not be read
            return refusal(self._provider, 400, reason, secret=self._key)
        return None
