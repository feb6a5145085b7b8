"""What the page of a workflow asks beside the REST API's own routes: a check of what is being edited, a try in text of it as it is on the
page, and the graph of a live call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.chat.agent import TextAgent, TextAgents, Wanted
from antiphon.chat.history import outcomes_of, read_messages, written
from antiphon.chat.turn import TextTurn
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.ids import new_id
from antiphon.surfaces.console.bodies import text_of
from antiphon.surfaces.console.door import Door, Visitor
from antiphon.surfaces.http.responses import secret_response
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.vocabulary import CallContext, ToolOutcome
from antiphon.workflow.checks import doubts_of, problems_of

_TRIAL = re.compile(r"trial_[0-9a-f]{24}")
_MAX_ID = 64
_PREFIX = "/console/api"


def routes(
    door: Door, agents: TextAgents, clock: Clock, outline: Callable[[str], Mapping[str, Any] | None]
) -> list[Route]:
    """``outline``: the graph that a live call follows (``WorkflowModel.outline``); None where it follows none, or does not live."""

    @door.guarded("viewer")
    async def checked(request: Request, visitor: Visitor) -> Response:
        """The body is a workflow. ``problems`` keep it from being used, ``doubts`` do not: ``{"field", "text"}``, the field a dotted place
        in the workflow."""
        body = await _body(request)
        problems = [{"field": each.field, "text": each.problem} for each in problems_of(body)]
        doubts = [{"field": field, "text": text} for field, text in doubts_of(body)]
        return secret_response({"problems": problems, "doubts": doubts})

    @door.guarded("builder")
    async def tried(request: Request, visitor: Visitor) -> Response:
        """One turn in text. The page keeps what was said and sends all of it each time, so the conversation goes on where the assistant
        has been edited meanwhile; nothing is kept here."""
        body = await _body(request)
        try:
            outcomes = _outcomes(body.get("outcomes"))
            history = read_messages(body.get("messages"), "messages", outcomes)
            if not history or history[-1].role != "user":
                raise ConfigurationError("messages", "the last one must be the user's")
            agent = await _agent(agents, body)
            trial = _trial(body)
            turn = TextTurn(agent, history, CallContext(trial, "", dict(agent.variables), clock.wall_ms()))
            await turn.run()
        except ConfigurationError as error:
            raise HTTPException(422, f"{error.field}: {error.problem}") from None
        except ProviderError as error:
            raise HTTPException(424, f"The assistant's model failed ({error.provider}: {error.code})") from None
        await door.note(visitor.user, "workflow.tried", agent.id)
        return secret_response(
            {
                "trial": trial,
                "messages": written(turn.messages),
                "outcomes": outcomes_of((*history, *turn.messages)),
                "node": turn.node,
                "ended": turn.ended,
                "transferred_to": turn.transferred_to,
            }
        )

    @door.guarded("viewer")
    async def followed(request: Request, visitor: Visitor) -> Response:
        return secret_response({"workflow": outline(request.path_params["id"])})

    return [
        Route(f"{_PREFIX}/workflows/check", checked, methods=["POST"]),
        Route(f"{_PREFIX}/workflows/trial", tried, methods=["POST"]),
        Route(f"{_PREFIX}/live/{{id}}/workflow", followed),
    ]


async def _body(request: Request) -> dict[str, Any]:
    """Raises HTTPException."""
    try:
        return await json_body(request)
    except ApiError as error:
        raise HTTPException(422, str(error)) from None


async def _agent(agents: TextAgents, body: Mapping[str, Any]) -> TextAgent:
    """The assistant that came with the request, or else the stored one of ``assistantId``. Raises ConfigurationError, ProviderError,
    HTTPException."""
    document = body.get("assistant")
    if document is not None and not isinstance(document, dict):
        raise ConfigurationError("assistant", "must be an object")
    id = "" if document is not None else text_of(dict(body), "assistantId", _MAX_ID)
    agent = await agents.find(DEFAULT_ORG, Wanted(id, document))
    if agent is None:
        raise HTTPException(404, "There is no such assistant")
    return agent


def _trial(body: Mapping[str, Any]) -> str:
    """What tools are told as the conversation's id: the same for all its turns. Raises ConfigurationError."""
    given = body.get("trial")
    if given is None:
        return new_id("trial")
    if not isinstance(given, str) or not _TRIAL.fullmatch(given):
        raise ConfigurationError("trial", "must be what the turn before was answered with")
    return given


def _outcomes(given: Any) -> dict[str, ToolOutcome]:
    """Of tools that did not answer, by their calls' ids. Raises ConfigurationError."""
    known: Mapping[str, ToolOutcome] = {each: each for each in get_args(ToolOutcome)}
    found = {} if given is None else given
    if not isinstance(found, dict) or any(not isinstance(each, str) or each not in known for each in found.values()):
        raise ConfigurationError("outcomes", f"must be an object whose values are of {', '.join(known)}")
    return {id: known[each] for id, each in found.items()}
