"""A process that reads one sound file, whoever's, within limits of its own: one that is made to hang or to swell ends that process alone.

It has no socket, no setting and no secret of the server's. Run as ``python -m antiphon.background.reader RATE_HZ SECONDS`` with the file
on its standard input; it writes 16-bit samples, mono, of the file's first seconds. WAV files are read by ourselves, others with PyAV where
it is installed.
"""

from __future__ import annotations

import sys
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import pcm
from antiphon.audio.resample import resample
from antiphon.audio.wav import wav_samples
from antiphon.confined import MISSING, UNREADABLE, confine

_CPU_S = 20
_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
_SELF_CONTAINED = {
    "format_whitelist": "aac,aiff,amr,au,caf,flac,matroska,mov,mp3,ogg,w64,wav",
    "protocol_whitelist": "none",
}
"""Of ffmpeg's formats those that hold their sound themselves. Others (playlists, ``ffconcat``, SDP) name files and addresses, which would
be opened: whoever gives a URL would hear what lies in the server's folder."""


def read_sound(content: bytes, rate_hz: int, seconds: int) -> NDArray[np.int16]:
    """Shape (n,). Raises ModuleNotFoundError where PyAV is needed; anything for what is no sound file."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        samples, from_hz = wav_samples(content)
        mono = np.rint(samples[: seconds * from_hz].mean(axis=1)).astype(np.int16)
        return resample(mono, from_hz, rate_hz)
    import av

    pieces: list[NDArray[Any]] = []
    left = wanted = seconds * rate_hz
    with av.open(BytesIO(content), "r", options=dict(_SELF_CONTAINED), metadata_errors="ignore") as file:
        convert = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
        for frame in file.decode(audio=0):
            for converted in convert.resample(frame):
                pieces.append(converted.to_ndarray().reshape(-1))
                left -= len(pieces[-1])
            if left <= 0:
                break
    return np.concatenate(pieces).astype(np.int16)[:wanted]


def main(rate_hz: str, seconds: str) -> int:
    """Its exit status."""
    confine(_CPU_S, _MEMORY_BYTES)
    try:
        samples = read_sound(sys.stdin.buffer.read(), int(rate_hz), int(seconds))
    except ModuleNotFoundError:
        return MISSING
    except Exception:  # whatever a file makes of its reader, it is that file's
        return UNREADABLE
    sys.stdout.buffer.write(pcm.to_bytes(samples))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
