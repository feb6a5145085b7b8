"""Was this asked for on this machine, and by whose page? What a request's headers say about where it comes from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

_FORWARDED = frozenset(
    {"forwarded", "via", "x-forwarded", "x-real-ip", "x-envoy-external-address", "x-original-host", "x-proxyuser-ip"}
)
_FORWARDED_BEGINNINGS = (
    "x-forwarded-",
    "x-original-",
    "x-envoy-",
    "x-cluster-",
    "x-appengine-",
    "x-azure-",
    "cf-",
    "fly-",
    "fastly-",
)
_FORWARDED_ENDINGS = ("-client-ip", "-connecting-ip")
_OWN_FETCHES = ("", "same-origin", "none")
"""Sec-Fetch-Site of our own page, and of an address that somebody typed or clicked outside the browser."""


def is_loopback(host: str | None) -> bool:
    """Whether this name or address means the machine itself. A trailing dot, as in ``localhost.``, is another name to browsers."""
    if host == "localhost":
        return True
    try:
        return host is not None and ip_address(host).is_loopback
    except ValueError:
        return False


def is_foreign(headers: Mapping[str, str], named: Collection[str] = ()) -> bool:
    """Whether a web page asks that is neither ours nor of the origins ``named``. Browsers say so; other programs name no origin."""
    origin = headers.get("origin")
    if origin is None:
        return False
    return origin not in named and origin.partition("://")[2] != headers.get("host")


def is_for_here(headers: Mapping[str, str]) -> bool:
    """Whether it was sent to this machine by a name of its own, and by no proxy that shows itself. A page elsewhere whose name is
    made to point here (DNS rebinding) still sends its own name."""
    if any(_tells_of_a_proxy(name.lower()) for name in headers):
        return False
    if headers.get("sec-fetch-site", "").lower() not in _OWN_FETCHES:
        return False
    try:
        return is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname)
    except ValueError:
        return False


def _tells_of_a_proxy(name: str) -> bool:
    return name in _FORWARDED or name.startswith(_FORWARDED_BEGINNINGS) or name.endswith(_FORWARDED_ENDINGS)
