"""What calls cost, live and from their logs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.calls.rig import Call

from antiphon.calls.cost import AnalysisUse, CallCost, cost_fields, cost_from_log
from antiphon.calls.meter import Caps, CostMeter
from antiphon.conversation import actions as do
from antiphon.conversation.events import Event
from antiphon.errors import ConfigurationError
from antiphon.providers.prices import Prices, read_prices
from antiphon.session.event_log import read_event_log
from antiphon.vocabulary import EndReason, Usage

OURS = """
[stt.scripted]
"*" = 0.6
[tts.scripted]
"*" = 1000.0
[transport.memory]
inbound = 0.06
"""


def prices(folder: Path) -> Prices:
    file = folder / "prices.toml"
    file.write_text(OURS)
    return read_prices(file)


def test_tokens_cached_ones_too_characters_and_minutes_have_their_prices() -> None:
    table = read_prices()
    tokens = Usage(1_000_000, 100_000, cached_tokens=400_000, model="gpt-4.1-mini-2025-04-14")
    assert table.of("openai", tokens) == pytest.approx(0.6 * 0.40 + 0.4 * 0.10 + 0.1 * 1.60)
    assert table.of("deepgram", Usage(audio_ms=60_000, model="nova-3")) == pytest.approx(0.0077)
    assert table.of("deepgram", Usage(characters=1000, model="aura-2")) == pytest.approx(0.03)
    assert table.of_transport("twilio", "inbound", 120_000) == pytest.approx(0.025)
    assert not table.unknown


def test_what_has_no_price_costs_nothing_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    table = read_prices()
    for _ in range(3):
        assert table.of("mistral", Usage(10, 10, model="large")) == 0
    assert table.of("piper", Usage(characters=10)) == 0
    assert table.unknown == {("llm", "mistral", "large")}
    assert not table.knows("mistral", Usage(1, model="large")) and table.knows("piper", Usage(characters=1))


def test_a_wrong_table_names_its_row(tmp_path: Path) -> None:
    wrong = tmp_path / "prices.toml"
    wrong.write_text('[llm.openai]\n"m" = [1.0, -1.0, 2.0]\n')
    with pytest.raises(ConfigurationError, match=r"llm\.openai\.m"):
        read_prices(wrong)
    wrong.write_text("nonsense")
    with pytest.raises(ConfigurationError, match="not TOML"):
        read_prices(wrong)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_prices(tmp_path / "none.toml")


def test_rows_and_sums_agree() -> None:
    table = read_prices()
    cost = CallCost("twilio", "outbound", duration_ms=90_000)
    cost.add("openai", Usage(1000, 50, model="gpt-4o"), table)
    cost.add("openai", Usage(2000, 60, cached_tokens=500, model="gpt-4o"), table)
    cost.add("elevenlabs", Usage(characters=200, model="eleven_flash_v2_5"), table)
    given = cost_fields(cost, table, [AnalysisUse("summary", "openai", Usage(500, 50, model="gpt-4o-mini"))])
    rows = {row["type"]: row for row in given["costs"]}
    assert set(rows) == {"transport", "transcriber", "model", "voice", "vapi", "analysis"}
    assert (rows["model"]["promptTokens"], rows["model"]["cachedPromptTokens"]) == (3000, 500)
    assert rows["model"]["model"] == {"provider": "openai", "model": "gpt-4o"}
    assert rows["transcriber"]["cost"] == 0
    assert given["cost"] == given["costBreakdown"]["total"] == pytest.approx(sum(row["cost"] for row in given["costs"]))
    assert given["costBreakdown"]["ttsCharacters"] == 200
    assert given["costBreakdown"]["analysisCostBreakdown"]["summaryPromptTokens"] == 500
    assert cost.total_usd(table) == pytest.approx(given["cost"] - rows["analysis"]["cost"], abs=1e-6)


def metered(folder: Path, caps: Caps, spent_usd: float = 0.0) -> tuple[Call, CostMeter]:
    call = Call(greeting="Good day.", hears=["hello"] * 9, answers=["It costs eleven crowns."], folder=folder)

    def feed(call_id: str, event: Event) -> None:
        call.session.feed(event)

    meter = CostMeter(prices(folder), lambda started: caps, feed, lambda: spent_usd)
    call.observers = (meter,)
    return call, meter


def test_the_log_tells_the_same_as_the_meter(tmp_path: Path) -> None:
    call, meter = metered(tmp_path, Caps())

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.sound(900)
        await call.until_replies(2)
        live = meter.find("call-1")
        assert live is not None and meter.live_usd == live.total_usd(meter.prices) > 0
        assert meter.so_far_usd("call-1", 60_000) >= meter.live_usd and not meter.so_far_usd("call-2", 0)
        call.session.drop(EndReason.CUSTOMER_ENDED)

    call.run(talk)
    live, logged = meter.find("call-1"), cost_from_log([read_event_log(tmp_path / "call-1.jsonl")], meter.prices)
    assert live == logged
    assert logged.rows[("tts", "scripted", "")].characters == len("Good day.It costs eleven crowns.")
    assert meter.live_usd == 0


@pytest.mark.parametrize(
    ("caps", "spent"), [(Caps(0.02, message="Time is up."), 0.0), (Caps(0, 5.0, "Time is up."), 4.98)]
)
def test_a_cap_ends_the_call_with_a_goodbye(tmp_path: Path, caps: Caps, spent: float) -> None:
    call, _ = metered(tmp_path, caps, spent)

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.sound(900)
        await call.until(lambda: call.watcher.ended is not None)

    watcher = call.run(talk)
    assert watcher.ended is EndReason.EXCEEDED_COST_LIMIT
    assert watcher.of(do.ReplyClosed)[-1].text == "Time is up."


def test_where_there_is_no_cap_nobody_is_ended(tmp_path: Path) -> None:
    call, _ = metered(tmp_path, Caps(), 1e6)

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.wait(3000)
        call.session.drop(EndReason.CUSTOMER_ENDED)

    assert call.run(talk).ended is EndReason.CUSTOMER_ENDED
