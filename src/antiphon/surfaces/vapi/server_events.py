"""The servers of calls' assistants: who is told what happens on which call, and asked which assistant shall take one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from antiphon.assistants.spec import AssistantSpec, ServerSpec
from antiphon.calls.request_log import LogEntry
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import Clock
from antiphon.errors import RequestFailed
from antiphon.losses import Losses
from antiphon.session.observers import SessionObserver
from antiphon.surfaces.vapi.server_messages import SENT, About, ServerMessages, wanted_by
from antiphon.webhooks.call_queue import CallQueue
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.target import Authenticate, Target, authenticated, post

log = structlog.get_logger(__name__)

ASSISTANT_REQUEST_S = 7.5
"""A ringing telephone waits no longer, whatever the server's ``timeoutSeconds`` says."""
_ANSWERS = ("assistantId", "assistant", "squadId", "squad", "workflowId", "workflow", "destination", "error")
_AFTER_S = 30.0
"""What has not been taken so long after a call's end is dropped."""
_BEGINNING = b'{"message":{"type":"'


@dataclass(frozen=True, slots=True)
class _Told:
    """Which call messages are about."""

    org_id: str
    call_id: str
    assistant_id: str


class ServerEvents:
    """One for a process."""

    def __init__(self, client: WebhookClient, clock: Clock, losses: Losses) -> None:
        self._client = client
        self._clock = clock
        self._losses = losses
        self.authenticate: Authenticate | None = None
        """Looks up credentials; set by whoever keeps them."""
        self.log: Callable[[LogEntry], None] | None = None
        """Takes what was sent; set by whoever keeps a log."""
        self._closing: set[asyncio.Task[None]] = set()

    def observers(self, spec: AssistantSpec, about: About) -> tuple[SessionObserver, ...]:
        """Who tells the assistant's server; nobody where it has none, or wants to hear nothing."""
        server = spec.webhook
        wanted = wanted_by(about.assistant)
        if server is None or SENT.isdisjoint(wanted):
            return ()
        target = target_of(server)
        told = _Told(
            str(about.call.get("orgId") or DEFAULT_ORG),
            str(about.call.get("id", "")),
            str(about.call.get("assistantId") or ""),
        )
        queue = CallQueue(lambda body: self._tell(target, body, told), self._losses)
        offset_ms = self._clock.wall_ms() - self._clock.now_ms()
        return (ServerMessages(queue, wanted, about, offset_ms, self._over),)

    async def close(self, within_s: float = 5.0) -> None:
        """After the last call: let what was said of their ends go out, for a moment."""
        if self._closing:
            _, late = await asyncio.wait(self._closing, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _tell(self, target: Target, body: bytes, told: _Told) -> None:
        began_ms, wall_ms = self._clock.now_ms(), self._clock.wall_ms()
        status, problem = None, ""
        try:
            proven = await authenticated(target, told.org_id, self.authenticate)
            answer = await post(self._client, proven, body)
            status = answer.status
        except RequestFailed as error:
            problem = error.reason
        if self.log is not None:
            self.log(
                LogEntry(
                    told.org_id, "Webhook", wall_ms, self._clock.now_ms() - began_ms, "POST", target.url.partition("?")[0],
                    status, problem, webhook_type=_type_of(body), call_id=told.call_id, assistant_id=told.assistant_id,
                )
            )  # fmt: skip
        if status is None or not 200 <= status < 300:
            self._losses.count("webhook_events_failed")
            self._losses.tell(
                "webhook_event_failed", told.call_id, call_id=told.call_id, problem=problem or str(status)
            )

    def _over(self, queue: CallQueue) -> None:
        task = asyncio.get_running_loop().create_task(queue.close(_AFTER_S), name="webhook events end")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _type_of(body: bytes) -> str:
    """Of a message that ``ServerMessages`` has written, without reading all of it."""
    return body[len(_BEGINNING) : body.find(b'"', len(_BEGINNING))].decode() if body.startswith(_BEGINNING) else ""


def target_of(server: ServerSpec) -> Target:
    """An assistant's server, as it is told things."""
    return Target(server.url, server.timeout_seconds, server.secret, dict(server.headers), None, server.credential_id)


async def request_assistant(
    client: WebhookClient, target: Target, call: Mapping[str, Any], wall_ms: int
) -> Mapping[str, Any] | None:
    """``assistant-request``: which assistant shall take a call that rings, as its number's server says: one of ``assistantId``,
    ``assistant``, ``squadId``, ``squad``, ``destination``, ``error``, with ``assistantOverrides``. None where it does not answer within
    7.5 s, or not with one of these."""
    further = {name: call[name] for name in ("customer", "phoneNumber") if call.get(name)}
    message = {"type": "assistant-request", "timestamp": wall_ms, "call": call, **further}
    try:
        answer = await post(client, target, orjson.dumps({"message": message}), timeout_s=ASSISTANT_REQUEST_S)
    except RequestFailed as error:
        log.warning("assistant_request_failed", call_id=call.get("id", ""), problem=error.reason)
        return None
    try:
        said = orjson.loads(answer.body) if answer.ok else None
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, Mapping) or not any(said.get(name) for name in _ANSWERS):
        log.warning("assistant_request_failed", call_id=call.get("id", ""), problem=f"answered {answer.status}")
        return None
    return said
