"""Reads constant tensors out of an ONNX file, without the onnx package.

Field numbers are those of onnx.proto3: ModelProto.graph = 7; GraphProto.node = 1, initializer = 5; NodeProto.output = 2, attribute = 5;
AttributeProto.t = 5, g = 6; TensorProto.dims = 1, data_type = 2, raw_data = 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import MalformedMessage
from antiphon.providers.onnx_wire import fields, packed

_FLOAT = 1


def read_float_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every float32 constant of a model, by the name of the value it defines. Raises OSError, MalformedMessage."""
    try:
        return dict(_graphs_of(memoryview(path.read_bytes())))
    except (IndexError, ValueError) as error:
        raise MalformedMessage("onnx", f"{path.name} is no ONNX model ({type(error).__name__})") from None


def _graphs_of(model: memoryview) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number, value in fields(model):
        if number == 7 and isinstance(value, memoryview):
            yield from _tensors_of_graph(value)


def _tensors_of_graph(graph: memoryview) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number, node in fields(graph):
        if number == 1 and isinstance(node, memoryview):
            yield from _tensors_of_node(node)


def _tensors_of_node(node: memoryview) -> Iterator[tuple[str, NDArray[np.float32]]]:
    found = list(fields(node))
    name = next((bytes(value).decode() for number, value in found if number == 2 and isinstance(value, memoryview)), "")
    for number, attribute in found:
        if number != 5 or not isinstance(attribute, memoryview):
            continue
        for inner, value in fields(attribute):
            if not isinstance(value, memoryview):
                continue
            if inner == 5 and (tensor := _float_tensor(value)) is not None:
                yield name, tensor
            elif inner == 6:
                yield from _tensors_of_graph(value)


def _float_tensor(tensor: memoryview) -> NDArray[np.float32] | None:
    dims: list[int] = []
    kind: int | memoryview = 0
    raw: int | memoryview = 0
    for number, value in fields(tensor):
        if number == 1:
            dims += list(packed(value)) if isinstance(value, memoryview) else [value]
        elif number == 2:
            kind = value
        elif number == 9:
            raw = value
    if kind != _FLOAT or not isinstance(raw, memoryview):
        return None
    return np.frombuffer(raw, dtype="<f4").reshape(dims).astype(np.float32)
