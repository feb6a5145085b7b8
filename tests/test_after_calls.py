"""The work after calls on a real server that is really rung up: what is reported, what is found again, what is left behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.databases import postgres_url, sqlite_url
from tests.serving import CALLER, line, place_call, running_server, server_process, settings_for, write_assistant
from tests.webhooks.receiver import Receiver, receiving

from antiphon.calls.stores import DEFAULT_ORG, CallRecord, Listing
from antiphon.composition.process import Antiphon
from antiphon.config import AfterCall, Costs
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database

QUESTION, ANSWER, GREETING = "marmalade", "eleven crowns", "Good day"


class Reports:
    def __init__(self) -> None:
        self.put_here: list[tuple[str, CallRecord, Mapping[str, Any]]] = []

    async def put(self, report_id: str, call: CallRecord, message: Mapping[str, Any]) -> None:
        self.put_here.append((report_id, call, message))


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await true():  # noqa: ASYNC110 (what a database holds tells nobody)
            await asyncio.sleep(0.02)


async def over(antiphon: Antiphon) -> CallRecord:
    """The record of the one call, when all work after it is done."""
    assert antiphon.api is not None
    calls = antiphon.api.calls

    async def reported() -> bool:
        found = await calls.list(DEFAULT_ORG, Listing())
        return bool(found) and "cost" in found[0].body

    await until(reported)
    return (await calls.list(DEFAULT_ORG, Listing()))[0]


AFTER_VOICEMAIL = {"type": "endedReason", "operator": "oneOf", "values": ["voicemail"]}


SCHEMA = {"type": "object", "properties": {"price": {"type": "string"}}}


def linked(assistant: str, conditions: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A structured output that names an assistant."""
    return {"name": "price", "schema": SCHEMA, "assistantIds": [assistant], "conditions": conditions, **more}


def read_by(model: dict[str, Any]) -> dict[str, Any]:
    return {**linked("scripted", []), "model": model}


BY_PATTERN = linked(
    "scripted", [], type="regex", regex="/costs (eleven \\w+)/i", schema={"type": "array", "items": {"type": "string"}}
)
BY_ITSELF = read_by({"provider": "scripted", "model": "own", "options": {"replies": ['{"price": "eleven"}']}})
BY_NOBODY = read_by({"provider": "scripted", "model": "own", "options": {"unheard-of": 1}})


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_call_is_reported_with_all_that_was_said(tmp_path: Path, kind: str) -> None:
    url = sqlite_url(tmp_path) if kind == "sqlite" else postgres_url()
    settings = settings_for(tmp_path, database_url=url, open_api=True)
    reports = Reports()
    async with running_server(settings) as (antiphon, client):
        assert antiphon.api is not None and antiphon.api.after is not None
        antiphon.api.after.report_to(reports)
        asked, not_met, of_another = [
            (await client.post("/structured-output", json=linked(*each))).json()["id"]
            for each in (("scripted", []), ("scripted", [AFTER_VOICEMAIL]), ("another", []))
        ]
        by_pattern, by_itself, by_nobody = [
            (await client.post("/structured-output", json=each)).json()["id"]
            for each in (BY_PATTERN, BY_ITSELF, BY_NOBODY)
        ]
        report = await place_call(antiphon.settings.base_url, line())
        record = await over(antiphon)
        skipped = record.body["analysisSkipped"]
        assert "the answer cannot be used" in skipped[f"structuredOutput:{asked}"], "it was asked"
        assert record.body["artifact"]["structuredOutputs"] == {
            by_pattern: {"name": "price", "result": ["eleven crowns"]},
            by_itself: {"name": "price", "result": {"price": "eleven"}},
        }
        assert "unheard-of" in skipped[f"structuredOutput:{by_nobody}"], "what cannot be used is named"
        rows = [row for row in record.body["costs"] if row.get("analysisType") == "structuredOutput"]
        assert len(rows) == 3, "one that fitted at once, one that was asked for twice"
        assert "customer-ended-call" in skipped[f"structuredOutput:{not_met}"]
        assert f"structuredOutput:{of_another}" not in skipped
        assert record.type == "inboundPhoneCall" and record.status == "ended" and record.assistant_id == "scripted"
        assert record.customer_number == CALLER and record.ended_reason == "customer-ended-call"
        artifact = record.body["artifact"]
        assert QUESTION in artifact["transcript"] and ANSWER in artifact["transcript"]
        assert [message["role"] for message in artifact["messages"]][:3] == ["bot", "user", "bot"]
        assert artifact["performanceMetrics"]["turnLatencies"][0]["turnLatency"] > 0
        for address in (artifact["recordingUrl"], artifact["recording"]["stereoUrl"], artifact["logUrl"]):
            assert (await client.get(address)).status_code == 200
        stereo = await client.get(f"/call/{record.id}/stereo-recording", follow_redirects=True)
        assert stereo.status_code == 200 and stereo.content[:4] == b"RIFF"
        assert record.body["analysis"]["summary"] == "It costs eleven crowns.", "the scripted model's only words"

        async def put() -> bool:
            return bool(reports.put_here)

        await until(put)
        ((report_id, _, message),) = reports.put_here
        assert report_id == f"after:{record.id}:end-of-call-report"
        assert message["transcript"] == artifact["transcript"] and message["endedReason"] == "customer-ended-call"
        assert message["durationSeconds"] > 0 and message["costBreakdown"]["ttsCharacters"] > 0
        assert report.turns


