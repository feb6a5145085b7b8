"""A Piper voice's graph in two halves, so that its speech streams.

Piper (VITS) exports one graph from phonemes to samples. Its first part sees the whole sentence: the encoder, the durations, the
alignment. What follows the sampling of the latent frames (the flow, the decoder) only ever looks a few frames to either side, so it can
be run piece by piece [Kim et al., 2021, arXiv:2106.06103]. The seam is the last ``RandomNormalLike``: the noise of both samplings becomes
an input of the halves, so that a text always sounds the same. The halves are made in memory: nodes and weights are copied as the bytes
they are.

Field numbers are those of onnx.proto3: ModelProto.graph = 7; GraphProto.node = 1, initializer = 5, input = 11, output = 12,
value_info = 13; NodeProto.input = 1, output = 2, op_type = 4; TensorProto.name = 8; ValueInfoProto.name = 1, type = 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from antiphon.errors import MalformedMessage
from antiphon.providers.onnx_wire import fields, head_of, number_field, text_field

_NODE, _NAME, _INITIALIZER, _INPUT, _OUTPUT = 1, 2, 5, 11, 12
_FLOAT = 1


@dataclass(frozen=True, slots=True)
class Halves:
    """Two ONNX models and what they call their values."""

    front: bytes
    decoder: bytes
    duration_noise: str
    """Input of the front: shape (1, 2, phonemes). Empty where the voice's durations have no chance in them."""
    durations: str
    """Output of the front: frames of each phoneme, shape (1, 1, phonemes). Empty where it cannot be told."""
    seam: tuple[str, ...]
    """Outputs of the front that the decoder takes. Those whose last axis is the frames may be cut there."""
    frames_like: str
    """Output of the front whose shape the decoder's noise has: (1, channels, frames)."""
    frame_noise: str
    """Input of the decoder."""
    audio: str
    """Output of the decoder."""


@dataclass(frozen=True, slots=True)
class _Node:
    raw: memoryview
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kind: str


@dataclass(slots=True)
class _Graph:
    nodes: list[_Node]
    initializers: dict[str, memoryview]
    inputs: dict[str, memoryview]
    outputs: list[str]
    around: list[tuple[int, int | memoryview]]
    """The model's fields beside its graph: versions, operator sets."""


def split(model: bytes) -> Halves:
    """Raises MalformedMessage("onnx") for what is no ONNX file or no Piper voice."""
    try:
        graph = _read(memoryview(model))
    except (IndexError, ValueError) as error:
        raise MalformedMessage("onnx", f"it is no ONNX model ({type(error).__name__})") from None
    noises = [node for node in graph.nodes if node.kind == "RandomNormalLike"]
    if not 1 <= len(noises) <= 2 or len(graph.outputs) != 1:
        raise MalformedMessage("onnx", "it is no Piper voice: there is no place where its frames are sampled")
    frame_noise = noises[-1]
    after = _reachable(graph.nodes, frame_noise.outputs[0])
    inner = {output for node in after for output in node.outputs}
    constant = _constant(graph)
    wanted = {name for node in after for name in node.inputs} - inner - {"", frame_noise.outputs[0]}
    seam = sorted(name for name in wanted if name not in constant and name not in graph.initializers)
    like = frame_noise.inputs[0]
    duration_noise = noises[0].outputs[0] if len(noises) == 2 else ""
    # Piper rounds the durations up: the only rounding in the graph.
    rounded = [node.outputs[0] for node in graph.nodes if node.kind == "Ceil"]
    durations = rounded[0] if len(rounded) == 1 else ""
    outputs = list(dict.fromkeys([*seam, like, *filter(None, [durations])]))
    return Halves(
        front=_model(graph, outputs, given=[duration_noise] if duration_noise else []),
        decoder=_model(graph, graph.outputs, given=[*seam, frame_noise.outputs[0]]),
        duration_noise=duration_noise,
        durations=durations,
        seam=tuple(seam),
        frames_like=like,
        frame_noise=frame_noise.outputs[0],
        audio=graph.outputs[0],
    )


