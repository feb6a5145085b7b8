"""The two halves of a session's ``audio``: how the caller is heard and how the agent sounds (§2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from antiphon.surfaces.realtime.protocol.errors import missing
from antiphon.surfaces.realtime.protocol.fields import Fields
from antiphon.vocabulary import AudioFormat, Encoding

Eagerness = Literal["low", "medium", "high", "auto"]
Delay = Literal["minimal", "low", "medium", "high", "xhigh"]

PCM = AudioFormat(Encoding.PCM16, 24000)
PCMU = AudioFormat(Encoding.MULAW, 8000)
PCMA = AudioFormat(Encoding.ALAW, 8000)

_FORMATS = {"audio/pcm": PCM, "audio/pcmu": PCMU, "audio/pcma": PCMA}
_FORMAT_NAMES = {audio: name for name, audio in _FORMATS.items()}
_EAGERNESS: tuple[Eagerness, ...] = ("low", "medium", "high", "auto")
_DELAYS: tuple[Delay, ...] = ("minimal", "low", "medium", "high", "xhigh")
_FIELDS: tuple[Literal["near_field", "far_field"], ...] = ("near_field", "far_field")
_DETECTIONS: tuple[Literal["server_vad", "semantic_vad"], ...] = ("server_vad", "semantic_vad")
_MAX_MS = 60_000
_MAX_NAME_CHARS = 256
_MAX_WORDS = 1000


@dataclass(frozen=True, slots=True)
class ServerVad:
    """A turn ends after silence. ``threshold`` is a speech probability, 0 to 1."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    idle_timeout_ms: int | None = None
    create_response: bool = True
    interrupt_response: bool = True

    def to_wire(self) -> dict[str, Any]:
        """With its defaults: agents SDKs decide by ``interrupt_response`` whether they must cancel themselves."""
        return {
            "type": "server_vad",
            "threshold": self.threshold,
            "prefix_padding_ms": self.prefix_padding_ms,
            "silence_duration_ms": self.silence_duration_ms,
            "idle_timeout_ms": self.idle_timeout_ms,
            "create_response": self.create_response,
            "interrupt_response": self.interrupt_response,
        }


@dataclass(frozen=True, slots=True)
class SemanticVad:
    """A turn ends when its words sound finished. Longest waits: 8 s (low), 4 s (medium, auto), 2 s (high)."""

    eagerness: Eagerness = "auto"
    create_response: bool = True
    interrupt_response: bool = True

    def to_wire(self) -> dict[str, Any]:
        return {
            "type": "semantic_vad",
            "eagerness": self.eagerness,
            "create_response": self.create_response,
            "interrupt_response": self.interrupt_response,
        }


TurnDetection = ServerVad | SemanticVad


@dataclass(frozen=True, slots=True)
class Transcription:
    """The caller's words are wanted as text. Names of models and languages are the client's: the registry aliases them.

    Whatever is empty was left to us, and is not shown.
    """

    model: str = ""
    language: str = ""
    languages: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    prompt: str = ""
    delay: Delay | Literal[""] = ""

    def to_wire(self) -> dict[str, Any]:
        fields = {
            "model": self.model,
            "language": self.language,
            "languages": list(self.languages),
            "keywords": list(self.keywords),
            "prompt": self.prompt,
            "delay": self.delay,
        }
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True, slots=True)
class NoiseReduction:
    """``strength`` is newer than the specification; 1 is its default."""

    type: Literal["near_field", "far_field"] = "near_field"
    strength: float | None = None

    def to_wire(self) -> dict[str, Any]:
        return {"type": self.type} | ({} if self.strength is None else {"strength": self.strength})


@dataclass(frozen=True, slots=True)
class AudioInput:
    """How the caller is heard. ``turn_detection`` None: the client commits by hand; ``transcription`` None: no text is told."""

    format: AudioFormat = PCM
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = ServerVad()

    def merge(self, fields: Fields) -> AudioInput:
        """With the fields that are there; see ``SessionConfig.merge``."""
        merged = replace(
            self,
            format=read_format(fields) or self.format,
            transcription=_transcription(fields) if fields.given("transcription") else self.transcription,
            noise_reduction=_noise_reduction(fields) if fields.given("noise_reduction") else self.noise_reduction,
            turn_detection=_turn_detection(fields) if fields.given("turn_detection") else self.turn_detection,
        )
        fields.close()
        return merged

    def to_wire(self) -> dict[str, Any]:
        return {
            "format": format_to_wire(self.format),
            "transcription": self.transcription and self.transcription.to_wire(),
            "noise_reduction": self.noise_reduction and self.noise_reduction.to_wire(),
            "turn_detection": self.turn_detection and self.turn_detection.to_wire(),
        }


