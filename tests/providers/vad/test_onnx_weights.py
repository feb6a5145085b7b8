"""The reader of ONNX constants: the real file, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.errors import MalformedMessage
from antiphon.providers.vad.onnx_weights import read_float_tensors
from antiphon.providers.vad.silero import model_path


def test_the_models_weights_have_the_shapes_of_the_network() -> None:
    tensors = read_float_tensors(model_path())
    shapes = {name.rpartition("__")[2]: tensor.shape for name, tensor in tensors.items() if "else_branch" in name}
    assert shapes["stft.forward_basis_buffer"] == (130, 1, 128)
    assert shapes["encoder.0.reparam_conv.weight"] == (128, 65, 3)
    assert shapes["decoder.rnn.weight_hh"] == (512, 128)
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())


@pytest.mark.parametrize("cut", [1, 2, 1000, 500_000])
def test_a_file_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model_path().read_bytes()[:-cut])
    with pytest.raises(MalformedMessage, match="onnx"):
        read_float_tensors(path)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(MalformedMessage, match="onnx"):
        read_float_tensors(path)
