"""What Twilio sends, and what it takes."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.caller.wire import CONNECTED, Clear, Mark, Media, StreamIds, Uplink, parse
from antiphon.errors import MalformedMessage

IDS = StreamIds("AC1", "CA2", "MZ3")


def test_messages_are_those_of_twilio_numbered_across_kinds() -> None:
    uplink = Uplink(IDS)
    sent = [
        uplink.start({"token": 'a"b'}),
        uplink.media(b"/////w==", 0),
        uplink.dtmf("#"),
        uplink.mark('m "1"'),
        uplink.media(b"/////w==", 20),
        uplink.stop(),
    ]
    assert json.loads(CONNECTED) == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert [json.loads(message) for message in sent] == [
        {
            "event": "start",
            "sequenceNumber": "1",
            "start": {
                "accountSid": "AC1",
                "streamSid": "MZ3",
                "callSid": "CA2",
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": {"token": 'a"b'},
            },
            "streamSid": "MZ3",
        },
        {
            "event": "media",
            "sequenceNumber": "2",
            "media": {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": "/////w=="},
            "streamSid": "MZ3",
        },
        {
            "event": "dtmf",
            "sequenceNumber": "3",
            "dtmf": {"track": "inbound_track", "digit": "#"},
            "streamSid": "MZ3",
        },
        {"event": "mark", "sequenceNumber": "4", "mark": {"name": 'm "1"'}, "streamSid": "MZ3"},
        {
            "event": "media",
            "sequenceNumber": "5",
            "media": {"track": "inbound", "chunk": "2", "timestamp": "20", "payload": "/////w=="},
            "streamSid": "MZ3",
        },
        {
            "event": "stop",
            "sequenceNumber": "6",
            "stop": {"accountSid": "AC1", "callSid": "CA2"},
            "streamSid": "MZ3",
        },
    ]


@given(st.binary(min_size=1, max_size=2000).filter(lambda audio: not audio.startswith(b"RIFF")))
def test_media_of_any_length_is_taken(audio: bytes) -> None:
    message = {"event": "media", "streamSid": "MZ3", "media": {"payload": base64.b64encode(audio).decode()}}
    assert parse(json.dumps(message).encode(), "MZ3") == Media(audio)


def test_mark_and_clear_are_taken() -> None:
    assert parse(b'{"event":"mark","streamSid":"MZ3","mark":{"name":"x"}}', "MZ3") == Mark("x")
    assert parse(memoryview(b'{"event":"clear","streamSid":"MZ3","extra":1}'), "MZ3") == Clear()


RIFF = base64.b64encode(b"RIFF1234WAVE").decode()


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"", "not_json"),
        (b"hello", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[" * 5000, "not_json"),
        (b"[]", "not_object"),
        (b"null", "not_object"),
        (b"{}", "unknown_event"),
        (b'{"event":["media"]}', "unknown_event"),
        (b'{"event":"dtmf","streamSid":"MZ3"}', "unknown_event"),
        (b'{"event":"clear"}', "wrong_stream_sid"),
        (b'{"event":"clear","streamSid":"MZ4"}', "wrong_stream_sid"),
        (b'{"event":"media","streamSid":"MZ3"}', "bad_payload"),
        (b'{"event":"media","streamSid":"MZ3","media":{"payload":7}}', "bad_payload"),
        (b'{"event":"media","streamSid":"MZ3","media":{"payload":""}}', "bad_payload"),
        (b'{"event":"media","streamSid":"MZ3","media":{"payload":"a"}}', "bad_payload"),
        ('{"event":"media","streamSid":"MZ3","media":{"payload":"é==="}}'.encode(), "bad_payload"),
        (b'{"event":"media","streamSid":"MZ3","media":{"payload":"%b"}}' % RIFF.encode(), "wav_header"),
        (b'{"event":"mark","streamSid":"MZ3","mark":"x"}', "bad_mark"),
        (b'{"event":"mark","streamSid":"MZ3","mark":{"name":""}}', "bad_mark"),
        (b'{"event":"mark","streamSid":"MZ3","mark":{"name":1}}', "bad_mark"),
    ],
)
def test_what_twilio_would_ignore_is_named(message: bytes, kind: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(message, "MZ3")
    assert caught.value.kind == kind


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: json.dumps({"event": text}).encode()))
def test_no_bytes_raise_anything_else(message: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse(message, "MZ3")
