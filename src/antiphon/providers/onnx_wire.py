"""As much of protobuf's wire format as it takes to walk an ONNX file and to write a part of one, without the onnx package."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a message: integers as they are, everything with a length as its bytes. Raises IndexError, ValueError."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(message):
            raise ValueError("cut short")
        yield key >> 3, message[at : at + size]
        at += size


def packed(values: memoryview) -> Iterator[int]:
    at = 0
    while at < len(values):
        value, at = varint(values, at)
        yield value


def varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7


def write_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def head_of(number: int, size: int) -> bytes:
    """What stands before the ``size`` bytes of field ``number``."""
    return write_varint(number << 3 | _BYTES) + write_varint(size)


def text_field(number: int, text: str) -> bytes:
    data = text.encode()
    return head_of(number, len(data)) + data


def number_field(number: int, value: int) -> bytes:
    return write_varint(number << 3 | _VARINT) + write_varint(value)
