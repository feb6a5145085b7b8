"""What is read out of a session when it is over: the structured outputs that the assistant which leads it then asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import structlog

from antiphon.assistants.output_conditions import Facts, conditions_of
from antiphon.calls.linked_outputs import linked_outputs
from antiphon.calls.stores import Resource
from antiphon.chat.agent import TextAgent, TextAgents
from antiphon.chat.history import transcript_of
from antiphon.clock import Clock, iso
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.surfaces.vapi.conversations import Conversations
from antiphon.surfaces.vapi.documents import Documents
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.structured_runs import read_output

_AT_ONCE = 4
_LONGEST_S = 45.0
"""The platform's SDKs wait for a minute."""
log = structlog.get_logger(__name__)


class SessionArtifacts:
    """Of all organisations."""

    def __init__(self, conversations: Conversations, outputs: Documents, agents: TextAgents, clock: Clock) -> None:
        self._conversations = conversations
        self._outputs = outputs
        self._agents = agents
        self._clock = clock

    async def of(self, session: Resource) -> Mapping[str, Any]:
        """``structuredOutputs`` (id: ``{"name", "result"}``), ``structuredOutputsLastUpdatedAt``, and ``analysisSkipped``
        (``structuredOutput:<id>``: why) for what was not read. Empty where nothing is asked for. A model that fails fails nothing else.
        Raises StoreUnavailable."""
        try:
            led = await self._conversations.led(session)
        except ApiError as error:
            # The assistant is gone, or cannot be asked any more: the session is over all the same.
            log.warning("session_artifact_not_made", session_id=session.id, status=error.status)
            return {}
        if led is None:
            return {}
        agent, said = led
        read: dict[str, Any] = {}
        skipped: dict[str, str] = dict.fromkeys(agent.output_ids, "there is no such structured output")
        wanted = await self._wanted(session, agent)
        if not (wanted or skipped):
            return {}
        skipped |= dict.fromkeys(wanted, "there was no time left for it")
        facts = Facts(sum(message.role in ("user", "assistant") and bool(message.content) for message in said))
        transcript = transcript_of(said)
        reader = TextAgent(agent.model, None, (), agent.options)
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(id: str, output: Mapping[str, Any]) -> None:
            async with places:
                try:
                    if why_not := conditions_of(output).why_not(facts):
                        skipped[id] = why_not
                        return
                    if not transcript:
                        raise ConfigurationError("transcript", "nothing was said")
                    value = await read_output(self._agents, session.org_id, output, transcript, reader)
                except (ConfigurationError, ProviderError) as error:
                    skipped[id] = str(error)
                    return
                read[id] = {"name": output.get("name", ""), "result": value}
                del skipped[id]

        try:
            async with asyncio.timeout(_LONGEST_S), asyncio.TaskGroup() as tasks:
                for id, output in wanted.items():
                    tasks.create_task(one(id, output))
        except TimeoutError:
            log.warning("session_artifact_late", session_id=session.id, left=len(skipped))
        why = {f"structuredOutput:{id}": reason for id, reason in skipped.items()}
        return {
            "structuredOutputs": read,
            "structuredOutputsLastUpdatedAt": iso(self._clock.wall_ms()),
            **({"analysisSkipped": why} if why else {}),
        }

    async def _wanted(self, session: Resource, agent: TextAgent) -> dict[str, Mapping[str, Any]]:
        """By id. One that is written out is known by an id that is made of the session's."""
        stored = {id: await self._outputs.find(session.org_id, id) for id in agent.output_ids}
        written = {
            str(uuid5(NAMESPACE_URL, f"{session.id}/structured-output/{at}")): output
            for at, output in enumerate(agent.outputs)
        }
        linked = await linked_outputs(agent.id, partial(self._outputs.list, session.org_id))
        return {
            **{id: found.body for id, found in stored.items() if found is not None},
            **{each.id: each.body for each in linked},
            **written,
        }
