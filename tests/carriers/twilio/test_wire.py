"""Rows 15 and 16 of the conformance plan, without a socket."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.carriers.twilio import wire
from antiphon.errors import MalformedMessage
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

SID = "MZ" + "a" * 32
CALL = "CA" + "b" * 32


def media(**changes: Any) -> dict[str, Any]:
    body = {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": base64.b64encode(b"\x7f" * 160).decode()}
    message: dict[str, Any] = {"event": "media", "sequenceNumber": "3", "streamSid": SID, "media": body}
    for name, value in changes.items():
        (body if name in ("track", "timestamp", "payload") else message)[name] = value
    return message


def start(**changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "accountSid": "AC1",
        "streamSid": SID,
        "callSid": CALL,
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"token": "t"},
    }
    body.update(changes)
    body = {name: value for name, value in body.items() if value is not None}
    return {"event": "start", "sequenceNumber": "1", "start": body, "streamSid": SID}


def parse(message: Any) -> wire.Inbound:
    return wire.parse(json.dumps(message))


def kind_of(message: Any) -> str:
    with pytest.raises(MalformedMessage) as raised:
        wire.parse(message) if isinstance(message, bytes | str) else parse(message)
    assert raised.value.kind in wire.KINDS
    return raised.value.kind


def without(message: dict[str, Any], *path: str) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(message))
    inner = copy
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return copy


class TestWhatTwilioSends:
    def test_connected(self) -> None:
        assert parse({"event": "connected", "protocol": "Call", "version": "1.0.0"}) == wire.Connected("Call", "1.0.0")

    def test_start(self) -> None:
        assert parse(start()) == wire.Start(SID, CALL, "AC1", 1, TELEPHONE, {"token": "t"})

    def test_start_with_the_stream_named_outside_only(self) -> None:
        message = parse(start(streamSid=None, accountSid=None, customParameters=None))
        assert message == wire.Start(SID, CALL, "", 1, TELEPHONE, {})

    def test_parameters_cannot_be_changed(self) -> None:
        message = parse(start())
        assert isinstance(message, wire.Start)
        with pytest.raises(TypeError):
            message.parameters["token"] = "other"  # type: ignore[index]

    @pytest.mark.parametrize(
        ("encoding", "rate_hz", "channels", "expected"),
        [
            ("audio/x-l16", 16000, 1, AudioFormat(Encoding.PCM16, 16000)),
            ("audio/x-alaw", "8000", "1", AudioFormat(Encoding.ALAW, 8000)),
            ("audio/x-mulaw", 8000, 2, None),
            ("audio/x-mulaw", 1, 1, None),
            ("audio/opus", 48000, 1, None),
        ],
    )
    def test_formats(self, encoding: str, rate_hz: object, channels: object, expected: AudioFormat | None) -> None:
        message = parse(start(mediaFormat={"encoding": encoding, "sampleRate": rate_hz, "channels": channels}))
        assert isinstance(message, wire.Start)
        assert message.audio == expected

    def test_media(self) -> None:
        assert parse(media()) == wire.Media(SID, 3, 5, "inbound", b"\x7f" * 160)

    @pytest.mark.parametrize("byte_count", [1, 80, 240, 800, 1096, 40_000])
    def test_media_of_any_length(self, byte_count: int) -> None:
        payload = bytes(range(256)) * 157
        message = parse(media(payload=base64.b64encode(payload[:byte_count]).decode()))
        assert isinstance(message, wire.Media)
        assert message.payload == payload[:byte_count]

    def test_numbers_as_integers(self) -> None:
        assert parse(media(sequenceNumber=3, timestamp=5)) == parse(media())

    def test_media_without_a_track_is_inbound(self) -> None:
        message = parse(without(media(), "media", "track"))
        assert isinstance(message, wire.Media)
        assert message.track == "inbound"

    def test_unknown_fields_are_ignored(self) -> None:
        assert parse({**media(), "new": {"deep": [1]}}) == parse(media())

    @pytest.mark.parametrize("digit", list("0123456789*#ABCD"))
    def test_dtmf(self, digit: str) -> None:
        message = {"event": "dtmf", "streamSid": SID, "sequenceNumber": "5", "dtmf": {"digit": digit}}
        assert parse(message) == wire.Dtmf(SID, 5, digit)

    def test_mark(self) -> None:
        message = {"event": "mark", "sequenceNumber": "4", "streamSid": SID, "mark": {"name": "3:840"}}
        assert parse(message) == wire.Mark(SID, 4, "3:840")
        assert parse(without(message, "sequenceNumber")) == wire.Mark(SID, None, "3:840")

    def test_stop(self) -> None:
        message = {"event": "stop", "sequenceNumber": "5", "stop": {"callSid": CALL}, "streamSid": SID}
        assert parse(message) == wire.Stop(SID, 5)

    def test_unknown_event(self) -> None:
        assert parse({"event": "transcription", "x": 1}) == wire.Unknown("transcription")
        numbered = {"event": "transcription", "streamSid": "MZ1", "sequenceNumber": "7"}
        assert parse(numbered) == wire.Unknown("transcription", "MZ1", 7)
        odd = {"event": "transcription", "streamSid": 1, "sequenceNumber": "x"}
        assert parse(odd) == wire.Unknown("transcription")


class TestWhatTwilioShouldNotSend:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            (b"", "not_json"),
            (b"{", "not_json"),
            (b"NaN", "not_json"),
            (b'{"event":"media"}\x00', "not_json"),
            (b'{"event":"\x00"}', "not_json"),
            (b'{"event":"\xff"}', "not_json"),
            (b'{"event":"\\ud800"}', "not_json"),
            (b"[" * 60_000, "not_json"),
            (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "not_json"),
            (b'{"event":1e999}', "not_json"),
            (b"[]", "not_an_object"),
            (b"7", "not_an_object"),
            (b"null", "not_an_object"),
            (b"{}", "missing_field"),
            (b'{"event":null}', "missing_field"),
            (b'{"event":["media"]}', "mistyped_field"),
            ("{", "not_json"),
        ],
    )
    def test_unreadable(self, text: bytes | str, kind: str) -> None:
        assert kind_of(text) == kind

    @pytest.mark.parametrize(
        "path", [("media",), ("streamSid",), ("sequenceNumber",), ("media", "payload"), ("media", "timestamp")]
    )
    def test_media_with_a_field_missing(self, path: tuple[str, ...]) -> None:
        assert kind_of(without(media(), *path)) == "missing_field"

    @pytest.mark.parametrize(
        "path",
        [("start",), ("start", "callSid"), ("start", "mediaFormat"), ("start", "mediaFormat", "encoding")],
    )
    def test_start_with_a_field_missing(self, path: tuple[str, ...]) -> None:
        assert kind_of(without(start(), *path)) == "missing_field"

    @pytest.mark.parametrize("event", ["dtmf", "mark"])
    def test_events_with_their_object_missing(self, event: str) -> None:
        assert kind_of({"event": event, "streamSid": SID}) == "missing_field"

    @pytest.mark.parametrize(
        ("payload", "kind"),
        [
            ("", "empty_payload"),
            ("A", "bad_base64"),
            ("AA", "bad_base64"),
            ("AA=", "bad_base64"),
            ("A A=", "bad_base64"),
            ("AAAA\n", "bad_base64"),
            ("AA==AA==", "bad_base64"),
            ("====", "bad_base64"),
            ("_-__", "bad_base64"),
            ("f39é", "bad_base64"),
            ("\x00AAA", "bad_base64"),
            (None, "missing_field"),
            (7, "mistyped_field"),
            (["AAAA"], "mistyped_field"),
            ({"AAAA": 1}, "mistyped_field"),
            (True, "mistyped_field"),
        ],
    )
    def test_bad_payload(self, payload: object, kind: str) -> None:
        assert kind_of(media(payload=payload)) == kind

    @pytest.mark.parametrize(
        ("number", "kind"),
        [
            ("", "bad_number"),
            ("-1", "bad_number"),
            ("+1", "bad_number"),
            (" 1", "bad_number"),
            ("\u0661", "bad_number"),
            ("\u00b2", "bad_number"),
            ("9" * 16, "bad_number"),
            ("9" * 5000, "bad_number"),
            (-1, "bad_number"),
            (10**15, "bad_number"),
            (2**80, "mistyped_field"),
            (1.5, "mistyped_field"),
            (True, "mistyped_field"),
            ([], "mistyped_field"),
            (None, "missing_field"),
        ],
    )
    def test_bad_numbers(self, number: object, kind: str) -> None:
        assert kind_of(media(sequenceNumber=number)) == kind
        assert kind_of(media(timestamp=number)) == kind

    @pytest.mark.parametrize("sid", ["", "a" * 65, 'MZ"', "MZ\n", "M Z", "MZ\u0000", "é", "MZ1\n"])
    def test_bad_identifiers(self, sid: str) -> None:
        assert kind_of(start(streamSid=sid)) == "bad_identifier"
        assert kind_of({"event": "stop", "streamSid": sid}) == "bad_identifier"

    @pytest.mark.parametrize("field", ["streamSid", "track"])
    @pytest.mark.parametrize(
        ("value", "kind"), [(None, "missing_field"), (7, "mistyped_field"), ([], "mistyped_field")]
    )
    def test_media_with_a_field_of_another_type(self, field: str, value: object, kind: str) -> None:
        assert kind_of(media(**{field: value})) == kind

    @pytest.mark.parametrize("parameters", [[], "token", {"token": 1}, {"token": None}, {"token": {"a": "b"}}])
    def test_bad_parameters(self, parameters: object) -> None:
        assert kind_of(start(customParameters=parameters)) == "mistyped_field"

    @pytest.mark.parametrize("digit", ["", "10", "E", "a", " ", "é", "\n"])
    def test_bad_digits(self, digit: str) -> None:
        assert kind_of({"event": "dtmf", "streamSid": SID, "dtmf": {"digit": digit}}) == "bad_digit"

    @pytest.mark.parametrize("name", [1, ["x"], {"x": 1}])
    def test_bad_mark_name(self, name: object) -> None:
        assert kind_of({"event": "mark", "streamSid": SID, "mark": {"name": name}}) == "mistyped_field"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop", "other"])


def survives(text: bytes | str) -> None:
    try:
        outcome: object = wire.parse(text)
    except MalformedMessage as error:
        outcome = error.kind
    assert isinstance(outcome, wire.Inbound) or outcome in wire.KINDS


class TestFuzz:
    @given(st.binary(max_size=300) | st.text(max_size=300))
    def test_any_bytes(self, text: bytes | str) -> None:
        survives(text)

    @given(JSON)
    def test_any_json(self, value: Any) -> None:
        survives(json.dumps(value))

    @given(EVENTS, st.dictionaries(st.sampled_from(["streamSid", "sequenceNumber"]), JSON), JSON)
    def test_events_with_any_content(self, event: str, fields: dict[str, Any], content: Any) -> None:
        survives(json.dumps({"event": event, "streamSid": SID, **fields, event: content}))

    @given(
        st.sampled_from([media(), start()]),
        st.sampled_from(["payload", "timestamp", "track", "callSid", "accountSid", "mediaFormat", "customParameters"]),
        JSON,
    )
    def test_one_field_replaced_by_anything(self, message: dict[str, Any], field: str, value: Any) -> None:
        copy = json.loads(json.dumps(message))
        copy[copy["event"]][field] = value
        survives(json.dumps(copy))

    @given(st.binary(min_size=1, max_size=2000), st.integers(0, 10**15 - 1), st.booleans())
    def test_media_round_trip(self, audio: bytes, number: int, as_text: bool) -> None:
        value = str(number) if as_text else number
        text = base64.b64encode(audio).decode()
        message = parse(media(payload=text, sequenceNumber=value, timestamp=value))
        assert message == wire.Media(SID, number, number, "inbound", audio)


class TestWhatWeSend:
    @given(st.binary(max_size=4000))
    def test_media_has_exactly_the_documented_fields(self, audio: bytes) -> None:
        message = json.loads(wire.Outbound(SID).media(audio))
        payload = base64.b64encode(audio).decode()
        assert message == {"event": "media", "streamSid": SID, "media": {"payload": payload}}

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
    def test_mark(self, name: str) -> None:
        message = json.loads(wire.Outbound(SID).mark(name))
        assert message == {"event": "mark", "streamSid": SID, "mark": {"name": name}}

    def test_clear(self) -> None:
        assert json.loads(wire.Outbound(SID).clear) == {"event": "clear", "streamSid": SID}

    def test_a_hostile_stream_sid_stays_a_string(self) -> None:
        sid = '"},"event":"x\\'
        assert json.loads(wire.Outbound(sid).clear)["streamSid"] == sid


@given(
    st.binary(min_size=1, max_size=400),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.sampled_from(["inbound", "outbound"]),
    st.booleans(),
)
def test_the_quick_way_reads_what_the_other_reads(
    audio: bytes, sequence: int, timestamp: int, track: str, numbers_as_text: bool
) -> None:
    spell = str if numbers_as_text else int
    text = json.dumps(
        media(
            sequenceNumber=spell(sequence),
            timestamp=spell(timestamp),
            track=track,
            payload=base64.b64encode(audio).decode(),
        )
    )
    plain = wire.decode_media(text)
    body = plain.media
    assert wire.parse(text) == wire.Media(
        plain.streamSid, plain.sequenceNumber, body.timestamp, body.track, body.payload
    )
    assert (body.payload, plain.sequenceNumber) == (audio, sequence)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b'{"event":"mark"}',
        b'{"event":"media"}',
        b"\xff",
        json.dumps(media(payload="*")),
        json.dumps(media(payload="")),
    ],
)
def test_the_quick_way_leaves_everything_else_to_the_other(text: bytes | str) -> None:
    with pytest.raises(wire.NOT_PLAIN):
        wire.decode_media(text)
