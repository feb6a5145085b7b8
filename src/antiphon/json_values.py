"""JSON for what we keep, written and read quickly, and whatever is in it.

Not every database keeps every text: PostgreSQL none with U+0000, and neither of them half a character (a lone surrogate), which a model or
a vendor may send. Such are written as U+FFFD. Requests with such text are refused before; but what was said in a call has to be kept.

A number of more than 64 bits is written as it is, and read as the nearest float: no reader of JSON promises more. So documents with one are
refused where they come in.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from antiphon.wire_model import join

INSTEAD = "\ufffd"
_UNKEPT = re.compile("[\0\ud800-\udfff]")
LONG_NUMBER = "must not be a number of more than 64 bits: write it as text"
_FEWEST_DIGITS = b"0" * 19
"""Of such a number."""
_ALL_ZEROS = bytes.maketrans(b"123456789", b"000000000")


def kept_text(text: str) -> str:
    """The text as it is kept."""
    if "\0" not in text:
        try:
            text.encode()  # some hundred times as fast as to look for what is wrong
        except UnicodeEncodeError:
            pass
        else:
            return text
    return _UNKEPT.sub(INSTEAD, text)


def written(document: Any, default: Callable[[Any], Any] | None = None) -> str:
    """A document as JSON; ``default`` makes something that JSON can say of what it cannot. It is done on the event loop, and one may be
    megabytes long: the standard library takes ten times as long, and is asked for what orjson refuses alone (half a character, a number of
    more than 64 bits)."""
    try:
        written = orjson.dumps(document, default=default)
        if b"\\u0000" not in written:
            return written.decode()
    except TypeError:
        pass
    return json.dumps(_kept(document), allow_nan=False, default=default)


def read(text: str | bytes) -> Any:
    """As it was ``written``, by either."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def is_long(value: Any) -> bool:
    """Whether it is a whole number of more than 64 bits."""
    return isinstance(value, int) and not -(2**63) <= value < 2**64


def long_number_in(content: bytes) -> str | None:
    """The dotted field of JSON whose number has more than 64 bits; empty where that is all. None: there is none."""
    if _FEWEST_DIGITS not in content.translate(
        _ALL_ZEROS
    ):  # a quarter of what it takes to read it, and mostly all there is to do
        return None
    level: list[tuple[str, Any]] = [("", json.loads(content, parse_int=_whole))]
    while level:
        if (field := next((path for path, value in level if is_long(value)), None)) is not None:
            return field
        below = ([(join(path, part), item) for part, item in _parts(value)] for path, value in level)
        level = [each for parts in below for each in parts]
    return None


def in_answer(text: str) -> Any:
    """The JSON value in what a model wrote: alone, or wrapped in fences and words. Raises ValueError where there is none, or one that could
    not be written again."""
    bare = text.strip()
    if bare.startswith("```"):
        bare = bare.partition("\n")[2].rpartition("```")[0]
    try:
        value = orjson.loads(bare)
    except orjson.JSONDecodeError:
        bare = _bracketed(text)
        value = orjson.loads(bare)
    try:
        orjson.dumps(value)
    except TypeError:
        raise ValueError("it is nested too deep") from None
    if (field := long_number_in(bare.encode())) is not None:
        raise ValueError(f"{field or 'it'} {LONG_NUMBER}")
    return value


def _parts(value: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return ((name[:100], item) for name, item in value.items())
    return enumerate(value) if isinstance(value, list) else ()


def _whole(digits: str) -> int:
    """Python refuses to read one of thousands."""
    return int(digits) if len(digits) < 30 else 2**64


def _bracketed(answer: str) -> str:
    begins = [at for at in (answer.find("{"), answer.find("[")) if at >= 0]
    if not begins:
        return answer
    begin = min(begins)
    end = answer.rfind("}" if answer[begin] == "{" else "]")
    return answer[begin : end + 1]


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return kept_text(value)
    if isinstance(value, Mapping):
        return {kept_text(key) if isinstance(key, str) else key: _kept(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # as orjson writes it
    return value
