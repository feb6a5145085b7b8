"""What a live call's record says it used."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from antiphon.calls.recorder import CallRecorder
from antiphon.clock import ManualClock
from antiphon.vocabulary import Usage


def test_what_a_vendors_models_used_is_summed_by_amount() -> None:
    planned = SimpleNamespace(record=None, assistant=SimpleNamespace(messages=()))
    nobody: Any = None
    recorder = CallRecorder(cast(Any, planned), nobody, ManualClock(), nobody, nobody)
    for _ in range(2):
        recorder.used("call", "openai", Usage(input_tokens=10, output_tokens=5, model="gpt-5"))
    assert recorder.said()["usage"] == {"openai": {"input_tokens": 20, "output_tokens": 10}}
