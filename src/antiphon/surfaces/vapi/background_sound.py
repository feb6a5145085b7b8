"""``POST /assistant/background-sound/validate``: whether a URL serves audio now. It is asked as any other of an assistant's URLs is."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.errors import RequestFailed
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.tools.http import HttpAnswer, Outgoing, Send

PATHS = ("/assistant/background-sound/validate", "/assistants/background-sound/validate")
_TIMEOUT_S = 10.0
_RANGE = "bytes=0-1023"
_MAX_URL = 8192
_MEDIA = ("audio/", "video/", "application/ogg")
_REASONS = {"timeout": "timeout", "redirect": "too-many-redirects", "refused": "blocked-address"}
"""Why a request failed, as the platform calls it; any other way: ``unreachable``."""


def routes(send: Send, access: Access) -> list[Route]:
    async def validate(request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        problems = [f"property {name} should not exist" for name in body if name != "url"]
        url = body.get("url")
        if not isinstance(url, str) or not 0 < len(url) <= _MAX_URL:
            problems.append("url must be a non-empty string")
        if problems:
            raise ApiError(400, problems)
        return json_response(await _validated(send, str(url)), 201)

    return [Route(path, access.private(validate), methods=["POST"]) for path in PATHS]


async def _validated(send: Send, url: str) -> dict[str, Any]:
    if not url.lower().startswith(("http://", "https://")):
        return {"valid": False, "reason": "invalid-url"}
    try:
        answer = await _asked(send, url)
    except RequestFailed as error:
        # An address that is no URL at all is refused like one that may not be called.
        malformed = error.reason == "refused" and "address" not in str(error)
        return {"valid": False, "reason": "invalid-url" if malformed else _REASONS.get(error.reason, "unreachable")}
    told = {"status": answer.status, **({"contentType": answer.content_type} if answer.content_type else {})}
    if not answer.ok:
        return {"valid": False, "reason": "http-error", **told}
    if not answer.content_type.lower().startswith(_MEDIA):
        return {"valid": False, "reason": "not-audio", **told}
    return {"valid": True, **told}


async def _asked(send: Send, url: str) -> HttpAnswer:
    """A few bytes; of a server that sends all of a large file whatever is asked for, its head."""
    headers = {"range": _RANGE, "accept": "*/*"}
    try:
        return await send(Outgoing(url, method="GET", headers=headers, timeout_s=_TIMEOUT_S))
    except RequestFailed as error:
        if error.reason != "too_large":
            raise
    return await send(Outgoing(url, method="HEAD", headers={"accept": "*/*"}, timeout_s=_TIMEOUT_S))
