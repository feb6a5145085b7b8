"""One whole server for each test, and the voices of callers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.conformance.twilio import attentive as attentive_stt
from tests.conformance.twilio import fixed_model, speech
from tests.conformance.twilio.attentive import AttentiveSpeechToText, AttentiveStream
from tests.conformance.twilio.server import Server, serve_here
from tests.conformance.twilio.speech import Said

from antiphon.caller.beat import CallerBeat
from antiphon.providers import registry


@pytest.fixture(autouse=True)
def _no_settings_but_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTIPHON_CONFIG", str(tmp_path / "antiphon.toml"))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serve_here(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _standing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with serve_here(tmp_path_factory.mktemp("standing")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def standing(_standing: Server) -> AsyncIterator[Server]:
    """One server for all tests of a module, without a call and with nothing counted when a test begins."""
    _standing.app.twilio.authorizer.anomalies.counts.clear()
    _standing.beat = CallerBeat()
    yield _standing
    await _standing.hang_up_all()


@pytest.fixture(scope="session")
def cards() -> dict[str, Said]:
    """Names of playing cards, by people where there are recordings."""
    return speech.recordings() or speech.synthetic()


@pytest.fixture(scope="session")
def ten(cards: dict[str, Said]) -> Said:
    """ "Ten of clubs": 0.7 s of speech."""
    return cards["cards-001"]


@pytest.fixture
def attentive(monkeypatch: pytest.MonkeyPatch) -> list[AttentiveStream]:
    """What a recogniser hears that listens all the time (``transcriber={"provider": "attentive"}``): one stream a call."""
    monkeypatch.setitem(registry._PROVIDERS["stt"], "attentive", f"{attentive_stt.__name__}:AttentiveSpeechToText")
    monkeypatch.setattr(AttentiveSpeechToText, "streams", [])
    return AttentiveSpeechToText.streams


@pytest.fixture
def _fixed_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """``model={"provider": "fixed", "options": {…}}``."""
    monkeypatch.setitem(registry._PROVIDERS["llm"], "fixed", f"{fixed_model.__name__}:FixedModel")
