"""Keys that requests carry: ``Authorization: Bearer …``."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from antiphon.errors import ConfigurationError
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.locality import is_for_here, is_foreign

MAX_KEY_CHARS = 512
"""No key of ours is half as long. A longer one is not looked up."""

Handler = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger(__name__)


def bearer_key(headers: Mapping[str, str]) -> str:
    """The key, as it was given; empty where there is none. ``headers`` by lower-case names."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def require_key(
    keys: ApiKeys, *, open_api: bool, open_anywhere: bool = False, origins: Collection[str] = ()
) -> Callable[[Handler], Handler]:
    """A decorator of handlers that lets nobody in without a private key (``Authorization: Bearer …``). ``open_api``: whoever asks on this
    machine needs none, unless it is a web page of an origin that is not ours and not named; ``open_anywhere``: nor elsewhere."""

    def check(request: Request) -> None:
        if open_api and is_foreign(request.headers, origins):
            raise HTTPException(403, "Web pages of this origin may not use this server.")
        if open_api and (open_anywhere or is_for_here(request.headers)):
            return
        key = bearer_key(request.headers)
        try:
            valid = 0 < len(key) <= MAX_KEY_CHARS and keys.valid(key)
        except (ConfigurationError, OSError) as error:
            log.error("keys_unreadable", problem=type(error).__name__)
            raise HTTPException(503, "keys.json cannot be read; nobody is let in") from None
        if not valid:
            raise HTTPException(
                401,
                "A valid API key is needed: Authorization: Bearer <key> (antiphon keys create)",
                {"WWW-Authenticate": "Bearer"},
            )

    def guarded(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def checked(request: Request) -> Response:
            check(request)
            return await handler(request)

        return checked

    return guarded
