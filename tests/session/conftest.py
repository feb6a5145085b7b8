"""What the session's tests share: a virtual loop, log headers, a call that left a log."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.calls.rig import Call
from tests.calls.virtual import run_virtually

from antiphon.clock import ManualClock
from antiphon.conversation.policy import Policy
from antiphon.session.event_log import LogHeader
from antiphon.transports.memory import Wire
from antiphon.vocabulary import Message, ToolSpec

LONG = "I can tell you a great many things about this, and all of them take a while to say."


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(10_000)


@pytest.fixture
def in_virtual_time(clock: ManualClock) -> Callable[[Callable[[], Coroutine[Any, Any, None]]], None]:
    """Run a coroutine on a loop whose time is ``clock``'s."""
    return lambda main: run_virtually(clock, Wire(clock), main)


def log_header(policy: Policy | None = None) -> LogHeader:
    return LogHeader(
        "call-1", "front-desk", 1_700_000_000_000, 10_000, policy or Policy(),
        (Message("system", "Be kind."),), (ToolSpec("clock", parameters={"type": "object"}),), {"provider": "memory"},
    )  # fmt: skip


@pytest.fixture
def header() -> LogHeader:
    return log_header()


@pytest.fixture(scope="module")
def call_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a call with an acknowledgement, an interruption, a question and a key in it: ``call-1.jsonl`` and ``call-1.wav``."""
    folder = tmp_path_factory.mktemp("calls")
    call = Call(greeting=LONG, hears=["mm-hm", "wait stop what is the price"], answers=["It costs ten."], folder=folder)

    async def talk(call: Call) -> None:
        await call.wait(1000)
        await call.sound(250)
        await call.wait(1200)
        await call.sound(700)
        await call.until_replies(2)
        call.phone.press("4")
        await call.until_replies(3)
        call.phone.hang_up()
        await call.wait(50)

    call.run(talk)
    return folder
