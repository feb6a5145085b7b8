"""``/eval/simulation`` and all below it: callers played by a model, who talk to assistants or squads in voice or in chat. There are none
here, and whoever asks is told what there is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.errors import ApiError

_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
NONE_HERE = (
    "This server has no simulations, neither of an assistant nor of a squad. Mock conversations with both are evaluated in text: "
    "POST /eval, then POST /eval/run."
)


class Simulations:
    """The routes."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def routes(self) -> list[Route]:
        answer = self._access.private(self._none)
        return [Route(path, answer, methods=_METHODS) for path in ("/eval/simulation", "/eval/simulation/{rest:path}")]

    @staticmethod
    async def _none(_request: Request, _asker: Asker) -> Response:
        """No 5xx, which the platform's SDKs would send again."""
        raise ApiError(404, NONE_HERE)
