"""Who watches a call cannot hurt it: an observer that raises is dropped, whichever of its methods it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.calls.rig import Call, Watcher

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.errors import ProviderError
from antiphon.losses import Losses
from antiphon.providers.scripted import ScriptedLanguageModel
from antiphon.session.event_log import read_event_log
from antiphon.session.observers import CallObservers
from antiphon.session.replay import replay
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import TELEPHONE, EndReason, Usage

METHODS = ("call_started", "happened", "used", "provider_failed", "call_ended")
STARTED = CallStarted("memory", "call-1", "test", format_in=TELEPHONE, format_out=TELEPHONE)


class Recorder:
    """An observer that notes what it is told, and raises in one of its methods."""

    def __init__(self, raises_in: str = "") -> None:
        self.raises_in = raises_in
        self.told: list[str] = []

    def _note(self, method: str) -> None:
        self.told.append(method)
        if method == self.raises_in:
            raise ValueError("a bug in an observer")

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        self._note("call_started")

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        self._note("happened")

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        self._note("used")

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        self._note("provider_failed")

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        self._note("call_ended")


def tell_all(observers: CallObservers) -> None:
    """One call's worth, each thing twice but its beginning and end."""
    observers.call_started(0)
    for _ in range(2):
        observers.happened(1, ev.CallConnected(), ())
        observers.used("scripted", Usage(characters=3))
        observers.provider_failed("scripted", "no")
    observers.call_ended(9, EndReason.CUSTOMER_ENDED)


@pytest.mark.parametrize("method", METHODS)
def test_one_that_raises_is_told_no_more_but_the_end_and_the_others_everything(method: str) -> None:
    before, failing, after = Recorder(), Recorder(method), Recorder()
    losses = Losses()
    with structlog.testing.capture_logs() as logs:
        tell_all(CallObservers(STARTED, (before, failing, after), losses=losses))
    whole = ["call_started", *["happened", "used", "provider_failed"] * 2, "call_ended"]
    assert before.told == after.told == whole
    first = whole.index(method)
    assert failing.told == whole[: first + 1] + (["call_ended"] if method != "call_ended" else [])
    assert [(entry["event"], entry["call_id"], entry["observer"]) for entry in logs] == [
        ("observer_dropped", "call-1", "Recorder")
    ]
    assert losses.counts() == {("observers_dropped", (("observer", "Recorder"),)): 1}


@pytest.mark.parametrize("method", METHODS)
def test_what_the_surface_raises_is_the_calls_fault(method: str) -> None:
    watcher, surface = Recorder(), Recorder(method)
    with pytest.raises(ValueError, match="a bug"):
        tell_all(CallObservers(STARTED, (watcher,), surface))
    assert watcher.told[-1] == method, "whoever only watches has been told before"


class Failing(ScriptedLanguageModel):
    """So that there is a failure to tell of."""

    name = "failing"

    def stream(self, request: Any) -> Any:
        raise ProviderError("failing", "no")


@pytest.mark.parametrize("method", METHODS)
def test_a_raising_observer_does_not_end_a_call_and_the_inputs_actions_run(method: str, tmp_path: Path) -> None:
    models = [Failing([]), ScriptedLanguageModel(["It costs ten."] * 2)]
    call = Call(greeting="Hello.", hears=["what is the price"], models=models, folder=tmp_path)
    observer = Recorder(method)
    call.observers = (observer,)

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        greeted_ms = call.heard_ms()
        assert greeted_ms > 0, "the actions of the first input were carried out"
        await call.sound(700)
        await call.until_replies(2)
        assert call.heard_ms() > greeted_ms
        assert call.session.end_reason is None
        call.phone.hang_up()
        await call.until(lambda: call.session.end_reason is not None)

    with structlog.testing.capture_logs() as logs:
        watcher: Watcher = call.run(talk)
    assert watcher.ended is EndReason.CUSTOMER_ENDED
    assert call.plane.calls == call.manager.live == 0
    assert observer.told.count(method) == 1, "it was called, and raised"
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["observer_dropped"]
    log = read_event_log(tmp_path / "call-1.jsonl")
    assert (log.ended, replay(log)) == (EndReason.CUSTOMER_ENDED, None)