def _read(model: memoryview) -> _Graph:
    graph = _Graph([], {}, {}, [], [])
    for number, value in fields(model):
        if number != 7 or not isinstance(value, memoryview):
            graph.around.append((number, value))
            continue
        for inner, part in fields(value):
            if not isinstance(part, memoryview):
                continue
            if inner == _NODE:
                graph.nodes.append(_node(part))
            elif inner == _INITIALIZER:
                graph.initializers[_text(part, 8)] = part
            elif inner == _INPUT:
                graph.inputs[_text(part, 1)] = part
            elif inner == _OUTPUT:
                graph.outputs.append(_text(part, 1))
    return graph


def _node(raw: memoryview) -> _Node:
    inputs: list[str] = []
    outputs: list[str] = []
    kind = ""
    for number, value in fields(raw):
        if isinstance(value, memoryview) and number in (1, 2, 4):
            text = bytes(value).decode()
            if number == 1:
                inputs.append(text)
            elif number == 2:
                outputs.append(text)
            else:
                kind = text
    return _Node(raw, tuple(inputs), tuple(outputs), kind)


def _text(message: memoryview, wanted: int) -> str:
    for number, value in fields(message):
        if number == wanted and isinstance(value, memoryview):
            return bytes(value).decode()
    return ""


def _reachable(nodes: Sequence[_Node], start: str) -> list[_Node]:
    """The nodes that ``start`` flows into. (ONNX lists nodes in the order in which they can be run.)"""
    reached = {start}
    found = []
    for node in nodes:
        if any(name in reached for name in node.inputs):
            reached.update(node.outputs)
            found.append(node)
    return found


def _constant(graph: _Graph) -> set[str]:
    """Values that depend on no input and no chance: either half may work them out for itself."""
    constant = set(graph.initializers)
    for node in graph.nodes:
        if node.kind != "RandomNormalLike" and all(not name or name in constant for name in node.inputs):
            constant.update(node.outputs)
    return constant


def _model(graph: _Graph, outputs: Sequence[str], given: Sequence[str]) -> bytes:
    """The part of the graph that makes ``outputs`` from its inputs and from ``given``, as a model."""
    needed = set(outputs)
    nodes: list[_Node] = []
    for node in reversed(graph.nodes):
        if any(name in needed and name not in given for name in node.outputs):
            needed.update(filter(None, node.inputs))
            nodes.append(node)
    parts: list[tuple[int, bytes | memoryview]] = [(_NODE, node.raw) for node in reversed(nodes)]
    parts.append((_NAME, b"half"))
    parts += [(_INITIALIZER, raw) for name, raw in graph.initializers.items() if name in needed]
    parts += [(_INPUT, raw) for name, raw in graph.inputs.items() if name in needed and name not in given]
    parts += [(_INPUT, _float_value(name)) for name in given]
    parts += [(_OUTPUT, _float_value(name)) for name in outputs]
    size = sum(len(head_of(number, len(raw))) + len(raw) for number, raw in parts)
    return b"".join((*_around(graph.around), head_of(7, size), *_framed(parts)))


def _around(others: Iterable[tuple[int, int | memoryview]]) -> Iterable[bytes | memoryview]:
    for number, value in others:
        if isinstance(value, int):
            yield number_field(number, value)
        else:
            yield head_of(number, len(value))
            yield value


def _framed(parts: Iterable[tuple[int, bytes | memoryview]]) -> Iterable[bytes | memoryview]:
    for number, raw in parts:
        yield head_of(number, len(raw))
        yield raw


def _float_value(name: str) -> bytes:
    """A ValueInfoProto: a tensor of float32 of whatever shape."""
    element = number_field(1, _FLOAT)
    tensor = head_of(1, len(element)) + element
    return text_field(1, name) + head_of(2, len(tensor)) + tensor
