"""Reads constant tensors out of an ONNX file, without the onnx package: enough of protobuf's wire format to walk a model's graphs.

Field numbers are those of onnx.proto3: ModelProto.graph = 7; GraphProto.node = 1, initializer = 5; NodeProto.output = 2, attribute = 5;
AttributeProto.t = 5, g = 6; TensorProto.dims = 1, data_type = 2, raw_data = 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import MalformedMessage

_FLOAT = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_float_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every float32 constant of a model, by the name of the value it defines. Raises OSError, MalformedMessage."""
    try:
        return dict(_graphs_of(memoryview(path.read_bytes())))
    except (IndexError, ValueError) as error:
        raise MalformedMessage("onnx", f"{path.name} is no ONNX model ({type(error).__name__})") from None


def _graphs_of(model: memoryview) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number, value in _fields(model):
        if number == 7 and isinstance(value, memoryview):
            yield from _tensors_of_graph(value)


def _tensors_of_graph(graph: memoryview) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number, node in _fields(graph):
        if number == 1 and isinstance(node, memoryview):
            yield from _tensors_of_node(node)


def _tensors_of_node(node: memoryview) -> Iterator[tuple[str, NDArray[np.float32]]]:
    fields = list(_fields(node))
    name = next(
        (bytes(value).decode() for number, value in fields if number == 2 and isinstance(value, memoryview)), ""
    )
    for number, attribute in fields:
        if number != 5 or not isinstance(attribute, memoryview):
            continue
        for inner, value in _fields(attribute):
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
    for number, value in _fields(tensor):
        if number == 1:
            dims += list(_packed(value)) if isinstance(value, memoryview) else [value]
        elif number == 2:
            kind = value
        elif number == 9:
            raw = value
    if kind != _FLOAT or not isinstance(raw, memoryview):
        return None
    return np.frombuffer(raw, dtype="<f4").reshape(dims).astype(np.float32)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a message: integers as they are, everything with a length as its bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(message):
            raise ValueError("cut short")
        yield key >> 3, message[at : at + size]
        at += size


def _packed(values: memoryview) -> Iterator[int]:
    at = 0
    while at < len(values):
        value, at = _varint(values, at)
        yield value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7
