"""Deepgram's Flux over ``/v2/listen``: a recogniser that listens for turns. What it thinks of them is handed on as evidence.

Its transcript is of the whole turn so far, and several of our utterances may lie in one turn. It is not asked for final words
(``ForceEndTurn`` would take the decision from it): an update that has heard past the end of an utterance has its words.

Protocol: developers.deepgram.com/docs/flux/quickstart, /docs/flux/state, /docs/flux/configuration, and the types of deepgram-sdk 7.17
(``listen.v2``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson

from antiphon.audio import codec
from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, HeardWord, TurnSignalKind
from antiphon.providers.stt.deepgram import ENCODINGS, FORMATS
from antiphon.providers.stt.key_terms import MOST_KEY_TERMS, key_terms, phrases_of
from antiphon.providers.stt.streamed import StreamedSpeechToText
from antiphon.providers.stt.wire import Greeted, Segment, Told, Turned, Wire, json_object
from antiphon.providers.vendor_settings import websocket_url
from antiphon.providers.websocket import Failure, refusal
from antiphon.vocabulary import AudioFormat

_CLOSE = b'{"type":"CloseStream"}'
_SILENCE_MS = 100
_QUIET_AFTER_S = 0.5
"""Flux has no KeepAlive, and no turn ends without audio: a line that stalls is filled with silence."""
_SIGNALS: Mapping[str, TurnSignalKind] = {
    "StartOfTurn": "start",
    "EagerEndOfTurn": "eager_end",
    "TurnResumed": "resumed",
    "EndOfTurn": "end",
}


class DeepgramFluxSpeechToText(StreamedSpeechToText):
    """Flux. Implements ``SpeechToText``."""

    name = "deepgram-flux"
    formats = FORMATS

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "wss://api.deepgram.com",
        model: str = "flux-general-en",
        language: str = "",
        *,
        eot_threshold: float = 0.7,
        eager_eot_threshold: float = 0.4,
        eot_timeout_ms: int = 5000,
        keyterms: Sequence[str] = (),
        numerals: bool = False,
        mip_opt_out: bool = False,
        ca_file: str = "",
    ) -> None:
        """``language``: a hint, for ``flux-general-multi``. ``eot_threshold``: how sure Flux must be that a turn is over;
        ``eager_eot_threshold``: … that a reply may be prepared (0: it never says so). ``eot_timeout_ms``: silence that ends a turn in any
        case. Raises ConfigurationError."""
        super().__init__(api_key, ca_file)
        if not 0.5 <= eot_threshold <= 0.9:
            raise ConfigurationError("eot_threshold", "must be from 0.5 to 0.9")
        if eager_eot_threshold and not 0.3 <= eager_eot_threshold <= eot_threshold:
            raise ConfigurationError("eager_eot_threshold", "must be 0, or from 0.3 to eot_threshold")
        if not 500 <= eot_timeout_ms <= 60_000:
            raise ConfigurationError("eot_timeout_ms", "must be from 500 to 60000")
        self._base_url, self.model = websocket_url(base_url), model
        self._keyterms = key_terms(keyterms)
        self._query: list[tuple[str, str]] = [
            ("model", model),
            ("eot_threshold", f"{eot_threshold:g}"),
            ("eot_timeout_ms", str(eot_timeout_ms)),
        ]
        if eager_eot_threshold:
            self._query.append(("eager_eot_threshold", f"{eager_eot_threshold:g}"))
        if language and model.endswith("-multi"):
            self._query.append(("language_hint", language))
        if numerals:
            self._query.append(("numerals", "true"))
        if mip_opt_out:
            self._query.append(("mip_opt_out", "true"))

    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        query = [*self._query, ("encoding", ENCODINGS[audio.encoding]), ("sample_rate", str(audio.rate_hz))]
        address = f"{self._base_url}/v2/listen?{urlencode(query)}"
        return FluxWire(self.name, self.api_key, address, audio, self._keyterms, phrases_of(answers, MOST_KEY_TERMS))


class FluxWire:
    """One call on ``/v2/listen``. Implements ``Wire``."""

    greets = True
    interim_suffices = True
    talks_back = True
    answers_silence = True
    smallest_ms = 0
    quiet_after_s = _QUIET_AFTER_S

    def __init__(
        self,
        provider: str,
        api_key: str,
        address: str,
        audio: AudioFormat,
        keyterms: Sequence[str],
        phrases: Sequence[str],
    ) -> None:
        self._provider, self._key, self._address = provider, api_key, address
        self._keyterms = keyterms
        self._terms = self._all_terms(phrases)
        self.filler = codec.silence_for(audio, _SILENCE_MS)
        self._turn = -1
        self._seen_ms: list[float] = []
        """Of each word of the turn, where in the audio it was first known: Flux does not always time its words."""
        self._window_ms = 0.0

    def _all_terms(self, phrases: Sequence[str]) -> list[str]:
        return list(dict.fromkeys((*self._keyterms, *phrases)))[:MOST_KEY_TERMS]

    def url(self) -> str:
        return self._address + "".join(f"&{urlencode({'keyterm': term})}" for term in self._terms)

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Token {self._key}"}

    def opened(self) -> Sequence[bytes]:
        self._turn, self._seen_ms, self._window_ms = -1, [], 0.0
        return ()

    def audio(self, piece: bytes) -> tuple[bytes, bool]:
        return piece, False

    def finish(self, utterance: int) -> bytes | None:
        return None

    def idle(self) -> tuple[bytes, bool] | None:
        return None

    def expect(self, answers: ExpectedAnswers) -> bytes | None:
        terms = self._all_terms(phrases_of(answers, MOST_KEY_TERMS))
        if terms == self._terms:
            return None
        self._terms = terms
        return orjson.dumps({"type": "Configure", "keyterms": terms})

    def goodbye(self) -> bytes | None:
        return _CLOSE

    def read(self, payload: bytes, *, text: bool) -> Sequence[Told]:
        message = json_object(payload, text=text)
        kind = message.get("type")
        if kind == "TurnInfo":
            return self._turn_info(message)
        if kind == "Connected":
            return (Greeted(),)
        if kind == "Error":
            reason = f"{message.get('code', '')} {message.get('description', '')}"
            return (refusal(self._provider, 500, reason, secret=self._key),)
        return ()

    def _turn_info(self, message: dict[str, Any]) -> list[Told]:
        event = str(message["event"])
        if message["turn_index"] != self._turn:
            self._turn, self._seen_ms = message["turn_index"], []
        end_ms = float(message["audio_window_end"]) * 1000
        given = message.get("words") or ()
        middle_ms = (self._window_ms + end_ms) / 2
        self._seen_ms = self._seen_ms[: len(given)] + [middle_ms] * (len(given) - len(self._seen_ms))
        self._window_ms = end_ms
        words = tuple(_word(word, seen_ms) for word, seen_ms in zip(given, self._seen_ms, strict=True))
        final = event == "EndOfTurn"
        text = str(message["transcript"])
        confidence = min((word.confidence for word in words if word.confidence is not None), default=None)
        languages = message.get("languages") or ()
        segment = Segment(
            text,
            final,
            float(message["audio_window_start"]) * 1000,
            end_ms,
            words,
            confidence if text else None,
            str(languages[0]) if languages else "",
            closes=final,
        )
        sure = float(message["end_of_turn_confidence"])
        return [segment, Turned(_SIGNALS[event], sure)] if event in _SIGNALS else [segment]

    def closed(self, code: int, reason: str) -> Failure | None:
        return refusal(self._provider, 400, reason, secret=self._key) if code == 1008 else None


def _word(word: Mapping[str, Any], seen_ms: float) -> HeardWord:
    start, end = word.get("start"), word.get("end")
    if start is None or end is None:
        return HeardWord(str(word["word"]), round(seen_ms), round(seen_ms), float(word["confidence"]))
    return HeardWord(str(word["word"]), round(float(start) * 1000), round(float(end) * 1000), float(word["confidence"]))
