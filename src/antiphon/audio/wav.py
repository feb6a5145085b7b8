"""WAV files: a writer whose file can be played at any moment, even after the process was killed, and a forgiving reader.

The only part of this room that touches files. All of it blocks: call it from a thread.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.errors import AntiphonError, MalformedMessage
from antiphon.vocabulary import AudioFormat, Encoding

MAX_WAV_BYTES = 2**32 - 2
"""RIFF counts in 32 bits: 4 GiB, about six days of a stereo telephone call."""

_FORMAT_TAGS = {Encoding.PCM16: 0x0001, Encoding.ALAW: 0x0006, Encoding.MULAW: 0x0007}
_ENCODINGS = {(tag, 16 if encoding is Encoding.PCM16 else 8): encoding for encoding, tag in _FORMAT_TAGS.items()}
_EXTENSIBLE = 0xFFFE  # the real tag is then the first word of a GUID further on
_BLOCK_MS = 1000


class WavTooLarge(AntiphonError):
    """The file has reached its limit; what was written before stays playable."""

    code = "wav_too_large"


class WavWriter:
    """A WAV file written as it happens: µ-law, A-law or PCM16, mono or stereo.

    Audio reaches the file in blocks of one second; after each block (and each ``flush``) the sizes in the header are made right, so a
    process killed with -9 loses at most the last second. (A power failure may lose more: nothing is fsynced.)
    """

    def __init__(self, path: Path, audio: AudioFormat, channels: int = 1, max_bytes: int = MAX_WAV_BYTES) -> None:
        """Creates ``path``, readable by its owner only. Raises FileExistsError where it exists, OSError where it cannot be made.

        ``max_bytes`` is the largest size of the whole file.
        """
        if channels not in (1, 2):
            raise ValueError("a recording has one or two channels")
        self._audio = audio
        self._channels = channels
        self._frame_bytes = audio.bytes_per_sample * channels
        self._block_bytes = audio.bytes_for_ms(_BLOCK_MS) * channels
        self._header_bytes = len(_header(audio, channels, 0))
        self._max_data_bytes = min(max_bytes, MAX_WAV_BYTES) - self._header_bytes
        self._data_bytes = 0  # in the file
        self._waiting = bytearray()
        self._file = open(path, "xb", buffering=0, opener=_open_private)  # noqa: SIM115 (closed by close)
        self._write_header()

    @property
    def duration_ms(self) -> float:
        """How much audio was written, what waits for its block included."""
        return self._audio.ms_of(self._data_bytes + len(self._waiting)) / self._channels

    def write(self, frames: bytes) -> None:
        """Audio of all channels, interleaved by sample.

        Raises ValueError for a broken sample, WavTooLarge (nothing of it is written), OSError where the disk fails: that closes
        the file."""
        if self._file.closed:
            raise ValueError("the WAV file is closed")
        if len(frames) % self._frame_bytes:
            raise ValueError(f"{len(frames)} bytes are not a whole number of {self._frame_bytes}-byte frames")
        if self._data_bytes + len(self._waiting) + len(frames) > self._max_data_bytes:
            raise WavTooLarge(f"a WAV file of at most {self._max_data_bytes + self._header_bytes} bytes is full")
        self._waiting += frames
        if len(self._waiting) >= self._block_bytes:
            self.flush()

    def write_stereo(self, left: bytes, right: bytes) -> None:
        """Equal amounts of audio for both channels (left: the user; right: the agent). Raises as ``write`` does."""
        if self._channels != 2 or len(left) != len(right):
            raise ValueError("write_stereo needs a stereo file and two equal sides")
        sample = np.dtype(f"V{self._audio.bytes_per_sample}")
        if len(left) % sample.itemsize:
            raise ValueError(f"{len(left)} bytes are not a whole number of samples")
        sides = np.empty((len(left) // sample.itemsize, 2), sample)
        sides[:, 0], sides[:, 1] = np.frombuffer(left, sample), np.frombuffer(right, sample)
        self.write(sides.tobytes())

    def flush(self) -> None:
        """Everything written so far reaches the file, then the header. Raises OSError."""
        if not self._waiting:
            return
        # RIFF pads a chunk to an even length. The pad byte is written each time and overwritten by the audio that follows.
        pad = bytes((self._data_bytes + len(self._waiting)) % 2)
        self._write_at(self._header_bytes + self._data_bytes, bytes(self._waiting) + pad)
        self._data_bytes += len(self._waiting)
        self._waiting.clear()
        self._write_header()

    def close(self) -> None:
        """Flush and close. Safe to call twice. Raises OSError; the file is closed all the same."""
        if not self._file.closed:
            self.flush()
            self._file.close()

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_header(self) -> None:
        self._write_at(0, _header(self._audio, self._channels, self._data_bytes))

    def _write_at(self, offset: int, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                written = os.pwrite(self._file.fileno(), rest, offset)
                offset += written
                rest = rest[written:]
        except OSError:
            # A full disk ends the recording: trying again would only pile up audio in memory.
            self._waiting.clear()
            self._file.close()
            raise


def write_wav(path: Path, samples: NDArray[np.int16], rate_hz: int) -> None:
    """A whole PCM16 file, replacing what is there. ``samples`` has shape (n,) or (n, channels). Raises OSError, WavTooLarge."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    data = codec.encode(samples, Encoding.PCM16)
    header = _header(AudioFormat(Encoding.PCM16, rate_hz), channels, len(data))
    if len(header) + len(data) > MAX_WAV_BYTES:
        raise WavTooLarge("WAV files end at 4 GiB")
    path.write_bytes(header + data)


