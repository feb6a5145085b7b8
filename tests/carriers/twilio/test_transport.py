"""Rows 5 to 9, 11, 15 to 18 and 20 to 23 of the conformance plan: media streams over real sockets."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import struct
from contextlib import AsyncExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.exceptions import InvalidStatus

from antiphon.audio import codec
from antiphon.carriers.twilio.transport import (
    LARGEST_MEDIA_BYTES,
    MAX_BINARY_FRAMES,
    MAX_EARLY_MESSAGES,
    MAX_MALFORMED_RUN,
    QUIET_AFTER_MS,
)
from antiphon.errors import AntiphonError, CapacityError, ConfigurationError, ProviderUnavailable
from antiphon.vocabulary import TELEPHONE

FRAME = bytes(range(160))
CALLER, CALLED = "+15550001111", "+15550002222"
ACCOUNT = "AC" + "0" * 32


def anomalies(twilio: Any) -> dict[str, int]:
    return dict(twilio.carrier.authorizer.anomalies.counts)


async def heard(sink: Any, count: int) -> list[tuple[bytes, int | None]]:
    await sink.until(lambda: len(sink.heard) >= count)
    return list(sink.heard)


class TestHandshake:
    """Row 5, and admission."""

    @pytest.mark.parametrize("url", ["wss://voice.example.com/twilio/media", "wss://voice.example.com/twilio/media/"])
    async def test_signed_with_either_slash(self, twilio: Any, url: str) -> None:
        async with twilio.socket(signature=twilio.sign(url)) as stream:
            await stream.connected()

    @pytest.mark.parametrize(
        "url", ["https://voice.example.com/twilio/media", "wss://evil.example.com/twilio/media", ""]
    )
    async def test_not_signed_by_twilio(self, twilio: Any, url: str) -> None:
        with capture_logs() as lines, pytest.raises(InvalidStatus) as refused:
            async with twilio.socket(signature=twilio.sign(url) if url else ""):
                pass
        assert refused.value.response.status_code == 403
        assert [line["event"] for line in lines] == ["media_upgrade_refused"]
        assert not len(twilio.watch)

    async def test_not_enforced_in_a_demonstration(self, serve: Any) -> None:
        async with serve(verify_signatures=False) as twilio, twilio.socket(signature="") as stream:
            await stream.connected()

    async def test_full(self, twilio: Any) -> None:
        twilio.acceptor.refuses_to_admit = CapacityError("full")
        with pytest.raises(InvalidStatus) as refused:
            async with twilio.socket():
                pass
        assert refused.value.response.status_code == 503

    async def test_sockets_without_a_token_are_bounded(self, serve: Any) -> None:
        async with serve(max_waiting_sockets=2) as twilio, AsyncExitStack() as open_sockets:
            for _ in range(2):
                await open_sockets.enter_async_context(twilio.socket())
            with pytest.raises(InvalidStatus) as refused:
                async with twilio.socket():
                    pass
            assert refused.value.response.status_code == 503
            await open_sockets.aclose()
            await twilio.idle()
            async with twilio.call():
                pass


class TestStart:
    async def test_what_the_session_is_told(self, twilio: Any) -> None:
        parameters = await twilio.ring("CA5")
        async with twilio.socket("CA5", "MZ5") as stream:
            await stream.connected()
            await stream.start({**parameters, "campaign": "spring"})
            started = (await twilio.acceptor.call()).started
        assert started.provider == "twilio"
        assert started.assistant == "default"
        assert (started.provider_call_id, started.stream_id) == ("CA5", "MZ5")
        assert (started.caller, started.called, started.direction) == (CALLER, CALLED, "inbound")
        assert started.parameters == {"campaign": "spring"}
        assert started.format_in == started.format_out == TELEPHONE

    @pytest.mark.parametrize(
        ("changes", "content"),
        [
            ({"token": None}, {}),
            ({"token": "nonsense"}, {}),
            ({"caller": "+15550009999"}, {}),
            ({"called": None}, {}),
            ({}, {"callSid": "CA999"}),
            ({}, {"accountSid": "AC" + "9" * 32}),
        ],
    )
    async def test_without_a_token_for_this_call(
        self, twilio: Any, changes: dict[str, str | None], content: dict[str, str]
    ) -> None:
        parameters = {**await twilio.ring(), **changes}
        async with twilio.socket() as stream:
            await stream.connected()
            with capture_logs() as lines:
                await stream.start({name: value for name, value in parameters.items() if value}, **content)
                assert await stream.close_code() == 1008
        assert not twilio.acceptor.calls
        assert "+1555" not in repr(lines)
        assert "twilio_stream_refused" in [line["event"] for line in lines]

    async def test_with_a_token_that_has_expired(self, twilio: Any) -> None:
        parameters = await twilio.ring()
        twilio.clock.advance(60_000)
        async with twilio.socket() as stream:
            await stream.connected()
            await stream.start(parameters)
            assert await stream.close_code() == 1008
        assert not twilio.acceptor.calls

    async def test_a_token_opens_one_socket(self, twilio: Any) -> None:
        parameters = await twilio.ring()
        async with twilio.socket() as first, twilio.socket() as second:
            await first.connected()
            await first.start(parameters)
            sink = await twilio.acceptor.call()
            await second.connected()
            await second.start(parameters)
            assert await second.close_code() == 1008
            await first.media(FRAME)
            assert await heard(sink, 1) == [(FRAME, 0)]
        assert len(twilio.acceptor.calls) == 1

    async def test_two_sockets_of_one_call_at_once(self, twilio: Any) -> None:
        tokens = [await twilio.ring(), await twilio.ring()]
        async with twilio.socket(stream_sid="MZ1") as first, twilio.socket(stream_sid="MZ2") as second:
            for stream, parameters in zip((first, second), tokens, strict=True):
                await stream.connected()
                await stream.start(parameters)
            assert await second.close_code() == 1008
            sink = await twilio.acceptor.call()
            await first.media(FRAME)
            assert await heard(sink, 1)
            assert twilio.carrier.authorizer.live_streams == 1
        assert len(twilio.acceptor.calls) == 1

    async def test_a_call_may_stream_again_after_its_first_stream(self, twilio: Any) -> None:
        async with twilio.call(stream_sid="MZ1") as (stream, sink):
            await stream.stop()
            await sink.until(lambda: sink.closes)
        async with twilio.call(stream_sid="MZ2", CallStatus="in-progress") as (_, sink):
            assert sink.started.stream_id == "MZ2"

    @pytest.mark.parametrize("status", ["ringing", "", "queued"])
    async def test_what_was_signed_for_a_call_that_has_ended_is_no_call_again(self, twilio: Any, status: str) -> None:
        async with twilio.call() as (stream, sink):
            unspent = await twilio.ring()
            await stream.stop()
            await sink.until(lambda: sink.closes)
        form = {"CallSid": "CA1", "AccountSid": ACCOUNT, "From": CALLER, "To": CALLED, "CallStatus": status}
        with capture_logs() as logs:
            answer = await twilio.webhook("/twilio/voice", form)
        assert (answer.status_code, answer.text.count("<Hangup"), "<Stream" in answer.text) == (200, 1, False)
        assert [(entry["event"], entry["reason"]) for entry in logs] == [("twilio_call_refused", "call_is_over")]
        await twilio.webhook("/twilio/after", form)
        assert "<Stream" not in (await twilio.webhook("/twilio/voice", {**form, "CallStatus": "in-progress"})).text
        async with twilio.socket() as stream:
            await stream.connected()
            await stream.start(unspent)
            assert await stream.close_code() == 1008
        assert len(twilio.acceptor.calls) == 1

    @pytest.mark.parametrize(
        ("refusal", "says"),
        [
            (CapacityError("full"), "lines are busy"),
            (ConfigurationError("assistant", "no such", file="a.yaml", line=7), "something went wrong"),
            (ProviderUnavailable("pocketsphinx", "its worker process is not running"), "something went wrong"),
        ],
    )
    async def test_whoever_was_told_to_come_and_is_not_taken_is_told_so(
        self, twilio: Any, refusal: AntiphonError, says: str
    ) -> None:
        twilio.acceptor.refuses_to_accept = refusal
        parameters = await twilio.ring()
        with capture_logs() as logs:
            async with twilio.socket() as stream:
                await stream.connected()
                await stream.start(parameters)
                await stream.close_code()
        form = {"CallSid": "CA1", "AccountSid": ACCOUNT}
        answers = [(await twilio.webhook("/twilio/after", form)).text for _ in range(2)]
        assert [says in answer for answer in answers] == [True, False], "once"
        assert "<Hangup" in answers[1]
        if isinstance(refusal, ConfigurationError):
            [entry] = [entry for entry in logs if entry["event"] == "assistant_unusable"]
            assert (entry["file"], entry["line"], entry["problem"]) == ("a.yaml", 7, "no such")

    async def test_twice_on_one_socket(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.start(await twilio.ring())
            assert await stream.close_code() == 1008
            assert sink.closes == ["violation"]
        assert len(twilio.acceptor.calls) == 1

    @pytest.mark.parametrize(
        "audio",
        [
            {"encoding": "audio/x-l16", "sampleRate": 16000, "channels": 1},
            {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 2},
            {"encoding": "audio/opus", "sampleRate": 48000, "channels": 1},
        ],
    )
    async def test_in_a_format_we_do_not_speak(self, twilio: Any, audio: dict[str, object]) -> None:
        parameters = await twilio.ring()
        async with twilio.socket() as stream:
            await stream.connected()
            await stream.start(parameters, mediaFormat=audio)
            assert await stream.close_code() == 1003
        assert not twilio.acceptor.calls

    @pytest.mark.parametrize(
        ("refusal", "code"), [(CapacityError("full"), 1013), (ConfigurationError("assistant", "no such"), 1011)]
    )
    async def test_refused_by_the_server(self, twilio: Any, refusal: Exception, code: int) -> None:
        twilio.acceptor.refuses_to_accept = refusal
        parameters = await twilio.ring()
        async with twilio.socket() as stream:
            await stream.connected()
            await stream.start(parameters)
            assert await stream.close_code() == code

    async def test_closed_by_the_session_in_the_moment_it_begins(self, twilio: Any) -> None:
        twilio.acceptor.on_accept = lambda transport: transport.close(1000, "no thanks")
        async with twilio.call() as (stream, sink):
            assert await stream.close_code() == 1000
        assert sink.closes == []

    async def test_the_session_may_speak_in_the_moment_it_begins(self, twilio: Any) -> None:
        twilio.acceptor.on_accept = lambda transport: transport.send_audio(FRAME)
        async with twilio.call() as (stream, _):
            assert (await stream.receive())["event"] == "media"

    async def test_without_connected(self, twilio: Any) -> None:
        parameters = await twilio.ring()
        async with twilio.socket() as stream:
            await stream.start(parameters)
            await twilio.acceptor.call()
        assert anomalies(twilio) == {"no_connected": 1}

    @pytest.mark.parametrize("says_connected", [True, False])
    async def test_not_within_five_seconds(self, twilio: Any, says_connected: bool) -> None:
        async with twilio.socket() as stream:
            if says_connected:
                await stream.connected()
            twilio.advance(4999)
            assert len(twilio.watch) == 1
            twilio.advance(1)
            assert await stream.close_code() == 1008

    async def test_messages_before_it(self, twilio: Any) -> None:
        parameters = await twilio.ring()
        async with twilio.socket() as stream:
            await stream.media(FRAME)
            await stream.connected()
            await stream.connected()
            await stream.dtmf("1")
            await stream.mark("x")
            await stream.media(FRAME)
            await stream.start(parameters)
            sink = await twilio.acceptor.call()
            await stream.media(FRAME)
            assert await heard(sink, 1) == [(FRAME, 40)]
        assert (sink.digits, sink.marks) == ("", [])
        assert anomalies(twilio) == {"before_start": 4, "second_connected": 1}

    async def test_stop_before_it(self, twilio: Any) -> None:
        async with twilio.socket() as stream:
            await stream.connected()
            await stream.stop()
            assert await stream.close_code() == 1000
        assert not twilio.acceptor.calls


class TestOutbound:
    """Row 11, as far as a transport goes."""

    async def test_messages_are_as_documented(self, twilio: Any) -> None:
        async with twilio.call(stream_sid="MZ7") as (stream, sink):
            sink.transport.send_audio(FRAME)
            sink.transport.send_mark('turn 1: "ü"')
            sink.transport.clear()
            assert [await stream.receive() for _ in range(3)] == [
                {"event": "media", "streamSid": "MZ7", "media": {"payload": base64.b64encode(FRAME).decode()}},
                {"event": "mark", "streamSid": "MZ7", "mark": {"name": 'turn 1: "ü"'}},
                {"event": "clear", "streamSid": "MZ7"},
            ]
            assert sink.transport.unsent_bytes() == 0

    async def test_long_audio_goes_in_pieces(self, twilio: Any) -> None:
        audio = bytes(range(256)) * 40
        async with twilio.call() as (stream, sink):
            sink.transport.send_audio(audio)
            pieces = [base64.b64decode((await stream.receive())["media"]["payload"]) for _ in range(3)]
        assert b"".join(pieces) == audio
        assert max(map(len, pieces)) <= LARGEST_MEDIA_BYTES

    async def test_nothing_is_sent_before_start(self, twilio: Any) -> None:
        async with twilio.socket() as stream:
            (listener,) = twilio.watch._sockets
            listener.send_audio(FRAME)
            listener.send_mark("x")
            listener.clear()
            listener.close()
            assert await stream.close_code() == 1000
            assert [message async for message in stream.client] == []

    async def test_nothing_is_sent_after_close(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            sink.transport.close(1000, "goodbye")
            sink.transport.send_audio(FRAME)
            sink.transport.send_mark("x")
            sink.transport.clear()
            sink.transport.close()
            await stream.media(FRAME)
            assert await stream.close_code() == 1000
            assert [message async for message in stream.client] == []
        await twilio.idle()
        assert (sink.heard, sink.closes) == ([], [])


class TestContent:
    """Rows 15 and 16 on a live call: a broken message costs itself and nothing else."""

    @pytest.mark.parametrize(
        "message",
        [
            "",
            "{",
            "[]",
            "{}",
            "null",
            "[" * 5000,
            '{"event":"media"}',
            '{"event":"\\u0000"}',
            '{"event":"media","streamSid":"MZ1","sequenceNumber":"9","media":{"timestamp":"1","payload":"!"}}',
            '{"event":"media","streamSid":"MZ1","sequenceNumber":"9","media":{"timestamp":"1","payload":""}}',
            '{"event":"media","streamSid":"MZ1","sequenceNumber":"9","media":{"timestamp":"1","payload":7}}',
            '{"event":"media","streamSid":"MZ1","sequenceNumber":1e99,"media":{"timestamp":"1","payload":"AA=="}}',
            '{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":"Z"}}',
            '{"event":"something-new","x":[1,2,3]}',
        ],
    )
    async def test_dropped_and_counted(self, twilio: Any, message: str) -> None:
        async with twilio.call() as (stream, sink):
            await stream.send(message)
            await stream.media(FRAME)
            assert await heard(sink, 1) == [(FRAME, 0)]
            assert sum(anomalies(twilio).values()) == 1

    async def test_bytes_that_are_no_text(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.client.send(b"\xff\xfe\xfd", text=True)
            await stream.client.wait_closed()
            assert stream.client.close_code == 1007, "RFC 6455 leaves no choice"
            await sink.until(lambda: sink.closes)
        assert sink.closes == ["violation"]

    @pytest.mark.parametrize("byte_count", [1, 80, 240, 1096, 44_000])
    async def test_any_length_is_heard(self, twilio: Any, byte_count: int) -> None:
        audio = bytes(byte_count)
        async with twilio.call() as (stream, sink):
            await stream.media(audio)
            await stream.media(FRAME)
            assert await heard(sink, 2) == [(audio, 0), (FRAME, byte_count // 8)]

    async def test_a_megabyte_closes_the_socket(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.media(bytes(1_000_000))
            assert await stream.close_code() in (1009, 1006)  # 1006: cut off while still writing
            await sink.until(lambda: sink.closes)
            assert sink.closes == ["violation"]

    async def test_a_hundred_unreadable_ones_in_a_row_are_the_end(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            for _ in range(MAX_MALFORMED_RUN - 1):
                await stream.send("{")
            await stream.media(FRAME)
            for _ in range(MAX_MALFORMED_RUN):
                await stream.send("{")
            assert await stream.close_code() == 1007
            assert len(sink.heard) == 1
            assert sink.closes == ["violation"]

    async def test_binary_frames_are_ignored_up_to_a_point(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            for _ in range(MAX_BINARY_FRAMES - 1):
                await stream.client.send(FRAME)
            await stream.media(FRAME)
            assert await heard(sink, 1)
            await stream.client.send(FRAME)
            assert await stream.close_code() == 1003
        assert anomalies(twilio) == {"binary_frame": MAX_BINARY_FRAMES}

    async def test_our_own_failure_ends_this_call_only(self, twilio: Any) -> None:
        async with twilio.call("CA1") as (stream, sink), twilio.call("CA2") as (other_stream, other):
            sink.fails_on_audio = True
            await stream.media(FRAME)
            assert await stream.close_code() == 1011
            assert sink.closes == ["reset"]
            await other_stream.media(FRAME)
            assert await heard(other, 1)


class TestOrder:
    """Row 18 on a socket; ``test_order`` has the rest."""

    async def test_numbers_that_do_not_fit(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.media(FRAME)
            stream.sequence, stream.timestamp_ms = 1, 0
            await stream.media(FRAME)
            stream.sequence += 1
            stream.timestamp_ms += 20
            await stream.media(FRAME, streamSid="MZforeign")
            await stream.media(FRAME)
            stream.timestamp_ms = 5080
            await stream.media(FRAME)
            await stream.send_event("media", {"track": "outbound", "timestamp": "0", "payload": "AAAA"})
            assert [media_ms for _, media_ms in await heard(sink, 3)] == [0, 60, 5080]
            await stream.media(FRAME)
            assert (await heard(sink, 4))[3] == (FRAME, 5100)
        assert anomalies(twilio) == {"stale_media": 1, "sequence_gap": 1, "foreign_stream": 1, "foreign_track": 1}

    async def test_both_tracks_and_kinds_we_do_not_know_leave_no_gap(self, twilio: Any) -> None:
        """``<Stream track="both_tracks">``: the agent's own voice comes back, and its messages are numbered with the caller's."""
        async with twilio.call() as (stream, sink):
            for number in range(10):
                await stream.media(FRAME)
                outbound = {"track": "outbound", "timestamp": str(number * 20), "payload": "AAAA"}
                await stream.send_event("media", outbound)
            await stream.send_event("novelty", {})
            await stream.media(FRAME)
            assert [media_ms for _, media_ms in await heard(sink, 11)] == [number * 20 for number in range(11)]
        assert anomalies(twilio) == {"foreign_track": 10, "unknown_event": 1}

    async def test_a_burst_after_a_stall_is_heard_whole(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            for _ in range(150):
                await stream.media(FRAME)
            assert [media_ms for _, media_ms in await heard(sink, 150)] == [20 * number for number in range(150)]
        assert not anomalies(twilio)


class TestKeysAndMarks:
    """Row 20, and the marks' way back."""

    async def test_every_key_once_and_in_order(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            for digit in "0123456789*#ABCD":
                await stream.dtmf(digit)
                await stream.media(FRAME)
            stream.sequence -= 2
            await stream.dtmf("7")
            await stream.dtmf("E")
            stream.sequence += 2
            await stream.dtmf("8")
            await sink.until(lambda: sink.digits.endswith("8"))
        assert sink.digits == "0123456789*#ABCD8"
        assert anomalies(twilio)["stale_message"] == 1

    async def test_marks_come_back_even_twice(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.mark("1:20")
            stream.sequence -= 1
            await stream.mark("1:20")
            await stream.send_event("mark", {"name": "other"}, streamSid="MZforeign")
            await stream.mark("1:40")
            await sink.until(lambda: len(sink.marks) == 3)
        assert sink.marks == ["1:20", "1:20", "1:40"]


class TestEnds:
    """Rows 21 and 22."""

    async def test_stop(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.media(FRAME)
            await stream.stop()
            await stream.stop()
            await stream.media(FRAME)
            assert await stream.close_code() == 1000
        await twilio.idle()
        assert sink.closes == ["stop"]
        assert len(sink.heard) == 1

    async def test_stop_of_another_stream_is_ignored(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.send_event("stop", {}, streamSid="MZforeign")
            await stream.media(FRAME)
            assert await heard(sink, 1)
        assert anomalies(twilio)["foreign_stream"] == 1

    async def test_close_without_stop(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.client.close()
            await sink.until(lambda: sink.closes)
        assert sink.closes == ["hangup"]

    async def test_reset(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.media(FRAME)
            tcp = stream.client.transport.get_extra_info("socket")
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.client.transport.abort()
            await sink.until(lambda: sink.closes)
        assert sink.closes == ["reset"]

    async def test_three_seconds_of_nothing(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            twilio.advance(250)
            twilio.advance(2999)
            await stream.media(FRAME)
            await heard(sink, 1)
            twilio.advance(1)
            twilio.advance(2999)
            assert sink.closes == []
            twilio.advance(1)
            assert sink.closes == ["stalled"]
            assert await stream.close_code() == 1006
        await twilio.idle()

    async def test_a_quiet_stream_that_answers_pings_lives_and_is_heard_as_silence(self, twilio: Any) -> None:
        """A muted caller, or a line that leaves out silence: no media for half a minute."""
        async with twilio.call() as (stream, sink):
            await stream.media(FRAME)
            await heard(sink, 1)
            twilio.advance(250)
            for _ in range(120):
                pings = sink.transport.frames
                twilio.advance(250)
                if twilio.clock.now_ms() - 250 >= QUIET_AFTER_MS:
                    await sink.until(lambda seen=pings: sink.transport.frames > seen or sink.closes)
            assert sink.closes == []
            silence = b"".join(audio for audio, _ in sink.heard[1:])
            assert set(silence) == set(codec.silence(TELEPHONE, 1)), "silence, in the stream's own format"
            assert len(silence) == 30_000 * 8
            assert all(media_ms is None for _, media_ms in sink.heard[1:])
            stream.timestamp_ms += 30_000
            await stream.media(FRAME)
            await sink.until(lambda: sink.heard[-1] == (FRAME, 30_020))

    async def test_a_quiet_stream_that_answers_nothing_ends(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            await stream.media(FRAME)
            await heard(sink, 1)
            twilio.advance(250)
            stream.client.transport.pause_reading()  # and so pings are not seen
            for _ in range(11):
                twilio.advance(250)
            assert sink.closes == []
            assert len(sink.heard) == 1
            twilio.advance(250)
            assert sink.closes == ["stalled"]
            stream.client.transport.abort()

    async def test_marks_and_pongs_of_a_busy_stream_are_no_silence(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            for number in range(20):
                await stream.media(FRAME)
                await stream.client.pong()
                await stream.mark(str(number))
                await sink.until(lambda seen=number: len(sink.marks) > seen)
                twilio.advance(900)
            assert [audio for audio, _ in sink.heard] == [FRAME] * 20

    async def test_before_its_first_audio_a_stream_is_not_taken_for_silent(self, twilio: Any) -> None:
        async with twilio.call() as (stream, sink):
            for number in range(20):
                await stream.client.pong()
                await stream.mark(str(number))
                await sink.until(lambda seen=number: len(sink.marks) > seen)
                twilio.advance(900)
            assert sink.heard == []
            assert sink.closes == []

    async def test_a_peer_that_does_not_read(self, twilio: Any) -> None:
        """Row 23: what we hold for it is bounded, and another call does not notice."""
        async with twilio.call("CA1") as (stream, sink), twilio.call("CA2") as (other_stream, other):
            stream.client.transport.pause_reading()
            most_unsent = 0
            for _ in range(1500):  # 30 s of audio in 20 ms messages would be far less
                sink.transport.send_audio(bytes(LARGEST_MEDIA_BYTES))
                most_unsent = max(most_unsent, sink.transport.unsent_bytes())
            assert sink.closes == ["stalled"]
            assert most_unsent <= 256 * 1024 + 8192
            other.transport.send_audio(FRAME)
            assert (await other_stream.receive())["event"] == "media"
            assert other.closes == []
            stream.client.transport.abort()

    async def test_nothing_is_left(self, twilio: Any) -> None:
        before = len(asyncio.all_tasks())
        for number in range(20):
            async with twilio.call(f"CA{number}", f"MZ{number}") as (stream, _):
                await stream.media(FRAME)
        await twilio.idle()
        assert len(twilio.state.connections) == 1, "the webhook client's, kept alive"
        assert len(asyncio.all_tasks()) == before
        assert len(twilio.acceptor.calls) == 20
        assert [sink.closes for sink in twilio.acceptor.calls] == [["hangup"]] * 20


class TestOtherProcesses:
    """A token is spent in all of them before its stream becomes a call."""

    async def test_what_comes_while_they_are_asked_is_heard(self, serve: Any) -> None:
        answered, asked = asyncio.Event(), asyncio.Event()

        async def spend(nonce: str, ttl_ms: int) -> bool:
            asked.set()
            await answered.wait()
            return True

        async with serve(spend_nonce=spend) as twilio:
            parameters = await twilio.ring()
            async with twilio.socket() as stream:
                await stream.connected()
                await stream.start(parameters)
                for _ in range(3):
                    await stream.media(FRAME)
                await stream.dtmf("5")
                await asyncio.wait_for(asked.wait(), 3)
                assert not twilio.acceptor.calls
                answered.set()
                sink = await twilio.acceptor.call()
                await stream.media(FRAME)
                assert [media_ms for _, media_ms in await heard(sink, 4)] == [0, 20, 40, 60]
                assert sink.digits == "5"
            assert not anomalies(twilio)

    async def test_a_token_that_another_has_seen_opens_nothing(self, serve: Any) -> None:
        async def spend(nonce: str, ttl_ms: int) -> bool:
            return False

        async with serve(spend_nonce=spend) as twilio:
            parameters = await twilio.ring()
            async with twilio.socket() as stream:
                await stream.connected()
                with capture_logs() as lines:
                    await stream.start(parameters)
                    assert await stream.close_code() == 1008
            assert not twilio.acceptor.calls
            assert ("twilio_stream_refused", "replayed") in [(line["event"], line.get("reason")) for line in lines]

    async def test_what_is_kept_meanwhile_is_bounded(self, serve: Any) -> None:
        never = asyncio.Event()

        async def spend(nonce: str, ttl_ms: int) -> bool:
            return await never.wait()

        async with serve(spend_nonce=spend) as twilio:
            parameters = await twilio.ring()
            async with twilio.socket() as stream:
                await stream.connected()
                await stream.start(parameters)
                for _ in range(MAX_EARLY_MESSAGES + 1):
                    await stream.media(FRAME)
                assert await stream.close_code() == 1008
            never.set()
            await twilio.idle()
        assert not twilio.acceptor.calls

    async def test_the_media_url_names_the_call(self, serve: Any) -> None:
        async with serve(media_path_names_call=True) as twilio:
            form = {"CallSid": "CA1", "AccountSid": ACCOUNT, "From": CALLER, "To": CALLED, "Direction": "inbound"}
            text = (await twilio.webhook("/twilio/voice", form)).text
            assert re.search(r'url="wss://voice\.example\.com/twilio/media/[0-9a-f-]{36}"', text)
