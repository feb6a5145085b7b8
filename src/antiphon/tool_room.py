"""Who does the work of an assistant's tools: functions of this process, its author's servers, or the call itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import structlog

from antiphon.asked_knowledge import KNOWLEDGE_REQUEST, OWN_KNOWLEDGE, found_in, knowledge_message
from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.tool_definition import BackoffPlan, ServerSpec, ToolDefinition
from antiphon.assistants.tools import (
    destinations_of,
    handoffs_of,
    mcp_servers,
    mcp_tool_spec,
    run_tools,
    spoken_language,
    tool_spec,
)
from antiphon.calls.request_log import LogEntry
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import Clock
from antiphon.conversation.actions import Action
from antiphon.conversation.events import Event
from antiphon.errors import ConfigurationError, ProviderError, ProviderTimeout, RequestFailed
from antiphon.knowledge.library import Library, Look
from antiphon.providers.base import WaitAdviser
from antiphon.providers.knowing_model import Found, LookUp
from antiphon.surfaces.vapi.server_events import HANDOFF_REQUEST, TRANSFER_REQUEST, request_destination, target_of
from antiphon.tools.api_request import ApiRequest, ApiRequestTool
from antiphon.tools.base import ToolRunner
from antiphon.tools.bookings import Bookings
from antiphon.tools.builtin import AskedTransferTool, DtmfTool, EndCallTool, PressKeys, TransferCallTool, VoicemailTool
from antiphon.tools.composite import CompositeTools, OfferedTool, Runs
from antiphon.tools.declared import declared_in, naming
from antiphon.tools.extraction import ExtractedVariables
from antiphon.tools.handoff import DYNAMIC, AskDestination, HandoffTool, HandOver, name_of
from antiphon.tools.http import HttpAnswer, Outgoing
from antiphon.tools.local import LocalTools
from antiphon.tools.mcp import McpServers, McpServerTool
from antiphon.tools.mcp_client import McpServer
from antiphon.tools.once import Once
from antiphon.tools.query import Base, QueryTool
from antiphon.tools.rejection import RejectingTool
from antiphon.tools.webhook import CallFacts, Extract, FactsOf, Static, WebhookTool
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import CallContext, EndReason, Message, ToolSpec, Usage
from antiphon.wait_advice import REQUEST, Advisers, AskedServer, Rules
from antiphon.webhooks.checked_httpx import checked_client
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.signing import SECRET_HEADER
from antiphon.webhooks.target import Authenticate, Backoff, Target, authenticated, persistently, post
from antiphon.wire_model import parse
from antiphon.workflow import sentence_meaning
from antiphon.workflow.sentence_meaning import SentenceVectors

_API_TIMEOUT_S = 20.0
log = structlog.get_logger(__name__)
_ADVICE_S = 5.0
_KNOWLEDGE_S = 4.0
"""A caller waits for the answer meanwhile."""
"""What comes later is about a turn that is over."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
_WORDS = frozenset(
    {"analysis", "artifact", "assistant", "assistantOverrides", "messages", "squad", "squadOverrides", "variableValues",
     "warnings"}
)  # fmt: skip
"""Of a call's document: what its model has anyway, or has no use for."""
_SECRETS = {"server": {"secret", "headers"}}


