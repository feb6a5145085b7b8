"""What a server is told of conversations in text (``chat.created``, ``session.updated`` …), where their assistant asks for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from antiphon.assistants.compile import Assistant
from antiphon.assistants.tool_definition import ServerSpec
from antiphon.calls.secrets import stripped
from antiphon.calls.stores import Resource
from antiphon.chat.agent import Wanted
from antiphon.clock import Clock
from antiphon.surfaces.vapi.conversations import Conversations, wanted_of, with_overrides
from antiphon.surfaces.vapi.server_events import Announce
from antiphon.surfaces.vapi.server_messages import wanted_by
from antiphon.surfaces.vapi.sessions import Sessions

Led = Callable[[str, Wanted], Awaitable[Assistant | None]]
"""``(org_id, wanted)``: the assistant, a squad's first, with the server that is told; None where there is none. Raises AntiphonError."""

SENT = frozenset({"chat.created", "chat.deleted", "session.created", "session.updated", "session.deleted"})
_Found = tuple[ServerSpec, Mapping[str, Any]] | None


class TextEvents:
    """Of all organisations."""

    def __init__(self, sessions: Sessions, conversations: Conversations, clock: Clock, led: Led) -> None:
        self._sessions = sessions
        self._conversations = conversations
        self._clock = clock
        self._led = led
        self.announce: Announce | None = None
        """``ServerEvents.announce``; set by whoever has one."""
        sessions.documents.told = self._happened
        conversations.documents.told = self._happened

    def _happened(self, what: str, document: Resource) -> None:
        kind = f"{document.kind}.{what}"
        if self.announce is None or kind not in SENT:
            return
        wall_ms = self._clock.wall_ms()

        async def announced() -> _Found:
            return await self._message(kind, document, wall_ms)

        self.announce(document.org_id, document.links.get("session_id") or document.id, announced)

    async def _message(self, kind: str, document: Resource, wall_ms: int) -> _Found:
        wanted = wanted_of(document)
        if wanted.names_nobody:  # then nobody has asked for it
            return None
        overrides: Mapping[str, Any] = document.body.get("assistantOverrides") or {}
        assistant = await self._led(document.org_id, with_overrides(wanted, overrides))
        if assistant is None or (server := assistant.spec.webhook) is None or kind not in wanted_by(assistant.document):
            return None
        shown = self._sessions.shown if document.kind == "session" else self._conversations.shown
        told = {document.kind: await shown(document), "assistant": stripped(assistant.document)}
        return server, {"type": kind, "timestamp": wall_ms, **told}
