"""All routes for conversations in text, put together."""

from __future__ import annotations

from starlette.routing import Route

from antiphon.calls.stores import ResourceStore
from antiphon.calls.sums import CallSums
from antiphon.chat.agent import TextAgents
from antiphon.clock import Clock
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.analytics import Analytics
from antiphon.surfaces.vapi.chat_responses import ChatResponses
from antiphon.surfaces.vapi.chats import Chats
from antiphon.surfaces.vapi.conversations import Conversations
from antiphon.surfaces.vapi.sessions import Sessions


class Texts:
    """Chats, sessions, and what is read out of calls."""

    def __init__(self, store: ResourceStore, clock: Clock, access: Access, agents: TextAgents, sums: CallSums) -> None:
        sessions = Sessions(store, clock, access)
        conversations = Conversations(store, clock, agents, sessions)
        self._parts = (
            ChatResponses(conversations, access),
            Chats(conversations, sessions, access),
            sessions,
            Analytics(sums, clock, access),
        )

    def routes(self) -> list[Route]:
        return [route for part in self._parts for route in part.routes()]
