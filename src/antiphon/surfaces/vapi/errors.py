"""Refusals in the shape the platform's SDKs read (NestJS): ``{"message", "error", "statusCode"}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from antiphon.errors import AntiphonError
from antiphon.surfaces.http.errors import nest_error


class ApiError(AntiphonError):
    """The request is refused with ``status``. ``message`` is shown to developers, a list where several things are wrong; it never holds
    a secret. ``error`` is the status in words unless given."""

    code = "api"

    def __init__(
        self,
        status: int,
        message: str | Sequence[str],
        error: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message if isinstance(message, str) else "; ".join(message))
        self.status = status
        self.message = message if isinstance(message, str) else list(message)
        self.error = error
        self.headers = dict(headers or {})

    def response(self) -> Response:
        body = nest_error(self.status, self.message, self.error)
        return Response(body, self.status, self.headers, media_type="application/json")


def not_found(kind: str, id: str) -> ApiError:
    """There is no such resource in the asker's organisation."""
    return ApiError(404, f"Couldn't find {kind} {id[:64]}.")
