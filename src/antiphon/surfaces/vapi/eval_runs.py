"""``/eval/run``: mock conversations with an assistant, run in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import MAX_LISTED, Resource, ResourceStore
from antiphon.chat.agent import TextAgent, TextAgents, Wanted
from antiphon.chat.evaluation import Evaluation, Judged, check_messages
from antiphon.chat.judging import line_of
from antiphon.clock import Clock, iso
from antiphon.errors import AntiphonError, ConfigurationError, ProviderError
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.crud import MAX_SEARCH_CHARS
from antiphon.surfaces.vapi.documents import Documents, Kind, every
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.fields import check
from antiphon.surfaces.vapi.paging import listing_of, paginated
from antiphon.surfaces.vapi.repeats import Repeats
from antiphon.vocabulary import CallContext, Message

AT_ONCE = 4
MOST_WAITING = 100
LONGEST_S = 300.0
_GONE_MS = 2 * 1000 * int(LONGEST_S) * (1 + MOST_WAITING // AT_ONCE)
"""A run that has not ended by then never will: its process is gone."""
_EVAL_TYPE = "chat.mockConversation"
_FIELDS = ("type", "eval", "evalId", "target")

log = structlog.get_logger(__name__)


def _links(body: Mapping[str, Any]) -> dict[str, str]:
    """What it is a run of, so that an eval's runs are found."""
    return {"purpose": body["evalId"]} if body.get("evalId") else {}


