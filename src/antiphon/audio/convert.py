"""One stream's audio in another format."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.audio import codec
from antiphon.audio.resample import Resampler
from antiphon.vocabulary import AudioFormat


def converter(source: AudioFormat, target: AudioFormat) -> Callable[[bytes], bytes]:
    """A function that takes a stream's audio in ``source``, whole samples at a time and in order, and gives it back in ``target``.

    Raises ConfigurationError for rates whose ratio is too odd (``audio.resample``).
    """
    resampler = Resampler(source.rate_hz, target.rate_hz) if source.rate_hz != target.rate_hz else None

    def convert(audio: bytes) -> bytes:
        samples = codec.decode(audio, source.encoding)
        return codec.encode(samples if resampler is None else resampler.process(samples), target.encoding)

    return convert
