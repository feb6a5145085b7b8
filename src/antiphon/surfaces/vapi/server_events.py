"""The servers of calls' assistants: who is told what happens on which call, and asked which assistant shall take one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import structlog

from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.tool_definition import ServerSpec
from antiphon.calls.request_log import LogEntry
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import Clock
from antiphon.errors import AntiphonError, RequestFailed
from antiphon.losses import Losses
from antiphon.session.observers import SessionObserver
from antiphon.surfaces.vapi.server_messages import SENT, About, Listener, ServerMessages, wanted_by
from antiphon.webhooks.call_queue import CallQueue
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.target import Authenticate, Target, authenticated, post

log = structlog.get_logger(__name__)

ASSISTANT_REQUEST_S = 7.5
"""A ringing telephone waits no longer, whatever the server's ``timeoutSeconds`` says."""
NextLead = Callable[[], tuple[AssistantSpec, About]]
_AFTER_S = 30.0
"""What has not been taken so long after a call's end is dropped."""
MOST_ANNOUNCED = 64
"""Of one organisation, announcements that may wait or be under way."""
Announced = Callable[[], Awaitable[tuple[ServerSpec, Mapping[str, Any]] | None]]
"""Who is told, and the message (``type`` is its first field); None: nobody asked for it. Raises AntiphonError."""
Announce = Callable[[str, str, Announced], None]
"""As ``ServerEvents.announce``."""
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
        self._announced: dict[tuple[str, str], asyncio.Task[None]] = {}
        """The last of each organisation and thing."""
        self._announcing: Counter[str] = Counter()

    def observers(
        self, spec: AssistantSpec, about: About, next_lead: NextLead | None = None
    ) -> tuple[SessionObserver, ...]:
        """Who tells the assistant's server; nobody where it has none, or wants to hear nothing. ``next_lead``: who leads a call that is
        handed over; left out where it never is."""
        if next_lead is None and (spec.webhook is None or SENT.isdisjoint(wanted_by(about.assistant))):
            return ()
        offset_ms = self._clock.wall_ms() - self._clock.now_ms()
        queues: list[tuple[Target, CallQueue]] = []

        def told() -> Listener:
            assert next_lead is not None, "whoever follows has something to follow"
            return self._listener(*next_lead(), queues)

        listener = self._listener(spec, about, queues)
        return (
            ServerMessages(
                listener, offset_ms, self._clock.now_ms, self._over, told if next_lead is not None else None
            ),
        )

    def _listener(self, spec: AssistantSpec, about: About, queues: list[tuple[Target, CallQueue]]) -> Listener:
        """The server of an assistant that leads a call. What goes to one server stays in its order, whoever leads."""
        server = spec.webhook
        if server is None:
            return Listener(None, frozenset(), about)
        target = target_of(server)
        of_call = _Told(
            str(about.call.get("orgId") or DEFAULT_ORG),
            str(about.call.get("id", "")),
            str(about.call.get("assistantId") or ""),
        )
        queue = next((there for known, there in queues if known == target), None)
        if queue is None:
            queue = CallQueue(partial(self._tell_of_call, target, of_call), self._losses)
            queues.append((target, queue))
        return Listener(queue, wanted_by(about.assistant), about)

    async def tell(self, server: ServerSpec, org_id: str, call_id: str, message: Mapping[str, Any]) -> str:
        """One message that is none of a call's own (``type`` is its first field). What went wrong; empty where it was taken."""
        body = orjson.dumps({"message": message})
        status, problem = await self._tell(target_of(server), body, _Told(org_id, call_id, ""))
        return problem or ("" if status is not None and 200 <= status < 300 else f"answered {status}")

    def announce(self, org_id: str, of: str, announced: Announced) -> None:
        """Soon, after what was announced before of the same thing (a conversation, a call). Never waits; where too much waits for the
        organisation's servers it is dropped, and counted."""
        if self._announcing[org_id] >= MOST_ANNOUNCED:
            self._losses.count("webhook_events_dropped")
            return
        self._announcing[org_id] += 1
        key = (org_id, of)
        task = asyncio.get_running_loop().create_task(
            self._announce(self._announced.get(key), org_id, announced), name="webhook announcement"
        )
        self._announced[key] = task
        self._closing.add(task)

        def over(task: asyncio.Task[None]) -> None:
            self._closing.discard(task)
            if self._announced.get(key) is task:
                del self._announced[key]
            self._announcing[org_id] -= 1
            self._announcing += Counter()  # organisations that have none are forgotten

        task.add_done_callback(over)

    async def _announce(self, before: asyncio.Task[None] | None, org_id: str, announced: Announced) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            found = await announced()
        except AntiphonError as error:
            log.warning("webhook_announcement_failed", problem=error.code)
            return
        if found is not None:
            await self.tell(found[0], org_id, "", found[1])

    async def close(self, within_s: float = 5.0) -> None:
        """After the last call: let what was said of their ends go out, for a moment."""
        if self._closing:
            _, late = await asyncio.wait(self._closing, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _tell_of_call(self, target: Target, told: _Told, body: bytes) -> None:
        await self._tell(target, body, told)

    async def _tell(self, target: Target, body: bytes, told: _Told) -> tuple[int | None, str]:
        """The answer's status, or why there is none."""
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
        return status, problem

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
    ``assistant``, ``squadId``, ``squad``, ``destination``, ``error``, with ``assistantOverrides``; or none of them. None where it does
    not answer with an object within 7.5 s."""
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
    if not isinstance(said, Mapping):
        log.warning("assistant_request_failed", call_id=call.get("id", ""), problem=f"answered {answer.status}")
        return None
    return said


HANDOFF_REQUEST, TRANSFER_REQUEST = "handoff-destination-request", "transfer-destination-request"


async def request_destination(
    client: WebhookClient,
    target: Target,
    kind: str,
    about: Mapping[str, Any],
    parameters: Mapping[str, Any],
    wall_ms: int,
) -> Mapping[str, Any]:
    """To whom a call shall be handed (``kind`` is ``HANDOFF_REQUEST`` or ``TRANSFER_REQUEST``), as the application says: ``destination`` or
    ``error``. ``about``: what is told of the call. Raises RequestFailed."""
    message = {**about, "type": kind, "timestamp": wall_ms, "parameters": parameters}
    answer = await post(client, target, orjson.dumps({"message": message}, default=str))
    try:
        said = orjson.loads(answer.body) if answer.ok else None
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, Mapping):
        raise RequestFailed("protocol", f"answered {answer.status}")
    return said
