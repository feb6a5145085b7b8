"""One server, one stage and one tap for each test; what passed the tap is judged when the test is over."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme
from openai import AsyncOpenAI
from tests.conformance.realtime import oracles, speech
from tests.conformance.realtime import stage as stages
from tests.conformance.realtime.oracles import AgentsJs
from tests.conformance.realtime.server import Server, serve_here
from tests.conformance.realtime.speech import Said
from tests.conformance.realtime.stage import Stage
from tests.conformance.realtime.tap import Tap, tapping

from antiphon.providers import registry

LARGEST_FRAME_BYTES = 256 << 10


@pytest.fixture(autouse=True)
def _no_settings_but_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTIPHON_CONFIG", str(tmp_path / "antiphon.toml"))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """What the engines do; ``{"provider": "staged"}`` of every kind obeys it."""
    for kind, name in (("stt", "StagedSpeechToText"), ("llm", "StagedModel"), ("tts", "StagedVoice")):
        monkeypatch.setitem(registry._PROVIDERS[kind], "staged", f"{stages.__name__}:{name}")  # type: ignore[index]
    set_up = Stage()
    monkeypatch.setattr(stages._OnStage, "stage", set_up)
    return set_up


@pytest.fixture
async def server(stage: Stage, tmp_path: Path) -> AsyncIterator[Server]:
    async with serve_here(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def agents_js() -> Iterator[AgentsJs]:
    judge = AgentsJs()
    yield judge
    judge.close()


def assert_conforming(tap: Tap, agents_js: AgentsJs) -> None:
    """Nothing that any of the judges minds has passed the tap."""
    for line in tap.sockets:
        assert not line.faults
        assert line.largest_server_frame <= LARGEST_FRAME_BYTES
        events = line.of("server")
        numbers = [event.get("event_id") for event in events]
        assert len(set(numbers)) == len(numbers), "an event_id twice, or none"
        assert not oracles.faults(events, agents_js, midway="call_id=" in line.path)


@pytest.fixture
async def tap(server: Server, agents_js: AgentsJs) -> AsyncIterator[Tap]:
    """Where the clients of a test connect to."""
    async with tapping(server.port) as listening:
        yield listening
        assert_conforming(listening, agents_js)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that only the tests' clients trust."""
    return trustme.CA()


@pytest.fixture
async def tls_tap(server: Server, agents_js: AgentsJs, authority: trustme.CA) -> AsyncIterator[Tap]:
    """``tap`` behind TLS, which the npm package ``openai`` insists on."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with tapping(server.port, context) as listening:
        yield listening
        assert_conforming(listening, agents_js)


@pytest.fixture
async def client(tap: Tap, server: Server) -> AsyncIterator[AsyncOpenAI]:
    """openai-python, on its way to the server through the tap."""
    async with AsyncOpenAI(base_url=tap.base_url, api_key=server.key, max_retries=0) as made:
        yield made


@pytest.fixture(scope="session")
def cards() -> dict[str, Said]:
    """Short sentences, by people where there are recordings."""
    return speech.recordings() or speech.synthetic()


@pytest.fixture(scope="session")
def ten(cards: dict[str, Said]) -> Said:
    """ "Ten of clubs": 0.7 s of speech."""
    return cards["cards-001"]
