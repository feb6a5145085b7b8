"""ElevenLabs' Scribe in real time: it gets each utterance as we cut it, and answers after our commit.

Protocol: elevenlabs.io/docs/api-reference/speech-to-text/v-1-speech-to-text-realtime, elevenlabs.io/docs/eleven-api/guides/how-to/
speech-to-text/realtime/transcripts-and-commit-strategies, and the types of elevenlabs 2.78 (``realtime``).
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers
from antiphon.providers.stt.key_terms import key_terms, phrases_of
from antiphon.providers.stt.streamed import StreamedSpeechToText
from antiphon.providers.stt.wire import Flushed, Greeted, Segment, Told, Wire, json_object
from antiphon.providers.vendor_settings import websocket_url
from antiphon.providers.websocket import Failure, refusal
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

MOST_KEY_TERMS = 50
_LONGEST_KEY_TERM = 20
_LEAST_COMMIT_MS = 320
"""A commit of less than 0.3 s is refused, and ends the session: what is missing is silence."""
_IDLE_MS = 100
_QUIET_AFTER_S = 5.0
"""A session without audio is ended (``insufficient_audio_activity``): between utterances it hears a little silence."""
_STATUS: Mapping[str, int] = {
    "auth_error": 401,
    "quota_exceeded": 402,
    "invalid_request": 400,
    "input_error": 400,
    "unaccepted_terms": 400,
    "chunk_size_exceeded": 400,
    "rate_limited": 429,
    "resource_exhausted": 429,
    "queue_overflow": 429,
    "commit_throttled": 500,
    "transcriber_error": 500,
    "session_time_limit_exceeded": 500,
    "insufficient_audio_activity": 500,
    "error": 500,
}
"""Its errors as HTTP would say them. All of them end the session; from 429 on another one may do better."""


class ElevenLabsSpeechToText(StreamedSpeechToText):
    """Scribe. Implements ``SpeechToText``."""

    name = "elevenlabs"
    formats = (
        TELEPHONE,
        AudioFormat(Encoding.PCM16, 16000),
        AudioFormat(Encoding.PCM16, 24000),
        AudioFormat(Encoding.PCM16, 8000),
    )
    continuous = False

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "wss://api.elevenlabs.io",
        model: str = "scribe_v2_realtime",
        language: str = "",
        *,
        keyterms: Sequence[str] = (),
        no_verbatim: bool = False,
        filter_background_audio: bool = False,
        enable_logging: bool = True,
        ca_file: str = "",
    ) -> None:
        """``language``: ISO 639; a region is left out, because the vendor refuses it; empty lets the model find out. ``keyterms``: words
        it shall listen for, of 20 characters at most. ``no_verbatim``: without "uh" and false starts. Raises ConfigurationError."""
        super().__init__(api_key, ca_file)
        self._keyterms = key_terms(keyterms)
        if len(self._keyterms) > MOST_KEY_TERMS or any(len(term) > _LONGEST_KEY_TERM for term in self._keyterms):
            raise ConfigurationError(
                "keyterms", f"may have {MOST_KEY_TERMS} entries of {_LONGEST_KEY_TERM} characters at most"
            )
        self._base_url = websocket_url(base_url)
        self._query = [("model_id", model), ("commit_strategy", "manual")]
        if language:
            self._query.append(("language_code", language.partition("-")[0].lower()))
        for option, wanted in (("no_verbatim", no_verbatim), ("filter_background_audio", filter_background_audio)):
            if wanted:
                self._query.append((option, "true"))
        if not enable_logging:
            self._query.append(("enable_logging", "false"))

    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        encoding = "ulaw" if audio.encoding is Encoding.MULAW else "pcm"
        query = [*self._query, ("audio_format", f"{encoding}_{audio.rate_hz}")]
        address = f"{self._base_url}/v1/speech-to-text/realtime?{urlencode(query)}"
        wire = ScribeWire(self.name, self.api_key, address, audio, self._keyterms)
        wire.expect(answers)
        return wire


class ScribeWire:
    """One call on ``/v1/speech-to-text/realtime``. Implements ``Wire``."""

    greets = True
    interim_suffices = False
    talks_back = False
    """Nothing is said of a sound that has no words."""
    answers_silence = True
    smallest_ms = 0
    quiet_after_s = _QUIET_AFTER_S
    filler = b""

    def __init__(self, provider: str, api_key: str, address: str, audio: AudioFormat, keyterms: Sequence[str]) -> None:
        self._provider, self._key, self._address = provider, api_key, address
        self._audio, self._keyterms = audio, keyterms
        self._terms: Sequence[str] = keyterms
        self._level = b"\xff" if audio.encoding is Encoding.MULAW else b"\x00"
        self._uncommitted_bytes = 0
        self._committing: deque[int] = deque()
        """Utterances committed, whose words have not come."""

    def url(self) -> str:
        return self._address + "".join(f"&{urlencode({'keyterms': term})}" for term in self._terms)

    def headers(self) -> Mapping[str, str]:
        return {"xi-api-key": self._key}

    def opened(self) -> Sequence[bytes]:
        self._committing.clear()
        self._uncommitted_bytes = 0
        return ()

    def _chunk(self, audio: bytes, *, commit: bool) -> bytes:
        self._uncommitted_bytes = 0 if commit else self._uncommitted_bytes + len(audio)
        return b'{"message_type":"input_audio_chunk","audio_base_64":"%b","commit":%b,"sample_rate":%d}' % (
            base64.b64encode(audio),
            b"true" if commit else b"false",
            self._audio.rate_hz,
        )

    def _silence(self, size: int) -> bytes:
        return self._level * max(0, size)

    def audio(self, piece: bytes) -> tuple[bytes, bool]:
        return self._chunk(piece, commit=False), True

    def finish(self, utterance: int) -> bytes | None:
        self._committing.append(utterance)
        missing = self._audio.bytes_for_ms(_LEAST_COMMIT_MS) - self._uncommitted_bytes
        return self._chunk(self._silence(missing), commit=True)

    def idle(self) -> tuple[bytes, bool] | None:
        return self._chunk(self._silence(self._audio.bytes_for_ms(_IDLE_MS)), commit=False), True

    def expect(self, answers: ExpectedAnswers) -> bytes | None:
        """Key terms belong to the address: what is expected now is told with the next connection."""
        phrases = phrases_of(answers, MOST_KEY_TERMS, _LONGEST_KEY_TERM)
        self._terms = list(dict.fromkeys((*self._keyterms, *phrases)))[:MOST_KEY_TERMS]
        return None

    def goodbye(self) -> bytes | None:
        return None

    def read(self, payload: bytes, *, text: bool) -> Sequence[Told]:
        message = json_object(payload, text=text)
        kind = message.get("message_type")
        if kind == "partial_transcript":
            return self._partial(str(message["text"]).strip())
        if kind == "committed_transcript":  # that with timestamps, where it was asked for, says it again
            return self._committed(message)
        if kind == "session_started":
            return (Greeted(),)
        if kind in _STATUS:
            reason = f"{kind}: {message.get('error', '')}"
            return (refusal(self._provider, _STATUS[str(kind)], reason, secret=self._key),)
        return ()

    def _partial(self, said: str) -> Sequence[Told]:
        if self._committing:
            return (Segment(said, False, 0, 0, utterance=self._committing[0]),)
        return (Segment(said, False, 0, 0, current=True),)

    def _committed(self, message: Mapping[str, Any]) -> Sequence[Told]:
        text = str(message["text"]).strip()
        if not self._committing:
            return ()
        utterance = self._committing.popleft()
        return (Segment(text, True, 0, 0, utterance=utterance), Flushed(utterance))

    def closed(self, code: int, reason: str) -> Failure | None:
        return refusal(self._provider, 400, reason, secret=self._key) if code == 1008 else None
