"""An application's own recogniser in whole calls: the running server, a real WebSocket server that hears, a caller on a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.api_caller import ask, ended, on_socket
from tests.providers.fakes.custom_transcriber import FakeTranscriber, TranscriberSession
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import Heard
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_calls import ENGINES

from antiphon.assistants.spec import parse_assistant
from antiphon.audio import codec
from antiphon.engines import EngineRoom, engine_behind
from antiphon.errors import RequestFailed
from antiphon.providers.stt.custom_transcriber import CustomTranscriber

SAID = "how much is the marmalade"


class HumSession(TranscriberSession):
    """The caller hums: whatever is loud is one and the same sentence."""

    END_MS = 300

    def words(self) -> list[Heard]:
        step = self.format.bytes_for_ms(20)
        loud = [
            at
            for at in range(0, len(self.audio) - step + 1, step)
            if abs(codec.decode_to_float(bytes(self.audio[at : at + step]), self.format.encoding)).max() > 0.02
        ]
        if not loud:
            return []
        return [Heard(SAID, self.format.ms_of(loud[0]), self.format.ms_of(loud[-1] + step))]


class HumTranscriber(FakeTranscriber):
    session_class = HumSession


@pytest.fixture
async def transcriber(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HumTranscriber]:
    async with HumTranscriber() as fake:
        monkeypatch.setenv("SSL_CERT_FILE", fake.trust(tmp_path))
        yield fake


async def test_the_callers_words_are_those_of_the_application(tmp_path: Path, transcriber: HumTranscriber) -> None:
    named = {"provider": "custom-transcriber", "server": {"url": transcriber.url, "secret": KEY}}
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        call = await ask(client, assistant={**ENGINES, "transcriber": named, "firstMessage": "Good day."})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant", transcript="Good day.")
            caller.say()
            await caller.until_told("transcript", role="user", transcriptType="final", transcript=SAID)
            await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
        record = await ended(client, call["id"])
        stored = await client.get(f"/call/{call['id']}")
    assert record["artifact"]["transcript"] == f"AI: Good day.\nUser: {SAID}\nAI: It costs eleven crowns.\n"
    assert not [each for each in record.get("warnings", ()) if "transcriber" in each["field"]]
    assert KEY not in stored.text
    assert len(transcriber.sessions) == 1


@pytest.mark.parametrize("url", ["", "ws://10.0.0.1/listen"], ids=["without the secret", "at a private address"])
async def test_where_it_cannot_be_asked_another_hears(tmp_path: Path, transcriber: HumTranscriber, url: str) -> None:
    other = {"provider": "custom-transcriber", "server": {"url": transcriber.url, "secret": KEY}}
    named = {
        "provider": "custom-transcriber",
        "server": {"url": url or transcriber.url},
        "fallbackPlan": {"transcribers": [other]},
    }
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        call = await ask(client, assistant={**ENGINES, "transcriber": named, "firstMessage": "Good day."})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant", transcript="Good day.")
            caller.say()
            await caller.until_told("transcript", role="user", transcriptType="final", transcript=SAID)
    assert len(transcriber.sessions) == 1


async def test_engines_of_calls_reach_public_addresses_alone(tmp_path: Path) -> None:
    """(A server that only this machine reaches may call this machine, too.)"""
    room = EngineRoom(settings_for(tmp_path))
    named = {"provider": "custom-transcriber", "server": {"url": "wss://a.test"}}
    engine = engine_behind(room.for_assistant(parse_assistant({**ENGINES, "transcriber": named})).stt)
    assert isinstance(engine, CustomTranscriber) and engine.addresses is not None
    assert await engine.addresses("127.0.0.1", 80) == ["127.0.0.1"]
    with pytest.raises(RequestFailed):
        await engine.addresses("10.0.0.1", 80)
