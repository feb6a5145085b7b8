"""One contract for every vendor of language models, and one matrix of faults, over real TLS sockets."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.providers.fakes.http_server import KEY, MODEL, Call, Reply
from tests.providers.llm.conftest import Vendor, request

from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable
from antiphon.providers import registry
from antiphon.providers.base import TextDelta, ToolCallDelta, UsageDelta
from antiphon.providers.failover import Breakers, FailoverModel
from antiphon.providers.llm.prompt import CUT_OFF
from antiphon.providers.scripted import ScriptedLanguageModel
from antiphon.vocabulary import Message, ToolCall, ToolSpec, Usage

BOOK = ToolSpec(
    "book",
    "Books a table.",
    {"type": "object", "properties": {"day": {"type": "string"}, "people": {"type": "integer"}}},
)
NOW = ToolSpec("now", "Tells the time.")
CALLS = (Call("book", {"day": 'Züri → \u2028 "Friday"', "people": 4}, "call_1"), Call("now", {}, "call_2"))
ASKED = tuple(ToolCall(call.id, call.name, call.arguments) for call in CALLS)
HISTORY = (
    Message("system", "You are the front desk."),
    Message("assistant", "Good day."),
    Message("user", "A table, please."),
    Message("assistant", "One moment.", tool_calls=ASKED),
    Message("tool", "booked", tool_call_id="call_1"),
    Message("tool", "it broke", tool_call_id="call_2", tool_outcome="failed"),
    Message("assistant", "You have a table", interrupted=True),
    Message("user", "For how many?"),
)


def text(deltas: list[Any]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


# ------------------------------------------------------------------------------------------------ the contract


async def test_words_come_as_they_are_made_and_usage_at_the_end(vendor: Vendor) -> None:
    vendor.fake.replies[0] = Reply(("Hel", "lo, ", "Zürich\u2028 – 你好", "."), read=120, cached=100, written=7)
    deltas = await vendor.ask()
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == [
        "Hel",
        "lo, ",
        "Zürich\u2028 – 你好",
        ".",
    ]
    assert deltas[-1] == UsageDelta(
        Usage(input_tokens=120, output_tokens=7, cached_tokens=100, model=MODEL), stop_reason="stop"
    )


async def test_tools_asked_for_at_once_come_whole_and_in_order(vendor: Vendor) -> None:
    vendor.fake.replies[0] = Reply(("One moment.",), CALLS)
    deltas = await vendor.ask(tools=(BOOK, NOW))
    assert text(deltas) == "One moment."
    assert [delta.call for delta in deltas if isinstance(delta, ToolCallDelta)] == list(ASKED)
    assert deltas[-1].stop_reason == "tool_calls"  # type: ignore[union-attr]


async def test_a_whole_conversation_is_accepted(vendor: Vendor) -> None:
    vendor.fake.replies[0] = Reply(("One moment.",), CALLS)
    await vendor.ask(tools=(BOOK, NOW))
    await vendor.ask(*HISTORY, tools=(BOOK, NOW), temperature=0.3, max_tokens=200)
    assert vendor.fake.refused == []
    sent = json.dumps(vendor.body, ensure_ascii=False)
    assert all(
        said in sent for said in ("You are the front desk.", "Good day.", "A table, please.", "booked", "it broke")
    )
    assert vendor.body.get("temperature", vendor.body.get("generationConfig", {}).get("temperature")) == 0.3


@pytest.mark.parametrize(
    "messages",
    [
        (Message("system", "Greet."),),
        (Message("system", "Greet."), Message("assistant", "Good day.")),
        (Message("assistant", "", tool_calls=ASKED), Message("user", "hello?")),
        (Message("user", "a"), Message("tool", "late", tool_call_id="nobody asked"), Message("user", "b")),
        (Message("user", "a"), Message("assistant", "", interrupted=True), Message("user", "b")),
        (Message("user", "a"), Message("system", "Be brief."), Message("user", "b"), Message("user", "c")),
        (Message("user", "a"), Message("assistant", "x", tool_calls=ASKED[:1]), Message("user", "wait"),
         Message("tool", "late", tool_call_id="call_1")),
        (Message("user", ""), Message("assistant", ""), Message("user", "b")),
        (Message("user", "a"), Message("assistant", "", tool_calls=(ToolCall("functions.book:0" * 5, "book"),)),
         Message("tool", "x", tool_call_id="functions.book:0" * 5)),
    ],
    ids=["instructions alone", "nobody has spoken", "a tool without an answer", "an answer without a tool", "nothing heard",
         "later instructions", "an answer that comes late", "empty ones", "another vendor's id"],
)  # fmt: skip
async def test_every_history_is_one_that_the_vendor_takes(vendor: Vendor, messages: tuple[Message, ...]) -> None:
    assert text(await vendor.ask(*messages, tools=(BOOK, NOW))) == "Hello."
    assert vendor.fake.refused == []


async def test_a_reply_that_was_cut_off_is_told_as_cut_off(vendor: Vendor) -> None:
    await vendor.ask(*HISTORY, tools=(BOOK, NOW))
    assert f"You have a table {CUT_OFF}" in json.dumps(vendor.body)


async def test_a_longer_conversation_begins_like_the_shorter_one(vendor: Vendor) -> None:
    """So that the vendor's cache finds it."""

    def prefix(body: dict[str, Any]) -> str:
        told = body.get("messages") or body.get("input") or body.get("contents")
        marked = json.dumps(told).replace(', "cache_control": {"type": "ephemeral"}', "")
        return (
            json.dumps(body.get("tools"))
            + json.dumps(body.get("system", body.get("instructions")))
            + marked.rstrip("]")
        )

    await vendor.ask(*HISTORY, tools=(BOOK, NOW))
    shorter = prefix(vendor.body)
    await vendor.ask(*HISTORY, Message("assistant", "For four."), Message("user", "Thanks."), tools=(BOOK, NOW))
    assert prefix(vendor.body).startswith(shorter)


