"""A chat, from who answers and what was said before to the document that is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

from antiphon.calls.stores import Resource, ResourceStore
from antiphon.chat.agent import TextAgent, TextAgents, Wanted
from antiphon.chat.history import MOST_MESSAGES, outcomes_of, read_messages, written
from antiphon.chat.shown import Shown
from antiphon.chat.turn import TextTurn
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.surfaces.vapi.access import Asker
from antiphon.surfaces.vapi.chat_requests import ChatRequest
from antiphon.surfaces.vapi.documents import Documents, Kind, links_of
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.leads import kept_lead, read_lead
from antiphon.surfaces.vapi.repeats import Repeats
from antiphon.surfaces.vapi.sessions import Sessions
from antiphon.vocabulary import CallContext, Message, ToolOutcome, Usage

_NOTHING = Usage()
_STATE = "_state"
"""What goes on with the conversation and is not the API's: its name for tools, when it began, which tools did not answer, who leads it."""
_LEAD = "lead"


@dataclass(slots=True, weakref_slot=True)
class Begun:
    """A chat whose turn may be read."""

    id: str
    org_id: str
    request: ChatRequest
    agent: TextAgent
    turn: TextTurn
    lead: Wanted | None
    """Whom the conversation was handed to before; None where it never was."""
    before: tuple[Message, ...]
    context: CallContext
    who: Mapping[str, Any]
    """``assistantId``, ``assistant``, ``squadId`` or ``squad``, as the chat says it."""
    variables: Mapping[str, Any] = field(default_factory=dict)


class Conversations:
    """Of all organisations. A conversation's assistant may be edited while it goes on: each turn asks the newest."""

    def __init__(
        self, store: ResourceStore, clock: Clock, agents: TextAgents, sessions: Sessions, repeats: Repeats
    ) -> None:
        self.repeats = repeats
        self._under_way: WeakValueDictionary[str, Begun] = WeakValueDictionary()
        """Those that have a name, until they are kept or given up."""
        self._clock = clock
        self._agents = agents
        self._sessions = sessions
        self.documents = Documents(store, clock, Kind("chat", show=_show, links=_links))

    async def made(self, asker: Asker, id: str, request: ChatRequest) -> Resource | None:
        """The chat that a request of this name has made before. Raises ApiError 400 where it said something else, and 409 while it is being
        answered."""
        if id in self._under_way:
            raise ApiError(409, "The request of this Idempotency-Key is being answered.", headers={"Retry-After": "2"})
        made = await self.documents.find(asker.org_id, id)
        if made is not None and made.body["input"] != written(request.input):
            raise ApiError(400, "Idempotency-Key was used before, with another body.")
        return made

    async def require_new(self, asker: Asker, id: str, request: ChatRequest) -> None:
        """Raises ApiError 400 and 409 for what was answered before, or is being answered."""
        if id and await self.made(asker, id, request) is not None:
            raise ApiError(400, f"The request of this Idempotency-Key was answered before: it is chat {id}.")

    async def begin(self, asker: Asker, request: ChatRequest, named: str = "") -> Begun:
        """``named``: the id that belongs to the request's name. Raises ApiError 400, 403, 404, 409."""
        await self.require_new(asker, named, request)
        id, now = named or str(uuid4()), self._clock.wall_ms()
        wanted = Wanted(request.assistant_id, request.assistant, squad_id=request.squad_id, squad=request.squad)
        state: dict[str, Any] = {"conversation": id, "beganWallMs": now}
        before: list[Message] = []
        overrides: Mapping[str, Any] = {}
        if request.session_id:
            session = await self._sessions.open(asker.org_id, request.session_id)
            wanted = wanted_of(session)
            overrides = session.body.get("assistantOverrides") or {}
            chats = await self._sessions.chats(session)
            state = dict(chats[-1].body[_STATE]) if chats else {}
            state |= {"conversation": session.id, "beganWallMs": session.created_wall_ms}
            before = _messages(session, "messages")
            before += [message for chat in chats for message in _messages(chat, "input", "output")]
        elif request.previous_chat_id:
            previous = await self.documents.get(asker.org_id, request.previous_chat_id)
            if previous.links.get("session_id"):
                raise ApiError(400, [f"chat {previous.id} is part of a session: continue with its sessionId"])
            overrides = previous.body.get("assistantOverrides") or {}
            state = dict(previous.body[_STATE])
            before = _messages(previous, "messages", "input", "output")
            if wanted.names_nobody:
                wanted = wanted_of(previous)
            else:  # somebody else answers from here on, and is shown all
                state.pop(_LEAD, None)
        if wanted.names_nobody:
            raise ApiError(400, ["the session names no assistant"])
        asker.require_assistant(wanted.assistant_id or None)
        if len(before) + len(request.input) > MOST_MESSAGES:
            raise ApiError(400, [f"the conversation has more than {MOST_MESSAGES} messages"])
        overrides = _laid_over(overrides, request.overrides)
        lead, shown = _lead(state, request.overrides)
        agent = await self._found(asker.org_id, lead or with_overrides(wanted, overrides))
        context = CallContext(
            state["conversation"], "", dict(agent.variables), state["beganWallMs"], org_id=asker.org_id
        )
        turn = TextTurn(
            agent, (Shown().with_more(before) if shown is None else shown).with_more(request.input), context
        )
        begun = Begun(id, asker.org_id, request, agent, turn, lead, tuple(before), context, _who(wanted), overrides)
        if named and self._under_way.setdefault(id, begun) is not begun:
            await self.made(asker, id, request)  # it was quicker
        return begun

    def give_up(self, begun: Begun) -> None:
        """It will not be kept: the same request may be sent again."""
        if self._under_way.get(begun.id) is begun:
            del self._under_way[begun.id]

    async def led(self, session: Resource) -> tuple[TextAgent, Sequence[Message]] | None:
        """Who leads a session now, and all that was said in it; None where it names nobody. Raises ApiError 400, 424."""
        wanted = wanted_of(session)
        if wanted.names_nobody:
            return None
        chats = await self._sessions.chats(session)
        lead, _ = _lead(chats[-1].body[_STATE], {}) if chats else (None, None)
        agent = await self._found(
            session.org_id, lead or with_overrides(wanted, session.body.get("assistantOverrides") or {})
        )
        said = _messages(session, "messages")
        return agent, [*said, *(message for chat in chats for message in _messages(chat, "input", "output"))]

    async def shown(self, chat: Resource) -> dict[str, Any]:
        """As it is answered."""
        return self.documents.show(chat)

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
        lead = turn.taken_over.wanted if turn.taken_over is not None else begun.lead
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
                **({_LEAD: kept_lead(lead, turn.shown())} if lead is not None else {}),
            },
        }
        try:
            return await self.documents.create(begun.org_id, body, begun.id)
        finally:
            self.give_up(begun)

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


