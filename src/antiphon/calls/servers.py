"""Whose server is told of a call, and runs its tools, where its assistant names none: its telephone number's, or else the organisation's.

The order is the platform's (its API reference, ``server``): assistant, phone number, organisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from antiphon.assistants.compile import Assistant
from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.tool_definition import ServerSpec
from antiphon.calls.stores import ResourceStore
from antiphon.errors import ConfigurationError
from antiphon.wire_model import parse

_NAMED = ("server", "serverUrl", "serverUrlSecret")


class Servers:
    """One per process."""

    def __init__(self, resources: ResourceStore) -> None:
        self._resources = resources

    async def led(self, assistant: Assistant, org_id: str, phone_number_id: str = "") -> Assistant:
        """With the server that is told of its calls; its document stays as it was written. Raises StoreUnavailable."""
        if assistant.spec.webhook is not None:
            return assistant
        server = await self.beside(org_id, phone_number_id)
        if server is None:
            return assistant
        return replace(assistant, spec=assistant.spec.model_copy(update={"server": server}))

    async def beside(self, org_id: str, phone_number_id: str = "") -> ServerSpec | None:
        """Of a call whose assistant has none. Raises StoreUnavailable."""
        for kind, id in (("phone-number", phone_number_id), ("org", org_id)):
            found = await self._resources.find(kind, org_id, id) if id else None
            if found is not None and (server := server_of(found.body)) is not None:
                return server
        return None


def server_of(document: Mapping[str, Any]) -> ServerSpec | None:
    """The server that an assistant, a telephone number or an organisation names, in the newer or the older fields. None where it names
    none, or one that nobody could call, which it was told when it was kept."""
    named = {name: document[name] for name in _NAMED if document.get(name)}
    try:
        return parse(AssistantSpec, named).webhook
    except ConfigurationError:
        return None
