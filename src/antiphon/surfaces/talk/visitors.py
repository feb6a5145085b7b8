"""Who gets a key on the talk page.

A key costs the operator model and voice minutes, so the page must not be a way around the private keys. Whoever types a private
key gets one. Beyond that, ``local`` (the default) trusts the browser on the server's own machine, which is who tries Antiphon out:
the connection comes from a loopback address, was asked for by a loopback name (a page elsewhere cannot do that by rebinding its
own name), and was not passed on by a proxy: where a public address is set, or a forwarding header shows, one stands before us and
its loopback is nobody's word. Everybody with an account on that machine counts as local.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request

from antiphon.errors import ConfigurationError
from antiphon.surfaces.keys import ApiKeys

TalkAccess = Literal["off", "key", "local", "open"]
"""No page; a private key is typed in; or this machine's own browsers need none; or nobody does."""
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_MAX_KEY_CHARS = 512
_logger = structlog.get_logger(__name__)


class Visitors:
    """Tells which requests of the page are answered."""

    def __init__(self, keys: ApiKeys, access: TalkAccess, public_url: str = "") -> None:
        self._keys = keys
        self._open = access == "open"
        self._local = access == "local" and (not public_url or _is_loopback(urlsplit(public_url).hostname))

    def welcome(self, request: Request) -> bool:
        """Whether this visitor may have a key. Only our own page may ask: the browser names the origin of whoever does."""
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
            return False
        return self._needs_no_key(request) or bool(self._key_id(request))

    def key_id(self, request: Request) -> str:
        """The private key by which a visitor is welcome: what they are given goes with it. Empty for those who need none."""
        return "" if self._needs_no_key(request) else self._key_id(request)

    def _needs_no_key(self, request: Request) -> bool:
        return self._open or (self._local and _came_from_here(request))

    def _key_id(self, request: Request) -> str:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key or len(key) > _MAX_KEY_CHARS:
            return ""
        try:
            record = self._keys.find(key)
        except (ConfigurationError, OSError) as error:
            _logger.error("keys_unreadable", problem=type(error).__name__)
            return ""
        return record.id if record is not None else ""


def _came_from_here(request: Request) -> bool:
    if any(name in request.headers for name in _FORWARDED):
        return False
    if request.client is None or not _is_loopback(request.client.host):
        return False
    try:
        asked_for = urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return False
    return _is_loopback(asked_for)


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return host is not None and ip_address(host).is_loopback
    except ValueError:
        return False
