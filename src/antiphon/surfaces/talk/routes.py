"""The talk page over HTTP: its files, who may use it, and the short-lived key it talks with."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.clock import Clock
from antiphon.errors import CapacityError, ConfigurationError, ProviderUnavailable, StoreUnavailable
from antiphon.surfaces.http.parts import part_response, read_parts
from antiphon.surfaces.http.responses import secret_response
from antiphon.surfaces.talk.page_access import PageAccess

KEY_TTL_S = 120
"""A page asks for its key when the visitor presses the button, and uses it within a second."""
_FRESH_MS = 60_000
_HEADERS = {
    # Nothing is fetched from anywhere else, and nothing inline is run.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
log = structlog.get_logger(__name__)

MakeKey = Callable[[str, int, str], tuple[str, int]]
"""A client secret for this assistant that lives so many seconds and goes with this private key (its id; empty: with none): the key, and
when it expires (wall_ms). Raises CapacityError."""


@dataclass(frozen=True, slots=True)
class _Key:
    value: str
    expires_wall_ms: int


class TalkKeys:
    """Hands out the page's keys. One key serves all who come within a minute: a client secret opens many sessions, and so the number
    of keys does not grow with the number of access."""

    def __init__(self, make_key: MakeKey, names: Callable[[], Sequence[str]], default: str, clock: Clock) -> None:
        self._make_key = make_key
        self._names = names
        self._default = default
        self._clock = clock
        self._keys: dict[tuple[str, str], _Key] = {}

    def assistants(self) -> dict[str, object]:
        """Who can be talked to, and who is unless another is chosen."""
        return {"assistants": list(self._names()), "default": self._default}

    def has(self, assistant: str) -> bool:
        return assistant in self._names()

    def key(self, assistant: str, key_id: str = "") -> dict[str, object]:
        """A key for a session with this assistant, for whoever came with this private key (its id; empty: with none). Raises
        CapacityError."""
        now_ms = self._clock.wall_ms()
        key = self._keys.get((assistant, key_id))
        if key is None or key.expires_wall_ms - now_ms < _FRESH_MS:
            key = self._keys[assistant, key_id] = _Key(*self._make_key(assistant, KEY_TTL_S, key_id))
        return {"value": key.value, "expires_at": key.expires_wall_ms // 1000}


async def _nobody(request: Request) -> bool:
    return False


async def _none_stored(id: str) -> str:
    raise HTTPException(404, "There is no such assistant")


def routes(
    keys: TalkKeys,
    access: PageAccess,
    on_admitted: Callable[[], None] = lambda: None,
    signed_in: Callable[[Request], Awaitable[bool]] = _nobody,
    stored: Callable[[str], Awaitable[str]] = _none_stored,
) -> list[Route]:
    """``/talk`` and what lies under it. ``on_admitted``: the printed token has been used, and there is another. ``signed_in``: whether the
    console knows this visitor as one who may talk. ``stored`` makes an assistant that is no file ready and tells its name; it raises
    ConfigurationError, ProviderUnavailable, StoreUnavailable."""
    page = read_parts("antiphon.surfaces.talk")

    async def check(request: Request) -> None:
        if not await signed_in(request):
            _check(access, request)

    async def talk(request: Request) -> Response:
        """The page. To whoever brings the printed token: a session, and the page's address without it, so that it is neither kept in
        the browser's history nor copied with the address. 403 for those who need one and have none; they may type a private key."""
        if "token" in request.query_params:
            session = access.admit(request)
            if session:
                on_admitted()
                return _begin_session(access.cookie, session)
        answer = part_response(request, page["index.html"], _HEADERS)
        if access.wants_token and not access.needs_no_key(request) and not await signed_in(request):
            return part_response(request, page["index.html"], _HEADERS, 403)
        return answer

    async def assistants(request: Request) -> Response:
        """Names are told to those only who may talk to them. ``console``: whether this visitor comes from there."""
        await check(request)
        asked = request.query_params.get("assistant", "")
        named = {} if not asked or keys.has(asked) else {asked: await ready(asked)}
        chosen = {"default": asked} if asked else {}
        return secret_response({**keys.assistants(), **chosen, "named": named, "console": await signed_in(request)})

    async def ready(id: str) -> str:
        try:
            return await stored(id)
        except ConfigurationError as error:
            raise HTTPException(404, f"This assistant cannot be talked to: {error.field} {error.problem}") from error
        except (ProviderUnavailable, StoreUnavailable) as error:
            raise HTTPException(503, str(error)) from error

    async def key(request: Request) -> Response:
        await check(request)
        try:
            assistant = request.path_params["assistant"]
            if not keys.has(assistant):
                await ready(assistant)  # as it is stored now
            return secret_response(keys.key(assistant, access.key_id(request)))
        except CapacityError as error:
            raise HTTPException(503, "Too many keys are out; try again in a minute") from error
        except (sqlite3.Error, OSError) as error:  # a full disk, as a rule
            log.error("talk_key_not_kept", problem=type(error).__name__)
            raise HTTPException(503, "The server cannot keep a key now; its log tells why") from error

    async def part(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in page or name == "index.html":
            raise HTTPException(404)
        return part_response(request, page[name], _HEADERS)

    async def favicon(request: Request) -> Response:
        """Browsers ask for it now and then, whatever icon the page names."""
        return part_response(request, page["icon.svg"], _HEADERS)

    return [
        Route("/talk", talk),
        Route("/talk/assistants", assistants),
        Route("/talk/key/{assistant}", key, methods=["POST"]),
        Route("/talk/{name}", part),
        Route("/favicon.ico", favicon),
    ]


def _begin_session(cookie: str, session: str) -> Response:
    headers = {**_HEADERS, "Cache-Control": "no-store", "Location": "talk"}
    answer = Response(None, 303, headers)
    # Not ``Secure``: it is for http://localhost. Until the browser closes; the server's own limit is shorter than most of those.
    answer.set_cookie(cookie, session, path="/talk", httponly=True, samesite="strict")
    return answer


def _check(access: PageAccess, request: Request) -> None:
    if access.welcome(request):
        return
    if access.wants_token and "authorization" not in request.headers:
        raise HTTPException(
            403,
            "This page opens with the address that the server printed last (talk_page, or next_address), in a browser on the "
            "server's own machine; or with a private key (antiphon keys create)",
        )
    raise HTTPException(401, "A private key is needed (antiphon keys create)", {"WWW-Authenticate": "Bearer"})
