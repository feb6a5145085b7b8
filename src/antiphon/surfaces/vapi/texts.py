"""All routes for conversations in text, put together."""

from __future__ import annotations

from starlette.routing import Route

from antiphon.calls.stores import CallStore, ResourceStore
from antiphon.calls.sums import CallSums
from antiphon.chat.agent import TextAgents
from antiphon.clock import Clock
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.analytics import Analytics
from antiphon.surfaces.vapi.chat_responses import ChatResponses
from antiphon.surfaces.vapi.chats import Chats
from antiphon.surfaces.vapi.conversations import Conversations
from antiphon.surfaces.vapi.eval_runs import EvalRuns
from antiphon.surfaces.vapi.resources import Resources
from antiphon.surfaces.vapi.session_artifacts import SessionArtifacts
from antiphon.surfaces.vapi.sessions import Sessions
from antiphon.surfaces.vapi.simulations import Simulations
from antiphon.surfaces.vapi.structured_runs import StructuredRuns
from antiphon.surfaces.vapi.text_events import Led, TextEvents


class Texts:
    """Chats, sessions, and what is read out of calls."""

    def __init__(
        self,
        store: ResourceStore,
        clock: Clock,
        access: Access,
        agents: TextAgents,
        calls: CallStore,
        sums: CallSums,
        documents: Resources,
        simulations: Simulations,
        led: Led,
    ) -> None:
        sessions = Sessions(store, clock, access, documents.repeats)
        conversations = Conversations(store, clock, agents, sessions, documents.repeats)
        sessions.artifact_of = SessionArtifacts(conversations, documents.structured_outputs, agents, clock).of
        self.events = TextEvents(sessions, conversations, clock, led)
        self.simulations = simulations
        self._evals = EvalRuns(store, documents.evals, documents.assistants, clock, agents, access, documents.repeats)
        self._parts = (
            ChatResponses(conversations, access),
            Chats(conversations, sessions, access),
            sessions,
            Analytics(sums, clock, access),
            self._evals,
            self.simulations,
            StructuredRuns(documents.structured_outputs, calls, clock, agents, access),
        )

    def routes(self) -> list[Route]:
        return [route for part in self._parts for route in part.routes()]

    async def close(self) -> None:
        """Give up what runs in the background."""
        await self._evals.close()
        await self.simulations.close()
