"""Who was not let in: every HTTP answer of 401 or 403, from whatever surface, counted and told with the peer's address."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antiphon.losses import Losses
from antiphon.surfaces.http.errors import is_api

_REFUSED = (401, 403)
_SURFACES: Mapping[str, str] = {
    "twilio": "twilio", "v1": "realtime", "openai": "realtime", "talk": "talk", "calls": "api",
}  # fmt: skip
"""By the first part of the path."""
_MAX_PATH_CHARS = 128


class CountedRefusals:
    """ASGI middleware, around all others. Behind a reverse proxy on this machine the address is the one the proxy names."""

    def __init__(self, app: ASGIApp, losses: Losses) -> None:
        self._app = app
        self._losses = losses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def look(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in _REFUSED:
                self._note(scope, message["status"])
            await send(message)

        await self._app(scope, receive, look)

    def _note(self, scope: Scope, status: int) -> None:
        path = scope["path"]
        surface = "api" if is_api(path) else _SURFACES.get(path.split("/", 2)[1] if "/" in path else "", "other")
        peer = scope["client"][0] if scope.get("client") else "unknown"
        self._losses.count("auth_failures", surface=surface, status=str(status))
        if surface == "twilio":
            return  # told there, with what was wrong
        self._losses.tell(
            "auth_failed", f"{surface} {peer}", surface=surface, status=status, path=path[:_MAX_PATH_CHARS], peer=peer
        )  # fmt: skip
