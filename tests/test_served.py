"""Assistants that are edited while calls come, and the engines that come and go with them: real files, real engine processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs
from tests.serving import line, place_call, running_server, settings_for

from antiphon.composition.process import Antiphon
from antiphon.config import EngineLimits, Realtime
from antiphon.engines import engines_behind
from antiphon.errors import ConfigurationError
from antiphon.providers.tts.espeak import EspeakTextToSpeech
from antiphon.providers.tts.piper import PiperTextToSpeech
from antiphon.server import serving

PATIENCE_S = 60.0
SPEAKING = """
name: Speaking
firstMessage: Good day.
transcriber: {{ provider: scripted }}
model: {{ provider: scripted, options: {{ replies: [Fine.] }} }}
voice: {{ provider: {provider}, voiceId: "{voice}", options: {{ {options} }} }}
"""


def write(
    folder: Path, name: str = "scripted", *, provider: str = "espeak", voice: str = "en-us", options: str = ""
) -> Path:
    path = folder / "assistants" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = SPEAKING.format(provider=provider, voice=voice, options=options)
    path.write_text(text, encoding="utf-8")
    stamp = time.time_ns()
    os.utime(path, ns=(stamp, stamp))
    return path


async def until(condition: Callable[[], object]) -> None:
    for _ in range(round(PATIENCE_S / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came to that")


def processes(antiphon: Antiphon) -> int:
    return sum(engine.up for engine in antiphon.engines.health())


def speaker(antiphon: Antiphon, name: str) -> object:
    """The voice behind what writes the text as it is spoken."""
    *_, voice = engines_behind(antiphon.assistants.find(name)[1])
    return voice


def processes_of(antiphon: Antiphon, name: str) -> list[int]:
    """Process ids of the engine the assistant has now."""
    voice = speaker(antiphon, name)
    assert isinstance(voice, EspeakTextToSpeech)
    return [worker.connection._process.pid for worker in voice._pool._workers if worker.connection is not None]


# ------------------------------------------------------------------------------------------------ edits


async def test_calls_right_after_an_edit_are_answered_and_old_engines_are_closed(tmp_path: Path) -> None:
    write(tmp_path)
    settings = settings_for(tmp_path, engines=EngineLimits(idle_s=0.5))
    async with running_server(settings) as (antiphon, _):
        for edit in range(3):
            write(tmp_path, options=f"piece_timeout_ms: {20_000 + edit}")
            calls = [place_call(antiphon.settings.base_url, line(300, reply=False)) for _ in range(2)]
            for report in await asyncio.gather(*calls):
                assert not report.failed, report.record.problem
                assert report.record.utterances, "the greeting is heard"
        await until(lambda: processes(antiphon) == 1)
        await until(lambda: speaker(antiphon, "scripted")._piece_timeout_s > 20.001)  # type: ignore[attr-defined]


async def test_an_assistant_that_was_never_used_waits_for_its_engine(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, _):
        write(tmp_path, "new", options="piece_timeout_ms: 30_000")
        _, engines = antiphon.assistants.find("new")
        assert not antiphon.engines.ready(engines)
        await until(lambda: antiphon.engines.ready(engines))


async def test_an_edit_that_is_wrong_keeps_the_old_version_and_is_told_once_with_its_line(tmp_path: Path) -> None:
    write(tmp_path)
    async with running_server(settings_for(tmp_path)) as (antiphon, _):
        before = antiphon.assistants.find("scripted")[0], speaker(antiphon, "scripted")
        with capture_logs() as logs:
            for wrong in (
                {"voice": "en-gb"},
                {"options": "piece_timeout_ms: soon"},
                {"options": "loudness: 3"},
                {"provider": "siri"},
            ):
                write(tmp_path, **wrong)
                for _ in range(3):
                    assert (antiphon.assistants.find("scripted")[0], speaker(antiphon, "scripted")) == before
            (tmp_path / "assistants" / "scripted.yaml").write_text("name: [broken", encoding="utf-8")
            assert (antiphon.assistants.find("scripted")[0], speaker(antiphon, "scripted")) == before
        told = [entry for entry in logs if entry["event"] == "assistant_edit_unusable"]
        assert [entry["assistant"] for entry in told] == ["scripted"] * 5
        places = [(entry["file"], entry["line"], entry["field"]) for entry in told[:3]]
        assert places == [
            ("scripted.yaml", 6, "voice.voiceId"),
            ("scripted.yaml", 6, "voice.options.piece_timeout_ms"),
            ("scripted.yaml", 6, "voice.options.loudness"),
        ]
        assert "must be a whole number" in told[1]["problem"]
        assert "siri" in told[3]["problem"]
        report = await place_call(antiphon.settings.base_url, line(300, reply=False))
        assert not report.failed
        assert report.record.utterances


# ------------------------------------------------------------------------------------------------ what is refused at the start


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (
            {"voice": "en-gb"},
            r"scripted\.yaml:6: voice\.voiceId: unknown voice 'en-gb'; espeak has en, ",
        ),
        ({"voice": "en+f99"}, r"voice\.voiceId: unknown variant 'f99'"),
        ({"options": "voice: klingon"}, r"scripted\.yaml:6: voice\.options\.voice: unknown voice 'klingon'"),
        ({"options": "workers: 0"}, r"voice\.options\.workers: must be 1 … 64"),
        ({"options": "workers: many"}, r"voice\.options\.workers: must be a whole number"),
        ({"options": "pitch: 3"}, r"voice\.options\.pitch: espeak takes workers, voice"),
    ],
)
async def test_what_an_engine_cannot_do_stops_the_start(tmp_path: Path, wrong: dict[str, str], problem: str) -> None:
    write(tmp_path, **wrong)
    with pytest.raises(ConfigurationError, match=problem):
        async with serving(settings_for(tmp_path)):
            raise AssertionError("it answers calls")


async def test_a_client_s_voice_that_does_not_exist_stops_the_start(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(ConfigurationError, match=r"realtime\.voices\.cedar: unknown voice 'en-gb'"):
        async with serving(settings_for(tmp_path, realtime=Realtime(voices={"cedar": "en-gb"}))):
            raise AssertionError("it answers calls")


async def test_another_assistant_with_a_wrong_voice_is_told_and_not_offered(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    write(tmp_path, "brit", voice="en-gb")
    with capture_logs() as logs:
        async with running_server(settings) as (antiphon, client):
            address = antiphon.talk_address.replace("localhost", "127.0.0.1")
            assert (await client.get(address, follow_redirects=True)).status_code == 200
            offered = (await client.get("/talk/assistants")).json()["assistants"]
            write(tmp_path, "later", voice="fr-fr")
            offered_later = (await client.get("/talk/assistants")).json()["assistants"]
            assert (await client.post("/talk/key/brit")).status_code == 404
            write(tmp_path, "brit", voice="en-gb-x-rp")
            mended = (await client.get("/talk/assistants")).json()["assistants"]
    [told] = [entry for entry in logs if entry["event"] == "assistant_unusable"]
    assert told["assistant"] == "brit"
    assert "en-gb-x-rp" in told["problem"]
    assert "scripted" in offered
    assert "brit" not in offered
    assert "later" not in offered_later
    assert "brit" in mended


# ------------------------------------------------------------------------------------------------ sharing and bounds


async def test_an_alias_is_the_same_engine_with_the_machine_s_processes(tmp_path: Path) -> None:
    write(tmp_path, provider="piper", voice="joe")
    write(tmp_path, "alias", provider="vapi", voice="joe")
    async with running_server(settings_for(tmp_path, tts_workers=2)) as (antiphon, _):
        one, other = (speaker(antiphon, name) for name in ("scripted", "alias"))
        assert isinstance(one, PiperTextToSpeech)
        assert one is other
        assert one.health.processes == 2


async def test_engines_are_bounded_and_those_in_calls_stay(tmp_path: Path) -> None:
    write(tmp_path)
    settings = settings_for(tmp_path, engines=EngineLimits(most=3, idle_s=60))
    async with running_server(settings) as (antiphon, _):
        for number in range(6):
            write(tmp_path, f"other{number}", options=f"piece_timeout_ms: {6000 + number}")
            antiphon.assistants.find(f"other{number}")
        assert len([engine for engine in antiphon.engines.health() if engine.kind == "tts"]) == 1
        await until(lambda: processes(antiphon) <= 3)
        assert processes_of(antiphon, "scripted"), "the one that is needed goes last"


async def test_a_deleted_assistant_s_engine_is_closed(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, engines=EngineLimits(idle_s=0.2))
    path = write(tmp_path, "gone")
    async with running_server(settings) as (antiphon, _):
        await until(lambda: processes(antiphon) == 1)
        path.unlink()
        await until(lambda: processes(antiphon) == 0)


# ------------------------------------------------------------------------------------------------ what can be seen


async def test_readiness_names_an_engine_that_serves_nobody_until_it_is_replaced(tmp_path: Path) -> None:
    write(tmp_path)
    settings = settings_for(tmp_path, engines=EngineLimits(hung_after_s=1))
    async with running_server(settings) as (antiphon, client):
        assert (await client.get("/readyz")).status_code == 200
        [process] = processes_of(antiphon, "scripted")
        os.kill(process, signal.SIGSTOP)
        answer = await answered(client, 503)
        assert answer.json()["engines"] == ["espeak"]
        assert b'antiphon_engine_processes_up{engine="espeak",kind="tts"} 0.0' in (await client.get("/metrics")).content
        await answered(client, 200)
        up, restarts = (
            f'antiphon_engine_{name}{{engine="espeak",kind="tts"}}' for name in ("processes_up", "restarts_total")
        )
        for _ in range(round(PATIENCE_S / 0.005)):
            metrics = (await client.get("/metrics")).text
            if f"{up} 1.0" in metrics:
                break
            await asyncio.sleep(0.002)
        assert f"{up} 1.0" in metrics
        assert f"{restarts} 0.0" not in metrics
        assert processes_of(antiphon, "scripted") != [process]
        report = await place_call(antiphon.settings.base_url, line(300, reply=False))
        assert not report.failed


async def answered(client: httpx.AsyncClient, status: int) -> httpx.Response:
    for _ in range(round(PATIENCE_S / 0.005)):
        answer = await client.get("/readyz")
        if answer.status_code == status:
            return answer
        await asyncio.sleep(0.002)
    raise AssertionError(f"never {status}")
