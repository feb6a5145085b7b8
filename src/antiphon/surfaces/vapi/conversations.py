"""A chat, from who answers and what was said before to the document that is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from antiphon.calls.stores import Resource, ResourceStore
from antiphon.chat.agent import TextAgent, TextAgents, Wanted
from antiphon.chat.history import MOST_MESSAGES, outcomes_of, read_messages, written
from antiphon.chat.turn import TextTurn
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.surfaces.vapi.access import Asker
from antiphon.surfaces.vapi.chat_requests import ChatRequest
from antiphon.surfaces.vapi.documents import Documents, Kind
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.sessions import Sessions
from antiphon.vocabulary import CallContext, Message, ToolOutcome, Usage

_NOTHING = Usage()
_STATE = "_state"
"""What goes on with the conversation and is not the API's: its name for tools, when it began, which tools did not answer."""


@dataclass(slots=True)
class Begun:
    """A chat whose turn may be read."""

    id: str
    org_id: str
    request: ChatRequest
    agent: TextAgent
    turn: TextTurn
    before: tuple[Message, ...]
    context: CallContext
    who: Mapping[str, Any]
    """``assistantId`` or ``assistant``, as the chat says it."""
    variables: Mapping[str, Any] = field(default_factory=dict)


class Conversations:
    """Of all organisations. A conversation's assistant may be edited while it goes on: each turn asks the newest."""

    def __init__(self, store: ResourceStore, clock: Clock, agents: TextAgents, sessions: Sessions) -> None:
        self._clock = clock
        self._agents = agents
        self._sessions = sessions
        self.documents = Documents(store, clock, Kind("chat", show=_show))

    async def begin(self, asker: Asker, request: ChatRequest) -> Begun:
        """Raises ApiError 400, 403, 404."""
        id, now = str(uuid4()), self._clock.wall_ms()
        wanted = Wanted(request.assistant_id, request.assistant)
        state: dict[str, Any] = {"conversation": id, "beganWallMs": now}
        before: list[Message] = []
        overrides: Mapping[str, Any] = {}
        if request.session_id:
            session = await self._sessions.open(asker.org_id, request.session_id)
            wanted = _of_document(session)
            overrides = session.body.get("assistantOverrides") or {}
            state = {"conversation": session.id, "beganWallMs": session.created_wall_ms}
            before = await self._said_in(session)
        elif request.previous_chat_id:
            previous = await self.documents.get(asker.org_id, request.previous_chat_id)
            if previous.links.get("session_id"):
                raise ApiError(400, [f"chat {previous.id} is part of a session: continue with its sessionId"])
            own = _of_document(previous)
            wanted = wanted if request.assistant_id else own
            overrides = previous.body.get("assistantOverrides") or {}
            state = dict(previous.body[_STATE])
            before = _messages(previous, "messages", "input", "output")
        wanted = Wanted(wanted.assistant_id, wanted.assistant, _laid_over(overrides, request.overrides))
        if not wanted.assistant_id and wanted.assistant is None:
            raise ApiError(400, ["the session names no assistant"])
        asker.require_assistant(wanted.assistant_id or None)
        if len(before) + len(request.input) > MOST_MESSAGES:
            raise ApiError(400, [f"the conversation has more than {MOST_MESSAGES} messages"])
        agent = await self._found(asker.org_id, wanted)
        context = CallContext(
            state["conversation"], "", dict(agent.variables), state["beganWallMs"], org_id=asker.org_id
        )
        turn = TextTurn(agent, [*before, *request.input], context)
        who = {"assistantId": wanted.assistant_id} if wanted.assistant_id else {"assistant": wanted.assistant}
        return Begun(id, asker.org_id, request, agent, turn, tuple(before), context, who, wanted.overrides)

    async def keep(self, begun: Begun) -> Resource:
        """The chat, now that its turn is over."""
        request, turn = begun.request, begun.turn
        costs: list[dict[str, Any]] = [
            {
                "type": "model",
                "model": {"provider": name},
                "promptTokens": usage.input_tokens,
                "completionTokens": usage.output_tokens,
                "cachedPromptTokens": usage.cached_tokens,
                "cost": 0,
            }
            for name, usage in (turn.usage or {begun.agent.model.name: _NOTHING}).items()
        ]
        body = {
            **begun.who,
            **({"assistantOverrides": begun.variables} if begun.variables else {}),
            **({"sessionId": request.session_id} if request.session_id else {}),
            **({"previousChatId": request.previous_chat_id} if request.previous_chat_id else {}),
            **({"name": request.name} if request.name else {}),
            **({"metadata": request.rest["metadata"]} if request.rest.get("metadata") else {}),
            "input": written(request.input),
            "messages": written(begun.before),
            "output": written(turn.messages),
            "cost": 0,
            "costs": [*costs, {"type": "chat", "cost": 0}],
            _STATE: {
                "conversation": begun.context.call_id,
                "beganWallMs": begun.context.wall_ms,
                "outcomes": outcomes_of((*begun.before, *turn.messages)),
            },
        }
        return await self.documents.create(begun.org_id, body, begun.id)

    async def _said_in(self, session: Resource) -> list[Message]:
        said = _messages(session, "messages")
        for chat in await self._sessions.chats(session):
            said += _messages(chat, "input", "output")
        return said

    async def _found(self, org_id: str, wanted: Wanted) -> TextAgent:
        try:
            agent = await self._agents.find(org_id, wanted)
        except ConfigurationError as error:
            place = "assistant." if wanted.assistant is not None else ""
            raise ApiError(400, [f"{place}{error.field} {error.problem}"]) from None
        except ProviderError as error:
            raise failed(error) from None
        if agent is None:
            raise ApiError(400, f"Couldn't Get Assistant. assistantId {wanted.assistant_id[:64]} does not exist.")
        return agent


def failed(error: ProviderError) -> ApiError:
    """A model did not do its work. No 5xx: clients repeat those by themselves, and what tools have done would be done again."""
    return ApiError(424, f"The assistant's model failed ({error.provider}: {error.code}).", "Failed Dependency")


def _of_document(document: Resource) -> Wanted:
    return Wanted(document.body.get("assistantId") or "", document.body.get("assistant"))


def _laid_over(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    values = {**(before.get("variableValues") or {}), **(now.get("variableValues") or {})}
    return {**before, **({"variableValues": values} if values else {})}


def _messages(document: Resource, *parts: str) -> list[Message]:
    state: Mapping[str, Any] = document.body.get(_STATE) or {}
    outcomes: Mapping[str, ToolOutcome] = state.get("outcomes") or {}
    return [message for part in parts for message in read_messages(document.body.get(part) or [], part, outcomes)]


def _show(chat: Resource) -> Mapping[str, Any]:
    return {name: value for name, value in chat.body.items() if not name.startswith("_")}
