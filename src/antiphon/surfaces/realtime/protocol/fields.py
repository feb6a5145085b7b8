"""Reading one JSON object of a client: every value is checked as it is taken, and named by its path when it is wrong.

Absent and null are both None where a reader does not say otherwise; ``given`` tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, TypeVar

from antiphon.surfaces.realtime.protocol.errors import missing, out_of_bounds, unknown, unsupported, wrong_type

Word = TypeVar("Word", bound=str)
T = TypeVar("T")

MAX_TEXT_CHARS = 1024 * 1024
"""Of one text: an item's, a function's output."""


class Fields:
    """``path`` is what the client would call this object ("session.audio.input"); empty for the event itself.

    Raises ``ClientError`` for what is no object. ``strict`` makes ``close()`` object to fields nobody asked for.
    """

    __slots__ = ("_asked", "_values", "path", "strict")

    def __init__(self, value: object, path: str = "", *, strict: bool = False) -> None:
        if not isinstance(value, Mapping):
            raise wrong_type(path, "an object", value)
        self._values: Mapping[str, Any] = value
        self._asked: set[str] = set()
        self.path = path
        self.strict = strict

    def where(self, name: str) -> str:
        """The path of a field of this object."""
        return f"{self.path}.{name}" if self.path else name

    def given(self, name: str) -> bool:
        """Whether the field is there, be it null."""
        return name in self._values

    def value(self, name: str) -> Any:
        """The field as it came, unchecked."""
        self._asked.add(name)
        return self._values.get(name)

    def allow(self, *names: str) -> None:
        """Fields that may stand here and say nothing to us."""
        self._asked.update(names)

    def text(self, name: str, *, max_chars: int = MAX_TEXT_CHARS) -> str | None:
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise wrong_type(self.where(name), "a string", value)
        if len(value) > max_chars:
            raise out_of_bounds(
                self.where(name), f"string too long. Expected at most {max_chars} characters, but got {len(value)}"
            )
        return value

    def needed_text(self, name: str, *, max_chars: int = MAX_TEXT_CHARS) -> str:
        """A text that must be there; it may be empty."""
        text = self.text(name, max_chars=max_chars)
        return self._needed(name, text, "a string")

    def identifier(self, name: str, *, max_chars: int = 64) -> str | None:
        """A text that is not empty."""
        text = self.text(name, max_chars=max_chars)
        if text == "":
            raise out_of_bounds(self.where(name), "empty string. Expected at least 1 character")
        return text

    def needed_identifier(self, name: str, *, max_chars: int = 64) -> str:
        return self._needed(name, self.identifier(name, max_chars=max_chars), "a string")

    def flag(self, name: str, *, nullable: bool = False) -> bool | None:
        """A boolean. Null is an error, as at OpenAI, but where ``nullable``."""
        value = self.value(name)
        if isinstance(value, bool):
            return value
        if value is None and (nullable or not self.given(name)):
            return None
        raise wrong_type(self.where(name), "a boolean", value)

    def integer(self, name: str, least: int, most: int) -> int | None:
        """A whole number; 500.0 is one."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(self.where(name), "an integer", value)
        self._check_bounds(name, "integer", value, least, most)
        return value

    def needed_integer(self, name: str, least: int, most: int) -> int:
        return self._needed(name, self.integer(name, least, most), "an integer")

    def number(self, name: str, least: float, most: float) -> float | None:
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
            raise wrong_type(self.where(name), "a number", value)
        self._check_bounds(name, "decimal", value, least, most)
        return float(value)

    def needed_number(self, name: str, least: float, most: float) -> float:
        return self._needed(name, self.number(name, least, most), "a number")

    def choice(self, name: str, allowed: tuple[Word, ...]) -> Word | None:
        """One of ``allowed``."""
        text = self.text(name)
        if text is None:
            return None
        for word in allowed:
            if word == text:
                return word
        raise unsupported(self.where(name), text, allowed)

    def needed_choice(self, name: str, allowed: tuple[Word, ...]) -> Word:
        return self._needed(name, self.choice(name, allowed), "a string")

    def nested(self, name: str) -> Fields | None:
        """The object under ``name``."""
        value = self.value(name)
        return None if value is None else Fields(value, self.where(name), strict=self.strict)

    def needed_nested(self, name: str) -> Fields:
        return self._needed(name, self.nested(name), "an object")

    def array(self, name: str, most: int) -> list[Any] | None:
        """The array under ``name``, its entries unchecked."""
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise wrong_type(self.where(name), "an array", value)
        if len(value) > most:
            raise out_of_bounds(
                self.where(name), f"array too long. Expected at most {most} entries, but got {len(value)}"
            )
        return value

    def needed_array(self, name: str, most: int) -> list[Any]:
        return self._needed(name, self.array(name, most), "an array")

    def objects(self, name: str, most: int) -> Iterator[Fields]:
        """The objects of the array under ``name``; none where it is absent."""
        for index, value in enumerate(self.array(name, most) or ()):
            yield Fields(value, f"{self.where(name)}[{index}]", strict=self.strict)

    def texts(self, name: str, most: int) -> tuple[str, ...] | None:
        """The strings of the array under ``name``."""
        values = self.array(name, most)
        if values is None:
            return None
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise wrong_type(f"{self.where(name)}[{index}]", "a string", value)
        return tuple(values)

    def mapping(self, name: str) -> dict[str, Any] | None:
        """A free-form object, such as a JSON Schema. Its size is bounded by whoever keeps it."""
        nested = self.nested(name)
        return None if nested is None else dict(nested._values)

    def rest(self, *names: str) -> dict[str, Any]:
        """Every field but ``names``, nulls left out, unchecked."""
        self._asked.update(self._values)
        return {name: value for name, value in self._values.items() if name not in names and value is not None}

    def close(self) -> None:
        """Everything of interest was asked for: in strict mode, what is left is an error."""
        if self.strict:
            for name in self._values:
                if name not in self._asked:
                    raise unknown(self.where(name))

    def _needed(self, name: str, value: T | None, expected: str) -> T:
        if value is None:
            raise wrong_type(self.where(name), expected, None) if self.given(name) else missing(self.where(name))
        return value

    def _check_bounds(self, name: str, kind: str, value: float, least: float, most: float) -> None:
        if value > most:
            raise out_of_bounds(
                self.where(name), f"{kind} above maximum value. Expected a value <= {most}, but got {value}"
            )
        if value < least:
            raise out_of_bounds(
                self.where(name), f"{kind} below minimum value. Expected a value >= {least}, but got {value}"
            )
