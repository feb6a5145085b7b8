"""``POST /v1/realtime/client_secrets``: a server asks for a short-lived key to hand to one of its users. In the older dialect,
``/sessions`` and ``/transcription_sessions``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.clock import Clock
from antiphon.errors import CapacityError
from antiphon.ids import new_id
from antiphon.surfaces.realtime.access import AccessControl, Act
from antiphon.surfaces.realtime.http import HttpError, post, read_object
from antiphon.surfaces.realtime.protocol.beta import from_beta, session_to_beta
from antiphon.surfaces.realtime.protocol.errors import out_of_bounds, unsupported, wrong_type
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig, open_session
from antiphon.surfaces.realtime.secrets import TTL_DEFAULT_S, TTL_MAX_S, TTL_MIN_S, ClientSecrets

DefaultsOf = Callable[[str], SessionConfig]
"""What a session of this model begins with; empty where none was named. Raises HttpError, ClientError where there is no such model."""
_BETA_TTL_S = 60
_logger = structlog.get_logger(__name__)


def routes(
    access: AccessControl, secrets: ClientSecrets, clock: Clock, defaults_of: DefaultsOf, *, strict: bool = False
) -> list[Route]:
    """The routes that make client secrets, under each of ``http.PREFIXES``. Only a private key may ask."""

    def make(session: dict[str, Any], ttl_s: int) -> tuple[str, int, dict[str, Any]]:
        """The key, when it expires (unix s), and the session its holders will get. Raises HttpError, ClientError."""
        model = session.get("model")
        config = open_session(session, defaults_of(model if isinstance(model, str) else ""), strict=strict)
        try:
            secret, key = secrets.create(session, ttl_s, clock.wall_ms())
        except CapacityError as error:
            raise HttpError(
                429, "Too many client secrets are live.", "rate_limit_exceeded", kind="rate_limit_error"
            ) from error
        _logger.info("client_secret_made", secret=secret.id, ttl_s=ttl_s)
        return key, secret.expires_wall_ms // 1000, config.echo(new_id("sess"), 0)

    async def client_secrets(request: Request) -> Response:
        """Both fields are optional: ``expires_after`` and ``session``. The session is checked now, and shown as it will be; the secret's
        sessions begin with it, however many they are, and outlive the secret."""
        access.require(request.headers, Act.MAKE_SECRET)
        body = await read_object(request)
        ttl_s = _ttl_s(body.get("expires_after"))
        key, expires_s, session = make(_object(body.get("session"), "session"), ttl_s)
        return _answer({"value": key, "expires_at": expires_s, "session": session})

    async def beta_sessions(request: Request) -> Response:
        """The older dialect: the body is the session, flat, and so is the answer."""
        access.require(request.headers, Act.MAKE_SECRET)
        body = await read_object(request)
        expires_after = _object(body.get("client_secret"), "client_secret").get("expires_after")
        ttl_s = _BETA_TTL_S if expires_after is None else _ttl_s(expires_after)
        transcription = request.url.path.endswith("/transcription_sessions")
        kind = "transcription_session.update" if transcription else "session.update"
        key, expires_s, session = make(from_beta({"type": kind, "session": body})["session"], ttl_s)
        return _answer({**session_to_beta(session), "client_secret": {"value": key, "expires_at": expires_s}})

    return [
        *post("/client_secrets", client_secrets),
        *post("/sessions", beta_sessions),
        *post("/transcription_sessions", beta_sessions),
    ]


def _answer(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json", headers={"Cache-Control": "no-store"})


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
