"""Who gets a key on the talk page.

A key costs the operator model and voice minutes, so the page must not be a way around the private keys. Whoever types a private
key gets one. Beyond that, ``local`` lets in the browser on the server's own machine that opens the address which the server
printed: the token in it is good once, and makes a session (a cookie) for that browser; the next address is printed then. As with
notebooks, who can read the server's output is trusted, and no proxy in front of it, however silent, passes for that.

Nor is the token all that is asked: the connection must come from a loopback address, be asked for by a loopback name (a page
elsewhere cannot do that by rebinding its own name), and show no sign of a proxy.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from typing import Literal

import structlog
from starlette.requests import Request

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError
from antiphon.surfaces.http.bearer import MAX_KEY_CHARS, bearer_key
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.locality import is_for_here, is_foreign, is_loopback

TalkAccess = Literal["off", "key", "local", "open"]
"""No page; a private key is typed in; or this machine's own browsers need none; or nobody does."""
SESSION_MS = 24 * 60 * 60 * 1000
MAX_SESSIONS = 64
"""Browsers of one machine. The oldest is forgotten first."""
log = structlog.get_logger(__name__)


class PageAccess:
    """Tells which requests of the page are answered."""

    def __init__(
        self, keys: ApiKeys, access: TalkAccess, port: int, clock: Clock, *, trusts_strangers: bool = False
    ) -> None:
        """``port``: cookies of one host are shared by all its ports, so it is part of ours' name. ``trusts_strangers``: whoever comes may
        do everything, over the REST API, too."""
        self._trusts_strangers = trusts_strangers
        self._keys = keys
        self._access = access
        self._clock = clock
        self._sessions: OrderedDict[str, int] = OrderedDict()
        """Until when (now_ms), by the cookie's value."""
        self.token = _new_token() if access == "local" else ""
        """Opens the page once, from this machine; another takes its place then. Empty where none is needed."""
        self.cookie = f"antiphon_talk_{port}"

    def admit(self, request: Request) -> str:
        """Trade the printed token for a session: the cookie's value. Empty where it is not the right one, or not for this visitor."""
        given = request.query_params.get("token", "")
        if (
            not self.token
            or not _came_from_here(request)
            or not hmac.compare_digest(given.encode(), self.token.encode())
        ):
            return ""
        self.token = _new_token()
        session = _new_token()
        self._sessions[session] = self._clock.now_ms() + SESSION_MS
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def welcome(self, request: Request) -> bool:
        """Whether this visitor may have a key. Only our own page may ask: the browser names the origin of whoever does."""
        if is_foreign(request.headers):
            return False
        return self.needs_no_key(request) or bool(self._key_id(request))

    def needs_no_key(self, request: Request) -> bool:
        """Whether the page is open to this visitor as it is."""
        return self._access == "open" or (
            self._access == "local" and _came_from_here(request) and self._has_session(request)
        )

    def org_of(self, request: Request) -> str:
        """Whose stored assistants a visitor who is welcome may talk to, beside those that are files. Private keys that are welcome, and who
        reads the server's output, are of its own organisation. Empty: nobody's, for those who came because the page stands open."""
        if self._access == "open" and not self._trusts_strangers and not self._key_id(request):
            return ""
        return DEFAULT_ORG

    @property
    def wants_token(self) -> bool:
        """Whether the way in is the printed address."""
        return self._access == "local"

    def _has_session(self, request: Request) -> bool:
        try:
            cookies = SimpleCookie(request.headers.get("cookie", ""))
        except CookieError:
            return False
        given = cookies[self.cookie].value if self.cookie in cookies else ""
        until_ms = self._sessions.get(given)  # 256 random bits: what a comparison's time tells is nothing
        return until_ms is not None and self._clock.now_ms() < until_ms

    def key_id(self, request: Request) -> str:
        """The private key by which a visitor is welcome: what they are given goes with it. Empty for those who need none."""
        return "" if self.needs_no_key(request) else self._key_id(request)

    def _key_id(self, request: Request) -> str:
        key = bearer_key(request.headers)
        if not key or len(key) > MAX_KEY_CHARS:
            return ""
        try:
            record = self._keys.find(key)
        except (ConfigurationError, OSError) as error:
            log.error("keys_unreadable", problem=type(error).__name__)
            return ""
        return record.id if record is not None else ""


def _came_from_here(request: Request) -> bool:
    """Proxies speak HTTP/1.0 to what is behind them unless they are told otherwise; browsers never do."""
    is_direct = request.client is not None and is_loopback(request.client.host)
    return is_direct and request.scope.get("http_version") != "1.0" and is_for_here(request.headers)


def _new_token() -> str:
    return secrets.token_urlsafe(32)
