"""``{{ name }}`` in what the agent says and in what a tool is sent. An undefined variable is the empty string, as at Vapi."""

from __future__ import annotations

import re
from collections.abc import Callable

_TAG = re.compile(r"\{\{-?\s*(?:\$\.)?([^{}]*?)\s*-?\}\}")
_NAME = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*")
_SPACE = re.compile(r"[ \t]{2,}")


def check(template: str) -> str:
    """The template itself. Raises ValueError for a tag that is more than a variable's name: filters are not supported."""
    for name in _TAG.findall(template):
        if not _NAME.fullmatch(name):
            raise ValueError(f"only variables may stand between {{{{ }}}}, not {name!r}")
    return template


def render(template: str, value_of: Callable[[str], str]) -> str:
    """The template with every variable replaced by ``value_of(name)``; doubled spaces left by empty ones are closed."""
    return _SPACE.sub(" ", _TAG.sub(lambda tag: value_of(tag.group(1)), template)).strip()
