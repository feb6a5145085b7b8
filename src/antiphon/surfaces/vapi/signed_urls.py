"""Addresses that are good by themselves, for a while: whoever was given one needs no key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from antiphon.clock import Clock

DEFAULT_TTL_S = 3600


class SignedUrls:
    """``base_url``: where this server is reached. ``secret``: the same in all processes."""

    def __init__(self, secret: bytes, base_url: Callable[[], str], clock: Clock) -> None:
        self._secret = secret
        self._base_url = base_url
        self._clock = clock

    def sign(self, path: str, ttl_s: int = DEFAULT_TTL_S, *, org: str = "") -> str:
        """The address of ``path`` that is good for so long, for a resource of ``org``."""
        expires = str(self._clock.wall_ms() // 1000 + ttl_s)
        query = {"expires": expires, "org": org, "signature": self._signature(path, expires, org)}
        return f"{self._base_url()}{path}?{urlencode(query)}"

    def good(self, path: str, query: Mapping[str, str]) -> bool:
        """Whether this query was signed for this path, and has not expired. Its ``org`` may be trusted then."""
        expires, signature = query.get("expires", ""), query.get("signature", "")
        if not expires.isascii() or not expires.isdigit() or len(expires) > 12:
            return False
        signed = self._signature(path, expires, query.get("org", ""))
        right = hmac.compare_digest(signed.encode(), signature.encode("utf-8", "replace"))
        return right and self._clock.wall_ms() < int(expires) * 1000

    def _signature(self, path: str, expires: str, org: str) -> str:
        return hmac.new(self._secret, f"GET {path} {expires} {org}".encode(), hashlib.sha256).hexdigest()
