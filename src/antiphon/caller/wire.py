"""Twilio Media Streams seen from Twilio's side: what Twilio sends to a server, and what it accepts from one.

Pure. The rules are Twilio's "Media Streams - WebSocket Messages": every message is one JSON text frame, numbers are
strings, ``sequenceNumber`` counts all messages of a stream from 1 except ``connected``, ``chunk`` counts media messages
from 1, ``timestamp`` is milliseconds since the stream began. The server may send ``media``, ``mark`` and ``clear``, each
with the stream's own id; anything else is Twilio's warning 31951 and is ignored.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from antiphon.errors import MalformedMessage

FRAME_MS = 20
"""Twilio's observed cadence. Not promised by Twilio; a server must take any length."""
FRAME_BYTES = 160
"""One frame of 8 kHz µ-law."""

CONNECTED = b'{"event":"connected","protocol":"Call","version":"1.0.0"}'


@dataclass(frozen=True, slots=True)
class StreamIds:
    """The three names of a call, each two letters and 32 hexadecimal digits."""

    account_sid: str
    call_sid: str
    stream_sid: str


class Uplink:
    """Numbers and renders what Twilio sends on one stream, as bytes ready for a text frame."""

    def __init__(self, ids: StreamIds) -> None:
        self._ids = ids
        self._sequence = 0
        self._chunk = 0
        # Half a hundred of these a second and call: one %-format over a ready template costs a third of a JSON dump.
        self._media = (
            b'{"event":"media","sequenceNumber":"%d","media":{"track":"inbound","chunk":"%d","timestamp":"%d",'
            b'"payload":"%b"},"streamSid":"' + ids.stream_sid.encode() + b'"}'
        )

    def start(self, parameters: Mapping[str, str]) -> bytes:
        """The first numbered message. ``parameters`` are the ``<Parameter>`` elements of the TwiML."""
        return self._render(
            "start",
            start={
                "accountSid": self._ids.account_sid,
                "streamSid": self._ids.stream_sid,
                "callSid": self._ids.call_sid,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": dict(parameters),
            },
        )

    def media(self, payload_b64: bytes, timestamp_ms: int) -> bytes:
        """One frame of the caller's voice; ``payload_b64`` is base64 of raw µ-law."""
        self._sequence += 1
        self._chunk += 1
        return self._media % (self._sequence, self._chunk, timestamp_ms, payload_b64)

    def dtmf(self, digit: str) -> bytes:
        """One key the caller pressed."""
        return self._render("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    def mark(self, name: str) -> bytes:
        """The echo of the server's mark ``name``."""
        return self._render("mark", mark={"name": name})

    def stop(self) -> bytes:
        """The last message of a stream."""
        return self._render("stop", stop={"accountSid": self._ids.account_sid, "callSid": self._ids.call_sid})

    def _render(self, event: str, **fields: object) -> bytes:
        self._sequence += 1
        return orjson.dumps(
            {
                "event": event,
                "sequenceNumber": str(self._sequence),
                **fields,
                "streamSid": self._ids.stream_sid,
            }
        )


@dataclass(frozen=True, slots=True)
class Media:
    """Audio to play after all that was sent before: raw µ-law, at least one sample."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """To be echoed when all audio sent before has been played or cleared."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Drop what is not yet played."""


ServerMessage = Media | Mark | Clear
_CLEAR = Clear()


def parse(message: bytes | bytearray | memoryview, stream_sid: str) -> ServerMessage:
    """Read one text frame from the server.

    Raises MalformedMessage for what Twilio would ignore with warning 31951. Kinds: ``not_json``, ``not_object``,
    ``unknown_event``, ``wrong_stream_sid``, ``bad_payload``, ``wav_header``, ``bad_mark``.
    """
    try:
        document = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise MalformedMessage("not_json", error.msg) from error
    if not isinstance(document, dict):
        raise MalformedMessage("not_object")
    event = document.get("event")
    if event not in ("media", "mark", "clear"):
        raise MalformedMessage("unknown_event")
    if document.get("streamSid") != stream_sid:
        raise MalformedMessage("wrong_stream_sid")
    if event == "media":
        return Media(_payload(document.get("media")))
    if event == "mark":
        return Mark(_mark_name(document.get("mark")))
    return _CLEAR


def _payload(media: object) -> bytes:
    payload = media.get("payload") if isinstance(media, dict) else None
    if not isinstance(payload, str):
        raise MalformedMessage("bad_payload", "media.payload must be a string")
    try:
        audio = binascii.a2b_base64(payload, strict_mode=True)
    except ValueError as error:  # binascii.Error is one, and so is a payload that is not ASCII
        raise MalformedMessage("bad_payload", "not base64") from error
    if not audio:
        raise MalformedMessage("bad_payload", "empty")
    if audio.startswith(b"RIFF"):
        # Twilio plays the header as a click; a server that sends one has a bug worth naming.
        raise MalformedMessage("wav_header")
    return audio


def _mark_name(mark: object) -> str:
    name = mark.get("name") if isinstance(mark, dict) else None
    if not isinstance(name, str) or not name:
        raise MalformedMessage("bad_mark", "mark.name must be a non-empty string")
    return name