class ToolRoom:
    """One for a process."""

    def __init__(self, bookings: Path, client: WebhookClient, clock: Clock) -> None:
        self.client = client
        self.local = LocalTools()
        self.facts: FactsOf | None = None
        """What is known of a call beyond its context; set by whoever holds calls."""
        self.authenticate: Authenticate | None = None
        """Looks up credentials; set by whoever keeps them."""
        self.hand_over: HandOver | None = None
        """Lets another assistant take over a call; set by whoever holds calls."""
        self.press_keys: PressKeys | None = None
        """Lets the far side of a call hear telephone keys; set by whoever holds calls."""
        self.log: Callable[[LogEntry], None] | None = None
        """Takes what servers were asked; set by whoever keeps a log."""
        self._clock = clock
        self._once = Once()
        self.variables = ExtractedVariables()
        """What tools' answers have said of each call."""
        self.looks: list[Look] = []
        """Where files are that ``query`` looks into; whoever keeps some adds himself."""
        self.knowledge = Library(self.looks, SentenceVectors() if sentence_meaning.installed() else None)
        self._mcp = McpServers(partial(checked_client, client.egress), clock.now_ms)
        self.observer = _CallsThatEnd(self._call_ended)
        self._bookings: Bookings | None = None
        self._bookings_path = bookings

    def declare(self, file: Path) -> None:
        """Offer the functions that are marked in a file. Raises ConfigurationError."""
        for one in declared_in(file):
            with naming(one, file):
                self.local.register(
                    one.function, name=one.name, description=one.description, deadline_ms=one.deadline_ms
                )

    async def close(self) -> None:
        await self._once.close()
        await self._mcp.close()
        await self.knowledge.close()
        await self.local.close()
        await self.client.close()
        if self._bookings is not None:
            self._bookings.close()

    def runner(self, spec: AssistantSpec, hand_over: HandOver | None = None) -> ToolRunner | None:
        """``hand_over``: of a conversation in text; without one, calls are handed over. Raises ConfigurationError where a function has
        nobody to run it."""
        wanted = list(run_tools(spec))
        sources = [_McpSource(self, at, tool, spoken_language(spec)) for at, tool in mcp_servers(spec)]
        if not wanted and not sources:
            return None
        if self._bookings is None:
            self._bookings = Bookings(self._bookings_path)
            self.local.register(self._bookings.book_appointment)
        here = [tool.name for tool in self.local.specs()]
        offered = tuple(self._offered(spec, tool, described, here, hand_over) for tool, described in wanted)
        missing = [described.name for (_, described), one in zip(wanted, offered, strict=True) if one is None]
        if missing:
            raise ConfigurationError(
                "model.tools",
                f"{', '.join(missing)}: no such tool here, and no server to ask; there are {', '.join(here)}",
            )
        return CompositeTools(tuple(one for one in offered if one is not None), self._once, sources)

    def wait_adviser(self, spec: AssistantSpec) -> WaitAdviser | None:
        """Who is asked when the caller has finished; None where the assistant leaves that to us."""
        plan = spec.start_speaking_plan
        smart, advisers = plan.smart_endpointing_plan, list[WaitAdviser]()
        if plan.custom_endpointing_rules:
            advisers.append(Rules(plan.custom_endpointing_rules))
        if smart.asks_a_server and (server := smart.server or spec.webhook) is not None:
            target = target_of(server)

            async def ask(body: bytes, facts: CallFacts) -> HttpAnswer:
                return await self._post(facts, REQUEST, target, body, timeout_s=min(target.timeout_s, _ADVICE_S))

            advisers.append(AskedServer(ask, self._facts_of, self._clock.wall_ms))
        return Advisers(advisers) if advisers else None

    def knowing(self, spec: AssistantSpec) -> LookUp | None:
        """Who is asked what is known of each question; None where the assistant names nobody."""
        base = spec.model.knowledge_base if spec.model else None
        server = (base.server or spec.webhook) if base is not None and base.provider == OWN_KNOWLEDGE else None
        if server is None:
            return None
        target = target_of(server)

        async def look_up(context: CallContext, messages: Sequence[Message]) -> Found:
            facts = self._facts_of(context)
            asked = orjson.dumps(
                {"message": knowledge_message(facts.message, messages, self._clock.wall_ms())}, default=str
            )
            try:
                with self._asked(facts, KNOWLEDGE_REQUEST, "POST", target.url, "") as answered:
                    proven = await authenticated(target, facts.org_id or DEFAULT_ORG, self.authenticate)
                    timeout_s = min(target.timeout_s, _KNOWLEDGE_S)
                    return found_in(answered(await post(self.client, proven, asked, timeout_s=timeout_s)))
            except RequestFailed as error:
                log.warning("knowledge_base_failed", call_id=context.call_id, reason=error.reason)
                return Found()

        return look_up

    async def mcp_tools(self, tool: ToolDefinition, language: str = "") -> Sequence[OfferedTool]:
        """The tools of one MCP server, as its assistant offers them. Raises ProviderUnavailable."""
        assert tool.server is not None, "checked when the assistant was read"
        secret = ((SECRET_HEADER, tool.server.secret),) if tool.server.secret else ()
        server = McpServer(
            tool.server.url, tool.metadata.get("protocol", "shttp"), (*secret, *sorted(tool.server.headers.items()))
        )
        found = []
        for there in await self._mcp.tools(server):
            name = _NOT_IN_NAMES.sub("_", there.name)[:64]
            described = mcp_tool_spec(tool, name, there.name, there.description, dict(there.parameters), language)
            asked = partial(self._asked_mcp, tool.server.url, described.name)
            runs = McpServerTool(self._mcp, server, there.name, described.deadline_ms / 1000, asked)
            found.append(OfferedTool(described, self._unless_rejected(tool, runs)))
        return found

    def _call_ended(self, call_id: str) -> None:
        self._mcp.call_ended(call_id)
        self.variables.forget(call_id)

    def _offered(
        self,
        spec: AssistantSpec,
        tool: ToolDefinition,
        described: ToolSpec,
        here: list[str],
        hand_over: HandOver | None,
    ) -> OfferedTool | None:
        runs: Runs
        keeps_ids = False
        if tool.type == "endCall":
            runs = EndCallTool()
        elif tool.type == "voicemail":
            runs = VoicemailTool(spec.voicemail_message or "")
        elif tool.type == "dtmf":
            runs = DtmfTool(self._press_keys)
        elif tool.type == "transferCall":
            runs = self._transfer(spec, tool, hand_over or self._handed_over)
        elif tool.type == "apiRequest":
            runs = self._api_request(tool)
        elif tool.type == "query":
            bases = [Base(base.name, base.file_ids) for base in tool.knowledge_bases]
            runs = QueryTool(bases, self.knowledge, lambda context: self._facts_of(context).org_id or DEFAULT_ORG)
        elif tool.type == "handoff":
            runs = self._handoff(spec, tool, hand_over or self._handed_over)
        elif tool.server is None and described.name in here:
            runs, keeps_ids = self.local, True
            described = _as_declared(described, next(one for one in self.local.specs() if one.name == described.name))
        elif (server := tool.server or spec.webhook) is not None:
            runs = self._webhook(tool, server, described)
        else:
            return None
        return OfferedTool(described, self._unless_rejected(tool, runs), keeps_ids)

    def _unless_rejected(self, tool: ToolDefinition, runs: Runs) -> Runs:
        if tool.rejection_plan is None or not tool.rejection_plan.conditions:
            return runs
        conditions = tool.rejection_plan.compiled()
        return RejectingTool(runs, conditions, lambda context: self._facts_of(context).variables, _filled)

    def _extract(self, tool: ToolDefinition) -> Extract | None:
        if tool.variable_extraction_plan is None:
            return None
        plan = tool.variable_extraction_plan.compiled()

        def extract(context: CallContext, body: Any, headers: Mapping[str, str]) -> None:
            found = plan.of(body, headers, self._facts_of(context).variables, _filled)
            self.variables.add(context.call_id, found)

        return extract

    def _webhook(self, tool: ToolDefinition, server: ServerSpec, described: ToolSpec) -> WebhookTool:
        target, backoff = target_of(server), _backoff(server.backoff_plan)

        async def send(body: bytes, id: str, facts: CallFacts) -> HttpAnswer:
            return await persistently(
                backoff, id, lambda: self._post(facts, "tool-calls", target, body, tool=described.name, id=id)
            )

        definition = tool.model_dump(by_alias=True, exclude_unset=True, exclude=_SECRETS)
        return WebhookTool(send, self._facts_of, self._clock.wall_ms, definition, _static(tool), self._extract(tool))

    def _transfer(self, spec: AssistantSpec, tool: ToolDefinition, hand_over: HandOver) -> Runs:
        server = tool.server or spec.webhook
        if tool.destinations or server is None:
            return TransferCallTool(destinations_of(tool))
        return AskedTransferTool(self._destination_of(target_of(server), TRANSFER_REQUEST), hand_over)

    def _handoff(self, spec: AssistantSpec, tool: ToolDefinition, hand_over: HandOver) -> HandoffTool:
        destinations, ask = handoffs_of(tool), {}
        for written, destination in zip(tool.destinations, destinations, strict=True):
            own = (written.model_extra or {}).get("server")
            server = parse(ServerSpec, own, "server") if isinstance(own, Mapping) else tool.server or spec.webhook
            if written.type == DYNAMIC and server is not None:
                ask[name_of(destination)] = self._destination_of(target_of(server), HANDOFF_REQUEST)
        default = (tool.model_extra or {}).get("defaultResult")
        return HandoffTool(destinations, ask, hand_over, default if isinstance(default, str) else "")

    def _destination_of(self, target: Target, kind: str) -> AskDestination:
        async def ask(context: CallContext, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
            facts = self._facts_of(context)
            with self._asked(facts, kind, "POST", target.url, "handoff" if kind == HANDOFF_REQUEST else "transferCall"):
                proven = await authenticated(target, facts.org_id or DEFAULT_ORG, self.authenticate)
                return await request_destination(
                    self.client, proven, kind, facts.message, arguments, self._clock.wall_ms()
                )

        return ask

    async def _press_keys(self, call_id: str, keys: str) -> None:
        if self.press_keys is None:
            raise ConfigurationError("keys", "only calls have keys")
        await self.press_keys(call_id, keys)

    async def _handed_over(self, context: CallContext, destination: Mapping[str, Any], told: Mapping[str, Any]) -> str:
        if self.hand_over is None:
            raise ConfigurationError("destination", "only calls of the REST API have other assistants")
        return await self.hand_over(context, destination, told)

    def _api_request(self, tool: ToolDefinition) -> ApiRequestTool:
        timeout_s = tool.timeout_seconds or _API_TIMEOUT_S
        request = ApiRequest(tool.url, tool.method, _headers(tool.headers or {}), timeout_s)

        backoff = _backoff(tool.backoff_plan)

        async def send(outgoing: Outgoing, facts: CallFacts) -> HttpAnswer:
            async def once() -> HttpAnswer:
                # As its author wrote the address: what is filled into it may be anybody's.
                with self._asked(facts, "api-request", tool.method, tool.url, tool_spec(tool).name) as answered:
                    target = Target(outgoing.url, credential_id=tool.credential_id)
                    proven = await authenticated(target, facts.org_id or DEFAULT_ORG, self.authenticate)
                    return answered(await self.client.send(outgoing, proven.authentication))

            return await persistently(backoff, tool.url, once)

        return ApiRequestTool(request, send, self._facts_of, _filled, _static(tool), self._extract(tool))

    async def _post(
        self,
        facts: CallFacts,
        kind: str,
        target: Target,
        body: bytes,
        *,
        tool: str = "",
        id: str = "",
        timeout_s: float | None = None,
    ) -> HttpAnswer:
        """Ask an application's server about a call, and log that it was asked. Raises RequestFailed."""
        with self._asked(facts, kind, "POST", target.url, tool) as answered:
            proven = await authenticated(target, facts.org_id or DEFAULT_ORG, self.authenticate)
            return answered(await post(self.client, proven, body, id, timeout_s))

    @contextmanager
    def _asked_mcp(self, url: str, tool: str, context: CallContext) -> Iterator[Callable[[int], object]]:
        with self._asked(self._facts_of(context), "mcp", "POST", url, tool) as answered:
            yield lambda status: answered(HttpAnswer(status, b""))

    @contextmanager
    def _asked(
        self, facts: CallFacts, kind: str, method: str, url: str, tool: str
    ) -> Iterator[Callable[[HttpAnswer], HttpAnswer]]:
        """Around a request: it is logged, with what was answered or why nothing was; neither its words nor the answer's."""
        began_ms, wall_ms = self._clock.now_ms(), self._clock.wall_ms()
        status: int | None = None
        problem = ""

        def answered(answer: HttpAnswer) -> HttpAnswer:
            nonlocal status
            status = answer.status
            return answer

        try:
            yield answered
        except RequestFailed as error:
            problem = error.reason
            raise
        except ProviderError as error:
            problem = "timeout" if isinstance(error, ProviderTimeout) else error.problem
            raise
        finally:
            if self.log is not None:
                call = facts.message.get("call") or {}
                self.log(
                    LogEntry(
                        facts.org_id or DEFAULT_ORG, "Webhook", wall_ms, self._clock.now_ms() - began_ms, method,
                        url.partition("?")[0], status, problem, tool, kind, str(call.get("id") or ""),
                        str(call.get("assistantId") or ""),
                    )
                )  # fmt: skip

    def about_call(self, context: CallContext) -> dict[str, Any]:
        """What a language model of one's own is told of the call it answers in: which it is and whose, and none of its words."""
        message = self._facts_of(context).message
        call = {name: value for name, value in message["call"].items() if name not in _WORDS}
        return {"call": call, **{name: message[name] for name in ("customer", "phoneNumber") if message.get(name)}}

    def _facts_of(self, context: CallContext) -> CallFacts:
        known = self.facts(context) if self.facts is not None else CallFacts()
        call = (
            {"id": context.call_id, "customer": {"number": context.caller}}
            if context.caller
            else {"id": context.call_id}
        )
        return CallFacts(
            {"call": call, **known.message},
            {
                "customer": {"number": context.caller},
                **context.variables,
                **known.variables,
                **self.variables.of(context.call_id),
            },
            known.org_id or context.org_id,
        )


def _as_declared(described: ToolSpec, here: ToolSpec) -> ToolSpec:
    """What an assistant does not say of a function of this process, the function says."""
    return replace(
        described,
        description=described.description or here.description,
        parameters=described.parameters or here.parameters,
        deadline_ms=here.deadline_ms,
    )


def _backoff(plan: BackoffPlan | None) -> Backoff:
    """Of a tool's requests: without a plan, each is made once."""
    if plan is None:
        return Backoff()
    return Backoff(plan.type, plan.base_delay_seconds, plan.max_retries, plan.excluded_status_codes)


class _McpSource:
    """One MCP server of one assistant."""

    def __init__(self, room: ToolRoom, at: int, tool: ToolDefinition, language: str) -> None:
        self.field = f"model.tools.{at}"
        self._room = room
        self._tool, self._language = tool, language

    async def load(self) -> Sequence[OfferedTool]:
        return await self._room.mcp_tools(self._tool, self._language)


class _CallsThatEnd:
    """A ``SessionObserver`` of all calls, for what is kept of each."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended

    def call_started(self, call: CallStarted, now_ms: int) -> None: ...

    def happened(self, call_id: str, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None: ...

    def used(self, call_id: str, provider: str, usage: Usage) -> None: ...

    def provider_failed(self, call_id: str, provider: str, code: str) -> None: ...

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self._ended(call_id)


def _static(tool: ToolDefinition) -> Static:
    if not tool.parameters:
        return lambda variables: {}
    given = {parameter.key: parameter.value for parameter in tool.parameters}
    return lambda variables: {name: _rendered(value, variables) for name, value in given.items()}


def _rendered(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _filled(value, variables)
    if isinstance(value, Mapping):
        return {name: _rendered(inner, variables) for name, inner in value.items()}
    return [_rendered(inner, variables) for inner in value] if isinstance(value, list | tuple) else value


def _filled(text: str, variables: Mapping[str, Any]) -> str:
    """A template with its variables; one that is not defined is an empty text. Raises ConfigurationError."""
    if "{{" not in text and "{%" not in text:
        return text
    try:
        from antiphon.assistants.templates import filled  # the extra ``api``
    except ModuleNotFoundError:
        raise ConfigurationError("template", "needs the extra api: pip install 'antiphon[api]'") from None
    return filled(text, variables, _unnoted)


def _unnoted(name: str) -> None:
    """A variable that is not defined is told when the assistant is read, where it can be."""


def _headers(described: Mapping[str, Any]) -> dict[str, str]:
    """Out of a JSON Schema whose properties have values, or of plain names and texts."""
    properties = described.get("properties")
    if isinstance(properties, Mapping):
        given = {
            name: value.get("value", value.get("default")) if isinstance(value, Mapping) else value
            for name, value in properties.items()
        }
    else:
        given = {name: value for name, value in described.items() if isinstance(value, str)}
    return {name: str(value) for name, value in given.items() if value is not None}
