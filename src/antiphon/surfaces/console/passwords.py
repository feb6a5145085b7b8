"""Passwords: kept as scrypt hashes, and asked for slowly."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict, deque

MIN_CHARS, MAX_CHARS = 10, 200
_N, _R, _P = 2**14, 8, 1
"""16 MiB and some 50 ms for each guess."""
_AT_ONCE = 2
TRIES = 8
"""Wrong passwords for one name, or from one address, within ``WINDOW_MS``; then nobody is asked for a while."""
WINDOW_MS = 10 * 60_000
_MAX_KNOWN = 10_000


class Passwords:
    """Makes and checks hashes, a few at a time and not on the event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._nobody_s = _kept(secrets.token_bytes(16), secrets.token_bytes(32))

    async def hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(_hashed, password, secrets.token_bytes(16))

    async def fits(self, password: str, kept: str | None) -> bool:
        """Where there is nobody of that name (None) it takes as long."""
        async with self._turn:
            same = await asyncio.to_thread(_fits, password, kept or self._nobody_s)
        return same and kept is not None


def _hashed(password: str, salt: bytes) -> str:
    return _kept(salt, hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, dklen=32))


def _kept(salt: bytes, made: bytes) -> str:
    return f"scrypt${_N}${_R}${_P}${_text(salt)}${_text(made)}"


def _fits(password: str, kept: str) -> bool:
    _, n, r, p, salt, wanted = kept.split("$")
    made = hashlib.scrypt(
        password.encode(), salt=base64.b64decode(salt), n=int(n), r=int(r), p=int(p), dklen=32, maxmem=64 << 20
    )
    return hmac.compare_digest(made, base64.b64decode(wanted))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Throttle:
    """How often somebody may be wrong. Counted by what is tried (a name) and by where it comes from (an address)."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[int]] = OrderedDict()

    def wait_ms(self, who: str, now_ms: int) -> int:
        """How long until this one may try again; 0: now."""
        times = self._wrong.get(who)
        if times is None:
            return 0
        while times and times[0] <= now_ms - WINDOW_MS:
            times.popleft()
        return times[0] + WINDOW_MS - now_ms if len(times) >= TRIES else 0

    def failed(self, who: str, now_ms: int) -> None:
        self._wrong.setdefault(who, deque(maxlen=TRIES)).append(now_ms)
        self._wrong.move_to_end(who)
        while len(self._wrong) > _MAX_KNOWN:
            self._wrong.popitem(last=False)

    def forget(self, who: str) -> None:
        self._wrong.pop(who, None)
