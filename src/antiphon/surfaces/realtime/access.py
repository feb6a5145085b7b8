"""Who asks, and what they may do: the one place where keys of the Realtime API are looked at.

A *private key* (``antiphon keys create``) belongs to a server and may do everything, to every call of this server: keys have no
scopes. A *client secret* (``ek_…``, made by a server for one of its users) may open sessions within the configuration stored with
it, until it expires, and nothing else: not make further secrets, not hang up or watch a call, not even one it opened itself, since
whoever found the key of a page could then listen to everybody that page was made for. A secret is worth no more than the key that
asked for it: when that is revoked, its secrets, and the sessions and sidebands opened with any of them, go with it (``sessions``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog

from antiphon.clock import Clock
from antiphon.errors import ConfigurationError
from antiphon.surfaces.http.bearer import MAX_KEY_CHARS, bearer_key
from antiphon.surfaces.keys import ApiKeys, KeyRecord
from antiphon.surfaces.locality import is_for_here, is_foreign
from antiphon.surfaces.realtime.http import HttpError
from antiphon.surfaces.realtime.secrets import PREFIX as SECRET_PREFIX
from antiphon.surfaces.realtime.secrets import ClientSecret, ClientSecrets

KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""How a browser, which cannot set headers on a WebSocket, brings its key: as one of the subprotocols it offers."""
log = structlog.get_logger(__name__)


class Act(StrEnum):
    """What can be asked of this API."""

    OPEN_SESSION = "open sessions"
    """``GET /v1/realtime`` without a call id, ``POST /v1/realtime/calls``."""
    MAKE_SECRET = "make client secrets"
    CONTROL_CALL = "control calls"
    """``/calls/{id}/accept|reject|refer|hangup``, and the sideband ``GET /v1/realtime?call_id=``."""


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody who was let in. ``secret`` is None for a server, and for anybody where the API is open.

    ``key_id`` is the private key that stands behind them: their own, or the one that asked for the secret. It is empty where
    none does: the API is open, or the secret is the talk page's.
    """

    secret: ClientSecret | None = None
    key_id: str = ""

    @property
    def secret_id(self) -> str:
        """Of the client secret; empty where there is none."""
        return self.secret.id if self.secret is not None else ""

    @property
    def name(self) -> str:
        """Who, for a log: never a key."""
        return self.secret.id if self.secret else self.key_id or "server"

    def require(self, act: Act) -> None:
        """Raises HttpError 403 where they may not."""
        if self.secret is not None and act is not Act.OPEN_SESSION:
            log.warning("realtime_act_refused", who=self.name, act=act.name.lower())
            raise HttpError(
                403, f"A client secret may only open sessions. To {act}, use a private key.", "insufficient_permissions"
            )


class AccessControl:
    """Tells who is asking, from the headers of a request or of a WebSocket handshake."""

    def __init__(
        self,
        keys: ApiKeys,
        secrets: ClientSecrets,
        clock: Clock,
        *,
        open_api: bool = False,
        open_anywhere: bool = False,
        origins: Collection[str] = ("*",),
    ) -> None:
        """``open_api``: whoever asks on this machine needs no key, ``open_anywhere``: nor elsewhere. No web page profits but our own and
        those of origins that are named: to a browser, every page is on this machine."""
        self._keys = keys
        self._secrets = secrets
        self._clock = clock
        self._open_api = open_api
        self._open_anywhere = open_anywhere
        self._origins = frozenset(origins) - ({"*"} if open_api else set())

    def authenticate(self, headers: Mapping[str, str]) -> Access:
        """Who asks; ``headers`` by lower-case names. Raises HttpError: 401 without a good key, 403 for a page of an origin that is not
        allowed, 503 where keys cannot be read."""
        self._check_origin(headers)
        key = key_of(headers)
        if key.startswith(SECRET_PREFIX):
            secret = self._secret(key)
            return Access(secret, secret.key_id)
        if self._open_api and (self._open_anywhere or is_for_here(headers)):
            return Access()
        record = self._private(key) if key else None
        if record is not None:
            return Access(key_id=record.id)
        if not key:
            raise _unauthorized("No API key was given: Authorization: Bearer <key> (antiphon keys create).")
        raise _unauthorized("The API key is not valid (antiphon keys list shows which there are).")

    def require(self, headers: Mapping[str, str], act: Act) -> Access:
        """``authenticate``, and they may do this. Raises HttpError."""
        access = self.authenticate(headers)
        access.require(act)
        return access

    def _check_origin(self, headers: Mapping[str, str]) -> None:
        """Browsers do not ask before they open a WebSocket on another site, so it is asked here. Our own pages are always welcome."""
        if "*" not in self._origins and is_foreign(headers, self._origins):
            raise HttpError(403, "Web pages of this origin may not use this server.", "origin_not_allowed")

    def _secret(self, key: str) -> ClientSecret:
        try:
            secret = self._secrets.find(key, self._clock.wall_ms())
        except (sqlite3.Error, OSError) as error:
            raise _unreadable(error) from None
        if secret is None or not self._stands(secret.key_id):
            raise _unauthorized("The client secret is not valid, or has expired. Ask your server for a new one.")
        return secret

    def _stands(self, key_id: str) -> bool:
        """Whether the private key behind a secret is still one."""
        if not key_id:
            return True
        try:
            return any(record.id == key_id for record in self._keys.records())
        except (ConfigurationError, OSError) as error:
            raise _unreadable(error) from None

    def live_keys(self) -> frozenset[str] | None:
        """The ids of the private keys there are now; None while they cannot be read, which revokes nobody's. The file is read only
        when it has changed, so it may be asked every second."""
        try:
            return frozenset(record.id for record in self._keys.records())
        except (ConfigurationError, OSError):
            return None

    def _private(self, key: str) -> KeyRecord | None:
        try:
            return self._keys.find(key)
        except (ConfigurationError, OSError) as error:
            raise _unreadable(error) from None


def key_of(headers: Mapping[str, str]) -> str:
    """The key a request carries: as a Bearer token, in Azure's ``api-key`` header, or among a browser's subprotocols. Empty where there is
    none."""
    key = bearer_key(headers) or headers.get("api-key", "")
    if not key:
        offered = (entry.strip() for entry in headers.get("sec-websocket-protocol", "").split(","))
        key = next((entry.removeprefix(KEY_SUBPROTOCOL) for entry in offered if entry.startswith(KEY_SUBPROTOCOL)), "")
    key = key.strip()
    return key if len(key) <= MAX_KEY_CHARS else "too long"


def _unauthorized(message: str) -> HttpError:
    return HttpError(401, message, "invalid_api_key")


def _unreadable(error: Exception) -> HttpError:
    # Not 401: LiveKit's plugin gives up for good on `invalid_api_key`, and this is ours to mend.
    log.error("keys_unreadable", problem=type(error).__name__)
    return HttpError(503, "The server cannot read its keys; nobody is let in.", "keys_unreadable", kind="server_error")
