"""Who asks the REST API, and for which organisation: the one place where its keys are looked at.

A *private key* may do everything in its organisation. A *public key* is for web pages: it reaches the few routes made for them
(``Access.public``), from the origins and with the assistants it names. A *token* is a JWT that a private key has signed, with the rights
written in it (``signed_tokens``).
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from antiphon.calls.cluster import PART
from antiphon.calls.rates import RateLimits
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import Clock
from antiphon.errors import AntiphonError, StoreUnavailable, ValueRefused
from antiphon.surfaces.http.bearer import Handler, bearer_key
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.locality import is_for_here, is_foreign
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.signed_tokens import MAX_TOKEN_CHARS, looks_signed, signed_record

INVALID_KEY = "Invalid Key. Hot tip, you may be using the private key instead of the public key, or vice versa."
_FOREIGN = "Web pages of this origin may not use this server."
OPEN_KEY = "open"
"""``Asker.key_id`` of whoever needs none."""
H = TypeVar("H", bound=Callable[..., Any])
LET_IN = "antiphon.let_in"
"""In a request's scope: the ``Asker`` whom another door of this server has let in (``surfaces/console``). No client can write there."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who was let in."""

    org_id: str
    key_id: str = OPEN_KEY
    public: bool = False
    allowed_assistants: frozenset[str] | None = None
    """Of a public key: the assistants it may call; None: any."""
    transient_allowed: bool = True
    """Whether it may bring an assistant of its own in the request."""
    person: str = ""
    """The name of whoever has signed in; empty where a key asks."""

    def require_assistant(self, assistant_id: str | None) -> None:
        """``assistant_id`` None: one that is brought in the request. Raises ApiError 403."""
        if assistant_id is None and not self.transient_allowed:
            raise ApiError(
                403, "This key may not bring an assistant of its own (transient assistants are not allowed)."
            )
        if (
            assistant_id is not None
            and self.allowed_assistants is not None
            and assistant_id not in self.allowed_assistants
        ):
            raise ApiError(403, "This key may not use this assistant.")


AskedHandler = Callable[[Request, Asker], Awaitable[Response]]
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CONDITIONAL = "conditional"


def conditional(handler: H) -> H:
    """Marks a handler that looks at ``If-Match`` (``change_of``)."""
    setattr(handler, _CONDITIONAL, True)
    return handler


OnAnswered = Callable[[Request, Asker, int, int, str], None]
"""``(request, asker, status, duration_ms, problem)``: somebody who was let in has been answered, with what was wrong."""


class Access:
    """Decorators of handlers. What a handler raises is answered in the API's shape."""

    def __init__(
        self,
        keys: ApiKeys,
        limits: RateLimits,
        clock: Clock,
        *,
        open_api: bool = False,
        open_anywhere: bool = False,
        origins: Collection[str] = ("*",),
    ) -> None:
        """``open_api``: whoever asks on this machine needs no key, unless it is a web page of an origin that is not ours and not named;
        ``open_anywhere``: nor elsewhere. ``origins``: of web pages that may use private keys."""
        self._keys = keys
        self._limits = limits
        self._clock = clock
        self._open_api = open_api
        self._open_anywhere = open_anywhere
        self._origins = frozenset(origins) - ({"*"} if open_api else set())
        self.on_answered: OnAnswered | None = None
        """Set by whoever keeps a log of requests."""

    def private(self, handler: AskedHandler) -> Handler:
        """For private keys, and for whoever needs none."""
        return self._guarded(handler, public=False)

    def public(self, handler: AskedHandler) -> Handler:
        """For public keys, too."""
        return self._guarded(handler, public=True)

    def _guarded(self, handler: AskedHandler, *, public: bool) -> Handler:
        @functools.wraps(handler)
        async def answer(request: Request) -> Response:
            try:
                asker = request.scope.get(LET_IN) or self._authenticate(request.headers, public=public)
            except ApiError as error:
                return error.response()
            began_ms, problem = self._clock.now_ms(), ""
            try:
                if PART not in request.scope:
                    await self._require_rate(asker)
                _require_conditional(request, handler)
                response = await handler(request, asker)
            except Exception as fault:
                refused = _refusal(request, fault)
                response, problem = refused.response(), str(refused)
            if self.on_answered is not None and PART not in request.scope:
                self.on_answered(request, asker, response.status_code, self._clock.now_ms() - began_ms, problem)
            return response

        return answer

    def _authenticate(self, headers: Mapping[str, str], *, public: bool) -> Asker:
        asker = self._by_key(bearer_key(headers), headers)
        if asker is None and self._open_api:
            if is_foreign(headers, self._origins):
                raise ApiError(403, _FOREIGN)
            if self._open_anywhere or is_for_here(headers):
                return Asker(DEFAULT_ORG)
        if asker is None or (asker.public and not public):
            raise ApiError(401, INVALID_KEY)
        if not asker.public and "*" not in self._origins and is_foreign(headers, self._origins):
            raise ApiError(403, _FOREIGN)
        return asker

    def _by_key(self, key: str, headers: Mapping[str, str]) -> Asker | None:
        if not key or len(key) > MAX_TOKEN_CHARS:
            return None
        try:
            if looks_signed(key):
                record = signed_record(key, self._keys, self._clock.wall_ms())
            else:
                record = self._keys.find_any(key)
        except (AntiphonError, OSError) as error:
            log.error("keys_unreadable", problem=type(error).__name__)
            raise ApiError(503, "The server cannot read its keys; nobody is let in.") from None
        if record is None or record.kind == "private":
            return None if record is None else Asker(record.org_id, record.id)
        if record.origins and headers.get("origin") not in record.origins:
            raise ApiError(403, "This key may not be used from this origin.")
        assistants = frozenset(record.assistants) if record.assistants else None
        return Asker(record.org_id, record.id, True, assistants, record.transient and assistants is None)

    async def _require_rate(self, asker: Asker) -> None:
        if wait_s := await self._limits.take(asker.key_id):
            seconds = str(max(1, round(wait_s + 0.5)))
            raise ApiError(429, "Rate limit exceeded", headers={"Retry-After": seconds})


def _require_conditional(request: Request, handler: AskedHandler) -> None:
    """No header ``If-Match`` is passed over: what has no versions is of none that was named. Raises ApiError 412."""
    given = request.headers.get("if-match")
    if given is None or request.method in _SAFE or given.strip() == "*" or getattr(handler, _CONDITIONAL, False):
        return
    raise ApiError(412, "What is changed here has no versions, so it is of none that If-Match names.")


def _refusal(request: Request, fault: Exception) -> ApiError:
    """What a handler raised, in the API's shape."""
    if isinstance(fault, ApiError):
        return fault
    if isinstance(fault, HTTPException):
        return ApiError(fault.status_code, str(fault.detail), headers=fault.headers)
    if isinstance(fault, StoreUnavailable):
        return ApiError(503, f"{fault}; nothing is lost that was answered before.")
    if isinstance(fault, ValueRefused):
        return ApiError(400, str(fault))
    log.error("api_request_failed", path=request.url.path[:128], error_type=type(fault).__name__, exc_info=fault)
    return ApiError(500, "Internal server error")
