"""One simulated conversation, in voice or in text, and what is made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from antiphon.assistants.output_conditions import Facts
from antiphon.assistants.templates import filled
from antiphon.calls.planned import CallRequest
from antiphon.calls.stores import CallRecord, CallStore, Resource
from antiphon.chat.agent import TextAgent, TextAgents, Wanted
from antiphon.chat.history import transcript_of, written
from antiphon.chat.simulation import SimulatedChat
from antiphon.clock import Clock
from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.surfaces.vapi.documents import Documents
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.simulation_requests import TEXT, AskedRun, Simulated, SimulationRequests, follows_graph
from antiphon.surfaces.vapi.simulation_verdicts import judged, latency_metrics
from antiphon.surfaces.vapi.structured_runs import read_output, transcript_of_call
from antiphon.vocabulary import CallContext

ROOM_S = 300.0
"""A call waits so long for room: callers of flesh and blood are let in first."""
_LOOK_FOR_ROOM_S = 2.0
ARTIFACT_S = 90.0
"""What was said is written down within a second or two of a call's end; a process that died is replaced within this."""
_LOOK_S = 0.1
_JUDGING_S = 180.0

Began = Callable[[str], Awaitable[None]]


class NotPlayed(Exception):
    """The conversation came to nothing that could be judged; the text says why."""


class Voice(Protocol):
    """Holds calls between assistants (``SimulatedCalls``)."""

    async def check(self, target: CallRequest, caller: CallRequest) -> None: ...

    async def hold(self, target: CallRequest, caller: CallRequest, longest_s: float, began: Began) -> float: ...


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation that is over."""

    transcript: str
    facts: Facts
    turns: Sequence[Mapping[str, Any]] | None = None
    """``turnLatencies`` of the call; None in text, where there are none."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """What the item's results say of it beside the verdict."""
    kept: Mapping[str, Any] = field(default_factory=dict)
    """What the item keeps of it: of a call nothing, which has a record."""


