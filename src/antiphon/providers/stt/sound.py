"""The sound of one utterance: what was said so far, where it was quiet, and whether anybody spoke. Pure; bounded by who fills it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.providers.stt.rejection import FRAME_MS, FRAME_SAMPLES, Voicing, has_voice

_QUIET_IN_NOISE, _QUIET_IN_SILENCE = 0.05, 0.01
"""Of the loudest 10 ms so far: −26 dB where the line is as noisy as that, −40 dB where it is silent between words."""
_ABOVE_NOISE = 2.5
_NOISE_PERCENTILE = 10


_WINDOW = 640
"""40 ms: two periods of the mains."""
_BANDS = 8
_STILL_DB = 0.15
"""Tones, hums and keys lie below 0.07 dB; of 353 pieces of people's speech, 300 ms each, the stillest at 0.23."""
_FAINT_DB = 20.0


class Sound:
    """16 kHz samples of one utterance. Positions are sample numbers from its start, also after the first of them were forgotten."""

    def __init__(self) -> None:
        self._samples = bytearray()
        self._forgotten = 0
        self._levels = np.zeros(0, dtype=np.float32)
        self._measured = 0
        self._voicing = Voicing()

    @property
    def end(self) -> int:
        """How much has been heard."""
        return self._forgotten + len(self._samples) // 2

    def push(self, samples: NDArray[np.int16]) -> None:
        self._samples += samples.tobytes()
        self._voicing.push(samples)
        whole = (self.end - self._measured) // FRAME_SAMPLES * FRAME_SAMPLES
        if whole:
            frames = self._between(self._measured, self._measured + whole).astype(np.float32).reshape(-1, FRAME_SAMPLES)
            self._levels = np.concatenate((self._levels, np.sqrt((frames**2).mean(axis=1))))
            self._measured += whole

    def forget(self, before: int) -> None:
        """Free what was heard before this position."""
        del self._samples[: 2 * (before - self._forgotten)]
        self._forgotten = before

    def samples(self, start: int, end: int) -> NDArray[np.float32]:
        """−1…1."""
        return self._between(start, end).astype(np.float32) / np.float32(32768)

    def has_pitch(self, start: int, end: int) -> bool:
        """Whether anything between two positions has one. Hardly anything of a "six" does."""
        return has_voice(self._voiced(start, end))

    def is_speech(self, start: int, end: int) -> bool:
        """Whether there is a voice between two positions: something with a pitch that does not stand still. A dialling tone has
        one, too."""
        voiced = self._voiced(start, end)
        if not has_voice(voiced):
            return False
        first = start // FRAME_SAMPLES
        windows = np.lib.stride_tricks.sliding_window_view(self._between(first * FRAME_SAMPLES, end), _WINDOW)
        windows = windows[::FRAME_SAMPLES]
        return not _stands_still(windows[voiced[: len(windows)]])

    def _voiced(self, start: int, end: int) -> NDArray[np.bool_]:
        return self._voicing.frames()[start // FRAME_SAMPLES : end // FRAME_SAMPLES]

    def quiet_ms(self) -> int:
        """For how long it has been quiet."""
        loud = np.flatnonzero(self._loud())
        return int(self._levels.size - 1 - loud[-1] if loud.size else self._levels.size) * FRAME_MS

    def loud_since(self, position: int) -> bool:
        return bool(self._loud()[position // FRAME_SAMPLES :].any())

    def quietest(self, start: int, end: int, window_ms: int = 100) -> int:
        """The middle of the quietest stretch between two positions: where to cut if one must."""
        size = window_ms // FRAME_MS
        levels = self._levels[start // FRAME_SAMPLES : end // FRAME_SAMPLES]
        if levels.size < size:
            return end
        sums = np.convolve(levels, np.ones(size, dtype=np.float32), mode="valid")
        return start // FRAME_SAMPLES * FRAME_SAMPLES + (int(sums.argmin()) + size // 2) * FRAME_SAMPLES

    def _loud(self) -> NDArray[np.bool_]:
        return loud_frames(self._levels, least=1.0)

    def _between(self, start: int, end: int) -> NDArray[np.int16]:
        first = 2 * (start - self._forgotten)
        return np.frombuffer(bytes(self._samples[first : first + 2 * (end - start)]), dtype=np.int16)


def loud_frames(levels: NDArray[np.float32], least: float) -> NDArray[np.bool_]:
    """Which frames of 10 ms are more than the line: by the RMS of each, shape (n,); none of them below ``least``."""
    if not levels.size:
        return np.zeros(0, dtype=np.bool_)
    loudest = float(levels.max())
    noise = _ABOVE_NOISE * float(np.percentile(levels, _NOISE_PERCENTILE))
    loud: NDArray[np.bool_] = levels > max(min(noise, _QUIET_IN_NOISE * loudest), _QUIET_IN_SILENCE * loudest, least)
    return loud


def _stands_still(windows: NDArray[np.int16]) -> bool:
    """Whether the spectrum is the same all the time, in the bands that matter. ``windows``: shape (n, 640), those with a pitch."""
    if not len(windows):
        return False
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW), axis=1)[:, 1:]) ** 2
    levels = 10 * np.log10(spectrum.reshape(len(windows), _BANDS, -1).sum(axis=2) + 1.0)
    typical = np.median(levels, axis=0)
    audible = typical > typical.max() - _FAINT_DB
    return bool(np.median(np.abs(levels - typical)[:, audible].mean(axis=1)) < _STILL_DB)