@dataclass(frozen=True, slots=True)
class AudioOutput:
    """How the agent sounds. ``voice`` is the client's word for it, whatever engine speaks; ``speed`` 0.25 to 1.5."""

    format: AudioFormat = PCM
    voice: str = "marin"
    speed: float = 1.0

    def merge(self, fields: Fields) -> AudioOutput:
        """With the fields that are there; see ``SessionConfig.merge``."""
        speed = fields.number("speed", 0.25, 1.5)
        merged = AudioOutput(
            format=read_format(fields) or self.format,
            voice=read_voice(fields) or self.voice,
            speed=self.speed if speed is None else speed,
        )
        fields.close()
        return merged

    def to_wire(self) -> dict[str, Any]:
        """``voice`` as a string, whatever form it came in: Pipecat and agents-js take no object."""
        return {"format": format_to_wire(self.format), "voice": self.voice, "speed": self.speed}


def format_to_wire(audio: AudioFormat) -> dict[str, Any]:
    """``{"type": "audio/pcm", "rate": 24000}``, ``{"type": "audio/pcmu"}`` or ``{"type": "audio/pcma"}``."""
    named: dict[str, Any] = {"type": _FORMAT_NAMES[audio]}
    return named | {"rate": audio.rate_hz} if audio is PCM or audio == PCM else named


def read_format(fields: Fields) -> AudioFormat | None:
    """The ``format`` of one half. PCM is 24 kHz and nothing else."""
    described = fields.nested("format")
    if described is None:
        return None
    audio = _FORMATS[described.needed_choice("type", tuple(_FORMATS))]
    if audio == PCM:
        described.integer("rate", PCM.rate_hz, PCM.rate_hz)
    else:
        described.allow("rate")
    described.close()
    return audio


def read_voice(fields: Fields) -> str | None:
    """``voice``: a name, or ``{"id": name}``."""
    if not isinstance(fields.value("voice"), dict):
        return fields.identifier("voice", max_chars=_MAX_NAME_CHARS)
    custom = fields.needed_nested("voice")
    name = custom.needed_identifier("id", max_chars=_MAX_NAME_CHARS)
    custom.close()
    return name


def _turn_detection(fields: Fields) -> TurnDetection | None:
    detection = fields.nested("turn_detection")
    if detection is None:
        return None
    kind = detection.choice("type", _DETECTIONS)
    if kind is None and detection.strict:
        raise missing(detection.where("type"))
    # A client that names only times means the plain one, which was the only one there once was.
    read = _semantic_vad(detection) if kind == "semantic_vad" else _server_vad(detection)
    detection.close()
    return read


def _server_vad(fields: Fields) -> ServerVad:
    default = ServerVad()
    threshold = fields.number("threshold", 0.0, 1.0)
    padding_ms = fields.integer("prefix_padding_ms", 0, _MAX_MS)
    silence_ms = fields.integer("silence_duration_ms", 0, _MAX_MS)
    return ServerVad(
        threshold=default.threshold if threshold is None else threshold,
        prefix_padding_ms=default.prefix_padding_ms if padding_ms is None else padding_ms,
        silence_duration_ms=default.silence_duration_ms if silence_ms is None else silence_ms,
        idle_timeout_ms=fields.integer("idle_timeout_ms", 5000, 30_000),
        create_response=fields.flag("create_response") is not False,
        interrupt_response=fields.flag("interrupt_response") is not False,
    )


def _semantic_vad(fields: Fields) -> SemanticVad:
    return SemanticVad(
        eagerness=fields.choice("eagerness", _EAGERNESS) or "auto",
        create_response=fields.flag("create_response") is not False,
        interrupt_response=fields.flag("interrupt_response") is not False,
    )


def _transcription(fields: Fields) -> Transcription | None:
    wanted = fields.nested("transcription")
    if wanted is None:
        return None
    read = Transcription(
        model=wanted.text("model", max_chars=_MAX_NAME_CHARS) or "",
        language=wanted.text("language", max_chars=_MAX_NAME_CHARS) or "",
        languages=wanted.texts("languages", _MAX_WORDS) or (),
        keywords=wanted.texts("keywords", _MAX_WORDS) or (),
        prompt=wanted.text("prompt") or "",
        delay=wanted.choice("delay", _DELAYS) or "",
    )
    wanted.close()
    return read


def _noise_reduction(fields: Fields) -> NoiseReduction | None:
    reduction = fields.nested("noise_reduction")
    if reduction is None:
        return None
    read = NoiseReduction(reduction.needed_choice("type", _FIELDS), reduction.number("strength", 0.0, 1.0))
    reduction.close()
    return read
