from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.audio.framing import Framer
from antiphon.errors import ConfigurationError, MalformedMessage
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

WIDE = AudioFormat(Encoding.PCM16, 16000)


@given(st.lists(st.binary(max_size=1000), max_size=20), st.sampled_from([TELEPHONE, WIDE]))
def test_frames_are_the_stream_however_it_was_cut(chunks: list[bytes], audio: AudioFormat) -> None:
    framer = Framer(audio, 20)
    stream = b"".join(chunks)
    frames = [frame for chunk in chunks for frame in framer.push(chunk)]
    assert all(len(frame) == audio.bytes_for_ms(20) for frame in frames)
    whole = b"".join(frames)
    last = framer.flush()
    assert len(stream) - len(whole) < audio.bytes_for_ms(20)
    assert stream.startswith(whole)
    rest = stream[len(whole) :]
    rest = rest[: len(rest) - len(rest) % audio.bytes_per_sample]
    assert last.startswith(rest)
    assert len(last) == (audio.bytes_for_ms(20) if rest else 0)
    assert framer.flush() == b""


def test_a_frame_comes_out_with_its_last_byte() -> None:
    framer = Framer(TELEPHONE, 20)
    assert framer.push(bytes(159)) == []
    assert framer.push(b"\x01") == [bytes(159) + b"\x01"]


def test_flush_pads_with_silence() -> None:
    framer = Framer(TELEPHONE, 20)
    framer.push(b"\x00")
    assert framer.flush() == b"\x00" + b"\xff" * 159


def test_flush_drops_half_a_sample() -> None:
    framer = Framer(WIDE, 20)
    framer.push(b"\x01\x02\x03")
    assert framer.flush() == b"\x01\x02" + bytes(638)
    framer.push(b"\x01")
    assert framer.flush() == b""


def test_too_long_a_chunk_is_refused_and_the_stream_goes_on() -> None:
    framer = Framer(TELEPHONE, 20, max_chunk_ms=100)
    framer.push(b"\x07")
    with pytest.raises(MalformedMessage) as caught:
        framer.push(bytes(801))
    assert caught.value.kind == "audio_too_long"
    assert framer.push(bytes(159)) == [b"\x07" + bytes(159)]


@pytest.mark.parametrize(("rate_hz", "frame_ms"), [(11025, 20), (8000, 0), (8000, -20)])
def test_frames_of_broken_samples_are_refused(rate_hz: int, frame_ms: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Framer(AudioFormat(Encoding.PCM16, rate_hz), frame_ms)
    assert caught.value.field == "frame_ms"
