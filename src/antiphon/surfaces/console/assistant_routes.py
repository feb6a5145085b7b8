"""What the pages about assistants ask beside the REST API's own routes (``rest``): the list, a check, and what may be chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import DEFAULT_ORG, Listing, Resource
from antiphon.providers import registry
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.console.paging import page_of
from antiphon.surfaces.http.responses import secret_response
from antiphon.surfaces.vapi.assistant_warnings import warnings_of
from antiphon.surfaces.vapi.assistants import Assistants
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.errors import ApiError

_PREFIX = "/console/api/assistants"


class Files(Protocol):
    """Assistants that are files of the server."""

    def names(self) -> Sequence[str]:
        """Those that can be called."""
        ...

    def unusable(self) -> Mapping[str, str]:
        """The others, and what is wrong with each."""
        ...


def routes(door: Door, assistants: Assistants, files: Files) -> list[Route]:

    @door.guarded("viewer")
    async def listed(request: Request, visitor: Visitor) -> Response:
        limit, offset = page_of(request)
        listing = Listing(limit=limit, offset=offset)
        kept = await assistants.list(DEFAULT_ORG, listing)
        total = await assistants.count(DEFAULT_ORG, listing)
        found = {"files": list(files.names()), "unusable": dict(files.unusable())}
        return secret_response({"assistants": [_row(each) for each in kept], "total": total, **found})

    @door.guarded("viewer")
    async def choices(request: Request, visitor: Visitor) -> Response:
        kinds: Mapping[str, registry.Kind] = {"model": "llm", "voice": "tts", "transcriber": "stt"}
        return secret_response({part: _named(kind) for part, kind in kinds.items()})

    @door.guarded("viewer")
    async def checked(request: Request, visitor: Visitor) -> Response:
        """What is wrong with a document, and what of it would have no effect; nothing is kept."""
        check = assistants.kind.check
        assert check is not None
        try:
            body = await json_body(request)
            await check(DEFAULT_ORG, "", body)
        except ApiError as error:
            problems = [error.message] if isinstance(error.message, str) else error.message
            return secret_response({"problems": problems, "warnings": []})
        return secret_response({"problems": [], "warnings": warnings_of(body)})

    return [
        Route(_PREFIX, listed),
        Route(f"{_PREFIX}/choices", choices),
        Route(f"{_PREFIX}/check", checked, methods=["POST"]),
    ]


def _named(kind: registry.Kind) -> list[str]:
    return sorted(name for name in registry.named_from_outside(kind) if not registry.is_test_double(kind, name))


def _row(resource: Resource) -> dict[str, Any]:
    body = resource.body
    return {
        "id": resource.id,
        "name": body.get("name") or "",
        "version": resource.version,
        "updated_wall_ms": resource.updated_wall_ms,
        **{part: _engine(body.get(part)) for part in ("model", "voice", "transcriber")},
    }


def _engine(part: Any) -> str:
    """``openai gpt-4.1``: which engine, in short."""
    if not isinstance(part, Mapping):
        return ""
    named = part.get("provider"), part.get("model") or part.get("voiceId")
    return " ".join(str(each) for each in named if each)
