"""A POST that is sent again makes nothing twice.

A client that names its request (``Idempotency-Key``) gets the id that belongs to that name. The official SDKs name none and send again
after 408, 409, 429, any 5xx and a broken connection; so nothing of ours fails after the insert, and where the database did not say whether
it was kept, the id stays reserved for the same body.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson
from starlette.requests import Request

from antiphon.surfaces.vapi.errors import ApiError

REMEMBERED_MS = 120_000
"""The SDKs give up after some ten seconds."""
_MAX_REMEMBERED = 1000
_MAX_KEY_CHARS = 255
_NAMES = UUID("0f2bb0c7-3f0e-4c54-8d4f-0b6c1c5a6f0e")


class Repeats:
    """One per process."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._unsure: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def id_for(self, request: Request, org_id: str, body: Mapping[str, Any]) -> str:
        """The id of what this request makes. Raises ApiError 400."""
        name = request.headers.get("idempotency-key", "")
        if len(name) > _MAX_KEY_CHARS:
            raise ApiError(400, f"Idempotency-Key must be shorter than or equal to {_MAX_KEY_CHARS} characters")
        if name:
            return str(uuid5(_NAMES, f"{org_id} {request.url.path} {name}"))
        id, until_ms = self._unsure.get(_digest(request, org_id, body), ("", 0))
        return id if id and self._now_ms() < until_ms else str(uuid4())

    def named(self, request: Request, org_id: str) -> str:
        """The id of what a request makes that has a name; empty where it has none. Raises ApiError 400."""
        return self.id_for(request, org_id, {}) if request.headers.get("idempotency-key") else ""

    def unsure(self, request: Request, org_id: str, body: Mapping[str, Any], id: str) -> None:
        """It is not known whether this was kept."""
        self._unsure[_digest(request, org_id, body)] = (id, self._now_ms() + REMEMBERED_MS)
        if len(self._unsure) > _MAX_REMEMBERED:
            self._unsure.popitem(last=False)

    def done(self, request: Request, org_id: str, body: Mapping[str, Any]) -> None:
        """It is: the next request of the same body makes another."""
        self._unsure.pop(_digest(request, org_id, body), None)


def _digest(request: Request, org_id: str, body: Mapping[str, Any]) -> str:
    said = orjson.dumps([org_id, request.url.path, dict(body)], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(said).hexdigest()
