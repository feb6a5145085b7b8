"""Keys pressed on the telephone become one turn."""

from __future__ import annotations

from antiphon.conversation.policy import Keypad


class KeypadInput:
    """Collects digits until a delimiter, a pause, or too many."""

    def __init__(self) -> None:
        self._digits = ""
        self._last_ms = 0

    @property
    def collecting(self) -> bool:
        return bool(self._digits)

    def press(self, digit: str, now_ms: int, policy: Keypad) -> str | None:
        """Take a key; returns the digits when they are complete. A delimiter that ends nothing is a key as any other: "#" alone."""
        if digit in policy.delimiters:
            return self._take() or digit
        self._digits += digit
        self._last_ms = now_ms
        return self._take() if len(self._digits) >= policy.max_digits else None

    def deadline(self, policy: Keypad) -> int | None:
        return self._last_ms + policy.timeout_ms if self._digits else None

    def due(self, now_ms: int, policy: Keypad) -> str | None:
        """The digits, when the pause after the last one has been long enough."""
        deadline = self.deadline(policy)
        return self._take() if deadline is not None and deadline <= now_ms else None

    def _take(self) -> str | None:
        digits, self._digits = self._digits, ""
        return digits or None
