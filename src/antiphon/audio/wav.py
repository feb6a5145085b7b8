"""WAV files: a writer whose file can be played at any moment, even after the process was killed, and a forgiving reader.

The only part of this room that touches files. All of it blocks: call it from a thread.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress
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
_SILENCE_BYTES = 64 * 1024
"""Silence in the place of what was lost is written in pieces of at most this size."""


_LASTING = (FileExistsError, FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
"""A file that cannot be made for one of these cannot be made a moment later either; of a full disk and the like, a process recovers."""


class WavTooLarge(AntiphonError):
    """The file has reached its limit; what was written before stays playable."""

    code = "wav_too_large"


class WavWriter:
    """A WAV file written as it happens: µ-law, A-law or PCM16, mono or stereo.

    Audio reaches the file in blocks of one second; after each block (and each ``flush``) the sizes in the header are made right, so a
    process killed with -9 loses at most the last second. (A power failure may lose more: nothing is fsynced.)

    A disk that is full for a while costs what was to be written meanwhile and nothing else: silence stands in its place once there is
    room again, so that what comes later stands where it belongs. Nothing is kept in memory for it.
    """

    def __init__(
        self,
        path: Path,
        audio: AudioFormat,
        channels: int = 1,
        max_bytes: int = MAX_WAV_BYTES,
        *,
        patient: bool = False,
    ) -> None:
        """Creates ``path``, readable by its owner only. Raises FileExistsError where it exists, OSError where it cannot be made.

        ``max_bytes`` is the largest size of the whole file. A ``patient`` writer whose file cannot be made for want of room tries again
        with every block: ``problem`` tells why it could not.
        """
        if channels not in (1, 2):
            raise ValueError("a recording has one or two channels")
        self._audio = audio
        self._channels = channels
        self._frame_bytes = audio.bytes_per_sample * channels
        self._block_bytes = audio.bytes_for_ms(_BLOCK_MS) * channels
        self._header_bytes = len(header(audio, channels, 0))
        self._max_data_bytes = min(max_bytes, MAX_WAV_BYTES) - self._header_bytes
        self._data_bytes = 0  # in the file
        self._missing_bytes = 0
        """After those, what the disk refused: to become silence."""
        self._waiting = bytearray()
        self._path = path
        self._descriptor: int | None = None
        self._header_is_right = False
        self.closed = False
        self.problem: OSError | None = None
        """Why the file could not be made at first."""
        try:
            self._open()
        except OSError as error:
            if not patient or isinstance(error, _LASTING):
                self._let_go()
                raise
            self.problem = error

    @property
    def duration_ms(self) -> float:
        """How much audio was written, what waits for its block, and the silence that stands or will stand for what was lost."""
        return self._audio.ms_of(self._size) / self._channels

    @property
    def _size(self) -> int:
        return self._data_bytes + self._missing_bytes + len(self._waiting)

    def write(self, frames: bytes) -> None:
        """Audio of all channels, interleaved by sample.

        Raises ValueError for a broken sample, WavTooLarge (nothing of it is written), OSError where the disk fails: what was to be written
        is lost, and silence in its place."""
        if self.closed:
            raise ValueError("the WAV file is closed")
        if len(frames) % self._frame_bytes:
            raise ValueError(f"{len(frames)} bytes are not a whole number of {self._frame_bytes}-byte frames")
        if self._size + len(frames) > self._max_data_bytes:
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

    def skip(self, size: int) -> None:
        """So many bytes of all channels are lost: silence stands for them. Raises OSError (of ``flush``), WavTooLarge."""
        if self._size + size > self._max_data_bytes:
            raise WavTooLarge(f"a WAV file of at most {self._max_data_bytes + self._header_bytes} bytes is full")
        try:
            self.flush()
        finally:
            self._missing_bytes += size

    def flush(self) -> None:
        """Everything written so far reaches the file, then the header. Raises OSError: what could not be written is lost then, and silence
        will stand for it."""
        if not self._waiting:
            return
        try:
            self._open()
            self._write_silence()
            # RIFF pads a chunk to an even length. The pad byte is written each time and overwritten by the audio that follows.
            pad = bytes((self._data_bytes + len(self._waiting)) % 2)
            self._write_at(self._header_bytes + self._data_bytes, bytes(self._waiting) + pad)
        except OSError:
            self._missing_bytes += len(self._waiting)
            self._waiting.clear()
            raise
        self._data_bytes += len(self._waiting)
        self._waiting.clear()
        self._write_header()

    def close(self) -> None:
        """Flush and close. Safe to call twice. Raises OSError; the file is closed all the same."""
        if not self.closed:
            self.closed = True
            try:
                self.flush()
                if self._missing_bytes or not self._header_is_right:
                    self._open()
                    self._write_silence()
                    self._write_header()
            finally:
                self._let_go()

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        """Make the file and its header, if that has not been done."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with suppress(OSError):  # where a file system has no locks, nobody is told that it is being written
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not self._header_is_right:
            self._write_header()

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            if not self._header_is_right and not self._data_bytes:
                os.unlink(self._path)  # nothing that could be played: an empty file would only be taken for a recording

    def _write_silence(self) -> None:
        frame = codec.silence(self._audio, self._channels)
        piece = frame * (_SILENCE_BYTES // len(frame))
        while self._missing_bytes:
            silence = piece[: self._missing_bytes]
            self._write_at(
                self._header_bytes + self._data_bytes, silence + bytes((self._data_bytes + len(silence)) % 2)
            )
            self._data_bytes += len(silence)
            self._missing_bytes -= len(silence)

    def _write_header(self) -> None:
        self._header_is_right = False
        self._write_at(0, header(self._audio, self._channels, self._data_bytes))
        self._header_is_right = True

    def _write_at(self, offset: int, data: bytes) -> None:
        assert self._descriptor is not None, "opened before"
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._descriptor, rest, offset)
            offset += written
            rest = rest[written:]


