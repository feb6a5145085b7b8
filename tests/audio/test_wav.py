from __future__ import annotations

import os
import resource
import signal
import stat
import struct
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from antiphon.audio import codec
from antiphon.audio.wav import MAX_WAV_BYTES, WavTooLarge, WavWriter, read_wav, write_wav
from antiphon.errors import MalformedMessage
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

NARROW = AudioFormat(Encoding.PCM16, 8000)
ALAW = AudioFormat(Encoding.ALAW, 8000)


def noise(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-20_000, 20_000, count).astype(np.int16)


def chunks_of(path: Path) -> dict[str, bytes]:
    """The file taken apart by the letter of RIFF: sizes must be exact, chunks padded to even."""
    content = path.read_bytes()
    assert content[:4] == b"RIFF"
    assert content[8:12] == b"WAVE"
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    chunks = {}
    at = 12
    while at < len(content):
        name, size = struct.unpack("<4sI", content[at : at + 8])
        assert at + 8 + size <= len(content)
        chunks[name.decode()] = content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(content)
    return chunks


@pytest.mark.parametrize("audio", [TELEPHONE, ALAW, NARROW, AudioFormat(Encoding.PCM16, 24000)])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_can_be_read(tmp_path: Path, audio: AudioFormat, channels: int) -> None:
    path = tmp_path / "call.wav"
    encoded = codec.encode(noise(3 * audio.rate_hz * channels), audio.encoding)
    with WavWriter(path, audio, channels) as writer:
        step = 320 * channels
        for at in range(0, len(encoded), step):
            writer.write(encoded[at : at + step])
        assert writer.duration_ms == 3000
    samples, rate_hz = read_wav(path)
    assert rate_hz == audio.rate_hz
    assert np.array_equal(samples, codec.decode(encoded, audio.encoding).reshape(-1, channels))
    assert chunks_of(path)["data"] == encoded


