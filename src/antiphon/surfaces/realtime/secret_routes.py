"""``POST /v1/realtime/client_secrets``: a server asks for a short-lived key to hand to one of its users. In the older dialect,
``/sessions`` and ``/transcription_sessions``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.clock import Clock
from antiphon.errors import CapacityError
from antiphon.ids import new_id
from antiphon.surfaces.http.responses import secret_response
from antiphon.surfaces.realtime.access import Access, AccessControl, Act
from antiphon.surfaces.realtime.http import HttpError, post, read_object
from antiphon.surfaces.realtime.protocol.beta import from_beta, session_to_beta
from antiphon.surfaces.realtime.protocol.errors import out_of_bounds, unsupported, wrong_type
from antiphon.surfaces.realtime.protocol.fields import Fields
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig, open_session
from antiphon.surfaces.realtime.secrets import TTL_DEFAULT_S, TTL_MAX_S, TTL_MIN_S, ClientSecrets

DefaultsOf = Callable[[str], SessionConfig]
"""What a session of this model begins with; empty where none was named. Raises HttpError, ClientError where there is no such model."""
_BETA_TTL_S = 60
MOST_SESSIONS = 10_000
_NOT_KEPT = ("id", "object", "expires_at")
log = structlog.get_logger(__name__)


def routes(
    access: AccessControl, secrets: ClientSecrets, clock: Clock, defaults_of: DefaultsOf, *, strict: bool = False
) -> list[Route]:
    """The routes that make client secrets, under each of ``http.PREFIXES``. Only a private key may ask."""

    def make(
        who: Access, session: dict[str, Any], ttl_s: int, max_sessions: int = 0
    ) -> tuple[str, int, dict[str, Any]]:
        """The key, when it expires (unix s), and the session its holders will get. Raises HttpError, ClientError."""
        model = session.get("model")
        config = open_session(session, defaults_of(model if isinstance(model, str) else ""), strict=strict)
        granted = _granted(session, config)
        try:
            secret, key = secrets.create(granted, ttl_s, clock.wall_ms(), key_id=who.key_id, max_sessions=max_sessions)
        except CapacityError as error:
            raise HttpError(
                429, "Too many client secrets are live.", "rate_limit_exceeded", kind="rate_limit_error"
            ) from error
        log.info("client_secret_made", secret=secret.id, ttl_s=ttl_s)
        return key, secret.expires_wall_ms // 1000, config.echo(new_id("sess"), 0)

    async def client_secrets(request: Request) -> Response:
        """All fields are optional: ``expires_after``, ``session``, and one of our own, ``max_sessions``: how many of its sessions may be
        live at once, where that is not what the settings say. The session is checked now, and shown as it will be; the secret's
        sessions begin with it, and outlive the secret."""
        who = access.require(request.headers, Act.MAKE_SECRET)
        body = await read_object(request)
        ttl_s = _ttl_s(body.get("expires_after"))
        most = Fields(body).integer("max_sessions", 1, MOST_SESSIONS) or 0
        key, expires_s, session = make(who, _object(body.get("session"), "session"), ttl_s, most)
        return secret_response({"value": key, "expires_at": expires_s, "session": session})

    async def beta_sessions(request: Request) -> Response:
        """The older dialect: the body is the session, flat, and so is the answer."""
        who = access.require(request.headers, Act.MAKE_SECRET)
        body = await read_object(request)
        expires_after = _object(body.get("client_secret"), "client_secret").get("expires_after")
        ttl_s = _BETA_TTL_S if expires_after is None else _ttl_s(expires_after)
        transcription = request.url.path.endswith("/transcription_sessions")
        kind = "transcription_session.update" if transcription else "session.update"
        key, expires_s, session = make(who, from_beta({"type": kind, "session": body})["session"], ttl_s)
        return secret_response({**session_to_beta(session), "client_secret": {"value": key, "expires_at": expires_s}})

    return [
        *post("/client_secrets", client_secrets),
        *post("/sessions", beta_sessions),
        *post("/transcription_sessions", beta_sessions),
    ]


def _granted(session: Mapping[str, Any], config: SessionConfig) -> dict[str, Any]:
    """What is kept of a secret's session: of the fields that were given what was understood of them, without the credentials of
    tools, which nobody here uses; and always what kind of session with which model it is, so that no later default decides it."""
    shown = config.echo("", 0)
    kept = {name: shown[name] for name in session if name in shown and name not in _NOT_KEPT}
    return {**kept, "type": config.type, "model": config.model}


def _ttl_s(expires_after: object) -> int:
    """How long the secret lives. Raises ClientError."""
    wanted = _object(expires_after, "expires_after")
    anchor, seconds = wanted.get("anchor", "created_at"), wanted.get("seconds", TTL_DEFAULT_S)
    if anchor != "created_at":
        raise unsupported("expires_after.anchor", str(anchor), ["created_at"])
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise wrong_type("expires_after.seconds", "an integer", seconds)
    if seconds < TTL_MIN_S:
        raise out_of_bounds("expires_after.seconds", f"integer below minimum value: at least {TTL_MIN_S}")
    if seconds > TTL_MAX_S:
        raise out_of_bounds("expires_after.seconds", f"integer above maximum value: at most {TTL_MAX_S}")
    return seconds


def _object(value: object, param: str) -> dict[str, Any]:
    """An optional object. Raises ClientError."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    return value
