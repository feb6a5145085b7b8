"""Cartesia's Ink 2: it gets each utterance as we cut it, and answers after our ``finalize``.

Cartesia has two realtime endpoints. This is the one where the client says where speech ends (``/stt/websocket``). The other
(``/stt/turns/websocket``) tells the vendor's turns, but times neither its words nor its events and can be asked for nothing: which
utterance of ours a word belongs to would be a guess.

Protocol: docs.cartesia.ai/api-reference/stt/websocket, docs.cartesia.ai/use-the-api/stt/common-pitfalls, and the types of cartesia 4.2
(``stt.manual_finalize``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from antiphon.audio import codec
from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers
from antiphon.providers.stt.key_terms import MOST_KEY_TERMS, key_terms, phrases_of
from antiphon.providers.stt.streamed import StreamedSpeechToText
from antiphon.providers.stt.wire import Flushed, Segment, Told, Wire, json_object
from antiphon.providers.vendor_settings import websocket_url
from antiphon.providers.websocket import Failure, refusal
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

VERSION = "2026-03-01"
_ENCODINGS: Mapping[Encoding, str] = {
    Encoding.MULAW: "pcm_mulaw",
    Encoding.ALAW: "pcm_alaw",
    Encoding.PCM16: "pcm_s16le",
}
_MOST_KEY_TERM_CHARS = 1200
"""Of all key terms together."""
_IDLE_MS = 100
_QUIET_AFTER_S = 20.0
"""A connection that hears nothing for some minutes is closed: between utterances it hears a little silence."""


class CartesiaSpeechToText(StreamedSpeechToText):
    """Ink. Implements ``SpeechToText``."""

    name = "cartesia"
    formats = (
        TELEPHONE,
        AudioFormat(Encoding.ALAW, 8000),
        AudioFormat(Encoding.PCM16, 16000),
        AudioFormat(Encoding.PCM16, 24000),
        AudioFormat(Encoding.PCM16, 8000),
    )
    continuous = False

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "wss://api.cartesia.ai",
        model: str = "ink-2",
        language: str = "en",
        *,
        keyterms: Sequence[str] = (),
        ca_file: str = "",
    ) -> None:
        """``language``: Ink 2 knows English alone. ``keyterms``: words it shall listen for, 1,200 characters in all. Raises
        ConfigurationError."""
        super().__init__(api_key, ca_file)
        spoken = language.partition("-")[0].lower() or "en"
        if model.startswith("ink-2") and spoken != "en":
            raise ConfigurationError("language", f"{model} knows en alone")
        self._keyterms = key_terms(keyterms)
        if sum(map(len, self._keyterms)) > _MOST_KEY_TERM_CHARS:
            raise ConfigurationError("keyterms", f"may have {_MOST_KEY_TERM_CHARS} characters in all")
        self._base_url = websocket_url(base_url)
        self._query = [("model", model), ("language", spoken)]

    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        query = [*self._query, ("encoding", _ENCODINGS[audio.encoding]), ("sample_rate", str(audio.rate_hz))]
        address = f"{self._base_url}/stt/websocket?{urlencode(query)}"
        wire = InkWire(self.name, self.api_key, address, audio, self._keyterms)
        wire.expect(answers)
        return wire


class InkWire:
    """One call on ``/stt/websocket``. Implements ``Wire``."""

    greets = False
    interim_suffices = False
    talks_back = False
    """It need not say anything before ``finalize``."""
    answers_silence = True
    smallest_ms = 0
    quiet_after_s = _QUIET_AFTER_S
    filler = b""

    def __init__(self, provider: str, api_key: str, address: str, audio: AudioFormat, keyterms: Sequence[str]) -> None:
        self._provider, self._key, self._address, self._keyterms = provider, api_key, address, keyterms
        self._terms: Sequence[str] = keyterms
        self._silence = codec.silence_for(audio, _IDLE_MS)
        self._finalizing: deque[int] = deque()
        """Utterances whose words were asked for, and of which it has not said that they are all."""
        self._final = ""
        """Final words of the first of them, or else of the one that is being heard: pieces, to be put together as they are."""

    def url(self) -> str:
        return self._address + "".join(f"&{urlencode({'keyterm': term})}" for term in self._terms)

    def headers(self) -> Mapping[str, str]:
        return {"X-API-Key": self._key, "Cartesia-Version": VERSION}

    def opened(self) -> Sequence[bytes]:
        self._finalizing.clear()
        self._final = ""
        return ()

    def audio(self, piece: bytes) -> tuple[bytes, bool]:
        return piece, False

    def finish(self, utterance: int) -> bytes | None:
        self._finalizing.append(utterance)
        return b"finalize"

    def idle(self) -> tuple[bytes, bool] | None:
        return self._silence, False

    def expect(self, answers: ExpectedAnswers) -> bytes | None:
        """Key terms belong to the address: what is expected now is told with the next connection."""
        terms: list[str] = []
        chars = 0
        for term in dict.fromkeys((*self._keyterms, *phrases_of(answers, MOST_KEY_TERMS))):
            chars += len(term)
            if len(terms) < MOST_KEY_TERMS and chars <= _MOST_KEY_TERM_CHARS:
                terms.append(term)
        self._terms = terms
        return None

    def goodbye(self) -> bytes | None:
        return b"close"

    def read(self, payload: bytes, *, text: bool) -> Sequence[Told]:
        message = json_object(payload, text=text)
        kind = message.get("type")
        if kind == "transcript":
            return self._transcript(message)
        if kind == "flush_done" and self._finalizing:
            utterance, said, self._final = self._finalizing.popleft(), self._final.strip(), ""
            return (Segment(said, True, 0, 0, utterance=utterance), Flushed(utterance))
        if kind == "error":
            reason = f"{message.get('title', '')} {message.get('message', '')}"
            return (refusal(self._provider, int(message.get("status_code") or 500), reason, secret=self._key),)
        return ()

    def _transcript(self, message: Mapping[str, Any]) -> Sequence[Told]:
        said = self._final + str(message["text"])
        if message["is_final"]:
            self._final = said
        if self._finalizing:
            return (Segment(said.strip(), False, 0, 0, utterance=self._finalizing[0]),)
        return (Segment(said.strip(), False, 0, 0, current=True),)

    def closed(self, code: int, reason: str) -> Failure | None:
        return None
