"""Credentials that a server's ``credentialId`` names: how requests to it prove that they are ours."""

from __future__ import annotations

from collections import OrderedDict

from antiphon.calls.stores import ResourceStore
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError
from antiphon.surfaces.sealed import Sealed
from antiphon.surfaces.vapi.kinds import whole
from antiphon.webhooks.signing import Authentication, authentication_of

_KEPT_MS = 30_000
"""A credential that is replaced or deleted is used no longer than this."""
_MOST = 256


class ServerCredentials:
    """One for a process."""

    def __init__(self, resources: ResourceStore, sealed: Sealed, clock: Clock) -> None:
        self._resources = resources
        self._sealed = sealed
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[Authentication, int]] = OrderedDict()

    async def find(self, org_id: str, id: str) -> Authentication:
        """Raises ConfigurationError where there is none of this id, or it says nothing of webhooks; StoreUnavailable."""
        now_ms = self._clock.now_ms()
        found, until_ms = self._known.get((org_id, id), (None, 0))
        if found is not None and now_ms < until_ms:
            return found
        stored = await self._resources.find("credential", org_id, id) if 0 < len(id) <= 64 and "\0" not in id else None
        if stored is None:
            raise ConfigurationError("server.credentialId", "there is no credential of this id")
        plan = whole(self._sealed, stored.body).get("authenticationPlan")
        if not isinstance(plan, dict):
            raise ConfigurationError("server.credentialId", "the credential has no authenticationPlan")
        made = authentication_of(plan)
        self._known[org_id, id] = (made, now_ms + _KEPT_MS)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return made