async def test_the_work_of_a_killed_server_is_done_by_the_next(tmp_path: Path) -> None:
    settings_for(tmp_path)
    environment = {
        "ANTIPHON_DATA_DIR": str(tmp_path / "data"),
        "ANTIPHON_ASSISTANTS_DIR": str(tmp_path / "assistants"),
        "ANTIPHON_ASSISTANT": "scripted",
        "ANTIPHON_TWILIO__AUTH_TOKEN": "the-account-s-token",
    }
    async with server_process(tmp_path, environment) as server:
        ringing = asyncio.create_task(place_call(server.url, line(), line(), line()))

        async def answered() -> bool:
            logs = list((tmp_path / "data" / "calls").glob("*.jsonl"))
            return any(b'"ReplyClosed"' in path.read_bytes() for path in logs)

        await until(answered)
        server.signal(signal.SIGKILL)
        await server.process.wait()
        ringing.cancel()
        await asyncio.gather(ringing, return_exceptions=True)
    async with running_server(settings_for(tmp_path)) as (antiphon, _):
        record = await over(antiphon)
        assert record.ended_reason == "call.in-progress.error-vapifault-worker-died"
        assert GREETING in record.body["artifact"]["transcript"]


def holding(folder: Path, *words: str) -> list[str]:
    """Files in which one of the words is, in whatever case."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes().lower()
            found += [path.name for word in words if word.lower().encode() in content]
    return found


PROMPT = "You sell preserves of quince."


def with_a_prompt(folder: Path, extra: str = "") -> None:
    write_assistant(folder)
    file = folder / "scripted.yaml"
    prompt = f"messages: [{{ role: system, content: {PROMPT} }}], options: {{ replies"
    file.write_text(file.read_text().replace("options: { replies", prompt, 1) + extra)


def told_to(receiver: Receiver) -> str:
    """Of an assistant file: everything that happens is told to this server."""
    wanted = "[status-update, transcript, conversation-update, voice-input, model-output, end-of-call-report]"
    return f"server: {{ url: '{receiver.url}/hook' }}\nserverMessages: {wanted}\n"


@pytest.mark.parametrize("by", ["setting", "assistant"])
async def test_with_zero_retention_nothing_that_was_said_is_left(tmp_path: Path, by: str) -> None:
    """Nor in what is kept of messages to its application, which is told all of it."""
    settings = settings_for(tmp_path, after_call=AfterCall(zero_retention=by == "setting"))
    words = (QUESTION, ANSWER, GREETING, "quince", 'transcript":"')
    async with receiving(Receiver()) as receiver, running_server(settings) as (antiphon, _):
        own = "compliancePlan: { hipaaEnabled: true }\n" if by == "assistant" else ""
        with_a_prompt(tmp_path / "assistants", own + told_to(receiver))
        await place_call(antiphon.settings.base_url, line())
        record = await over(antiphon)
        assert record.body["costBreakdown"]["ttsCharacters"] > 0 and record.ended_reason == "customer-ended-call"
        assert "artifact" not in record.body and record.body["analysisSkipped"]
        assert record.started_wall_ms is not None and record.ended_wall_ms is not None
        messages = await receiver.wait_for_types("transcript", "end-of-call-report")
        assert QUESTION in str(messages)
        assert holding(settings.data_dir, *words) == []
        assert not list((settings.data_dir / "calls").glob("*.wav"))
    assert holding(settings.data_dir, *words) == []


@pytest.mark.parametrize("how", ["deleted", "retention"])
async def test_what_is_erased_is_gone_from_the_data_folder(tmp_path: Path, how: str) -> None:
    """The report, too, that was delivered."""
    keep = AfterCall(retention_days=1e-6 if how == "retention" else 0)
    settings = settings_for(tmp_path, after_call=keep)
    words = (QUESTION, ANSWER, GREETING, "quince")
    async with receiving(Receiver()) as receiver, running_server(settings) as (antiphon, _):
        with_a_prompt(tmp_path / "assistants", told_to(receiver))
        assert antiphon.api is not None and antiphon.api.after is not None
        await place_call(antiphon.settings.base_url, line())
        if how == "deleted":
            record = await over(antiphon)
            assert holding(settings.data_dir, *words)
            await until(lambda: _done(antiphon))
            await receiver.wait_for_types("end-of-call-report")
            assert await antiphon.api.after.erasure.erase(DEFAULT_ORG, record.id)
            assert not await antiphon.api.after.erasure.erase(DEFAULT_ORG, record.id)
            assert await antiphon.api.calls.find(DEFAULT_ORG, record.id) is None
        else:

            async def erased() -> bool:
                found = await antiphon.api.calls.list(DEFAULT_ORG, Listing())  # type: ignore[union-attr]
                return bool(found) and found[0].body.get("erased") is True

            await until(erased)
            (record,) = await antiphon.api.calls.list(DEFAULT_ORG, Listing())
            assert record.body["artifact"] is None and record.body["costs"], "what is accounted for stays"
        await until(lambda: _gone(settings.data_dir, words))
        assert await antiphon.api.after.observer.sweep() == 0, "what is erased is not found again"


async def _done(antiphon: Antiphon) -> bool:
    assert antiphon.api is not None and antiphon.api.after is not None
    return await antiphon.api.after.waiting() == 0


async def _gone(folder: Path, words: tuple[str, ...]) -> bool:
    return holding(folder, *words) == []


async def test_a_cap_of_the_settings_ends_the_call(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[tts.scripted]\n"*" = 10000.0\n')
    costs = Costs(prices_file=prices, max_usd_per_call=0.05)
    async with running_server(settings_for(tmp_path, costs=costs)) as (antiphon, _):
        await place_call(antiphon.settings.base_url, line())
        record = await over(antiphon)
    assert record.ended_reason == "exceeded-cost-limit" and record.cost_usd > 0.05
    assert "I have to end this call now" in record.body["artifact"]["transcript"]


async def test_spending_is_summed_over_calls(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path))
    await database.open()
    calls = StoredCalls(database)
    for number, ended_ms in enumerate((100, 200, None)):
        await calls.add(CallRecord(f"c{number}", "org", "webCall", "ended", 1, 1, ended_wall_ms=ended_ms, cost_usd=2.5))
    assert await calls.spent_since(150) == 2.5 and await calls.spent_since(0) == 5.0
    assert await calls.spent_since(1000) == 0.0
    await database.close()
