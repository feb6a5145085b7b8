from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.tools.bookings import Bookings
from antiphon.tools.local import LocalTools
from antiphon.vocabulary import CallContext, ToolCall

CONTEXT = CallContext("call-1")


@pytest.fixture
async def tools() -> AsyncIterator[LocalTools]:
    local = LocalTools(max_running=2, remembered=2)
    yield local
    await local.close(within_s=0)
    await local.close(within_s=0)


async def test_a_function_is_described_by_its_hints_and_docstring(tools: LocalTools) -> None:
    def weather(city: str, day: dt.date, unit: Literal["c", "f"] = "c", *, context: CallContext) -> str:
        """Tells the weather.

        Not for the model.
        """
        return f"{city} {day} {unit} {context.call_id}"

    spec = tools.register(weather, deadline_ms=900)
    assert (spec.name, spec.description, spec.deadline_ms) == ("weather", "Tells the weather.", 900)
    assert spec.parameters["required"] == ["city", "day"]
    assert spec.parameters["properties"]["day"]["format"] == "date"
    assert "context" not in spec.parameters["properties"]
    assert tools.specs() == (spec,)
    call = ToolCall("t", "weather", {"city": "Rome", "day": "2026-05-13"})
    assert await tools.run(call, CONTEXT) == "Rome 2026-05-13 c call-1"


async def test_coroutine_functions_run_on_the_loop_and_plain_ones_in_threads(tools: LocalTools) -> None:
    async def on_loop() -> dict[str, int]:
        return {"thread": threading.get_ident()}

    def in_thread() -> dict[str, int]:
        return {"thread": threading.get_ident()}

    tools.register(on_loop)
    tools.register(in_thread)
    here = json.loads(await tools.run(ToolCall("a", "on_loop"), CONTEXT))
    there = json.loads(await tools.run(ToolCall("b", "in_thread"), CONTEXT))
    assert here["thread"] == threading.get_ident() != there["thread"]


async def test_the_same_call_is_done_once_and_another_again(tools: LocalTools) -> None:
    runs: list[str] = []

    async def note(call: ToolCall) -> str:
        runs.append(call.id)
        return str(len(runs))

    tools.register(note)
    call = ToolCall("t", "note")
    first, twin = await asyncio.gather(tools.run(call, CONTEXT), tools.run(call, CONTEXT))
    assert (first, twin, await tools.run(call, CONTEXT)) == ("1", "1", "1")
    assert await tools.run(ToolCall("u", "note"), CONTEXT) == "2"
    assert await tools.run(call, CallContext("call-2")) == "3"
    # Two answers are remembered here; the oldest has been forgotten by now.
    assert await tools.run(call, CONTEXT) == "4"


async def test_work_whose_caller_gave_up_goes_on_and_its_answer_is_kept(tools: LocalTools) -> None:
    go, runs = asyncio.Event(), []

    async def slow() -> str:
        runs.append(1)
        await go.wait()
        return "done"

    tools.register(slow)
    call = ToolCall("t", "slow")
    waiting = asyncio.create_task(tools.run(call, CONTEXT))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    go.set()
    assert await tools.run(call, CONTEXT) == "done"
    assert len(runs) == 1


async def test_a_failure_goes_through_and_may_be_tried_again(tools: LocalTools) -> None:
    runs: list[int] = []

    async def flaky() -> str:
        runs.append(1)
        if len(runs) == 1:
            raise ConnectionError("gone")
        return "there"

    tools.register(flaky)
    with pytest.raises(ConnectionError):
        await tools.run(ToolCall("t", "flaky"), CONTEXT)
    assert await tools.run(ToolCall("t", "flaky"), CONTEXT) == "there"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (ToolCall("t", "nobody"), "unknown; there are add"),
        (ToolCall("t", "add", {"a": 1}), "argument b: Field required"),
        (ToolCall("t", "add", {"a": 1, "b": "my secret"}), "argument b: Input should be a valid integer"),
        (ToolCall("t", "add", {"a": 1, "b": 2, "c": 3}), "argument c: Extra inputs"),
    ],
)
async def test_wrong_calls_are_refused_without_repeating_what_was_said(
    tools: LocalTools, call: ToolCall, says: str
) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    tools.register(add)
    with pytest.raises(ProviderError) as raised:
        await tools.run(call, CONTEXT)
    assert says in str(raised.value)
    assert "secret" not in str(raised.value)


async def test_no_more_run_at_once_than_allowed(tools: LocalTools) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    tools.register(forever)
    running = [asyncio.create_task(tools.run(ToolCall(str(n), "forever"), CONTEXT)) for n in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(CapacityError):
        await tools.run(ToolCall("3", "forever"), CONTEXT)
    await tools.close(within_s=0)
    assert all(
        isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*running, return_exceptions=True)
    )


async def test_functions_that_can_not_be_tools(tools: LocalTools) -> None:
    def untyped(a) -> None:  # type: ignore[no-untyped-def]
        pass

    def star(*args: int) -> None:
        pass

    def good() -> None:
        pass

    for function, name in ((untyped, ""), (star, ""), (good, "a b")):
        with pytest.raises(ConfigurationError):
            tools.register(function, name=name)
    tools.register(good)
    with pytest.raises(ConfigurationError):
        tools.register(good)


async def test_the_appointment_book_as_a_tool(tools: LocalTools, tmp_path: Path) -> None:
    bookings = Bookings(tmp_path / "b.db")
    spec = tools.register(bookings.book_appointment)
    assert spec.parameters["required"] == ["date", "time", "name"]
    call = ToolCall("t", "book_appointment", {"date": "2026-05-13", "time": "15:00", "name": "Ann"})
    assert json.loads(await tools.run(call, CONTEXT)) == {"booked": True, "reference": "1"}
    bookings.close()
