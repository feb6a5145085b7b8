"""A leg's audio without a network: what arrives is placed in time, what is said leaves on the beat. Virtual time throughout."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.clock import ManualClock
from antiphon.errors import ConfigurationError, MalformedMessage
from antiphon.transports.webrtc import rtp
from antiphon.transports.webrtc.inbound import Inbound
from antiphon.transports.webrtc.opus import OpusDecoder, OpusEncoder
from antiphon.transports.webrtc.outbound import KEEPALIVE_FRAMES, TAIL_FRAMES, Frame, Outbound
from antiphon.transports.webrtc.pacer import Job, Pacer
from antiphon.transports.webrtc.sdp import AudioOffer
from antiphon.transports.webrtc.settings import IceSettings, TurnServer, ice_settings
from antiphon.vocabulary import AudioFormat, Encoding

OUT = AudioFormat(Encoding.PCM16, 24_000)
OFFER = AudioOffer(opus=111, telephone_event=(110, 48_000), direction="sendrecv")


def tone(seconds: float, rate_hz: int, hz: float = 400.0) -> NDArray[np.int16]:
    return (np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz) * 8000).astype(np.int16)


# ------------------------------------------------------------------------------------------------ Opus


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 24_000, 48_000])
def test_what_is_encoded_can_be_heard_at_any_rate(rate_hz: int) -> None:
    encoder, decoder = OpusEncoder(24_000, 40_000, 3), OpusDecoder(rate_hz)
    said = tone(1.0, 24_000).tobytes()
    heard = b"".join(decoder.decode(encoder.encode(said[at : at + 960])) for at in range(0, len(said), 960))
    samples = np.frombuffer(heard, dtype=np.int16).astype(np.float64)
    assert samples.size == rate_hz
    spectrum = np.abs(np.fft.rfft(samples[rate_hz // 10 :]))
    assert np.argmax(spectrum) / spectrum.size * rate_hz / 2 == pytest.approx(400, abs=3)
    assert np.sqrt(np.mean(samples[rate_hz // 10 :] ** 2)) == pytest.approx(8000 / 2**0.5, rel=0.1)


def test_bytes_that_are_no_opus_are_malformed_and_the_stream_goes_on() -> None:
    encoder, decoder, generator = OpusEncoder(24_000, 40_000, 3), OpusDecoder(16_000), random.Random(3)
    malformed = 0
    for size in [0, 1, 2, 3, *range(4, 300, 7)]:
        try:
            assert len(decoder.decode(generator.randbytes(size))) <= 16_000 * 120 // 1000 * 2
        except MalformedMessage:
            malformed += 1
    assert malformed > 5
    assert len(decoder.decode(encoder.encode(bytes(960)))) == 640


def test_a_frame_is_20_ms_and_nothing_else() -> None:
    encoder = OpusEncoder(24_000, 40_000, 3)
    with pytest.raises(MalformedMessage):
        encoder.encode(bytes(958))
    with pytest.raises(ValueError, match="libopus"):
        OpusEncoder(44_100, 40_000, 3)


# ------------------------------------------------------------------------------------------------ in


class Heard:
    def __init__(self) -> None:
        self.audio: list[tuple[int, bytes]] = []
        self.keys: list[str] = []
        self.inbound = Inbound(OFFER, 16_000, 60, lambda pcm, ms: self.audio.append((ms, pcm)), self.keys.append)

    @property
    def positions(self) -> list[int]:
        return [media_ms for media_ms, _ in self.audio]


class Talker:
    """A source of RTP: packet n is at n · 20 ms."""

    def __init__(self, ssrc: int = 5, sequence: int = 65_500, timestamp: int = 2**32 - 48_000) -> None:
        encoder = OpusEncoder(24_000, 40_000, 3)
        said = tone(3.0, 24_000).tobytes()
        self._opus = [encoder.encode(said[at : at + 960]) for at in range(0, len(said), 960)]
        self._ssrc, self._sequence, self._timestamp = ssrc, sequence, timestamp

    def packet(self, number: int) -> bytes:
        opus = self._opus[number % len(self._opus)]
        return rtp.pack(111, False, self._sequence + number, self._timestamp + number * 960, self._ssrc, opus)

    def key(self, number: int, event: int, begins: int) -> bytes:
        """One packet of a key that was pressed at packet ``begins``."""
        body = bytes([event, 0x0A, 0, 160])
        return rtp.pack(110, False, self._sequence + number, self._timestamp + begins * 960, self._ssrc, body)


def test_audio_is_placed_where_its_timestamps_say_over_both_wraps() -> None:
    heard, talker = Heard(), Talker()
    for number in range(120):
        heard.inbound.receive(talker.packet(number), number * 20)
    assert heard.positions == [number * 20 for number in range(120)]
    assert {len(pcm) for _, pcm in heard.audio} == {640}


def test_a_lost_packet_leaves_a_hole_and_costs_the_others_nothing_after_the_wait() -> None:
    heard, talker = Heard(), Talker()
    arrived_ms: list[int] = []
    for number in range(50):
        now_ms = number * 20
        heard.inbound.release(now_ms)
        if number % 10 != 5:
            heard.inbound.receive(talker.packet(number), now_ms)
        arrived_ms += [now_ms] * (len(heard.audio) - len(arrived_ms))
    assert heard.positions == [number * 20 for number in range(50) if number % 10 != 5]
    late_ms = [now_ms - media_ms for now_ms, media_ms in zip(arrived_ms, heard.positions, strict=True)]
    assert max(late_ms) == 60, "those right behind a hole wait for it"
    assert late_ms[-1] == 0, "and no delay is left behind"
    assert heard.inbound.anomalies["lost_packets"] == 5


def test_packets_out_of_order_are_heard_in_order() -> None:
    heard, talker, generator = Heard(), Talker(), random.Random(11)
    arrivals = sorted((number * 20 + generator.random() * 60, number) for number in range(150))
    for at_ms, number in arrivals:
        heard.inbound.release(int(at_ms))
        heard.inbound.receive(talker.packet(number), int(at_ms))
    heard.inbound.release(10_000)
    assert heard.positions == [number * 20 for number in range(150)]


def test_a_packet_that_comes_too_late_or_twice_is_not_heard_again() -> None:
    heard, talker = Heard(), Talker()
    for number in (0, 1, 1, 3, 0):
        heard.inbound.receive(talker.packet(number), number * 20)
    heard.inbound.release(1000)
    heard.inbound.receive(talker.packet(2), 1000)
    heard.inbound.receive(talker.packet(4), 1000)
    assert heard.positions == [0, 20, 60, 80]


def test_a_new_source_follows_on_the_one_before() -> None:
    heard = Heard()
    one, two = Talker(ssrc=1, sequence=10, timestamp=5), Talker(ssrc=2, sequence=50_000, timestamp=4_000_000_000)
    for number in range(5):
        heard.inbound.receive(one.packet(number), number * 20)
    for number in range(5):
        heard.inbound.receive(two.packet(number), 100 + number * 20)
    assert heard.positions == [number * 20 for number in range(10)]
    assert heard.inbound.anomalies["new_source"] == 1


def test_what_cannot_be_read_is_counted_and_the_rest_is_heard() -> None:
    heard, talker = Heard(), Talker()
    heard.inbound.receive(talker.packet(0), 0)
    heard.inbound.receive(b"\x80", 0)
    heard.inbound.receive(rtp.pack(0, False, 1, 960, 5, b"PCMU"), 0)
    heard.inbound.receive(rtp.pack(111, False, 65_501, 2**32 - 48_000 + 960, 5, b"\xff"), 20)
    heard.inbound.receive(talker.packet(2), 40)
    assert heard.positions == [0, 40]
    assert heard.inbound.anomalies == {"malformed_rtp": 1, "foreign_payload": 1, "malformed_opus": 1}


def test_a_key_is_pressed_once_however_often_it_is_repeated() -> None:
    heard, talker = Heard(), Talker()
    heard.inbound.receive(talker.packet(0), 0)
    for number in range(1, 9):
        heard.inbound.receive(talker.key(number, 5, begins=1), number * 20)
    for number in range(9, 12):
        heard.inbound.receive(talker.key(number, 11, begins=9), number * 20)
    heard.inbound.receive(talker.key(12, 16, begins=12), 240)
    heard.inbound.receive(talker.packet(13), 260)
    assert heard.keys == ["5", "#"]
    assert heard.positions == [0, 260], "the keys' time is a hole in the audio, not a lost packet"
    assert "lost_packets" not in heard.inbound.anomalies


# ------------------------------------------------------------------------------------------------ out


class Voice:
    """An ``Outbound`` whose packets are decoded."""

    def __init__(self, max_backlog_ms: int = 1000) -> None:
        self.outbound = Outbound(OUT, OpusEncoder(24_000, 40_000, 3), 111, 77, max_backlog_ms)
        self._decoder = OpusDecoder(24_000)
        self._beat = 100

    def beat(self) -> tuple[rtp.RtpPacket, NDArray[np.int16]] | None:
        """One beat: the packet and what it sounds like."""
        self._beat += 1
        frame = self.outbound.next_frame(self._beat)
        if frame is None:
            return None
        data = self.outbound.packet(frame, self.outbound.encode(frame))
        assert data is not None
        packet = rtp.parse(data)
        return packet, np.frombuffer(self._decoder.decode(packet.payload), dtype=np.int16)

    def beats(self, count: int) -> list[tuple[rtp.RtpPacket, NDArray[np.int16]] | None]:
        return [self.beat() for _ in range(count)]


def test_what_is_written_ahead_leaves_in_real_time_and_silence_follows() -> None:
    voice = Voice()
    voice.outbound.write(tone(0.1, 24_000).tobytes())
    sent = voice.beats(5 + TAIL_FRAMES)
    packets = [each[0] for each in sent if each is not None]
    assert len(packets) == 5 + TAIL_FRAMES
    assert [packet.timestamp for packet in packets] == [(101 + at) * 960 for at in range(len(packets))]
    assert [packet.sequence for packet in packets] == list(range(1, len(packets) + 1))
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    loudness = [int(np.abs(each[1]).max()) for each in sent if each is not None]
    assert min(loudness[1:5]) > 6000
    assert max(loudness[6:]) < 600


def test_while_nothing_is_said_a_frame_in_400_ms_keeps_the_track_alive_and_time_goes_on() -> None:
    voice = Voice()
    sent = [(at, each[0]) for at, each in enumerate(voice.beats(5 * KEEPALIVE_FRAMES)) if each is not None]
    assert [at for at, _ in sent] == [number * KEEPALIVE_FRAMES for number in range(5)]
    assert [packet.timestamp for _, packet in sent] == [(101 + at) * 960 for at, _ in sent]
    assert [packet.sequence for _, packet in sent] == [1, 2, 3, 4, 5]
    assert all(packet.marker for _, packet in sent), "each is the first after a pause"


def test_clearing_silences_from_the_next_frame_on() -> None:
    voice = Voice()
    voice.outbound.write(tone(0.4, 24_000).tobytes())
    voice.beats(5)
    voice.outbound.clear()
    assert voice.outbound.waiting_bytes == 0
    after = [int(np.abs(each[1]).max()) for each in voice.beats(TAIL_FRAMES) if each is not None]
    assert len(after) == TAIL_FRAMES
    assert max(after[1:]) < 600, "the codec overlaps one frame; the next one is silent"


def test_a_frame_that_is_being_encoded_while_it_is_cleared_is_not_sent() -> None:
    voice = Voice()
    voice.outbound.write(tone(0.02, 24_000).tobytes())
    frame = voice.outbound.next_frame(1)
    assert frame is not None
    opus = voice.outbound.encode(frame)
    voice.outbound.clear()
    assert voice.outbound.packet(frame, opus) is None
    assert voice.outbound.sent.packets == 0


def test_a_rest_shorter_than_a_frame_is_heard_and_filled_up() -> None:
    voice = Voice()
    voice.outbound.write(bytes(100))
    frame = voice.outbound.next_frame(1)
    assert frame is not None
    assert len(frame.pcm) == 960


def test_audio_beyond_the_backlog_is_dropped_the_oldest_first() -> None:
    voice = Voice(max_backlog_ms=100)
    voice.outbound.write(b"\1\0" * 2400 + b"\2\0" * 1200)
    assert voice.outbound.waiting_bytes == 4800
    assert voice.outbound.anomalies["dropped_ms"] == 50
    frame = voice.outbound.next_frame(1)
    assert frame is not None
    assert frame.pcm == b"\1\0" * 480


def test_a_frame_the_encoder_refuses_costs_itself_only() -> None:
    voice = Voice()
    bad = Frame(b"odd", 0, True, 0)
    assert voice.outbound.packet(bad, voice.outbound.encode(bad)) is None
    assert voice.outbound.anomalies["encoder_failures"] == 1
    voice.outbound.write(tone(0.02, 24_000).tobytes())
    assert voice.beat() is not None


# ------------------------------------------------------------------------------------------------ the beat


class Paced:
    def __init__(self, fails: bool = False) -> None:
        self.asked: list[int] = []
        self.beats: list[int] = []
        self.fails = fails
        self.errors: list[Exception] = []

    def beat(self, now_ms: int) -> None:
        self.beats.append(now_ms)
        if self.fails:
            raise RuntimeError("our bug")

    def next_frame(self, beat: int) -> Frame | None:
        self.asked.append(beat)
        return Frame(b"", beat, False, 0) if beat % 2 else None

    def encode(self, frame: Frame) -> bytes:
        raise AssertionError("not asked for here")

    def transmit(self, frame: Frame, opus: bytes) -> None:
        raise AssertionError("not asked for here")

    def fail_ours(self, error: Exception) -> None:
        self.errors.append(error)


async def test_each_beat_is_asked_for_once_and_a_stall_is_made_up_for_within_bounds() -> None:
    clock = ManualClock(10_000)
    pacer, leg = Pacer(clock), Paced()
    pacer.add(leg)
    try:
        assert pacer.due(10_000) == []
        assert _numbers(pacer.due(10_020)) == [501]
        assert pacer.due(10_039) == []
        assert _numbers(pacer.due(10_061)) == [503]
        assert _numbers(pacer.due(11_000)) == [549]
        assert leg.asked == [501, 502, 503, 548, 549, 550]
        assert pacer.skipped == 44
    finally:
        await pacer.close()


def _numbers(jobs: list[Job]) -> list[int]:
    return [frame.timestamp for _, frame in jobs]


async def test_a_leg_that_fails_is_told_and_the_others_speak() -> None:
    clock = ManualClock()
    pacer, broken, sound = Pacer(clock), Paced(fails=True), Paced()
    for leg in (broken, sound):
        pacer.add(leg)
    try:
        jobs = pacer.due(20)
        assert [leg for leg, _ in jobs] == [sound]
        assert [str(error) for error in broken.errors] == ["our bug"]
    finally:
        await pacer.close()


# ------------------------------------------------------------------------------------------------ settings


def test_servers_are_written_as_urls() -> None:
    assert ice_settings() == IceSettings()
    assert ice_settings(stun_url="stun:stun.example.com").stun == ("stun.example.com", 3478)
    assert ice_settings(stun_url="stun:192.0.2.1:99").stun == ("192.0.2.1", 99)
    given = ice_settings(turn_url="turn:t.example.com:99?transport=tcp", turn_username="u", turn_credential="secret")
    assert given.turn == TurnServer("t.example.com", 99, "u", "secret", "tcp", tls=False)
    assert "secret" not in repr(given)
    assert ice_settings(turn_url="turns:t.example.com").turn == TurnServer(
        "t.example.com", 5349, "", "", "tcp", tls=True
    )
    assert ice_settings(addresses=["192.0.2.1", "::1"], port_min=5, port_max=9).ports == (5, 9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stun_url", "stun.example.com"),
        ("stun_url", "stuns:stun.example.com"),
        ("turn_url", "turn:"),
        ("turn_url", "turns:host?transport=udp"),
        ("public_address", "example.com"),
        ("public_address", "::1"),
    ],
)
def test_what_cannot_be_read_names_its_field(field: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        ice_settings(**{field: value})  # type: ignore[arg-type]
    assert wrong.value.field == f"webrtc.{field}"


def test_addresses_to_listen_on_are_numbers() -> None:
    with pytest.raises(ConfigurationError, match=r"webrtc\.addresses"):
        ice_settings(addresses=["localhost"])
