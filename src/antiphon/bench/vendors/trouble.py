"""What a stand-in does wrong, and when: never, unless somebody plans it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, Protocol

Vendor = Literal["deepgram", "openai", "elevenlabs"]
Trouble = Literal["killed", "stalled", "silent", "throttled", "garbled"]
"""The connection breaks amid the work; nothing more comes; nothing that means anything comes; 429; what comes cannot be read."""
TROUBLES: tuple[Trouble, ...] = ("killed", "stalled", "silent", "throttled", "garbled")


class Plan(Protocol):
    """Asked by a stand-in for each piece of work: an utterance, a request, a reply to be spoken, a handshake."""

    def next(self, vendor: Vendor) -> Trouble | None: ...

    def refuses(self, vendor: Vendor) -> bool:
        """Whether a handshake is answered by 429."""
        ...

    def spares(self, vendor: Vendor) -> bool:
        """Whether the first piece of work on a new connection goes well: one that comes after trouble is another try at the same."""
        ...


class NoTrouble:
    """Implements ``Plan``."""

    def next(self, vendor: Vendor) -> Trouble | None:
        return None

    def refuses(self, vendor: Vendor) -> bool:
        return False

    def spares(self, vendor: Vendor) -> bool:
        return False


class TroubleEveryTime:
    """Implements ``Plan``: every ``every``-th piece of work of each vendor goes wrong, in each way in turn. A vendor over WebSocket that
    throttles breaks its connection and refuses the next handshake."""

    def __init__(self, every: int = 3, troubles: Sequence[Trouble] = TROUBLES) -> None:
        self._every, self._troubles = every, troubles
        self._asked: Counter[Vendor] = Counter()
        self._refusing: Counter[Vendor] = Counter()
        self._sparing: Counter[Vendor] = Counter()
        self.made: Counter[tuple[Vendor, Trouble]] = Counter()

    def next(self, vendor: Vendor) -> Trouble | None:
        self._asked[vendor] += 1
        turn, rest = divmod(self._asked[vendor], self._every)
        if rest:
            return None
        trouble = self._troubles[(turn - 1) % len(self._troubles)]
        if (
            vendor == "deepgram" and trouble == "silent"
        ):  # words that are not heard are a cough: nobody could know better
            trouble = "stalled"
        self.made[vendor, trouble] += 1
        self._sparing[vendor] += 1
        if trouble == "throttled" and vendor != "openai":
            self._refusing[vendor] += 1
        return trouble

    def refuses(self, vendor: Vendor) -> bool:
        if not self._refusing[vendor]:
            return False
        self._refusing[vendor] -= 1
        return True

    def spares(self, vendor: Vendor) -> bool:
        if not self._sparing[vendor]:
            return False
        self._sparing[vendor] -= 1
        return True
