"""Background sounds: whether a URL serves one (asked over real HTTP, and nowhere that an assistant's other URLs may not go), and what is
heard of one in a call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.responses import RedirectResponse, Response
from tests.api_caller import ask, ended, on_socket
from tests.serving import running_server, settings_for
from tests.surfaces.vapi.test_calls import ENGINES
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.audio import pcm, wav
from antiphon.background.ambience import ROOM_DBFS
from antiphon.vocabulary import AudioFormat, Encoding

PATH = "/assistant/background-sound/validate"


async def serves(came: Received) -> Any:
    match came.path:
        case "/sound.mp3":
            assert came.headers["range"] == "bytes=0-1023"
            return Response(b"x" * 1024, 206, media_type="audio/mpeg")
        case "/large.wav":
            return Response(b"x" * (2 * 1024 * 1024 if came.method == "GET" else 0), media_type="audio/wav")
        case "/page":
            return Response("<p>", media_type="text/html")
        case "/round":
            return RedirectResponse("/round")
    return Response(status_code=404)


EXPECTED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/sound.mp3", {"valid": True, "status": 206, "contentType": "audio/mpeg"}),
    ("/large.wav", {"valid": True, "status": 200, "contentType": "audio/wav"}),
    ("/page", {"valid": False, "reason": "not-audio", "status": 200, "contentType": "text/html; charset=utf-8"}),
    ("/gone", {"valid": False, "reason": "http-error", "status": 404}),
    ("/round", {"valid": False, "reason": "too-many-redirects"}),
    ("http://10.0.0.1/a.mp3", {"valid": False, "reason": "blocked-address"}),
    ("http://127.0.0.1:1/a.mp3", {"valid": False, "reason": "unreachable"}),
    ("ftp://a.test/a.mp3", {"valid": False, "reason": "invalid-url"}),
    ("http://[", {"valid": False, "reason": "invalid-url"}),
    ("http://a b", {"valid": False, "reason": "invalid-url"}),
    ("http://user:pass@a.test/", {"valid": False, "reason": "invalid-url"}),
)


async def test_what_a_url_serves(tmp_path: Path) -> None:
    async with (
        receiving(Receiver(serves)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        for path, expected in EXPECTED:
            url = path if "://" in path else receiver.url + path
            answer = await client.post(PATH, json={"url": url})
            assert (answer.status_code, answer.json()) == (201, expected), url
        for wrong in ({}, {"url": 5}, {"url": "http://a.test", "x": 1}):
            assert (await client.post(PATH, json=wrong)).status_code == 400


@pytest.mark.parametrize("sound", ["office", "/room.wav"])
async def test_the_line_is_alive_while_nobody_speaks(tmp_path: Path, sound: str) -> None:
    """Before, under and after what the agent says; and nothing of it is taken for somebody who speaks."""
    async with (
        receiving(Receiver(_a_room)) as receiver,
        running_server(settings_for(tmp_path, open_api=True)) as (_, client),
    ):
        url = receiver.url + sound if sound.startswith("/") else sound
        call = await ask(client, assistant={**ENGINES, "firstMessage": "Hello there.", "backgroundSound": url})
        async with on_socket(call["transport"]["websocketCallUrl"]) as caller:
            await caller.until_told("transcript", role="assistant", transcript="Hello there.")
            await caller.until(lambda: _level_of_last(caller.heard, 500) > ROOM_DBFS - 12)
            began = len(caller.heard)
            await caller.until(lambda: len(caller.heard) >= began + 2 * 2 * 16_000)
            alone = pcm.from_bytes(bytes(caller.heard[began:]))
            caller.say()
            await caller.until_told("transcript", role="assistant", transcript="It costs eleven crowns.")
        record = await ended(client, call["id"])
    assert pcm.dbfs(alone) == pytest.approx(ROOM_DBFS, abs=6)
    assert [message["role"] for message in record["messages"] if message["role"] in ("bot", "user")] == [
        "bot",
        "user",
        "bot",
    ]
    assert not [each for each in record.get("warnings", ()) if "background" in each["field"]]


async def test_no_other_sound_is_taken(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        for wrong in ("forest", "ftp://a.test/a.mp3", "", 5, "http://a.test/" + "a" * 9000):
            answer = await client.post("/assistant", json={"backgroundSound": wrong})
            assert answer.status_code == 400, wrong
            assert "backgroundSound" in answer.text, wrong
        for right in ("off", "office", "https://a.test/a.mp3", None):
            assert (await client.post("/assistant", json={"backgroundSound": right})).status_code == 201, right


async def _a_room(_came: Received) -> Any:
    samples = (np.random.default_rng(1).standard_normal(3 * 8000) * 3000).astype(np.int16)
    head = wav.header(AudioFormat(Encoding.PCM16, 8000), 1, samples.nbytes)
    return Response(head + pcm.to_bytes(samples), media_type="audio/wav")


def _level_of_last(heard: bytearray, ms: int) -> float:
    return pcm.dbfs(pcm.from_bytes(bytes(heard[-32 * ms :])))