def write_wav(path: Path, samples: NDArray[np.int16], rate_hz: int) -> None:
    """A whole PCM16 file, replacing what is there. ``samples`` has shape (n,) or (n, channels). Raises OSError, WavTooLarge."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    data = codec.encode(samples, Encoding.PCM16)
    head = header(AudioFormat(Encoding.PCM16, rate_hz), channels, len(data))
    if len(head) + len(data) > MAX_WAV_BYTES:
        raise WavTooLarge("WAV files end at 4 GiB")
    path.write_bytes(head + data)


def is_being_written(path: Path) -> bool:
    """Whether a ``WavWriter`` of a living process has the file open. Raises OSError."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


class WavPlan(NamedTuple):
    """Where the samples of a WAV file are."""

    audio: AudioFormat
    channels: int
    offset: int
    """Of the first sample, in bytes."""
    size: int
    """Of all samples, in bytes; whole frames."""

    @property
    def frame_bytes(self) -> int:
        return self.audio.bytes_per_sample * self.channels


def wav_plan(path: Path) -> WavPlan:
    """Without reading its samples. Raises as ``read_wav``."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
            raise MalformedMessage("wav_header", "not a RIFF/WAVE file")
        layout: _Layout | None = None
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data" and layout is not None:
                there = os.fstat(file.fileno()).st_size - file.tell()
                plan = WavPlan(layout.audio, layout.channels, file.tell(), 0)
                return plan._replace(size=min(size, there) // plan.frame_bytes * plan.frame_bytes)
            if name == b"fmt ":
                layout = _read_layout(file.read(size + size % 2))
            else:
                file.seek(size + size % 2, os.SEEK_CUR)
    raise MalformedMessage("wav_header", "no audio in the file")


def read_wav(path: Path) -> tuple[NDArray[np.int16], int]:
    """Samples of shape (n, channels) and the rate in Hz, of a PCM16, µ-law or A-law file.

    A file cut short gives what is there, whole frames only. Raises MalformedMessage ("wav_header", "wav_encoding"), OSError.
    """
    return wav_samples(path.read_bytes())


def wav_samples(content: bytes) -> tuple[NDArray[np.int16], int]:
    """As ``read_wav``, of a file's content."""
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


def header(audio: AudioFormat, channels: int, data_bytes: int) -> bytes:
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
