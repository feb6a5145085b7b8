"""How much all WebSockets together may keep of messages that are not whole, or have been large."""

from __future__ import annotations


class MessageMemory:
    """One per process. What a socket took it has until it closes: its read buffer grows with its largest message, and never shrinks."""

    def __init__(self, max_bytes: int = 256 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self.taken_bytes = 0

    def take(self, more_bytes: int) -> bool:
        """Whether there are so many; they are taken then."""
        if self.taken_bytes + more_bytes > self._max_bytes:
            return False
        self.taken_bytes += more_bytes
        return True

    def give_back(self, taken_bytes: int) -> None:
        """The socket that took them is gone."""
        self.taken_bytes -= taken_bytes
