"""AssemblyAI's streaming, version 3: it hears all audio, listens for turns, and is asked to end one where we hear an end.

Protocol: assemblyai.com/docs/streaming/message-sequence, /docs/streaming/common-session-errors-and-closures, and the types of
assemblyai 1.8 (``streaming.v3``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, HeardWord
from antiphon.providers.stt.key_terms import MOST_KEY_TERMS, key_terms, phrases_of
from antiphon.providers.stt.streamed import StreamedSpeechToText
from antiphon.providers.stt.wire import Flushed, Greeted, Segment, Told, Turned, Wire, json_object
from antiphon.providers.vendor_settings import websocket_url
from antiphon.providers.websocket import Failure, refusal
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

_FORCE = b'{"type":"ForceEndpoint"}'
_TERMINATE = b'{"type":"Terminate"}'
_STATUS: Mapping[int, int] = {1008: 401, 4001: 401, 4002: 402, 4003: 402, 4000: 400, 3006: 400, 4029: 429, 4102: 429}
"""Its error and close codes as HTTP would say them; the others pass."""


class AssemblyAISpeechToText(StreamedSpeechToText):
    """Implements ``SpeechToText``."""

    name = "assemblyai"
    formats = (TELEPHONE, AudioFormat(Encoding.PCM16, 16000), AudioFormat(Encoding.PCM16, 8000))

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "wss://streaming.assemblyai.com",
        model: str = "universal-3-5-pro",
        language: str = "",
        *,
        format_turns: bool = False,
        end_of_turn_confidence_threshold: float = 0.0,
        min_turn_silence_ms: int = 0,
        max_turn_silence_ms: int = 0,
        keyterms: Sequence[str] = (),
        ca_file: str = "",
    ) -> None:
        """``language``: a code, for models with several. ``format_turns``: for the Universal-Streaming models, whose final words come
        without punctuation first; costs a moment. 0 leaves a number to the vendor. Raises ConfigurationError."""
        super().__init__(api_key, ca_file)
        if not 0 <= end_of_turn_confidence_threshold <= 1:
            raise ConfigurationError("end_of_turn_confidence_threshold", "must be from 0 to 1")
        if min_turn_silence_ms < 0 or max_turn_silence_ms < 0:
            raise ConfigurationError("min_turn_silence_ms", "must not be negative, nor max_turn_silence_ms")
        self._base_url, self._formats_turns = websocket_url(base_url), format_turns
        self._keyterms, self.model = key_terms(keyterms), model
        query = {
            "speech_model": model,
            "format_turns": "true" if format_turns else "false",
            "language_codes": orjson.dumps([language]).decode() if language else "",
            "end_of_turn_confidence_threshold": end_of_turn_confidence_threshold or "",
            "min_turn_silence": min_turn_silence_ms or "",
            "max_turn_silence": max_turn_silence_ms or "",
        }
        self._query = [(name, str(value)) for name, value in query.items() if value != ""]

    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        encoding = "pcm_mulaw" if audio.encoding is Encoding.MULAW else "pcm_s16le"
        query = [*self._query, ("encoding", encoding), ("sample_rate", str(audio.rate_hz))]
        terms = list(dict.fromkeys((*self._keyterms, *phrases_of(answers, MOST_KEY_TERMS, 50))))[:MOST_KEY_TERMS]
        if terms:
            query.append(("keyterms_prompt", orjson.dumps(terms).decode()))
        address = f"{self._base_url}/v3/ws?{urlencode(query)}"
        return AssemblyAIWire(self.name, self.api_key, address, self._keyterms, self._formats_turns)


class AssemblyAIWire:
    """One call on ``/v3/ws``. Implements ``Wire``."""

    greets = True
    interim_suffices = False
    talks_back = True
    answers_silence = False
    smallest_ms = 50
    quiet_after_s = 0.0
    filler = b""

    def __init__(self, provider: str, api_key: str, address: str, keyterms: Sequence[str], formats_turns: bool) -> None:
        self._provider, self._key, self._address = provider, api_key, address
        self._keyterms, self._formats_turns = keyterms, formats_turns
        self._asked = 0

    def url(self) -> str:
        return self._address

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": self._key}

    def opened(self) -> Sequence[bytes]:
        self._asked = 0
        return ()

    def audio(self, piece: bytes) -> tuple[bytes, bool]:
        return piece, False

    def finish(self, utterance: int) -> bytes | None:
        self._asked += 1
        return _FORCE

    def idle(self) -> tuple[bytes, bool] | None:
        return None

    def expect(self, answers: ExpectedAnswers) -> bytes | None:
        terms = list(dict.fromkeys((*self._keyterms, *phrases_of(answers, MOST_KEY_TERMS, 50))))[:MOST_KEY_TERMS]
        return orjson.dumps({"type": "UpdateConfiguration", "keyterms_prompt": terms})

    def goodbye(self) -> bytes | None:
        return _TERMINATE

    def read(self, payload: bytes, *, text: bool) -> Sequence[Told]:
        message = json_object(payload, text=text)
        kind = message.get("type")
        if kind == "Turn":
            return self._turn(message)
        if kind == "Begin":
            return (Greeted(),)
        if kind == "SpeechStarted":
            return (Turned("start"),)
        if kind == "Error":
            status = _STATUS.get(int(message.get("error_code") or 0), 500)
            return (refusal(self._provider, status, str(message.get("error", "")), secret=self._key),)
        return ()

    def _turn(self, message: dict[str, Any]) -> list[Told]:
        words = tuple(
            HeardWord(str(word["text"]), int(word["start"]), int(word["end"]), float(word["confidence"]))
            for word in message["words"]
        )
        over = bool(message["end_of_turn"])
        final = over and (bool(message["turn_is_formatted"]) or not self._formats_turns)
        # Words that may change stand in ``words`` alone.
        said = str(message["transcript"]) if over else " ".join(word.text for word in words)
        start_ms, end_ms = (words[0].start_ms, words[-1].end_ms) if words else (0, 0)
        confidence = min((word.confidence or 0.0 for word in words), default=None)
        language = str(message.get("language_code") or "")
        told: list[Told] = [Segment(said, final, start_ms, end_ms, words, confidence, language, closes=final)]
        if over and not (final and self._formats_turns):
            told.append(Turned("end", float(message["end_of_turn_confidence"])))
        if final and self._asked:
            self._asked -= 1
            told.append(Flushed())
        return told

    def closed(self, code: int, reason: str) -> Failure | None:
        status = _STATUS.get(code)
        return refusal(self._provider, status, reason, secret=self._key) if status else None
