"""A CTC model as NeMo exports them, of a few hundred bytes, made here: whatever it hears, it writes the same letters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TEXT = "go"
_MOST_ROWS = 2000
"""Of four frames each: 80 s of sound."""
_TOKENS = ("g", "o", "<blk>")


def make_nemo(folder: Path) -> Path:
    """The model's folder: ``model.onnx`` and ``tokens.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokens.txt").write_text("".join(f"{token} {id}\n" for id, token in enumerate(_TOKENS)))
    model = helper.make_model(_graph(), opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    for key, value in {"vocab_size": "2", "subsampling_factor": "4", "normalize_type": "per_feature"}.items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, str(folder / "model.onnx"))
    return folder


def _graph() -> onnx.GraphProto:
    """One row for each four frames of sound: the letters, then blanks."""
    logs = np.full((1, _MOST_ROWS, len(_TOKENS)), -20.0, np.float32)
    logs[0, len(TEXT) :, _TOKENS.index("<blk>")] = 0.0
    for at, letter in enumerate(TEXT):
        logs[0, at, _TOKENS.index(letter)] = 0.0
    nodes = [
        helper.make_node("Shape", ["audio_signal"], ["shape"]),
        helper.make_node("Gather", ["shape", "two"], ["frames"]),
        helper.make_node("Add", ["frames", "three"], ["up"]),
        helper.make_node("Div", ["up", "four"], ["rows"]),
        helper.make_node("Slice", ["said", "none", "rows", "rows_axis"], ["logprobs"]),
    ]
    inputs = [
        helper.make_tensor_value_info("audio_signal", TensorProto.FLOAT, [1, 80, "t"]),
        helper.make_tensor_value_info("length", TensorProto.INT64, [1]),
    ]
    outputs = [helper.make_tensor_value_info("logprobs", TensorProto.FLOAT, [1, "rows_", len(_TOKENS)])]
    numbers = {"two": 2, "three": 3, "four": 4, "none": 0, "rows_axis": 1}
    constants = [numpy_helper.from_array(np.array([value], np.int64), name) for name, value in numbers.items()]
    return helper.make_graph(nodes, "tiny", inputs, outputs, [*constants, numpy_helper.from_array(logs, "said")])