def wanted_of(document: Resource) -> Wanted:
    """Who answers, as a chat or a session says it, without its overrides."""
    body = document.body
    assistant_id, squad_id = body.get("assistantId") or "", body.get("squadId") or ""
    return Wanted(
        assistant_id, None if assistant_id else body.get("assistant"), squad_id=squad_id,
        squad=None if squad_id else body.get("squad"),
    )  # fmt: skip


def _who(wanted: Wanted) -> dict[str, Any]:
    """As a document says it."""
    if wanted.squad_id or wanted.squad is not None:
        return {"squadId": wanted.squad_id} if wanted.squad_id else {"squad": wanted.squad}
    return {"assistantId": wanted.assistant_id} if wanted.assistant_id else {"assistant": wanted.assistant}


def with_overrides(wanted: Wanted, overrides: Mapping[str, Any]) -> Wanted:
    """``overrides`` are for all members of a squad."""
    squad = wanted.squad_id or wanted.squad is not None
    return replace(wanted, squad_overrides=overrides) if squad else replace(wanted, overrides=overrides)


def _lead(state: Mapping[str, Any], overrides: Mapping[str, Any]) -> tuple[Wanted | None, Shown | None]:
    """Whom the conversation was handed to, and what that one is shown of it so far. ``overrides`` are those of this request."""
    if _LEAD not in state:
        return None, None
    lead, shown = read_lead(state[_LEAD], state.get("outcomes") or {})
    lead = replace(
        lead,
        overrides=_laid_over(lead.overrides, overrides),
        squad_overrides=_laid_over(lead.squad_overrides, overrides),
    )
    return lead, shown


def _laid_over(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    values = {**(before.get("variableValues") or {}), **(now.get("variableValues") or {})}
    return {**before, **({"variableValues": values} if values else {})}


def _messages(document: Resource, *parts: str) -> list[Message]:
    state: Mapping[str, Any] = document.body.get(_STATE) or {}
    outcomes: Mapping[str, ToolOutcome] = state.get("outcomes") or {}
    return [message for part in parts for message in read_messages(document.body.get(part) or [], part, outcomes)]


def _links(body: Mapping[str, Any]) -> dict[str, str]:
    """Which chat it goes on with, too."""
    previous = body.get("previousChatId")
    return {**links_of(body), **({"purpose": previous} if previous else {})}


def _show(chat: Resource) -> Mapping[str, Any]:
    return {name: value for name, value in chat.body.items() if not name.startswith("_")}