class EvalRuns:
    """The routes, and the runs of this process."""

    def __init__(
        self,
        store: ResourceStore,
        evals: Documents,
        assistants: Documents,
        clock: Clock,
        agents: TextAgents,
        access: Access,
        repeats: Repeats,
    ) -> None:
        self._repeats = repeats
        self._store = store
        self._evals = evals
        self._assistants = assistants
        self._clock = clock
        self._agents = agents
        self._access = access
        self._documents = Documents(store, clock, Kind("eval-run", links=_links))
        self._places = asyncio.Semaphore(AT_ONCE)
        self._running: dict[str, asyncio.Task[None]] = {}

    def routes(self) -> list[Route]:
        private = self._access.private
        return [
            Route("/eval/run", private(self._start), methods=["POST"]),
            Route("/eval/run", private(self._list), methods=["GET"]),
            Route("/eval/run/{id}", private(self._get), methods=["GET"]),
            Route("/eval/run/{id}", private(self._delete), methods=["DELETE"]),
        ]

    async def close(self) -> None:
        """Give up what runs."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---------------------------------------------------------------------------------- routes

    async def _start(self, request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        _check(body)
        id = self._repeats.named(request, asker.org_id)
        if id and (made := await self._documents.find(asker.org_id, id)) is not None:
            return json_response(self._show(made), 201)
        messages, kept = await self._eval(asker.org_id, body)
        wanted = _wanted(body["target"])
        agent = await self._found(asker.org_id, wanted, body["target"]["type"])
        if len(self._running) >= MOST_WAITING:
            raise ApiError(429, "Too many evaluations wait already.", headers={"Retry-After": "30"})
        now = iso(self._clock.wall_ms())
        run = {
            "type": "eval", "status": "running", "target": body["target"], "startedAt": now, "results": [], "cost": 0,
            "costs": [], **kept,
        }  # fmt: skip
        made = await self._documents.create(asker.org_id, run, id or str(uuid4()))
        task = asyncio.get_running_loop().create_task(self._run(made, agent, messages), name="eval-run")
        self._running[made.id] = task
        task.add_done_callback(lambda _: self._running.pop(made.id, None))
        return json_response(self._documents.show(made), 201)

    async def _list(self, request: Request, asker: Asker) -> Response:
        listing = listing_of(request, {"evalId": "purpose"}, also=("search",))
        if text := request.query_params.get("search"):
            found = await self._found_by(asker.org_id, text)
            listing = replace(listing, ids=[id for id in found if listing.ids is None or id in listing.ids])
        runs = await self._documents.list(asker.org_id, listing)
        total = await self._documents.count(asker.org_id, listing)
        return json_response(paginated([self._show(run) for run in runs], total, listing))

    async def _found_by(self, org_id: str, text: str) -> Sequence[str]:
        """Runs of evals, or of assistants, that have ``text`` in their names, whatever its case. Raises ApiError 400."""
        if len(text) > MAX_SEARCH_CHARS:
            raise ApiError(400, [f"search must be shorter than or equal to {MAX_SEARCH_CHARS} characters"])
        evals = set(await self._evals.search(org_id, ("name",), text))
        assistants = set(await self._assistants.search(org_id, ("name",), text))
        found = []
        async for run in every(self._store, self._documents.kind.name, org_id):
            target = run.body["target"]
            written = (run.body.get("eval") or {}, target.get("assistant") or {}, target.get("squad") or {})
            named = any(text.casefold() in str(each.get("name") or "").casefold() for each in written)
            if named or run.body.get("evalId") in evals or target.get("assistantId") in assistants:
                found.append(run.id)
        if len(found) > MAX_LISTED:
            raise ApiError(400, [f"search: there are more than {MAX_LISTED} that fit"])
        return found

    async def _get(self, request: Request, asker: Asker) -> Response:
        return json_response(self._show(await self._documents.get(asker.org_id, request.path_params["id"])))

    async def _delete(self, request: Request, asker: Asker) -> Response:
        deleted = await self._documents.delete(asker.org_id, request.path_params["id"])
        if (task := self._running.get(deleted.id)) is not None:
            task.cancel()
        return json_response(self._show(deleted))

    def _show(self, run: Resource) -> dict[str, Any]:
        shown = self._documents.show(run)
        if shown["status"] != "ended" and self._clock.wall_ms() - run.created_wall_ms > _GONE_MS:
            shown |= {"status": "ended", "endedReason": "aborted", "endedMessage": "The server was stopped."}
        return shown

    # ---------------------------------------------------------------------------------- what is run

    async def _eval(self, org_id: str, body: Mapping[str, Any]) -> tuple[Sequence[Mapping[str, Any]], dict[str, Any]]:
        """Its messages, and what the run remembers of it."""
        if id := body.get("evalId"):
            found = await self._evals.find(org_id, id)
            if found is None:
                raise ApiError(400, [f"evalId: there is no eval {id[:64]}"])
            document, kept = found.body, {"evalId": id}
        else:
            document = body["eval"]
            kept = {"eval": document}
        try:
            check_messages(document.get("messages"), "eval.messages")
        except ConfigurationError as error:
            raise ApiError(400, [f"{error.field} {error.problem}"]) from None
        return document["messages"], kept

    async def _found(self, org_id: str, wanted: Wanted, target_type: str) -> TextAgent:
        try:
            agent = await self._agents.find(org_id, wanted)
        except (ConfigurationError, ProviderError) as error:
            raise ApiError(400, [f"target.{target_type}: {error}"]) from None
        if agent is None:
            raise ApiError(400, f"Couldn't Get Assistant. assistantId {wanted.assistant_id[:64]} does not exist.")
        return agent

    async def _run(self, run: Resource, agent: TextAgent, messages: Sequence[Mapping[str, Any]]) -> None:
        context = CallContext(run.id, "", dict(agent.variables), run.created_wall_ms, org_id=run.org_id)

        async def judge(plan: Mapping[str, Any], said: Sequence[Message]) -> TextAgent:
            return await self._judge(run.org_id, agent, plan, said)

        evaluation = Evaluation(agent, messages, context, judge)
        reason, problem = "mockConversation.done", ""
        began_ms = self._clock.wall_ms()
        try:
            async with self._places:
                began_ms = self._clock.wall_ms()
                async with asyncio.timeout(LONGEST_S):
                    await evaluation.run()
        except TimeoutError:
            reason, problem = "timeout", f"It took longer than {LONGEST_S:g} s."
        except asyncio.CancelledError:
            reason, problem = "aborted", "The server was stopped."
        except (ConfigurationError, ProviderError) as error:
            reason, problem = "error", str(error)
        except Exception as error:
            log.exception("eval_run_failed", error_type=type(error).__name__)
            reason, problem = "error", "Internal server error"
        await self._keep(run, evaluation, began_ms, reason, problem)

    async def _judge(
        self, org_id: str, agent: TextAgent, plan: Mapping[str, Any], said: Sequence[Message]
    ) -> TextAgent:
        """The plan's own model; where it names none, the operator's, else the assistant's."""
        model = plan.get("model")
        if model is not None and not isinstance(model, Mapping):
            raise ConfigurationError("judgePlan.model", "must be an object")
        judge = await self._agents.model(org_id, model, {"messages": [line_of(message) for message in said]})
        if judge is None and model:
            raise ConfigurationError("judgePlan.model.provider", "is missing, and api.reading_model is not set")
        return judge or TextAgent(agent.model, options=agent.options)

    async def _keep(self, run: Resource, evaluation: Evaluation, began_ms: int, reason: str, problem: str) -> None:
        now = iso(self._clock.wall_ms())
        passed = evaluation.passed and reason == "mockConversation.done"
        result = {
            "status": "pass" if passed else "fail",
            "messages": [_shown(judged) for judged in evaluation.judged],
            "startedAt": iso(began_ms),
            "endedAt": now,
        }
        ended = {
            "status": "ended", "endedReason": reason, "endedAt": now, "results": [result],
            **({"endedMessage": problem} if problem else {}),
        }  # fmt: skip
        try:
            await self._documents.patch(run.org_id, run.id, ended)
        except AntiphonError as error:  # deleted meanwhile, or the database is away
            log.info("eval_run_not_kept", run=run.id, code=error.code)


