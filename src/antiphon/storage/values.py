"""Values that not every database keeps, made such that both keep them, and the same.

PostgreSQL keeps no text with U+0000, and neither keeps half a character (a lone surrogate), which a model or a vendor may send. They are
written as U+FFFD, in columns and anywhere in documents, and what is compared with them likewise. Requests with such text are refused
before; but what was said in a call has to be kept, whatever is in it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import String, Text, TypeDecorator

INSTEAD = "\ufffd"
_UNKEPT = re.compile("[\0\ud800-\udfff]")


def kept_text(text: str) -> str:
    """The text as a database keeps it."""
    if "\0" not in text:
        try:
            text.encode()  # some hundred times as fast as to look for what is wrong
        except UnicodeEncodeError:
            pass
        else:
            return text
    return _UNKEPT.sub(INSTEAD, text)


class KeptText(TypeDecorator[str]):
    """A column of text, whatever text it is."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:
        return value if value is None else kept_text(value)


class LongText(KeptText):
    """Likewise, as long as it may be."""

    impl = Text
    cache_ok = True


def written(document: Any) -> str:
    """A document as JSON. It is done on the event loop, and one may be megabytes long: the standard library takes ten times as long, and is
    asked for what orjson refuses alone (a number of more than 64 bits)."""
    try:
        written = orjson.dumps(document)
        if b"\\u0000" not in written:
            return written.decode()
    except TypeError:
        pass
    return json.dumps(_kept(document), allow_nan=False)


def read(text: str | bytes) -> Any:
    """As it was ``written``, by either."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


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
