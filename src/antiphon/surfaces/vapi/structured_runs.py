"""``POST /structured-output/run``: data read once more out of calls that are over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.stores import CallRecord, CallStore
from antiphon.chat.agent import TextAgent, TextAgents
from antiphon.chat.history import read_messages, transcript_of
from antiphon.chat.reading import read_by_pattern, read_data, unheard
from antiphon.chat.schemas import check_schema
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.documents import Documents
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.vocabulary import OnUsage

MAX_CALLS = 100
_AT_ONCE = 4
_LONGEST_S = 55.0
"""The platform's SDKs wait for a minute. What is not done by then is named in the answer."""
NO_MODEL = "no model is configured: give it a model, or set api.reading_model"
_FIELDS = ("callIds", "structuredOutputId", "structuredOutput", "previewEnabled")

log = structlog.get_logger(__name__)


class StructuredRuns:
    """The route."""

    def __init__(self, outputs: Documents, calls: CallStore, clock: Clock, agents: TextAgents, access: Access) -> None:
        self._outputs = outputs
        self._calls = calls
        self._clock = clock
        self._agents = agents
        self._access = access

    def routes(self) -> list[Route]:
        return [Route("/structured-output/run", self._access.private(self._run), methods=["POST"])]

    async def _run(self, request: Request, asker: Asker) -> Response:
        """``{"results": {call id: {output id: {"name", "result"}}}, "errors": [{"callId", "error"}]}``."""
        body = await json_body(request)
        ids, preview = _read(body)
        output_id, output = await self._output(asker.org_id, body)
        found = {id: await self._calls.find(asker.org_id, id) for id in ids}
        if missing := [id for id, call in found.items() if call is None]:
            raise ApiError(400, [f"callIds: there is no call {id[:64]}" for id in missing])
        results: dict[str, Any] = {}
        errors: dict[str, str] = dict.fromkeys(ids, "there was no time left for it")
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(call: CallRecord) -> None:
            async with places:
                try:
                    said = transcript_of_call(call.body)
                    if not said:
                        raise ConfigurationError("transcript", "the call has none")
                    value = await read_output(self._agents, asker.org_id, output, said)
                except (ConfigurationError, ProviderError) as error:
                    errors[call.id] = str(error)
                    return
                result = {output_id: {"name": output.get("name", ""), "result": value}}
                if not preview:
                    await self._keep(call.id, result)
                results[call.id] = result
                del errors[call.id]

        try:
            async with asyncio.timeout(_LONGEST_S), asyncio.TaskGroup() as tasks:
                for call in found.values():
                    assert call is not None, "those that are missing were refused"
                    tasks.create_task(one(call))
        except TimeoutError:
            log.warning("structured_outputs_late", left=len(errors))
        told = [{"callId": id, "error": problem} for id, problem in errors.items()]
        return json_response({"results": results, "errors": told}, 201)

    async def _output(self, org_id: str, body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        if id := body.get("structuredOutputId"):
            found = await self._outputs.find(org_id, id)
            if found is None:
                raise ApiError(400, [f"structuredOutputId: there is no structured output {id[:64]}"])
            output: Mapping[str, Any] = found.body
        else:
            id, output = "preview", body["structuredOutput"]
        try:
            check_schema(output.get("schema"))
            if output.get("type") != "regex" and not await self._agents.model(org_id, output.get("model")):
                raise ApiError(400, [f"structuredOutput.model: {NO_MODEL}"])
        except (ConfigurationError, ProviderError) as error:
            raise ApiError(400, [f"structuredOutput.{error}"]) from None
        return id, output

    async def _keep(self, call_id: str, result: Mapping[str, Any]) -> None:
        now = await self._calls.find(None, call_id)
        if now is None:
            return  # erased meanwhile: nothing of it may come back
        artifact = now.body.get("artifact") or {}
        outputs = {**(artifact.get("structuredOutputs") or {}), **result}
        await self._calls.change(
            call_id, self._clock.wall_ms(), {"artifact": {**artifact, "structuredOutputs": outputs}}
        )


async def read_output(
    agents: TextAgents,
    org_id: str,
    output: Mapping[str, Any],
    transcript: str,
    otherwise: TextAgent | None = None,
    used: OnUsage = unheard,
) -> Any:
    """What a structured output (its document) says of what was said. ``otherwise`` reads where neither the output nor the operator names
    a model. Raises ConfigurationError, ProviderError."""
    schema = output.get("schema") or {}
    if not isinstance(schema, Mapping):
        raise ConfigurationError("schema", "must be a JSON Schema")
    kind = output.get("type") or "ai"
    if kind == "regex":
        # In a thread: one that is slow would keep live calls waiting.
        return await asyncio.to_thread(read_by_pattern, output.get("regex"), transcript, schema)
    if kind != "ai":
        raise ConfigurationError("type", "must be ai or regex")
    about = {name: output.get(name) or "" for name in ("name", "description")}
    variables = {"transcript": transcript, "structuredOutput": {"schema": schema, **about}}
    reader = await agents.model(org_id, output.get("model"), variables) or otherwise
    if reader is None:
        raise ConfigurationError("model", NO_MODEL)
    return await read_data(reader, transcript, schema, **about, used=used)


def transcript_of_call(body: Mapping[str, Any]) -> str:
    """What was said in a call, from what its record has of it."""
    artifact = body.get("artifact") or {}
    if transcript := artifact.get("transcript"):
        return str(transcript)
    messages = artifact.get("messagesOpenAIFormatted") or artifact.get("messages") or body.get("messages") or []
    said = [each for each in messages if isinstance(each, dict) and each.get("role") in ("user", "assistant", "bot")]
    return transcript_of(read_messages(said))


def _read(body: Mapping[str, Any]) -> tuple[list[str], bool]:
    problems = [f"property {name} should not exist" for name in body if name not in _FIELDS]
    ids = body.get("callIds")
    right = isinstance(ids, list) and 0 < len(ids) <= MAX_CALLS and all(isinstance(id, str) for id in ids)
    if not right:
        problems.append(f"callIds must contain 1 to {MAX_CALLS} strings")
    given = [name for name in ("structuredOutputId", "structuredOutput") if body.get(name)]
    if len(given) != 1:
        problems.append("exactly one of structuredOutputId and structuredOutput must be provided")
    if not isinstance(body.get("structuredOutputId") or "", str):
        problems.append("structuredOutputId must be a string")
    if not isinstance(body.get("structuredOutput") or {}, dict):
        problems.append("structuredOutput must be an object")
    preview = body.get("previewEnabled") or False
    if not isinstance(preview, bool):
        problems.append("previewEnabled must be a boolean value")
    elif "structuredOutput" in given and not preview:
        problems.append("structuredOutput can only be previewed: create it first, and run it by its id")
    if problems:
        raise ApiError(400, problems)
    return list(dict.fromkeys(ids or ())), preview