def test_the_standard_library_agrees_on_pcm(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    left, right = noise(800, 1), noise(800, 2)
    with WavWriter(path, NARROW, 2) as writer:
        writer.write_stereo(left.tobytes(), right.tobytes())
    with wave.open(str(path)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth(), reader.getframerate()) == (2, 2, 8000)
        assert reader.readframes(800) == np.stack((left, right), axis=1).tobytes()


@pytest.mark.parametrize(("audio", "tag"), [(TELEPHONE, 7), (ALAW, 6)])
def test_g711_has_the_long_format_chunk_and_a_fact_chunk(tmp_path: Path, audio: AudioFormat, tag: int) -> None:
    path = tmp_path / "call.wav"
    with WavWriter(path, audio, 2) as writer:
        writer.write_stereo(b"\x01\x02\x03", b"\x81\x82\x83")
    chunks = chunks_of(path)
    assert list(chunks) == ["fmt ", "fact", "data"]
    assert struct.unpack("<HHIIHHH", chunks["fmt "]) == (tag, 2, 8000, 16000, 2, 8, 0)
    assert struct.unpack("<I", chunks["fact"]) == (3,)
    assert chunks["data"] == b"\x01\x81\x02\x82\x03\x83"


def test_the_file_is_right_at_every_moment(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with WavWriter(path, TELEPHONE) as writer:
        assert chunks_of(path)["data"] == b""
        writer.write(b"\x11" * 7999)
        assert chunks_of(path)["data"] == b""
        writer.write(b"\x22" * 2)
        assert len(chunks_of(path)["data"]) == 8001  # odd: padded for now
        writer.write(b"\x33" * 3)
        writer.flush()
        assert chunks_of(path)["data"] == b"\x11" * 7999 + b"\x22" * 2 + b"\x33" * 3
        writer.flush()
        writer.write(b"\x44")
    assert chunks_of(path)["data"].endswith(b"\x33\x44")


def test_a_killed_process_leaves_a_file_that_plays(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    child = f"""
import os, signal
from pathlib import Path
from antiphon.audio.wav import WavWriter
from antiphon.vocabulary import TELEPHONE
writer = WavWriter(Path({str(path)!r}), TELEPHONE, 2)
for _ in range(125):
    writer.write_stereo(b"\\x10" * 160, b"\\x20" * 160)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", child], check=False, timeout=60)
    assert ended.returncode == -9
    assert chunks_of(path)["data"] == b"\x10\x20" * 16_000
    assert read_wav(path)[0].shape == (16_000, 2)


def test_a_crash_between_audio_and_header_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with WavWriter(path, TELEPHONE) as writer:
        writer.write(b"\x10" * 8000)
    with path.open("ab") as file:
        file.write(b"\x20" * 8000)
    assert read_wav(path)[0].shape == (8000, 1)


def test_a_recording_is_private_and_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    WavWriter(path, TELEPHONE).close()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with pytest.raises(FileExistsError):
        WavWriter(path, TELEPHONE)


def test_a_full_file_refuses_more_and_stays_playable(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with WavWriter(path, TELEPHONE, max_bytes=58 + 100) as writer:
        writer.write(b"\x10" * 60)
        with pytest.raises(WavTooLarge, match="158 bytes"):
            writer.write(b"\x20" * 41)
        writer.write(b"\x30" * 40)
    assert path.stat().st_size == 158
    assert chunks_of(path)["data"] == b"\x10" * 60 + b"\x30" * 40


def test_no_limit_can_pass_four_gib(tmp_path: Path) -> None:
    class Vast(bytes):
        """Claims a length that no test machine should have to hold."""

        def __len__(self) -> int:
            return MAX_WAV_BYTES - 58 + 1

    with WavWriter(tmp_path / "call.wav", TELEPHONE, max_bytes=2**40) as writer, pytest.raises(WavTooLarge):
        writer.write(Vast())


def test_close_is_final_and_may_be_repeated(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "call.wav", TELEPHONE)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"\xff")


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """Makes every write past so many bytes of a file fail, as a full disk would. As short as can be: the test report may be a file too."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("audio", [TELEPHONE, ALAW, NARROW], ids=lambda audio: audio.encoding)
def test_a_disk_that_was_full_leaves_silence_and_what_follows_stands_where_it_belongs(
    tmp_path: Path, audio: AudioFormat, channels: int
) -> None:
    path = tmp_path / "call.wav"
    second = audio.bytes_for_ms(1000) * channels
    writer = WavWriter(path, audio, channels)
    writer.write(b"\x10" * second)
    with small_disk(len(_header_of(path)) + second + 1001):
        for _ in range(3):
            with pytest.raises(OSError, match="File too large"):
                writer.write(b"\x20" * second)
        assert read_wav(path)[0].shape == (8000, channels), "what was written before can be played"
    assert writer.duration_ms == 4000
    writer.write(b"\x30" * second)
    writer.close()
    silence = codec.silence(audio, 3000 * 8 * channels)
    assert chunks_of(path)["data"] == b"\x10" * second + silence + b"\x30" * second


def _header_of(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: content.index(b"data") + 8]


def test_a_disk_that_is_full_to_the_end_leaves_what_was_written_before(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    writer = WavWriter(path, TELEPHONE)
    writer.write(b"\x10" * 8000)
    with small_disk(10_000):
        with pytest.raises(OSError, match="File too large"):
            writer.write(b"\x20" * 8000)
        with pytest.raises(OSError, match="File too large"):
            writer.close()
    assert read_wav(path)[0].shape == (8000, 1)
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"\x30")


def test_what_was_lost_before_it_came_here_is_silence_too(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with WavWriter(path, TELEPHONE) as writer:
        writer.write(b"\x10" * 100)
        writer.skip(200_001)
        writer.write(b"\x20" * 100)
        writer.skip(7)
    assert chunks_of(path)["data"] == b"\x10" * 100 + b"\xff" * 200_001 + b"\x20" * 100 + b"\xff" * 7


def test_a_disk_too_full_for_the_header_is_reported_and_leaves_no_empty_file(tmp_path: Path) -> None:
    with small_disk(10), pytest.raises(OSError, match="File too large"):
        WavWriter(tmp_path / "call.wav", TELEPHONE)
    assert list(tmp_path.iterdir()) == []


def test_a_patient_writer_begins_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with small_disk(10):
        writer = WavWriter(path, TELEPHONE, patient=True)
        assert writer.problem is not None
        with pytest.raises(OSError, match="File too large"):
            writer.write(b"\x20" * 8000)
    writer.write(b"\x30" * 8000)
    writer.close()
    assert chunks_of(path)["data"] == b"\xff" * 8000 + b"\x30" * 8000
    with pytest.raises(FileNotFoundError):
        WavWriter(tmp_path / "nowhere" / "call.wav", TELEPHONE, patient=True)


def test_misuse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one or two channels"):
        WavWriter(tmp_path / "three.wav", TELEPHONE, channels=3)
    with WavWriter(tmp_path / "mono.wav", TELEPHONE) as mono, pytest.raises(ValueError, match="stereo"):
        mono.write_stereo(b"\xff", b"\xff")
    with WavWriter(tmp_path / "stereo.wav", NARROW, channels=2) as stereo:
        with pytest.raises(ValueError, match="4-byte frames"):
            stereo.write(b"\x00\x00")
        with pytest.raises(ValueError, match="equal sides"):
            stereo.write_stereo(b"\x00\x00", b"")
        with pytest.raises(ValueError, match="number of samples"):
            stereo.write_stereo(b"\x00", b"\x00")


@pytest.mark.parametrize("shape", [(801,), (801, 1), (400, 2)])
def test_write_wav(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "clip.wav"
    samples = noise(int(np.prod(shape))).reshape(shape)
    write_wav(path, samples, 16000)
    write_wav(path, samples, 16000)
    read, rate_hz = read_wav(path)
    assert rate_hz == 16000
    assert np.array_equal(read, samples.reshape(shape[0], -1))
    chunks_of(path)


def test_write_wav_refuses_more_than_four_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.audio.wav.MAX_WAV_BYTES", 1000)
    with pytest.raises(WavTooLarge):
        write_wav(tmp_path / "clip.wav", noise(479), 8000)
    write_wav(tmp_path / "clip.wav", noise(478), 8000)
    assert (tmp_path / "clip.wav").stat().st_size == 1000


def pcm_header(tag: int = 1, channels: int = 1, rate_hz: int = 8000, bits: int = 16) -> bytes:
    return struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate_hz, 0, 0, bits)


def riff(*chunks: bytes) -> bytes:
    return b"RIFF\xff\xff\xff\xffWAVE" + b"".join(chunks)


def data(declared: int, body: bytes) -> bytes:
    return b"data" + struct.pack("<I", declared) + body


def read_bytes(tmp_path: Path, content: bytes) -> np.ndarray:
    path = tmp_path / "other.wav"
    path.write_bytes(content)
    return read_wav(path)[0]


def test_a_file_cut_short_gives_its_whole_frames(tmp_path: Path) -> None:
    cut = riff(pcm_header(channels=2), data(0xFFFFFFFF, b"\x01\x00\x02\x00\x03\x00"))
    assert read_bytes(tmp_path, cut).tolist() == [[1, 2]]


def test_unknown_chunks_are_skipped_with_their_padding(tmp_path: Path) -> None:
    listed = riff(b"LIST\x03\x00\x00\x00abc\x00", pcm_header(), data(2, b"\x05\x00"))
    assert read_bytes(tmp_path, listed).tolist() == [[5]]


def test_the_extensible_format_is_understood(tmp_path: Path) -> None:
    body = struct.pack("<HHIIHHHHIH", 0xFFFE, 1, 8000, 8000, 1, 8, 22, 8, 0, 7) + bytes(14)
    extensible = riff(b"fmt " + struct.pack("<I", len(body)) + body, data(1, b"\xff"))
    assert read_bytes(tmp_path, extensible).tolist() == [[0]]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "wav_header"),
        (b"RIFX" + bytes(40), "wav_header"),
        (b"RIFF\0\0\0\0AVI " + bytes(40), "wav_header"),
        (riff(), "wav_header"),
        (riff(pcm_header()), "wav_header"),
        (riff(data(2, b"\0\0"), pcm_header()), "wav_header"),
        (riff(b"fmt \x04\x00\x00\x00\x01\x00\x01\x00"), "wav_header"),
        (riff(pcm_header(channels=0), data(2, b"\0\0")), "wav_header"),
        (riff(pcm_header(rate_hz=0), data(2, b"\0\0")), "wav_header"),
        (riff(pcm_header(bits=24), data(3, b"\0\0\0")), "wav_encoding"),
        (riff(pcm_header(tag=3, bits=32), data(4, bytes(4))), "wav_encoding"),
        (riff(pcm_header(tag=0xFFFE), data(2, b"\0\0")), "wav_encoding"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, kind: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        read_bytes(tmp_path, content)
    assert caught.value.kind == kind