class SimulationPlayer:
    """One per process."""

    def __init__(
        self,
        requests: SimulationRequests,
        agents: TextAgents,
        calls: CallStore,
        outputs: Documents,
        clock: Clock,
        longest_s: float,
    ) -> None:
        self._requests = requests
        self._agents = agents
        self._calls = calls
        self._outputs = outputs
        self._clock = clock
        self._longest_s = longest_s
        self.voice: Voice | None = None
        """Set by whoever holds calls."""

    async def check(self, org_id: str, asked: AskedRun) -> None:
        """Whether all those can be had who are to talk. Raises ApiError 400, StoreUnavailable."""
        for part in {part.id: part for part in asked.simulations}.values():
            try:
                if asked.provider == TEXT:
                    await self._agent(org_id, self._requests.target_agent(asked.target, part), "target")
                    await self._agent(org_id, await self._requests.caller_agent(org_id, part), "personality")
                else:
                    await self._check_voice(org_id, asked, part)
            except (ConfigurationError, ProviderError) as error:
                raise ApiError(400, [f"{part.name}: {error}"]) from None

    async def _check_voice(self, org_id: str, asked: AskedRun, part: Simulated) -> None:
        target = await self._requests.target_call(org_id, asked.target, part, {})
        await self._voice().check(target, await self._requests.caller_call(org_id, part))

    async def play(
        self, org_id: str, item_id: str, asked: AskedRun, part: Simulated, metadata: Mapping[str, Any], began: Began
    ) -> Talk:
        """``metadata`` goes with a call; ``began`` is told its id. Raises NotPlayed, ConfigurationError, ProviderError, ApiError,
        StoreUnavailable; cancelled, it ends the call."""
        if asked.provider == TEXT:
            return await self._write(org_id, item_id, asked, part)
        return await self._speak(org_id, asked, part, metadata, began)

    async def judge(self, org_id: str, asked: AskedRun, part: Simulated, talk: Talk) -> dict[str, Any]:
        """``results`` of the item. Raises NotPlayed, StoreUnavailable."""
        otherwise: TextAgent | None = None
        with suppress(ConfigurationError, ProviderError):
            found = await self._agents.find(org_id, self._requests.target_agent(asked.target, part))
            if found is not None and not follows_graph(found.model.name):
                otherwise = TextAgent(found.model, options=found.options)

        async def read(output: Mapping[str, Any]) -> Any:
            return await read_output(self._agents, org_id, output, talk.transcript, otherwise)

        async def find_output(id: str) -> Mapping[str, Any] | None:
            output = await self._outputs.find(org_id, id)
            return output.body if output is not None else None

        try:
            async with asyncio.timeout(_JUDGING_S):
                verdict = await judged(part.scenario, talk.facts, talk.turns, find_output, read)
        except TimeoutError:
            raise NotPlayed(f"It was not judged within {_JUDGING_S:g} s.") from None
        return {**verdict, **talk.results}

    # ---------------------------------------------------------------------------------- in voice

    async def _speak(
        self, org_id: str, asked: AskedRun, part: Simulated, metadata: Mapping[str, Any], began: Began
    ) -> Talk:
        target = await self._requests.target_call(org_id, asked.target, part, metadata)
        caller = await self._requests.caller_call(org_id, part)
        call_id = ""

        async def noted(id: str) -> None:
            nonlocal call_id
            call_id = id
            await began(id)

        caller_usd = await self._hold(target, caller, noted)
        record = await self._artifact(org_id, call_id)
        transcript = transcript_of_call(record.body)
        if not transcript:
            raise NotPlayed(f"Nothing was said in the call, or none of it was kept ({record.ended_reason}).")
        artifact = record.body.get("artifact") or {}
        lasted = (record.ended_wall_ms or 0) - (record.started_wall_ms or 0)
        spoken = [each for each in artifact.get("messages") or () if each.get("role") in ("user", "bot")]
        facts = Facts(len(spoken), lasted / 1000, record.ended_reason)
        measured = artifact.get("performanceMetrics") or {}
        results = {"latencyMetrics": latency_metrics(measured), "callerCost": round(caller_usd, 6)}
        return Talk(transcript, facts, measured.get("turnLatencies") or (), results)

    async def _hold(self, target: CallRequest, caller: CallRequest, began: Began) -> float:
        """Once there is room. What the caller cost."""
        voice = self._voice()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + ROOM_S
        while True:
            try:
                return await voice.hold(target, caller, self._longest_s, began)
            except CapacityError as error:
                if loop.time() > until_s:
                    raise NotPlayed(f"There was no room for the call ({error.reason}).") from None
                await asyncio.sleep(_LOOK_FOR_ROOM_S)

    async def _artifact(self, org_id: str, call_id: str) -> CallRecord:
        """The call's record with what was said in it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ARTIFACT_S):
                while True:
                    record = await self._calls.find(org_id, call_id)
                    if record is None:
                        raise NotPlayed("The call was erased before it was judged.")
                    if record.status == "ended" and "performanceMetrics" in (record.body.get("artifact") or {}):
                        return record
                    await asyncio.sleep(_LOOK_S)
        raise NotPlayed("What was said in the call was not written down in time.")

    async def said(self, item: Resource) -> dict[str, Any]:
        """What was said in an item's conversation, as its call's record has it, or the item itself; empty where it has been erased."""
        call_id = item.body.get("callId") or ""
        if not call_id:
            return dict(item.body["metadata"].get("call") or {})
        record = await self._calls.find(item.org_id, call_id)
        artifact = (record.body.get("artifact") or {}) if record is not None else {}
        names = {"transcript": "transcript", "messages": "messagesOpenAIFormatted", "recordingUrl": "recordingUrl"}
        return {ours: artifact[name] for ours, name in names.items() if artifact.get(name)}

    def _voice(self) -> Voice:
        if self.voice is None:
            raise ConfigurationError("transport.provider", "there are no calls here: use vapi.webchat")
        return self.voice

    # ---------------------------------------------------------------------------------- in text

    async def _write(self, org_id: str, item_id: str, asked: AskedRun, part: Simulated) -> Talk:
        target = await self._agent(org_id, self._requests.target_agent(asked.target, part), "target")
        caller = await self._agent(org_id, await self._requests.caller_agent(org_id, part), "personality")
        now = self._clock.wall_ms()

        def context(agent: TextAgent, side: str) -> CallContext:
            return CallContext(f"{item_id}{side}", "", dict(agent.variables), now, org_id=org_id)

        opening = filled(part.personality["assistant"].get("firstMessage") or "", caller.variables, lambda name: None)
        chat = SimulatedChat(caller, target, context(caller, "-caller"), context(target, ""), opening)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._longest_s):
                await chat.run()
        transcript = transcript_of(chat.said)
        if not transcript:
            raise NotPlayed("Nothing was written.")
        spoken = [message for message in chat.said if message.role in ("user", "assistant") and message.content]
        kept = {"transcript": transcript, "messages": written(chat.said)}
        return Talk(transcript, Facts(len(spoken)), kept={"call": kept})

    async def _agent(self, org_id: str, wanted: Wanted, field: str) -> TextAgent:
        agent = await self._agents.find(org_id, wanted)
        if agent is None:
            raise ConfigurationError(field, f"there is no assistant {wanted.assistant_id[:64]}")
        return agent
