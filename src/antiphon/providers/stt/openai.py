"""OpenAI's realtime transcription: it gets each utterance as we cut it, and answers after our commit.

Protocol: developers.openai.com/api/docs/guides/realtime-transcription, and the types of openai 3.57 (``types.realtime``).
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers
from antiphon.providers.stt.key_terms import key_terms, phrases_of
from antiphon.providers.stt.streamed import StreamedSpeechToText
from antiphon.providers.stt.wire import Flushed, Greeted, Rejected, Segment, Told, Wire, json_object
from antiphon.providers.vendor_settings import websocket_url
from antiphon.providers.websocket import Failure, presentable, refusal
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

_COMMIT = b'{"type":"input_audio_buffer.commit"}'
_EMPTY = "input_audio_buffer_commit_empty"
_STATUS: Mapping[str, int] = {"invalid_api_key": 401, "insufficient_quota": 402, "model_not_found": 404}
"""Error codes that end a session, as HTTP would say them."""
_TRANSCRIPTION = "conversation.item.input_audio_transcription."
_MOST_KEYWORDS = 100


class OpenAISpeechToText(StreamedSpeechToText):
    """Implements ``SpeechToText``."""

    name = "openai"
    formats = (TELEPHONE, AudioFormat(Encoding.ALAW, 8000), AudioFormat(Encoding.PCM16, 24000))
    continuous = False

    def __init__(
        self,
        api_key: str = "",
        base_url: str = "https://api.openai.com/v1",
        model: str = "gpt-live-transcribe",
        language: str = "",
        *,
        prompt: str = "",
        keywords: Sequence[str] = (),
        noise_reduction: str = "",
        ca_file: str = "",
    ) -> None:
        """``language``: ISO 639-1; empty lets the model find out. ``prompt``: what the model shall know (not every model takes one).
        ``keywords``: words it shall listen for (gpt-transcribe, gpt-live-transcribe). ``noise_reduction``: ``near_field``,
        ``far_field`` or nothing. Raises ConfigurationError."""
        super().__init__(api_key, ca_file)
        if noise_reduction not in ("", "near_field", "far_field"):
            raise ConfigurationError("noise_reduction", "must be near_field, far_field or empty")
        self._address = f"{websocket_url(base_url)}/realtime?intent=transcription"
        self._keywords = key_terms(keywords, "keywords")
        self.model = model
        self._takes_keywords = model in ("gpt-transcribe", "gpt-live-transcribe")
        self._transcription = {"model": model, **({"language": language} if language else {})}
        if prompt:
            self._transcription["prompt"] = prompt
        self._noise_reduction = noise_reduction

    def wire(self, audio: AudioFormat, answers: ExpectedAnswers) -> Wire:
        kinds = {Encoding.MULAW: "audio/pcmu", Encoding.ALAW: "audio/pcma", Encoding.PCM16: "audio/pcm"}
        form: dict[str, Any] = {"type": kinds[audio.encoding]}
        if audio.encoding is Encoding.PCM16:
            form["rate"] = audio.rate_hz
        heard: dict[str, Any] = {"format": form, "transcription": dict(self._transcription), "turn_detection": None}
        if self._noise_reduction:
            heard["noise_reduction"] = {"type": self._noise_reduction}
        keywords = self._keywords if self._takes_keywords else None
        return RealtimeTranscriptionWire(self.name, self.api_key, self._address, heard, keywords, answers)


class RealtimeTranscriptionWire:
    """One call on ``/v1/realtime?intent=transcription``. Implements ``Wire``."""

    greets = True
    interim_suffices = False
    talks_back = False
    """Some models say nothing before the commit."""
    answers_silence = True
    smallest_ms = 0
    quiet_after_s = 0.0
    filler = b""

    def __init__(
        self,
        provider: str,
        api_key: str,
        address: str,
        heard: dict[str, Any],
        keywords: Sequence[str] | None,
        answers: ExpectedAnswers,
    ) -> None:
        self._provider, self._key, self._address = provider, api_key, address
        self._heard, self._keywords = heard, keywords
        self._note_keywords(answers)
        self._committing: deque[int] = deque()
        """Utterances committed, of which the vendor has not told the item's id."""
        self._items: dict[str, int] = {}
        self._deltas: dict[str, str] = {}
        self._ready = False

    def _note_keywords(self, answers: ExpectedAnswers) -> bool:
        if self._keywords is None:
            return False
        wanted = list(dict.fromkeys((*self._keywords, *phrases_of(answers, _MOST_KEYWORDS))))[:_MOST_KEYWORDS]
        transcription = self._heard["transcription"]
        changed: bool = wanted != transcription.get("keywords", [])
        if changed:
            transcription["keywords"] = wanted
        return changed

    def url(self) -> str:
        return self._address

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._key}"}

    def opened(self) -> Sequence[bytes]:
        self._committing.clear()
        self._items.clear()
        self._deltas.clear()
        self._ready = False
        return (self._update(),)

    def _update(self) -> bytes:
        return orjson.dumps(
            {"type": "session.update", "session": {"type": "transcription", "audio": {"input": self._heard}}}
        )

    def audio(self, piece: bytes) -> tuple[bytes, bool]:
        return b'{"type":"input_audio_buffer.append","audio":"' + base64.b64encode(piece) + b'"}', True

    def finish(self, utterance: int) -> bytes | None:
        self._committing.append(utterance)
        return _COMMIT

    def idle(self) -> tuple[bytes, bool] | None:
        return None

    def expect(self, answers: ExpectedAnswers) -> bytes | None:
        return self._update() if self._note_keywords(answers) else None

    def goodbye(self) -> bytes | None:
        return None

    def read(self, payload: bytes, *, text: bool) -> Sequence[Told]:
        message = json_object(payload, text=text)
        kind = str(message.get("type"))
        if kind == "session.updated":
            first, self._ready = not self._ready, True
            return (Greeted(),) if first else ()
        if kind == "input_audio_buffer.committed":
            if self._committing:
                self._items[str(message["item_id"])] = self._committing.popleft()
            return ()
        if kind.startswith(_TRANSCRIPTION):
            return self._transcribed(kind.removeprefix(_TRANSCRIPTION), message)
        return self._error(message["error"]) if kind == "error" else ()

    def _transcribed(self, kind: str, message: dict[str, Any]) -> Sequence[Told]:
        item = str(message["item_id"])
        utterance = self._items.get(item)
        if kind == "delta":
            said = self._deltas[item] = self._deltas.get(item, "") + str(message["delta"])
            if (
                utterance is None and self._committing
            ):  # our commit is on its way: the vendor has heard no more than it closes
                utterance = self._committing[0]
            if utterance is not None:
                return (Segment(said.strip(), False, 0, 0, utterance=utterance),)
            # Before its commit: what is being said now.
            return (Segment(said.strip(), False, 0, 0, current=True),)
        if utterance is None or kind not in ("completed", "failed"):
            return ()
        del self._items[item]
        self._deltas.pop(item, None)
        if kind == "failed":
            error = message.get("error") or {}
            problem = presentable(str(error.get("message") or "the model failed"), self._key)
            return (Rejected(problem, utterance),)
        languages = [
            str(each.get("language", each)) if isinstance(each, dict) else str(each)
            for each in message.get("languages") or ()
        ]
        language = languages[0] if languages else ""
        return (
            Segment(str(message["transcript"]).strip(), True, 0, 0, language=language, utterance=utterance),
            Flushed(utterance),
        )

    def _error(self, error: Mapping[str, Any]) -> Sequence[Told]:
        code = str(error.get("code") or "")
        if code == _EMPTY:  # too little audio for words
            return (Flushed(self._committing.popleft()),) if self._committing else ()
        status = _STATUS.get(code) or (400 if not self._ready else 0)
        if status:
            return (refusal(self._provider, status, str(error.get("message") or code), secret=self._key),)
        return ()  # the session goes on, says the vendor

    def closed(self, code: int, reason: str) -> Failure | None:
        status = next((status for name, status in _STATUS.items() if name in reason), None)
        return refusal(self._provider, status, reason, secret=self._key) if status else None
