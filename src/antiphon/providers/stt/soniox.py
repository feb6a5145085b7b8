"""Soniox's realtime recogniser: tokens, final ones once, the others until they are; asked to finalise where we hear an end.

Protocol: soniox.com/docs/stt/api-reference/websocket-api, /docs/stt/rt/endpoint-detection, /docs/stt/rt/manual-finalization,
/docs/stt/rt/connection-keepalive, and the types of soniox 2.10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, HeardWord
from antiphon.providers.stt.key_terms import MOST_KEY_TERMS, key_terms, phrases_of
from antiphon.providers.stt.streamed import StreamedSpeechToText
from antiphon.providers.stt.wire import Flushed, Segment, Told, Turned, Wire, json_object
from antiphon.providers.vendor_settings import websocket_url
from antiphon.providers.websocket import Failure, refusal
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

_ENCODINGS: Mapping[Encoding, str] = {Encoding.MULAW: "mulaw", Encoding.ALAW: "alaw", Encoding.PCM16: "pcm_s16le"}
_KEEP_ALIVE = b'{"type":"keepalive"}'
_FINALIZE = b'{"type":"finalize"}'
_END, _FIN = "<end>", "<fin>"
_KEEP_ALIVE_S = 5.0
"""A connection without audio or keepalive ends after 20 seconds."""


class SonioxSpeechToText(StreamedSpeechToText):
    """Implements ``SpeechToText``."""

    name = "soniox"
    formats = (
        TELEPHONE,
        AudioFormat(Encoding.ALAW, 8000),
        AudioFormat(Encoding.PCM16, 16000),
        AudioFormat(Encoding.PCM16, 8000),
    )

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "wss://stt-rt.soniox.com",
        model: str = "stt-rt-v5",
        language: str = "",
        *,
        max_endpoint_delay_ms: int = 0,
        keyterms: Sequence[str] = (),
        ca_file: str = "",
    ) -> None:
        """``language``: a hint. ``max_endpoint_delay_ms``: after speech, until Soniox ends the utterance by itself (500 to 3000; 0: as
        it likes). Raises ConfigurationError."""
        super().__init__(api_key, ca_file)
        if max_endpoint_delay_ms and not 500 <= max_endpoint_delay_ms <= 3000:
            raise ConfigurationError("max_endpoint_delay_ms", "must be 0, or from 500 to 3000")
        self._address = f"{websocket_url(base_url)}/transcribe-websocket"
        self._keyterms = key_terms(keyterms)
        self.model = model
        self._config: dict[str, Any] = {"model": model, "enable_endpoint_detection": True}
        if language:
            self._config["language_hints"] = [language]
        if max_endpoint_delay_ms:
            self._config["max_endpoint_delay_ms"] = max_endpoint_delay_ms

    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        config = {
            **self._config,
            "audio_format": _ENCODINGS[audio.encoding],
            "sample_rate": audio.rate_hz,
            "num_channels": 1,
        }
        terms = list(dict.fromkeys((*self._keyterms, *phrases_of(answers, MOST_KEY_TERMS))))[:MOST_KEY_TERMS]
        if terms:
            config["context"] = {"terms": terms}
        return SonioxWire(self.name, self.api_key, self._address, orjson.dumps(config))


class SonioxWire:
    """One call. Implements ``Wire``."""

    greets = False
    interim_suffices = False
    talks_back = True
    answers_silence = True
    smallest_ms = 0
    quiet_after_s = _KEEP_ALIVE_S
    filler = b""

    def __init__(self, provider: str, api_key: str, address: str, config: bytes) -> None:
        self._provider, self._key, self._address, self._config = provider, api_key, address, config
        self._final: list[dict[str, Any]] = []
        """Final tokens since the last end of an utterance: pieces of words, which only together are words."""

    def url(self) -> str:
        return self._address

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._key}"}  # as the SDK does; it may stand in the first message instead

    def opened(self) -> Sequence[bytes]:
        self._final = []
        return (self._config,)

    def audio(self, piece: bytes) -> tuple[bytes, bool]:
        return piece, False

    def finish(self, utterance: int) -> bytes | None:
        return _FINALIZE

    def idle(self) -> tuple[bytes, bool] | None:
        return _KEEP_ALIVE, True

    def expect(self, answers: ExpectedAnswers) -> bytes | None:
        return None  # the context belongs to the first message

    def goodbye(self) -> bytes | None:
        return b""  # the end of the audio

    def read(self, payload: bytes, *, text: bool) -> Sequence[Told]:
        message = json_object(payload, text=text)
        if message.get("error_code"):
            reason = str(message.get("error_message") or "")
            return (refusal(self._provider, int(message["error_code"]), reason, secret=self._key),)
        if "tokens" not in message:
            return ()
        told: list[Told] = []
        open_tokens: list[dict[str, Any]] = []
        for token in message["tokens"]:
            if token["text"] in (_END, _FIN):
                told += self._ended(token["text"], float(message.get("final_audio_proc_ms") or 0))
            elif token.get("is_final"):
                self._final.append(token)
            else:
                open_tokens.append(token)
        total_ms = float(message.get("total_audio_proc_ms") or 0)
        if not told or self._final or open_tokens:
            told.append(_segment([*self._final, *open_tokens], total_ms, final=False))
        return told

    def _ended(self, mark: str, end_ms: float) -> list[Told]:
        segment = _segment(self._final, end_ms, final=True)
        self._final = []
        return [segment, Flushed()] if mark == _FIN else [segment, Turned("end")]

    def closed(self, code: int, reason: str) -> Failure | None:
        return None


def _segment(tokens: Sequence[Mapping[str, Any]], end_ms: float, *, final: bool) -> Segment:
    words = _words(tokens)
    text = "".join(str(token["text"]) for token in tokens).strip()
    start_ms = words[0].start_ms if words else end_ms
    confidence = min((word.confidence for word in words if word.confidence is not None), default=None)
    language = next((str(token["language"]) for token in tokens if token.get("language")), "")
    return Segment(text, final, start_ms, end_ms, tuple(words), confidence, language, closes=final)


def _words(tokens: Sequence[Mapping[str, Any]]) -> list[HeardWord]:
    """Tokens are pieces of words; one that begins with a space begins a word."""
    words: list[HeardWord] = []
    for token in tokens:
        text, confidence = str(token["text"]), token.get("confidence")
        start_ms, end_ms = token.get("start_ms"), token.get("end_ms")
        if words and not text.startswith(" "):
            last = words[-1]
            words[-1] = HeardWord(last.text + text.rstrip(), last.start_ms, int(end_ms or last.end_ms), last.confidence)
        elif text.strip():
            words.append(HeardWord(text.strip(), int(start_ms or 0), int(end_ms or start_ms or 0), confidence))
    return words
