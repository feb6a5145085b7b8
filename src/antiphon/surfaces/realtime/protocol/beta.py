"""The dialect before the final one (``OpenAI-Beta: realtime=v1``), translated at the door (§9). Old clients speak it.

Nothing behind this module knows of it: a beta message becomes a final one before it is read, and a final event a beta one
before it is sent. An error's ``param`` names the final field. ``temperature`` is accepted and not obeyed, because the
final session has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.surfaces.realtime.protocol.client_events import ClientEvent, load, read_event
from antiphon.surfaces.realtime.protocol.server_events import Event

_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_BETA_FORMATS = {name: beta for beta, name in _FORMATS.items()}
_TEMPERATURE = 0.8
_SAME = ("instructions", "tools", "tool_choice", "tracing", "include", "model", "id", "object", "expires_at", "prompt")
_SAME_IN_RESPONSE = ("instructions", "tools", "tool_choice", "conversation", "metadata")
_INPUT = {
    "input_audio_transcription": "transcription",
    "input_audio_noise_reduction": "noise_reduction",
    "turn_detection": "turn_detection",
}
_EVENT_NAMES = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "conversation.item.added": "conversation.item.created",
}
_UNKNOWN = frozenset(["conversation.item.done", "input_audio_buffer.timeout_triggered"])
_BETA_PARTS = {"output_text": "text", "output_audio": "audio"}


def parse_beta(payload: bytes) -> ClientEvent:
    """One message of a beta client. Raises ClientError, as ``client_events.parse`` does. Never strict: its fields are others."""
    return read_event(from_beta(load(payload)))


def from_beta(event: Mapping[str, Any]) -> dict[str, Any]:
    """A client's event in final words. What has the wrong type is left as it is, for the reader to refuse."""
    translated = dict(event)
    kind = event.get("type")
    if kind == "session.update":
        _replace(translated, "session", lambda session: {"type": "realtime", **_session_from_beta(session)})
    elif kind == "transcription_session.update":
        translated["type"] = "session.update"
        _replace(translated, "session", lambda session: {"type": "transcription", **_session_from_beta(session)})
    elif kind == "response.create":
        _replace(translated, "response", _response_from_beta)
    return translated


def to_beta(event: Event) -> Event | None:
    """A server's event as beta clients know it; None where they know of none."""
    kind = event["type"]
    if kind in _UNKNOWN:
        return None
    translated = {**event, "type": _EVENT_NAMES.get(kind, kind)}
    _replace(translated, "item", _item_to_beta)
    _replace(translated, "response", _response_to_beta)
    if "session" in event:
        if event["session"]["type"] == "transcription":
            translated["type"] = f"transcription_{kind}"
        translated["session"] = session_to_beta(event["session"])
    return translated


def session_to_beta(session: Mapping[str, Any]) -> dict[str, Any]:
    """``SessionConfig.echo`` in flat words, as ``POST /v1/realtime/sessions`` answers too."""
    audio = session["audio"]
    flat: dict[str, Any] = {name: session[name] for name in _SAME if name in session}
    flat["input_audio_format"] = _BETA_FORMATS[audio["input"]["format"]["type"]]
    for beta_name, name in _INPUT.items():
        flat[beta_name] = audio["input"][name]
    if session["type"] == "transcription":
        return flat
    return flat | {
        "modalities": _modalities_to_beta(session["output_modalities"]),
        "output_audio_format": _BETA_FORMATS[audio["output"]["format"]["type"]],
        "voice": audio["output"]["voice"],
        "speed": audio["output"]["speed"],
        "max_response_output_tokens": session["max_output_tokens"],
        "temperature": _TEMPERATURE,
    }


def _session_from_beta(session: Mapping[str, Any]) -> dict[str, Any]:
    final: dict[str, Any] = {name: session[name] for name in _SAME if name in session}
    hearing = {name: session[beta_name] for beta_name, name in _INPUT.items() if beta_name in session}
    if "input_audio_format" in session:
        hearing["format"] = _format_from_beta(session["input_audio_format"])
    final["audio"] = {"input": hearing, "output": _output_from_beta(session)}
    if "max_response_output_tokens" in session:
        final["max_output_tokens"] = session["max_response_output_tokens"]
    if "modalities" in session:
        final["output_modalities"] = _modalities_from_beta(session["modalities"])
    return final


def _response_from_beta(response: Mapping[str, Any]) -> dict[str, Any]:
    final: dict[str, Any] = {name: response[name] for name in (*_SAME_IN_RESPONSE, "input") if name in response}
    final["audio"] = {"output": _output_from_beta(response)}
    if "max_response_output_tokens" in response:
        final["max_output_tokens"] = response["max_response_output_tokens"]
    if "modalities" in response:
        final["output_modalities"] = _modalities_from_beta(response["modalities"])
    return final


def _output_from_beta(flat: Mapping[str, Any]) -> dict[str, Any]:
    output = {name: flat[name] for name in ("voice", "speed") if name in flat}
    if "output_audio_format" in flat:
        output["format"] = _format_from_beta(flat["output_audio_format"])
    return output


def _format_from_beta(name: Any) -> Any:
    return {"type": _FORMATS.get(name, name)} if isinstance(name, str) else name


def _modalities_from_beta(modalities: Any) -> Any:
    """Beta names both where audio is wanted."""
    return ["audio"] if isinstance(modalities, list) and "audio" in modalities else modalities


def _modalities_to_beta(modalities: list[str]) -> list[str]:
    return ["audio", "text"] if "audio" in modalities else modalities


def _response_to_beta(response: Mapping[str, Any]) -> dict[str, Any]:
    output = response["audio"]["output"]
    flat = {name: value for name, value in response.items() if name not in ("audio", "output_modalities")}
    return flat | {
        "modalities": _modalities_to_beta(response["output_modalities"]),
        "voice": output["voice"],
        "output_audio_format": _BETA_FORMATS[output["format"]["type"]],
        "temperature": _TEMPERATURE,
        "output": [_item_to_beta(item) for item in response["output"]],
    }


def _item_to_beta(item: Mapping[str, Any]) -> dict[str, Any]:
    flat = dict(item)
    if "content" in item:
        flat["content"] = [{**part, "type": _BETA_PARTS.get(part["type"], part["type"])} for part in item["content"]]
    return flat


def _replace(event: dict[str, Any], name: str, translate: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    if isinstance(event.get(name), dict):
        event[name] = translate(event[name])
