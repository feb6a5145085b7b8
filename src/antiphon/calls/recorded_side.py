"""One side of a stereo recording, or both mixed, as a WAV file that is nowhere: any bytes of it can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from antiphon.audio import codec
from antiphon.audio.wav import header, wav_plan

Side = Literal["stereo", "mono", "customer", "assistant"]
"""As recorded; both mixed; the caller (left); the agent (right)."""


class RecordedSide:
    """Reading blocks: call it from a thread."""

    def __init__(self, path: Path, side: Side) -> None:
        """Raises OSError, MalformedMessage."""
        self._path = path
        self._plan = wav_plan(path)
        self._side: Side = side if self._plan.channels == 2 else "stereo"
        channels = self._plan.channels if self._side == "stereo" else 1
        frames = self._plan.size // self._plan.frame_bytes
        self._frame_bytes = self._plan.audio.bytes_per_sample * channels
        self._header = header(self._plan.audio, channels, frames * self._frame_bytes)
        self.size = len(self._header) + frames * self._frame_bytes
        """Of the whole file, in bytes."""

    def read(self, begin: int, size: int) -> bytes:
        """Raises OSError. Less where the file ends."""
        end = min(begin + size, self.size)
        head = self._header[begin:end]
        first, last = (max(place - len(self._header), 0) for place in (begin, end))
        if last <= first:
            return head
        first_frame, end_frame = first // self._frame_bytes, -(-last // self._frame_bytes)
        frames = self._frames(first_frame, end_frame)
        skipped = first - first_frame * self._frame_bytes
        return head + frames[skipped : skipped + last - first]

    def _frames(self, first: int, end: int) -> bytes:
        plan = self._plan
        with self._path.open("rb") as file:
            file.seek(plan.offset + first * plan.frame_bytes)
            data = file.read((end - first) * plan.frame_bytes)
        if self._side == "stereo":
            return data
        samples = codec.decode(data, plan.audio.encoding).reshape(-1, 2)
        if self._side == "mono":
            mixed = np.clip(samples.astype(np.int32).sum(axis=1), -32768, 32767).astype(np.int16)
            return codec.encode(mixed, plan.audio.encoding)
        column = 0 if self._side == "customer" else 1
        return codec.encode(np.ascontiguousarray(samples[:, column]), plan.audio.encoding)
