"""Planning before media: who takes a call, what is kept of a plan, and what is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.databases import sqlite_url

from antiphon.assistants.spec import AssistantSpec
from antiphon.calls.finder import UnknownAssistant
from antiphon.calls.limits import MemoryLimits
from antiphon.calls.planned import CallRequest, ConcurrencyReached
from antiphon.calls.planner import CallPlanner
from antiphon.calls.record_writer import RecordWriter
from antiphon.calls.stores import Resource
from antiphon.clock import SystemClock
from antiphon.errors import CapacityError, ConfigurationError, ProviderUnavailable
from antiphon.losses import Losses
from antiphon.session.plan import Engines
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.resources import StoredResources

MODEL = {"provider": "scripted"}


class Supply:
    """Engines that start, or do not."""

    problem = ""

    def for_assistant(self, spec: AssistantSpec) -> Engines:
        return SimpleNamespace(spec=spec, tools=None)  # type: ignore[return-value]  # planning looks into no other

    async def until_ready(self, engines: Engines) -> None:
        if self.problem:
            raise ProviderUnavailable("engines", self.problem)


class Room:
    """Counts who was let in and has not come."""

    promised = 0
    full = False

    def admit(self) -> None:
        if self.full:
            raise CapacityError("full")
        self.promised += 1

    def withdraw(self) -> None:
        self.promised -= 1


class Rig:
    def __init__(self, database: Database) -> None:
        self.calls, self.resources = StoredCalls(database), StoredResources(database)
        self.supply, self.room, self.limits = Supply(), Room(), MemoryLimits(2)
        self.writer = RecordWriter(self.calls, Losses())
        self.planner = CallPlanner(
            self.calls, self.resources, self.file, self.supply, self.room, self.limits, self.writer, SystemClock(),
            lambda reason, kind: str(reason),
        )  # fmt: skip

    def file(self, name: str) -> Mapping[str, Any] | None:
        return {"firstMessage": "from a file", "model": MODEL} if name == "desk" else None

    async def plan(self, id: str = "desk", **request: Any) -> Any:
        return await self.planner.plan(CallRequest("org", "webCall", id, **request))


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    database = Database(sqlite_url(tmp_path))
    await database.open()
    rig = Rig(database)
    rig.writer.start()
    yield rig
    rig.planner.close()
    await rig.writer.close(5)
    await database.close()


async def test_files_stored_documents_and_those_that_come_along(rig: Rig) -> None:
    body = {"firstMessage": "stored", "model": {**MODEL, "toolIds": ["t1"]}}
    await rig.resources.add(Resource("assistant", "a1", "org", body, 1, 1))
    tool = {"type": "function", "function": {"name": "look_up"}}
    await rig.resources.add(Resource("tool", "t1", "org", tool, 1, 1))
    stored = await rig.plan("a1")
    assert (stored.assistant.spec.first_message, stored.record.assistant_id) == ("stored", "a1")
    assert [each.function.name for each in stored.assistant.spec.model.tools] == ["look_up"]
    rig.planner.give_up(stored.id)
    assert (await rig.plan("desk")).assistant.spec.first_message == "from a file"
    brought = await rig.plan("", assistant={"firstMessage": "{{ call.type }}", "model": MODEL})
    assert brought.assistant.spec.first_message == "webCall"
    for unknown in ("nobody", "x" * 100, "\0"):
        with pytest.raises(UnknownAssistant):
            await rig.plan(unknown)
    await rig.resources.add(Resource("assistant", "theirs", "other", body, 1, 1))
    with pytest.raises(UnknownAssistant):
        await rig.plan("theirs")


async def test_a_call_that_is_not_taken_leaves_nothing(rig: Rig) -> None:
    rig.supply.problem = "none starts"
    with pytest.raises(ProviderUnavailable):
        await rig.plan()
    rig.supply.problem = ""
    rig.room.full = True
    with pytest.raises(CapacityError):
        await rig.plan()
    rig.room.full = False
    with pytest.raises(ConfigurationError) as refused:
        await rig.plan("", assistant={"model": {**MODEL, "temperature": 9}})
    assert refused.value.field == "assistant.model.temperature"
    assert (rig.room.promised, await rig.planner.remaining("org")) == (0, (2, 2))
    assert list(rig.planner.engines()) == []


async def test_places_are_counted_until_a_call_is_over(rig: Rig) -> None:
    first, second = await rig.plan(), await rig.plan()
    with pytest.raises(ConcurrencyReached):
        await rig.plan()
    await rig.planner.plan(CallRequest("another", "webCall", "desk"))
    assert rig.planner.take(first.id) is first
    assert rig.planner.take(first.id) is None, "a call is taken once"
    assert (await rig.planner.remaining("org"))[1] == 0
    rig.planner.failed(first.id, "why")
    rig.planner.failed(second.id, "why")
    assert (await rig.planner.remaining("org"))[1] == 2
    await rig.writer.written()
    ended = await rig.calls.find("org", first.id)
    assert ended is not None and (ended.status, ended.ended_reason) == ("ended", "why")


async def test_a_plan_expires_by_itself(rig: Rig) -> None:
    over = asyncio.Event()
    rig.writer.on_written.append(lambda record: over.set())
    planned = await rig.planner.plan(CallRequest("org", "webCall", "desk"), expires_ms=20)
    assert (await rig.calls.find("org", planned.id)).status == "queued"  # type: ignore[union-attr]
    await asyncio.wait_for(over.wait(), 10)
    record = await rig.calls.find("org", planned.id)
    assert record is not None and record.status == "ended" and "never-connected" in record.ended_reason
    assert rig.room.promised == 0 and rig.planner.known(planned.id) is None


async def test_the_same_call_planned_twice_is_one(rig: Rig) -> None:
    request = CallRequest("org", "inboundPhoneCall", "desk", call_id="c1", admitted=True)
    assert await rig.planner.plan(request) is await rig.planner.plan(request)
    assert rig.room.promised == 0, "the carrier's webhook has asked for room itself"


async def test_whoever_watches_is_asked_once_for_each_call(rig: Rig) -> None:
    watcher = object()
    rig.planner.watches.append(lambda planned: [watcher])  # type: ignore[list-item]
    assert (await rig.plan()).observers[-1] is watcher
