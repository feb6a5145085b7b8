"""How much a client has made us keep: of one session, of all sessions of one client secret, of all of one private key.

What the agent says is not counted: that is ours, and a conversation's time is bounded.
"""

from __future__ import annotations

from antiphon.surfaces.realtime.protocol.errors import kept_too_much


class KeptBytes:
    """One count, and those it is part of."""

    __slots__ = ("__weakref__", "_above", "bytes", "limit", "whose")

    def __init__(self, limit: int, whose: str, above: tuple[KeptBytes, ...] = ()) -> None:
        """``limit`` 0: none. ``whose`` is for the client: "this conversation"."""
        self.limit = limit
        self.whose = whose
        self.bytes = 0
        self._above = above

    def require(self, size: int) -> None:
        """Whether so much more may be kept. Raises ClientError where it is more than any of the counts may be."""
        for count in (self, *self._above):
            if count.limit and count.bytes + size > count.limit:
                raise kept_too_much(count.whose, count.limit)

    def take(self, size: int) -> None:
        """So much more is kept. Raises as ``require``, and nothing is counted."""
        self.require(size)
        for count in (self, *self._above):
            count.bytes += size

    def give_back(self, size: int) -> None:
        """So much was released."""
        for count in (self, *self._above):
            count.bytes -= size

    def give_back_all(self) -> None:
        """Nothing of it is kept any more."""
        self.give_back(self.bytes)