@pytest.mark.parametrize("choice", ["auto", "none", "required", {"type": "function", "name": "book"}])
async def test_the_choice_of_tools_reaches_the_vendor(vendor: Vendor, choice: Any) -> None:
    await vendor.ask(tools=(BOOK, NOW), tool_choice=choice)
    sent = vendor.body.get("tool_choice", vendor.body.get("toolConfig", {"type": "auto"}))
    word = {"auto": ("auto",), "none": ("none", "NONE"), "required": ("required", "any", "ANY")}.get(
        str(choice), ("book",)
    )
    assert any(each in json.dumps(sent) for each in word)


async def test_a_reply_that_reaches_its_bound_says_so_and_its_half_tool_is_not_run(vendor: Vendor) -> None:
    vendor.fake.replies[0] = Reply(("Well",), CALLS[:1], stop="length")
    deltas = await vendor.ask(tools=(BOOK,))
    assert not [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert deltas[-1].stop_reason == "max_tokens"  # type: ignore[union-attr]


async def test_a_reply_that_the_vendor_withholds_is_a_failure_so_that_another_model_may_answer(vendor: Vendor) -> None:
    vendor.fake.replies[0] = Reply((), stop="filter")
    with pytest.raises(ProviderError, match=r"refused|no answer"):
        await vendor.ask()


async def test_turns_share_a_connection(vendor: Vendor) -> None:
    for _ in range(3):
        await vendor.ask()
    assert vendor.fake.connections == 1


async def test_the_connection_is_there_before_the_first_turn(vendor: Vendor) -> None:
    await vendor.model.start()
    await until(lambda: vendor.model._http._warming.done())
    await vendor.ask()
    assert vendor.fake.connections == 1


async def test_many_calls_ask_at_once(vendor: Vendor) -> None:
    await vendor.model.start()
    for deltas in await asyncio.gather(*(vendor.ask() for _ in range(20))):
        assert text(deltas) == "Hello."


async def test_closing_the_stream_makes_the_vendor_stop(vendor: Vendor) -> None:
    vendor.fake.faults.append("stall amid")
    stream = vendor.model.stream(request())
    assert isinstance(await anext(stream), TextDelta)
    await stream.aclose()
    await asyncio.wait_for(vendor.fake.hung_up.wait(), 20)
    assert text(await vendor.ask()) == "Hello.", "and the account goes on"


async def test_cancelling_before_the_first_word_makes_the_vendor_stop(vendor: Vendor) -> None:
    vendor.fake.faults.append("stall")
    task = asyncio.create_task(vendor.ask())
    await until(lambda: len(vendor.fake.requests) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(vendor.fake.hung_up.wait(), 20)


# ------------------------------------------------------------------------------------------------ faults


@pytest.mark.parametrize("fault", ["rate limit", "trouble", "drop"])
@pytest.mark.parametrize("times", [1, 2])
async def test_what_may_do_a_second_time_is_asked_again(vendor: Vendor, fault: Any, times: int) -> None:
    vendor.fake.faults.extend([fault] * times)
    assert text(await vendor.ask()) == "Hello."
    assert len(vendor.fake.requests) == times + 1


@pytest.mark.parametrize(
    ("fault", "requests", "problem"),
    [
        ("wrong key", 1, "the key was refused"),
        ("no credit", 1, "no credit left"),
        ("no model", 1, f"there is no model '{MODEL}'"),
        ("long rate limit", 1, "rate limit"),
        ("rate limit", 3, "rate limit"),
        ("trouble", 3, "the vendor has trouble"),
        ("drop", 3, "the connection failed"),
        ("cut", 1, "broke off"),
        ("cut clean", 1, "broke off"),
        ("garbage", 1, "cannot be read"),
        ("error amid", 1, "broke off with an error"),
        ("endless line", 1, "too long"),
    ],
)
async def test_a_fault_is_one_clear_line_without_the_vendors_words(
    vendor: Vendor, fault: Any, requests: int, problem: str
) -> None:
    vendor.fake.faults.extend([fault] * 3)
    with capture_logs() as logs, pytest.raises(ProviderError, match=problem) as told:
        await vendor.ask()
    assert len(vendor.fake.requests) == requests
    assert told.value.provider == vendor.name
    assert [entry["problem"] for entry in logs] == [told.value.problem]
    assert "\n" not in str(told.value)
    assert KEY not in f"{logs}{told.value}"
    assert "SECRET" not in f"{logs}{told.value}"
    vendor.fake.faults.clear()
    assert text(await vendor.ask()) == "Hello.", "and the account goes on"


@pytest.mark.parametrize("fault", ["stall", "stall amid"])
async def test_a_vendor_that_stalls_is_given_up(vendor: Vendor, fault: Any) -> None:
    vendor.model = await vendor.make(first_byte_timeout_ms=200, stall_timeout_ms=200)
    vendor.fake.faults.append(fault)
    began_s = time.monotonic()
    with pytest.raises(ProviderTimeout):
        await vendor.ask()
    assert time.monotonic() - began_s < 30
    await asyncio.wait_for(vendor.fake.hung_up.wait(), 20)


async def test_a_wrong_key_names_every_variable_that_would_do(vendor: Vendor) -> None:
    vendor.model = await vendor.make(api_key="sk-wrong")
    with pytest.raises(ProviderUnavailable, match=r"ANTIPHON_VENDORS__[A-Z_]+__API_KEY") as told:
        await vendor.ask()
    assert "sk-wrong" not in str(told.value)


async def test_a_vendor_that_is_not_there_stops_no_start_and_is_named(vendor: Vendor) -> None:
    vendor.model = await vendor.make(base_url="https://127.0.0.1:1/v1")
    await vendor.model.start()
    with pytest.raises(ProviderUnavailable, match=r"127\.0\.0\.1 cannot be reached"):
        await vendor.ask()


async def test_no_model_named_is_told(vendor: Vendor) -> None:
    with pytest.raises(ProviderError, match=r"set model\.model"):
        await vendor.ask(model="")


# ------------------------------------------------------------------------------------------------ vendors' own


async def test_what_a_model_does_not_take_is_left_out_and_remembered(vendor: Vendor) -> None:
    if not hasattr(vendor.fake, "unsupported"):
        pytest.skip("this vendor does not name the field")
    vendor.fake.unsupported = ("temperature", "reasoning", "reasoning_effort")
    assert text(await vendor.ask(temperature=0.5, reasoning_effort="low")) == "Hello."
    assert len(vendor.fake.requests) == 3
    assert text(await vendor.ask(temperature=0.5, reasoning_effort="low")) == "Hello."
    assert len(vendor.fake.requests) == 4


def test_every_compatible_server_has_an_address_or_asks_for_one() -> None:
    for name in registry.named_from_outside("llm"):
        if "api_key" in registry.options("llm", name) and name != "custom-llm":
            registry.create("llm", name, {"api_key": "x"})
    with pytest.raises(Exception, match=r"model\.url"):
        registry.create("llm", "custom-llm", {})


async def until(happened: Any) -> None:
    for _ in range(2000):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


# ------------------------------------------------------------------------------------------------ with another model behind it

STANDS_IN = ScriptedLanguageModel(("By the other.",))


async def ask_both(vendor: Vendor, failures: list[tuple[str, str]]) -> str:
    both = FailoverModel([vendor.model, STANDS_IN], Breakers(), lambda *each: failures.append(each))
    return text([delta async for delta in both.stream(request())])


@pytest.mark.parametrize(
    "fault", ["wrong key", "no credit", "no model", "long rate limit", "rate limit", "trouble", "drop", "stall", "garbage", "endless line"]
)  # fmt: skip
async def test_what_a_vendor_does_not_answer_is_answered_by_another_model(vendor: Vendor, fault: Any) -> None:
    """A limit that asks for a long pause is not waited for; a key may expire amid a call."""
    vendor.model = await vendor.make(first_byte_timeout_ms=300, stall_timeout_ms=300)
    failures: list[tuple[str, str]] = []
    if fault == "wrong key":
        assert await ask_both(vendor, failures) == "Hello."
    vendor.fake.faults.extend([fault] * 3)
    with capture_logs() as logs:
        assert await ask_both(vendor, failures) == "By the other."
    assert [provider for provider, _ in failures] == [vendor.name]
    assert KEY not in str(logs) and "SECRET" not in str(logs)


@pytest.mark.parametrize("fault", ["cut", "cut clean", "error amid", "stall amid"])
async def test_an_answer_that_has_begun_is_not_begun_again(vendor: Vendor, fault: Any) -> None:
    """It ends as a failure, for which our side apologizes: such as a quota that is used up amid an answer."""
    vendor.model = await vendor.make(first_byte_timeout_ms=300, stall_timeout_ms=300)
    vendor.fake.faults.append(fault)
    failures: list[tuple[str, str]] = []
    with capture_logs() as logs, pytest.raises(ProviderError) as told:
        await ask_both(vendor, failures)
    assert [provider for provider, _ in failures] == [vendor.name] == [told.value.provider]
    assert KEY not in f"{logs}{told.value}" and "SECRET" not in f"{logs}{told.value}"
