"""Metrics, as a scraper reads them."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.calls.rig import SOUND, Call
from tests.calls.test_turns import Broken, Clockwork

from antiphon.conversation.policy import BargeIn, Endpointing, Policy
from antiphon.providers.base import ModelRequest
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedReply
from antiphon.session.timeline import CallTimeline
from antiphon.surfaces.metrics import CallMetrics
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import TELEPHONE, AnsweredBy, EndReason, ToolCall, ToolSpec, Usage


class Scraped:
    """The exposition, read by Prometheus's own parser."""

    def __init__(self, metrics: CallMetrics) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(metrics.text().decode())}

    def value(self, name: str, **labels: str) -> float:
        """A sample's value, 0 where it has none yet."""
        family = self.families[name.removesuffix("_total").removesuffix("_count").removesuffix("_sum")]
        found = [
            sample.value for sample in family.samples if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found)


def scraped(call: Call, talk: Any) -> Scraped:
    """What a whole call leaves."""
    metrics = CallMetrics(lambda call_id: call.timelines.find(call_id))
    call.observers = (metrics,)
    call.run(talk)
    return Scraped(metrics)


def test_a_turn_is_counted_with_its_latency_by_stage() -> None:
    policy = Policy(endpointing=Endpointing("fixed", silence_ms=300, speculative_reply=False))
    call = Call(hears=["what time is it"], answers=["It is three."], policy=policy, first_token_ms=100)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)
        call.phone.hang_up()
        await call.wait(50)

    seen = scraped(call, talk)
    assert seen.value("antiphon_calls_total", provider="memory") == 1
    assert seen.value("antiphon_calls_ended_total", reason="customer-ended-call") == 1
    assert seen.value("antiphon_turns_total", fate="closed") == 1
    assert seen.value("antiphon_replies_total", status="completed") == 1
    assert seen.value("antiphon_characters_total", provider="scripted") == len("It is three.")
    for stage, at_s in (("turn_closed", 0.3), ("first_token", 0.4), ("first_audio", 0.45)):
        assert seen.value("antiphon_turn_stage_seconds_count", stage=stage) == 1
        assert abs(seen.value("antiphon_turn_stage_seconds_sum", stage=stage) - at_s) <= 0.06


def test_true_and_false_interruptions_are_told_apart() -> None:
    policy = Policy(endpointing=Endpointing("fixed", silence_ms=300), barge_in=BargeIn(backoff_ms=0, max_softened_ms=0))
    call = Call(greeting="A long greeting that goes on and on. " * 3, hears=["no i want something else"], policy=policy)

    async def talk(call: Call) -> None:
        await call.wait(1000)
        await call.sound(160, SOUND)
        await call.wait(1500)
        await call.sound(900)
        await call.wait(1000)

    seen = scraped(call, talk)
    assert seen.value("antiphon_barge_ins_total", kind="false") == 1
    assert seen.value("antiphon_barge_ins_total", kind="true") == 1
    assert seen.value("antiphon_false_barge_in_hold_seconds_count") == 1
    assert 0.1 < seen.value("antiphon_false_barge_in_hold_seconds_sum") <= 0.5
    assert seen.value("antiphon_replies_total", status="interrupted") == 1


def test_vendor_errors_are_counted_by_provider_and_code() -> None:
    call = Call(hears=["hello"], models=[Broken(), ScriptedLanguageModel(["Hello."])])

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(600)
        await call.until_replies(1)

    assert scraped(call, talk).value("antiphon_provider_errors_total", provider="broken", code="provider") == 1


def test_tools_are_counted() -> None:
    def ask(request: ModelRequest) -> ScriptedReply:
        if request.messages[-1].role == "tool":
            return ScriptedReply("Noon.")
        return ScriptedReply("", (ToolCall("t1", "clock"),))

    call = Call(hears=["what time is it"], answers=ask, tools=Clockwork(50, ToolSpec("clock")))

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(600)
        await call.until_replies(1)

    assert scraped(call, talk).value("antiphon_tool_calls_total") == 1


def test_tokens_are_counted_by_direction() -> None:
    metrics = CallMetrics(lambda call_id: None)
    metrics.used("a", "model", Usage(input_tokens=12, output_tokens=3))
    seen = Scraped(metrics)
    assert seen.value("antiphon_tokens_total", provider="model", direction="in") == 12
    assert seen.value("antiphon_tokens_total", provider="model", direction="out") == 3


def test_who_answered_is_counted_with_what_was_done_about_it() -> None:
    metrics = CallMetrics(lambda call_id: None)
    for outcome in ("message", "message", "gone"):
        metrics.answered(AnsweredBy.MACHINE_END_BEEP, outcome)
    seen = Scraped(metrics)
    for outcome, count in (("message", 2), ("gone", 1), ("hung_up", 0)):
        assert seen.value("antiphon_machine_detections_total", answered_by="machine_end_beep", outcome=outcome) == count


def test_nothing_a_caller_can_choose_becomes_a_label() -> None:
    metrics = CallMetrics(lambda call_id: CallTimeline(call_id, "", 0, 0))
    for number in range(50):
        started = CallStarted(
            "twilio", f"call-{number}", f"assistant-{number}", caller=f"+1555{number}", format_in=TELEPHONE, format_out=TELEPHONE
        )  # fmt: skip
        metrics.call_started(started, 0)
        metrics.call_ended(started.call_id, 1, EndReason.CUSTOMER_ENDED)
    text = metrics.text().decode()
    assert "+1555" not in text
    assert "assistant-" not in text.replace("assistant-ended", "")
    assert Scraped(metrics).value("antiphon_calls_total", provider="twilio") == 50


def test_values_of_the_process_are_read_at_each_scrape() -> None:
    metrics = CallMetrics(lambda call_id: None)
    live = {"live_calls": 1.0}
    metrics.watch(lambda: live, lambda: {"late_beats_skipped": 4})
    assert Scraped(metrics).value("antiphon_live_calls") == 1
    live["live_calls"] = 2
    seen = Scraped(metrics)
    assert seen.value("antiphon_live_calls") == 2
    assert seen.families["antiphon_live_calls"].type == "gauge"
    assert seen.value("antiphon_late_beats_skipped_total") == 4
    assert seen.families["antiphon_late_beats_skipped"].type == "counter"
