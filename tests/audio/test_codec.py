from __future__ import annotations

import numpy as np
import pytest

from antiphon.audio import codec
from antiphon.errors import MalformedMessage
from antiphon.vocabulary import AudioFormat, Encoding

SAMPLES = np.array([0, 1000, -1000, 32767, -32768], dtype=np.int16)


@pytest.mark.parametrize("encoding", Encoding)
def test_what_is_encoded_decodes_to_nearly_the_same(encoding: Encoding) -> None:
    decoded = codec.decode(codec.encode(SAMPLES, encoding), encoding)
    assert decoded.dtype == np.int16
    # G.711 keeps four bits after the leading one: 1/32 of the value, and clips at 32124 (µ-law) or 32256 (A-law).
    allowed = 0 if encoding is Encoding.PCM16 else np.abs(SAMPLES.astype(int)) / 32 + 8
    assert (np.abs(decoded.astype(int) - SAMPLES) <= allowed).all()


@pytest.mark.parametrize("encoding", Encoding)
def test_floats_are_the_same_samples(encoding: Encoding) -> None:
    audio = codec.encode(SAMPLES, encoding)
    floats = codec.decode_to_float(audio, encoding)
    assert floats.dtype == np.float32
    assert np.array_equal(floats * 32768, codec.decode(audio, encoding))


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [(Encoding.MULAW, b"\xff" * 3), (Encoding.ALAW, b"\xd5" * 3), (Encoding.PCM16, bytes(6))],
)
def test_silence(encoding: Encoding, expected: bytes) -> None:
    assert codec.silence(AudioFormat(encoding, 8000), 3) == expected


@pytest.mark.parametrize("decode", [codec.decode, codec.decode_to_float])
def test_half_a_sample_is_refused(decode) -> None:
    with pytest.raises(MalformedMessage, match="odd_length"):
        decode(b"\x00", Encoding.PCM16)
