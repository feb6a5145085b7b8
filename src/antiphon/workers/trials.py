"""Sessions that try a stored assistant: the worker that made it ready must take them, whichever their browser reaches."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

from antiphon.clock import Clock
from antiphon.surfaces.realtime.access import key_of
from antiphon.surfaces.realtime.secrets import PREFIX, ClientSecrets
from antiphon.talk_room import RESUMED

_ASSISTANT = "assistant:"
_NAMED = ("assistant", RESUMED)


def name_of_trial(id: str) -> str:
    """By which workers know that this stored assistant was made ready."""
    return f"{_ASSISTANT}{id}"


def trial_of(
    secrets: ClientSecrets, clock: Clock, is_file: Callable[[str], bool]
) -> Callable[[Mapping[str, str]], str]:
    """Of a request's headers: the name of the trial that its client secret was made for; empty for none. ``is_file``: whether this is an
    assistant that every worker knows."""

    def find(headers: Mapping[str, str]) -> str:
        key = key_of(headers)
        if not key.startswith(PREFIX):
            return ""
        try:
            secret = secrets.find(key, clock.wall_ms())
        except (sqlite3.Error, OSError):
            return ""  # whoever takes the request tells
        model = str(secret.session.get("model", "")) if secret is not None else ""
        kind, _, id = model.partition(":")
        return name_of_trial(id) if kind in _NAMED and not is_file(id) else ""

    return find
