"""The talk page's short-lived keys: for whom, for which assistant, and how many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from antiphon.clock import Clock

KEY_TTL_S = 120
"""A page asks for its key when the visitor presses the button, and uses it within a second."""
SECRET_KIND = "talk"
"""How the ids of the page's client secrets begin: a session that was opened with one is shown what ``marks`` tells."""
_FRESH_MS = 60_000


class MakeKey(Protocol):
    """Makes a client secret."""

    def __call__(self, assistant: str, ttl_s: int, key_id: str, resumed: bool) -> tuple[str, int]:
        """One for this assistant that lives so many seconds and goes with this private key (its id; empty: with none): the key, and when
        it expires (wall_ms). ``resumed``: its sessions go on with a conversation, and begin without the greeting. Raises
        CapacityError, sqlite3.Error, OSError."""
        ...


@dataclass(frozen=True, slots=True)
class _Key:
    value: str
    expires_wall_ms: int


class TalkKeys:
    """Hands out the page's keys. One key serves all who come within a minute: a client secret opens many sessions, and so the number
    of keys does not grow with the number of visitors."""

    def __init__(self, make_key: MakeKey, names: Callable[[], Sequence[str]], default: str, clock: Clock) -> None:
        self._make_key = make_key
        self._names = names
        self._default = default
        self._clock = clock
        self._keys: dict[tuple[str, str, bool], _Key] = {}

    def assistants(self) -> dict[str, object]:
        """Who can be talked to, and who is unless another is chosen."""
        return {"assistants": list(self._names()), "default": self._default}

    def has(self, assistant: str) -> bool:
        return assistant in self._names()

    def key(self, assistant: str, key_id: str = "", *, resumed: bool = False) -> dict[str, object]:
        """A key for a session with this assistant, for whoever came with this private key (its id; empty: with none). Raises as
        ``MakeKey``."""
        now_ms = self._clock.wall_ms()
        for_whom = (assistant, key_id, resumed)
        key = self._keys.get(for_whom)
        if key is None or key.expires_wall_ms - now_ms < _FRESH_MS:
            self._keys = {each: kept for each, kept in self._keys.items() if kept.expires_wall_ms > now_ms}
            key = self._keys[for_whom] = _Key(*self._make_key(assistant, KEY_TTL_S, key_id, resumed))
        return {"value": key.value, "expires_at": key.expires_wall_ms // 1000}
