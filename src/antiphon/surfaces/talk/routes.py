"""The talk page over HTTP: its files, who may use it, the short-lived key it talks with, and what its connection check asks.

GET  /talk                       the page
GET  /talk/assistants            who can be talked to
POST /talk/key/{assistant}       a client secret for one of them; ``?resumed`` for a conversation that goes on
GET  /talk/connection            what the server knows of the way to it
POST /talk/probe                 an SDP offer; 201 and the answer of a connection that carries no call
GET  /talk/{file}                the page's files
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.errors import CapacityError, ConfigurationError, ProviderUnavailable, StoreUnavailable
from antiphon.surfaces.http.parts import part_response, read_parts
from antiphon.surfaces.http.responses import secret_response
from antiphon.surfaces.talk.desk import TalkKeys
from antiphon.surfaces.talk.page_access import PageAccess
from antiphon.surfaces.talk.probe import Probing
from antiphon.transports.http_body import read_body
from antiphon.transports.webrtc.base import InvalidOffer

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
_MAX_OFFER_BYTES = 64 * 1024
_MAX_ID_CHARS = 64
_SOUND_PARTS = ("jitter.js", "resampler.js", "sound.js", "worklet.js")
"""Of the web SDK: how a page sends and plays PCM. The talk page needs them where WebRTC finds no way."""
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


async def _nobody(request: Request) -> bool:
    return False


async def _none_stored(org_id: str, id: str) -> str:
    raise ConfigurationError("assistant", "there is none of this id")


@dataclass(frozen=True, slots=True)
class TalkPage:
    """What the page's routes ask of others."""

    keys: TalkKeys
    access: PageAccess
    probe: Probing
    public_url: str = ""
    """Where others reach the server; empty where only this machine does."""
    on_admitted: Callable[[], None] = lambda: None
    """The printed token has been used, and there is another."""
    signed_in: Callable[[Request], Awaitable[bool]] = _nobody
    """Whether the console knows this visitor as one who may talk."""
    stored: Callable[[str, str], Awaitable[str]] = _none_stored
    """Makes an assistant that an organisation (its id) keeps ready, and tells its name. Raises ConfigurationError, ProviderUnavailable,
    StoreUnavailable."""


def routes(page: TalkPage) -> list[Route]:
    """``/talk`` and what lies under it."""
    served = _Served(page)
    return [
        Route("/talk", served.page),
        Route("/talk/assistants", served.assistants),
        Route("/talk/key/{assistant:path}", served.key, methods=["POST"]),
        Route("/talk/connection", served.connection),
        Route("/talk/probe", served.probe, methods=["POST"]),
        Route("/talk/{name}", served.part),
        Route("/favicon.ico", served.favicon),
    ]


