"""Turns at something there is little of."""

from __future__ import annotations

from collections.abc import Callable


class Places:
    """So many at once; others wait, first come, first served."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[object] = set()
        self._waiting: dict[object, Callable[[], None]] = {}

    def ask(self, who: object, on_place: Callable[[], None]) -> None:
        """``on_place`` is called once there is one, perhaps at once."""
        if len(self._taken) < self._most:
            self._taken.add(who)
            on_place()
        else:
            self._waiting[who] = on_place

    def give_back(self, who: object) -> None:
        """It needs none any more. Safe where it has none."""
        self._waiting.pop(who, None)
        if who in self._taken:
            self._taken.remove(who)
            if self._waiting:
                following = next(iter(self._waiting))
                self.ask(following, self._waiting.pop(following))
