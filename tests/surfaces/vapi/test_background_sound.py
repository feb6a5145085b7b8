"""Whether a background sound's URL serves audio: asked over real HTTP, and nowhere that an assistant's other URLs may not go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.responses import RedirectResponse, Response
from tests.serving import running_server, settings_for
from tests.webhooks.receiver import Received, Receiver, receiving

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