class _Served:
    """The routes' endpoints."""

    def __init__(self, page: TalkPage) -> None:
        self._page = page
        sound = read_parts("antiphon.surfaces.sdk")
        self._parts = {**{name: sound[name] for name in _SOUND_PARTS}, **read_parts("antiphon.surfaces.talk")}

    # ---------------------------------------------------------------------------------- its files

    async def page(self, request: Request) -> Response:
        """To whoever brings the printed token: a session, and the page's address without it, so that it is neither kept in the browser's
        history nor copied with the address. 403 for those who need one and have none; they may type a private key."""
        access = self._page.access
        if "token" in request.query_params:
            session = access.admit(request)
            if session:
                self._page.on_admitted()
                return _begin_session(access.cookie, session)
        shut = access.wants_token and not access.needs_no_key(request) and not await self._page.signed_in(request)
        headers = {**_HEADERS, "Content-Security-Policy": _with_sockets(request.headers.get("host", ""))}
        return part_response(request, self._parts["index.html"], headers, 403 if shut else 200)

    async def part(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._parts or name == "index.html":
            raise HTTPException(404)
        return part_response(request, self._parts[name], _HEADERS)

    async def favicon(self, request: Request) -> Response:
        """Browsers ask for it now and then, whatever icon the page names."""
        return part_response(request, self._parts["icon.svg"], _HEADERS)

    # ---------------------------------------------------------------------------------- whom to talk to

    async def assistants(self, request: Request) -> Response:
        """Names are told to those only who may talk to them. ``console``: whether this visitor comes from there."""
        org_id = await self._org_of(request)
        keys, asked = self._page.keys, request.query_params.get("assistant", "")
        named = {} if not asked or keys.has(asked) else {asked: await self._ready(org_id, asked)}
        chosen = {"default": asked} if asked else {}
        signed_in = await self._page.signed_in(request)
        return secret_response({**keys.assistants(), **chosen, "named": named, "console": signed_in})

    async def key(self, request: Request) -> Response:
        org_id = await self._org_of(request)
        keys, assistant = self._page.keys, request.path_params["assistant"]
        if not keys.has(assistant):
            await self._ready(org_id, assistant)  # as it is stored now
        key_id = self._page.access.key_id(request)
        try:
            return secret_response(keys.key(assistant, key_id, resumed="resumed" in request.query_params))
        except CapacityError as error:
            raise HTTPException(503, "Too many keys are out; try again in a minute") from error
        except (sqlite3.Error, OSError) as error:  # a full disk, as a rule
            log.error("talk_key_not_kept", problem=type(error).__name__)
            raise HTTPException(503, "The server cannot keep a key now; its log tells why") from error

    async def _ready(self, org_id: str, id: str) -> str:
        """The name of an assistant that is no file. One of another organisation is as good as none, and so is every one for strangers.
        Raises HTTPException."""
        if not org_id or not 0 < len(id) <= _MAX_ID_CHARS or not id.isprintable() or "/" in id:
            raise HTTPException(404, "There is no assistant of this name or id that you can talk to")
        try:
            return await self._page.stored(org_id, id)
        except ConfigurationError as error:
            raise HTTPException(404, f"This assistant cannot be talked to: {error.field} {error.problem}") from error
        except (ProviderUnavailable, StoreUnavailable) as error:
            raise HTTPException(503, str(error)) from error

    async def _org_of(self, request: Request) -> str:
        """Whose stored assistants this visitor may talk to; empty: nobody's. Raises HTTPException where they may not talk at all."""
        if await self._page.signed_in(request):
            return DEFAULT_ORG  # the console's people belong to the server's own
        _check(self._page.access, request)
        return self._page.access.org_of(request)

    # ---------------------------------------------------------------------------------- the connection check

    async def connection(self, request: Request) -> Response:
        """``relay``: how the server stands with its TURN server. ``public_url``: how it is reached, as it was told."""
        await self._org_of(request)
        return secret_response({"relay": await self._page.probe.relay(), "public_url": self._page.public_url})

    async def probe(self, request: Request) -> Response:
        """Whether sound would reach the server, only the browser can find out: it tries."""
        await self._org_of(request)
        body = await read_body(request, _MAX_OFFER_BYTES)
        try:
            answer = await self._page.probe.answer(body.decode())
        except (InvalidOffer, UnicodeDecodeError) as error:
            raise HTTPException(400, "This is no offer of a WebRTC connection") from error
        except CapacityError as error:
            raise HTTPException(503, "Too many connections are being checked; try again in a minute") from error
        except ProviderUnavailable as error:
            raise HTTPException(501, "This server takes no calls over WebRTC") from error
        return Response(answer, 201, {"Cache-Control": "no-store"}, "application/sdp")


def _with_sockets(host: str) -> str:
    """The page's policy with the WebSockets of its own address: not every browser takes them for ``'self'``."""
    policy = _HEADERS["Content-Security-Policy"]
    if not _HOST.fullmatch(host):
        return policy
    return policy.replace("connect-src 'self'", f"connect-src 'self' ws://{host} wss://{host}")


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