def read_wav(path: Path) -> tuple[NDArray[np.int16], int]:
    """Samples of shape (n, channels) and the rate in Hz, of a PCM16, µ-law or A-law file.

    A file cut short gives what is there, whole frames only. Raises MalformedMessage ("wav_header", "wav_encoding"), OSError.
    """
    content = path.read_bytes()
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise MalformedMessage("wav_header", "not a RIFF/WAVE file")
    layout: _Layout | None = None
    offset = 12
    while offset + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, offset)
        body = content[offset + 8 : offset + 8 + size]  # shorter than size in a file cut short
        if name == b"fmt ":
            layout = _read_layout(body)
        elif name == b"data":
            if layout is None:
                raise MalformedMessage("wav_header", "audio before its format")
            return _read_frames(body, layout), layout.audio.rate_hz
        offset += 8 + size + size % 2
    raise MalformedMessage("wav_header", "no audio in the file")


class _Layout(NamedTuple):
    audio: AudioFormat
    channels: int


def _read_layout(body: bytes) -> _Layout:
    if len(body) < 16:
        raise MalformedMessage("wav_header", "format chunk too short")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        raise MalformedMessage("wav_encoding", f"format {tag:#06x} with {bits} bits is not PCM16, µ-law or A-law")
    if channels == 0 or rate_hz == 0:
        raise MalformedMessage("wav_header", "no channels or no sample rate")
    return _Layout(AudioFormat(encoding, rate_hz), channels)


def _read_frames(body: bytes, layout: _Layout) -> NDArray[np.int16]:
    frame_bytes = layout.audio.bytes_per_sample * layout.channels
    whole = len(body) - len(body) % frame_bytes
    return codec.decode(body[:whole], layout.audio.encoding).reshape(-1, layout.channels)


def _header(audio: AudioFormat, channels: int, data_bytes: int) -> bytes:
    """Everything before the samples. Encodings other than PCM need the long format chunk and a fact chunk (samples per channel)."""
    width = audio.bytes_per_sample
    frame_bytes = width * channels
    tag = _FORMAT_TAGS[audio.encoding]
    body = struct.pack("<HHIIHH", tag, channels, audio.rate_hz, audio.rate_hz * frame_bytes, frame_bytes, 8 * width)
    if audio.encoding is not Encoding.PCM16:
        body += struct.pack("<H", 0)
    chunks = b"fmt " + struct.pack("<I", len(body)) + body
    if audio.encoding is not Encoding.PCM16:
        chunks += b"fact" + struct.pack("<II", 4, data_bytes // frame_bytes)
    chunks += b"data" + struct.pack("<I", data_bytes)
    riff_bytes = len(b"WAVE") + len(chunks) + data_bytes + data_bytes % 2
    return b"RIFF" + struct.pack("<I", riff_bytes) + b"WAVE" + chunks


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
