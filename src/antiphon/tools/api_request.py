"""apiRequest: a request to any HTTP API, described by its author, its body filled in by the model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson
import structlog

from antiphon.errors import ConfigurationError, RequestFailed
from antiphon.tools.http import HttpAnswer, Outgoing
from antiphon.tools.webhook import MAX_RESULT_CHARS, CallFacts, Extract, FactsOf, Static, json_of
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall

log = structlog.get_logger(__name__)

Fill = Callable[[str, Mapping[str, Any]], str]
"""Fills in a template. Raises ConfigurationError for what is none."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """``url`` and the values of ``headers`` are templates: variables of the call, and what the model filled in."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 20.0


class ApiRequestTool:
    """One of one assistant."""

    def __init__(
        self,
        request: ApiRequest,
        send: Callable[[Outgoing, CallFacts], Awaitable[HttpAnswer]],
        facts: FactsOf,
        fill: Fill,
        static: Static = dict,
        extract: Extract | None = None,
    ) -> None:
        """``send`` makes the request for a call; it raises RequestFailed. ``extract`` is handed what a call was answered."""
        self._request = request
        self._send = send
        self._facts = facts
        self._fill = fill
        self._static = static
        self._extract = extract

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        """What was answered is the model's to read, whatever it is: JSON, as its author should send, or other text."""
        facts = self._facts(context)
        variables = facts.variables
        arguments = {**call.arguments, **self._static(variables)}
        try:
            outgoing = self._outgoing(call.id, arguments, {**variables, **arguments})
            answer = await self._send(outgoing, facts)
        except ConfigurationError as error:
            log.warning("api_request_wrong", tool=call.name, call_id=context.call_id, problem=error.problem)
            return ToolAnswer("The request could not be written.", failed=True)
        except RequestFailed as error:
            log.warning("api_request_failed", tool=call.name, call_id=context.call_id, reason=error.reason)
            return ToolAnswer("The server did not answer.", failed=True)
        text = answer.body[: MAX_RESULT_CHARS * 4].decode("utf-8", "replace").strip()[:MAX_RESULT_CHARS]
        if answer.ok:
            if self._extract is not None:
                self._extract(context, json_of(answer.body), answer.headers)
            return ToolAnswer(text or "Done.")
        log.warning("api_request_failed", tool=call.name, call_id=context.call_id, status=answer.status)
        return ToolAnswer(f"The server answered {answer.status}: {text}", failed=True)

    def _outgoing(self, id: str, arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> Outgoing:
        asked = self._request
        url = self._fill(asked.url, variables).strip()
        headers = {name: self._fill(value, variables) for name, value in asked.headers.items()}
        if any("\r" in value or "\n" in value for value in headers.values()):
            raise ConfigurationError("headers", "hold a line break")
        if asked.method == "GET":
            return Outgoing(_with_query(url, arguments), b"", "GET", headers, asked.timeout_s, id)
        headers = {"idempotency-key": id, **headers}
        return Outgoing(url, orjson.dumps(arguments), asked.method, headers, asked.timeout_s, id)


def _with_query(url: str, arguments: Mapping[str, Any]) -> str:
    """A request without a body has its arguments in the address; those that the address names already are not told twice. Raises
    ConfigurationError."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError("url", "is no URL") from None
    pairs = [
        (name, value if isinstance(value, str) else orjson.dumps(value).decode()) for name, value in arguments.items()
    ]
    query = "&".join(part for part in (parts.query, urlencode(pairs)) if part)
    return urlunsplit(parts._replace(query=query))
