"""One stream's audio in another format."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.audio import codec
from antiphon.audio.convert import converter
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

WIDE = AudioFormat(Encoding.PCM16, 24000)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (TELEPHONE, WIDE),
        (WIDE, TELEPHONE),
        (AudioFormat(Encoding.PCM16, 16000), WIDE),
        (TELEPHONE, AudioFormat(Encoding.ALAW, 8000)),
    ],
)
def test_a_tone_stays_the_tone_it_was(source: AudioFormat, target: AudioFormat) -> None:
    seconds = np.arange(source.rate_hz) / source.rate_hz
    tone = (8000 * np.sin(2 * np.pi * 440 * seconds)).astype(np.int16)
    convert = converter(source, target)
    audio = codec.encode(tone, source.encoding)
    step = source.bytes_for_ms(20)
    converted = b"".join(convert(audio[at : at + step]) for at in range(0, len(audio), step))
    assert len(converted) == pytest.approx(target.bytes_for_ms(1000), abs=target.bytes_for_ms(5))
    heard = codec.decode(converted, target.encoding)[target.rate_hz // 4 :].astype(float)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    assert np.argmax(spectrum) * target.rate_hz / heard.size == pytest.approx(440, abs=2)
    assert heard.std() == pytest.approx(tone.std(), rel=0.05)
