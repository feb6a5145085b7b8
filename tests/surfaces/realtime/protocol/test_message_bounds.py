"""What a message may cost before it is read, and how long ones are read in pieces."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from antiphon.surfaces.realtime.protocol.errors import ClientError
from antiphon.surfaces.realtime.protocol.message_bounds import (
    MAX_AUDIO_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_VALUES,
    check_bounds,
    cut_long_texts,
    decode_in_pieces,
)

MIB = 1024 * 1024
STEP_S = 0.05
"""Of CPU, at most, in one go."""


def cpu_s(work: Callable[[], Any]) -> float:
    """The quickest of three: the machine has other things to do, and what is asked is what the work costs."""
    taken = []
    for _ in range(3):
        began = time.thread_time()
        work()
        taken.append(time.thread_time() - began)
    return min(taken)


def refused(work: Callable[[], Any]) -> ClientError:
    with pytest.raises(ClientError) as error:
        work()
    return error.value


def filled(
    piece: bytes, size: int = MAX_MESSAGE_BYTES, head: bytes = b'{"type":"x","x":[', tail: bytes = b"1]}"
) -> bytes:
    """An unknown field with as many of these values as fit."""
    return head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


DENSE: dict[str, Callable[[], bytes]] = {
    "lists": lambda: filled(b"[],"),
    "objects": lambda: filled(b"{},"),
    "numbers": lambda: filled(b"1,"),
    "texts": lambda: filled(b'"",'),
    "escaped quotes between": lambda: filled(b'"\\"",'),
    "backslashes between": lambda: filled(b'"\\\\",'),
    "depth": lambda: b"[" * MAX_MESSAGE_BYTES,
    "keys": lambda: b"{" + b",".join(b'"%x":1' % at for at in range(100_000)) + b"}",
    "no JSON at all": lambda: b'\\",[' * (MAX_MESSAGE_BYTES // 4),
}


@pytest.mark.parametrize("kind", DENSE)
def test_a_message_of_very_many_values_is_refused_before_it_is_read(kind: str) -> None:
    payload = DENSE[kind]()  # not made where it is only collected
    assert refused(lambda: check_bounds(payload)).code == "message_too_large"
    assert cpu_s(lambda: refused(lambda: check_bounds(payload))) < STEP_S


@pytest.mark.parametrize(
    "text",
    ["[[[[,,,,{{{{", 'say \\"a, b, c\\", and so on', "\\\\,", "x", "a, "],
)
def test_one_text_may_be_long_whatever_is_in_it(text: str) -> None:
    value = {"type": "x", "item": text * (900_000 // len(text) // 2)}
    payload = orjson.dumps(value)
    assert len(payload) < MAX_MESSAGE_BYTES
    check_bounds(payload)
    assert cpu_s(lambda: check_bounds(payload)) < STEP_S


def test_as_many_values_as_a_session_needs() -> None:
    schema = {"type": "object", "properties": {f"p{at}": {"type": "string", "enum": ["a", "b"]} for at in range(40)}}
    tools = [{"type": "function", "name": f"f{at}", "parameters": schema} for at in range(128)]
    check_bounds(orjson.dumps({"type": "session.update", "session": {"tools": tools}}))
    check_bounds(orjson.dumps(list(range(MAX_VALUES - 1))))


@pytest.mark.parametrize("payload", [b" " * MIB + b"{}", filled(b"[],", 20 * MIB), b'{"x":"' + b"a" * MIB + b'"}'])
def test_more_than_a_mebibyte_is_refused_by_its_size(payload: bytes) -> None:
    assert refused(lambda: check_bounds(payload)).code == "message_too_large"


def test_reading_what_may_be_read_takes_no_longer() -> None:
    for piece in (b"[],", b"{},", b'"a",', b"1,"):
        payload = b"[" + piece * (MAX_VALUES // 2 - 2) + b"1]"
        check_bounds(payload)
        assert cpu_s(lambda payload=payload: orjson.loads(payload)) < STEP_S  # type: ignore[misc]


# ------------------------------------------------------------------------------------------------ long texts


def test_long_texts_are_cut_out_and_nothing_else() -> None:
    audio, picture = "A" * 3 * MIB, "data:image/png;base64," + "B" * MIB
    value = {"audio": audio, "short": 'quotes \\" and \\\\', "nested": [{"image_url": picture}, "x" * 100], "last": 1}
    skeleton, cut = cut_long_texts(orjson.dumps(value))
    read = orjson.loads(skeleton)
    assert bytes(cut[read["audio"]]).decode() == audio
    assert bytes(cut[read["nested"][0]["image_url"]]).decode() == picture
    read["audio"], read["nested"][0]["image_url"] = audio, picture
    assert read == value


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b'{"x":"' + b"\\" * 20 * MIB + b'"}', "message_too_large"),
        (b'{"x":"' + b'\\"' * 10 * MIB + b'"}', "message_too_large"),
        (filled(b'"",', 20 * MIB), "message_too_large"),
        (filled(b"[],", 20 * MIB), "message_too_large"),
        (b" " * 20 * MIB, "message_too_large"),
        (b'"' + b"a" * 20 * MIB, "invalid_json"),
        (b'"' * 20 * MIB, "message_too_large"),
    ],
)  # fmt: skip
def test_what_is_long_but_no_text_is_refused_quickly(payload: bytes, code: str) -> None:
    assert refused(lambda: cut_long_texts(payload)).code == code
    assert cpu_s(lambda: refused(lambda: cut_long_texts(payload))) < STEP_S


def test_cutting_twenty_mebibytes_is_quick() -> None:
    payload = b'{"audio":"' + b"A" * 20 * MIB + b'"}'
    assert cpu_s(lambda: cut_long_texts(payload)) < STEP_S


# ------------------------------------------------------------------------------------------------ base64 in pieces


def decoded(text: bytes) -> bytes:
    return b"".join(decode_in_pieces(memoryview(text), "audio"))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 1000, 147_455, 147_456, 147_457, 147_458, 147_459, 600_001])
@pytest.mark.parametrize(
    "written", [bytes, lambda text: text.replace(b"/", b"\\/"), lambda text: text.replace(b"+", b"\\u002B")]
)
def test_pieces_give_what_the_whole_gives(size: int, written: Callable[[bytes], bytes]) -> None:
    audio = os.urandom(size)
    assert decoded(written(base64.b64encode(audio))) == audio


@pytest.mark.parametrize("at", [0, 100_000, 300_000, -1])
@pytest.mark.parametrize("wrong", [b"!", b"=", b" ", b"\\n", b"\\u00e9", b"\\x", b"\xff"])
def test_what_is_no_base64_is_refused_wherever_it_stands(at: int, wrong: bytes) -> None:
    text = base64.b64encode(os.urandom(300_000))
    if (at, wrong) == (-1, b"="):
        return  # binascii takes a padding that is not needed, at the end
    place = at if at >= 0 else len(text)
    error = refused(lambda: decoded(text[:place] + wrong + text[place:]))
    assert (error.code, error.param) == ("invalid_value", "audio")


def test_the_largest_audio_is_taken_and_no_larger_one() -> None:
    largest = base64.b64encode(bytes(MAX_AUDIO_BYTES))
    assert len(decoded(largest)) == MAX_AUDIO_BYTES
    assert refused(lambda: decoded(largest + b"AAAA")).code == "invalid_value"


def test_no_piece_takes_long() -> None:
    pieces = decode_in_pieces(memoryview(base64.b64encode(bytes(MAX_AUDIO_BYTES))), "audio")
    longest = 0.0
    while True:
        began = time.thread_time()
        if next(pieces, None) is None:
            break
        longest = max(longest, time.thread_time() - began)
    assert longest < STEP_S
