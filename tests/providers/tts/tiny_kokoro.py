"""A model with Kokoro's inputs and outputs that hums: as long as its text is, at the pitch of its voice. Made here, of some hundred
bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SAMPLES_PER_TOKEN = 1200
"""50 ms at 24 kHz."""
VOICES = ("af_heart", "am_low")


def make_kokoro(folder: Path) -> Path:
    """The two files of Kokoro 1.0, as small ones."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_hum(), str(folder / "kokoro-v1.0.int8.onnx"))
    styles = {name: np.full((510, 1, 256), 0.1 * (at + 1), np.float32) for at, name in enumerate(VOICES)}
    with (folder / "voices-v1.0.bin").open("wb") as file:
        np.savez(file, **styles)
    return folder


def _hum() -> onnx.ModelProto:
    """audio = 0.3 · sin(style[0] · n) for n in 0 … tokens · SAMPLES_PER_TOKEN / speed."""

    def constant(name: str, value: object) -> onnx.TensorProto:
        return numpy_helper.from_array(np.asarray(value), name)

    nodes = [
        helper.make_node("Shape", ["tokens"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["count"]),
        helper.make_node("Cast", ["count"], ["count_f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["count_f", "per_token"], ["length_f"]),
        helper.make_node("Div", ["length_f", "speed"], ["scaled"]),
        helper.make_node("Squeeze", ["scaled"], ["end"]),
        helper.make_node("Range", ["zero_f", "end", "one_f"], ["n"]),
        helper.make_node("ReduceMax", ["style"], ["pitch"], keepdims=0),
        helper.make_node("Mul", ["n", "pitch"], ["phase"]),
        helper.make_node("Sin", ["phase"], ["wave"]),
        helper.make_node("Mul", ["wave", "loudness"], ["audio"]),
    ]
    graph = helper.make_graph(
        nodes,
        "hum",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "n"]),
            helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
            helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["m"])],
        [
            constant("one", np.int64(1)),
            constant("per_token", np.float32(SAMPLES_PER_TOKEN)),
            constant("zero_f", np.float32(0)),
            constant("one_f", np.float32(1)),
            constant("loudness", np.float32(0.3)),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
