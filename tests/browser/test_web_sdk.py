"""The web SDK in a real browser on real calls: the unmodified ``@vapi-ai/web`` over our ``daily.js``, and our own ``web.js``, each from a page
of another origin under a strict policy, with a person's speech for a microphone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.browser.sdk_pages import GREETING, Client, calling, vapi_bundle
from tests.browser.test_talk_live import ANSWER, QUESTION, card, microphone
from tests.conformance.realtime.speech import Said

__all__ = ["card"]
KINDS = ("vapi", "web")
QUIET_MS = 400
"""An interrupted agent is silent so soon after the page was told; volume is measured every 50 to 100 ms."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return vapi_bundle(tmp_path_factory.mktemp("bundle"))


async def record_of(client: Client, call_id: str) -> dict[str, Any]:
    """The call's record, when the call is over."""
    headers = {"Authorization": f"Bearer {client.private_key()}"}
    async with httpx.AsyncClient(base_url=client.antiphon.settings.base_url, headers=headers) as api:
        for _ in range(200):
            record: dict[str, Any] = (await api.get(f"/call/{call_id}")).json()
            if record.get("status") == "ended":
                return record
            await asyncio.sleep(0.02)
    raise AssertionError("the call did not end")


def final(role: str, text: str | None = None) -> Any:
    return lambda value: (
        value["type"] == "transcript"
        and (value["role"], value["transcriptType"]) == (role, "final")
        and text in (None, value["transcript"])
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_speech_both_ways_an_interruption_and_the_end(tmp_path: Path, kind: str, bundle: bytes, card: Said) -> None:
    mic = microphone(tmp_path / "microphone.wav", 2500, card)
    async with calling(tmp_path, kind, mic, bundle) as client:
        await client.make(client.public_key(origins=(client.origin,), assistants=("scripted",)))
        call_id = await client.start()
        assert call_id
        await client.until("call-start")
        greeting = await client.until("speech-start")
        assert (await client.until("volume-level", lambda volume: volume > 0.1))["at_ms"] >= greeting["at_ms"] - 200

        told = await client.message(lambda value: value["type"] == "user-interrupted")
        assert 500 < told["at_ms"] - greeting["at_ms"] < 4500, "while the greeting was spoken"
        await client.until("volume-level", lambda volume: volume < 0.02, told["at_ms"])
        silent = next(each for each in client.events("volume-level") if each["at_ms"] > told["at_ms"] and each["value"] < 0.02)
        assert silent["at_ms"] - told["at_ms"] < QUIET_MS

        assert (await client.message(final("user")))["value"]["transcript"] == QUESTION
        cut = (await client.message(final("assistant")))["value"]["transcript"]
        assert cut != GREETING and GREETING.startswith(cut.rstrip(" .…—-"))
        answered = await client.message(final("assistant", ANSWER))
        assert [each for each in client.events("speech-start") if told["at_ms"] < each["at_ms"] <= answered["at_ms"]]

        await client.do("client.stop()")
        await client.until("call-end")
        record = await record_of(client, call_id)
        assert (record["type"], record["endedReason"]) == ("webCall", "customer-ended-call")
        said = [(each["role"], each["message"]) for each in record["messages"] if each["role"] in ("user", "bot")]
        assert said[1:] == [("user", QUESTION), ("bot", ANSWER)]
        assert len(client.events("call-end")) == 1
        assert client.events("error") == []
        ended = [each for each in client.events("message") if each["value"].get("status") == "ended"]
        assert [each["value"]["type"] for each in ended] == ["status-update"]