def _check(body: Mapping[str, Any]) -> None:
    problems = [f"property {name} should not exist" for name in body if name not in _FIELDS]
    if body.get("type") != "eval":
        problems.append("type must be one of the following values: eval")
    if len([name for name in ("eval", "evalId") if body.get(name)]) != 1:
        problems.append("exactly one of eval and evalId must be provided")
    if not isinstance(body.get("evalId") or "", str):
        problems.append("evalId must be a string")
    if not isinstance(body.get("eval") or {}, dict):
        problems.append("eval must be an object")
    elif (body.get("eval") or {}).get("type", _EVAL_TYPE) != _EVAL_TYPE:
        problems.append(f"eval.type must be one of the following values: {_EVAL_TYPE}")
    target = body.get("target")
    if not isinstance(target, dict) or target.get("type") not in ("assistant", "squad"):
        problems.append("target.type must be one of the following values: assistant, squad")
    else:
        problems += wrong_target(target)
    if problems:
        raise ApiError(400, problems)


def wrong_target(target: Mapping[str, Any]) -> list[str]:
    """What is wrong with who is to be tried out."""
    kind = target["type"]
    problems = []
    if len([name for name in (kind, f"{kind}Id") if target.get(name)]) != 1:
        problems.append(f"target: exactly one of {kind}Id and {kind} must be provided")
    if not isinstance(target.get(f"{kind}Id") or "", str):
        problems.append(f"target.{kind}Id must be a string")
    for name in (kind, "assistantOverrides"):
        if not isinstance(target.get(name) or {}, dict):
            problems.append(f"target.{name} must be an object")
    if kind == "squad" and not problems and target.get("squad"):
        problems += check("CreateSquadDTO", target["squad"], "target.squad").problems
    return problems


def _wanted(target: Mapping[str, Any]) -> Wanted:
    overrides = target.get("assistantOverrides") or {}
    if target["type"] == "squad":
        return Wanted(
            squad_id=target.get("squadId") or "", squad=target.get("squad") or None, squad_overrides=overrides
        )
    return Wanted(target.get("assistantId") or "", target.get("assistant"), overrides)


def _shown(judged: Judged) -> dict[str, Any]:
    message = judged.message
    shown: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        shown["toolCalls"] = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    if judged.failure is not None:
        failed = {"status": "fail", "failureReason": judged.failure}
        shown["judge"] = failed if judged.failure else {"status": "pass"}
    return shown
