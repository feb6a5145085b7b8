"""``client_secrets`` over HTTP: who may ask, what is answered, and that openai-python reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, BadRequestError, PermissionDeniedError

from antiphon.clock import ManualClock
from antiphon.surfaces.http.application import application
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.realtime import secret_routes
from antiphon.surfaces.realtime.access import AccessControl
from antiphon.surfaces.realtime.http import PREFIX
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig
from antiphon.surfaces.realtime.secrets import ClientSecrets

URL = f"{PREFIX}/client_secrets"


@dataclass
class Server:
    """The route alone, on its real store."""

    http: httpx.AsyncClient
    secrets: ClientSecrets
    clock: ManualClock
    key: str
    key_id: str

    async def ask(self, body: Any, key: str | None = None) -> httpx.Response:
        return await self.http.post(URL, json=body, headers={"Authorization": f"Bearer {key or self.key}"})

    def sdk(self, key: str | None = None) -> AsyncOpenAI:
        return AsyncOpenAI(
            api_key=key or self.key, base_url="http://voice.example/v1", http_client=self.http, max_retries=0
        )


@asynccontextmanager
async def serving(folder: Path, *, strict: bool = False, capacity: int = 100) -> AsyncIterator[Server]:
    clock, keys = ManualClock(), ApiKeys(folder / "keys.json")
    secrets = ClientSecrets(folder / "client-secrets.sqlite3", capacity)
    access = AccessControl(keys, secrets, clock)
    defaults = SessionConfig("some-model")
    app = application(
        secret_routes.routes(
            access, secrets, clock, lambda model: replace(defaults, model=model or defaults.model), strict=strict
        )
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://voice.example") as http:
        record, key = keys.create("test", 0)
        yield Server(http, secrets, clock, key, record.id)
    secrets.close()


async def test_openai_python_gets_a_secret_that_works(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        made = await server.sdk().realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "model": "assistant:front-desk", "instructions": "Be brief."},
        )
        assert made.value.startswith("ek_")
        assert made.expires_at == server.clock.wall_ms() // 1000 + 60
        assert made.session.type == "realtime"
        assert (made.session.model, made.session.instructions) == ("assistant:front-desk", "Be brief.")
        assert made.session.audio is not None
        found = server.secrets.find(made.value, server.clock.wall_ms())
        assert found is not None
        assert found.session == {"type": "realtime", "model": "assistant:front-desk", "instructions": "Be brief."}


@pytest.mark.parametrize("body", [None, {}, {"session": None, "expires_after": None}, {"expires_after": {}}])
async def test_both_fields_are_optional(tmp_path: Path, body: Any) -> None:
    async with serving(tmp_path) as server:
        content = {"json": body} if body is not None else {}
        answer = await server.http.post(URL, headers={"Authorization": f"Bearer {server.key}"}, **content)
        assert answer.status_code == 200, answer.text
        assert answer.json()["expires_at"] == server.clock.wall_ms() // 1000 + 600
        session = answer.json()["session"]
        assert (session["type"], session["model"], session["expires_at"]) == ("realtime", "some-model", 0)
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "session", [{}, {"model": None}, {"model": ""}, {"instructions": "Sell shoes."}, {"type": None}]
)
async def test_what_is_not_said_is_decided_when_it_is_granted(tmp_path: Path, session: dict[str, Any]) -> None:
    """A secret without a model once was one for every assistant of the house."""
    async with serving(tmp_path) as server:
        answer = await server.ask({"session": session})
        if answer.status_code != 200:  # an empty name is none
            assert answer.json()["error"]["param"] == "session.model"
            return
        found = server.secrets.find(answer.json()["value"], server.clock.wall_ms())
        assert found is not None
        assert (found.session["model"], found.session["type"]) == ("some-model", "realtime")
        assert found.session.get("instructions") == session.get("instructions")
        assert (found.key_id, found.max_sessions) == (server.key_id, 0)


async def test_a_secret_keeps_no_credentials_and_nothing_that_was_not_understood(tmp_path: Path) -> None:
    tool = {"type": "mcp", "server_label": "crm", "server_url": "https://crm.example", "authorization": "hunter2"}
    session = {
        "tools": [{**tool, "headers": {"X-Key": "hunter2"}}],
        "surprise": {"password": "hunter2"},
        "id": "sess_hunter2",
    }
    async with serving(tmp_path) as server:
        made = await server.ask({"session": session})
        found = server.secrets.find(made.json()["value"], server.clock.wall_ms())
        assert found is not None
        assert found.session["tools"] == made.json()["session"]["tools"]
        assert found.session["tools"][0]["server_url"] == "https://crm.example"
        assert set(found.session) == {"tools", "type", "model"}
    for file in [tmp_path / "client-secrets.sqlite3"]:
        assert b"hunter2" not in file.read_bytes(), file.name


@pytest.mark.parametrize("most", [1, 10_000])
async def test_how_many_sessions_is_said_when_it_is_granted(tmp_path: Path, most: int) -> None:
    async with serving(tmp_path) as server:
        made = await server.ask({"max_sessions": most})
        found = server.secrets.find(made.json()["value"], server.clock.wall_ms())
        assert found is not None
        assert found.max_sessions == most


async def test_a_transcription_session_is_stored_as_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
        made = await server.sdk().realtime.client_secrets.create(session=session)  # type: ignore[arg-type]
        assert made.session.type == "transcription"


async def test_the_older_dialect_is_flat_both_ways(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        made = await server.sdk().beta.realtime.sessions.create(model="gpt-realtime", voice="ash", modalities=["text"])
        assert (made.voice, made.modalities, made.input_audio_format) == ("ash", ["text"], "pcm16")
        assert made.client_secret.expires_at == server.clock.wall_ms() // 1000 + 60
        found = server.secrets.find(made.client_secret.value, server.clock.wall_ms())
        assert found is not None
        assert found.session["audio"]["output"]["voice"] == "ash"

        heard = await server.sdk().beta.realtime.transcription_sessions.create(
            input_audio_format="g711_ulaw", client_secret={"expires_after": {"anchor": "created_at", "seconds": 20}}
        )  # fmt: skip
        assert heard.input_audio_format == "g711_ulaw"
        assert heard.client_secret.expires_at == server.clock.wall_ms() // 1000 + 20
        found = server.secrets.find(heard.client_secret.value, server.clock.wall_ms())
        assert found is not None
        assert found.session["type"] == "transcription"


@pytest.mark.parametrize("seconds", [10, 7200])
async def test_lives_within_bounds(tmp_path: Path, seconds: int) -> None:
    async with serving(tmp_path) as server:
        answer = await server.ask({"expires_after": {"seconds": seconds}})
        assert answer.json()["expires_at"] == server.clock.wall_ms() // 1000 + seconds


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"expires_after": {"seconds": 9}}, "expires_after.seconds", "invalid_value"),
        ({"expires_after": {"seconds": 7201}}, "expires_after.seconds", "invalid_value"),
        ({"expires_after": {"seconds": "60"}}, "expires_after.seconds", "invalid_type"),
        ({"expires_after": {"seconds": True}}, "expires_after.seconds", "invalid_type"),
        ({"expires_after": {"seconds": None}}, "expires_after.seconds", "invalid_type"),
        ({"expires_after": {"anchor": "never"}}, "expires_after.anchor", "invalid_value"),
        ({"expires_after": 60}, "expires_after", "invalid_type"),
        ({"max_sessions": 0}, "max_sessions", "invalid_value"),
        ({"max_sessions": 10_001}, "max_sessions", "invalid_value"),
        ({"max_sessions": "4"}, "max_sessions", "invalid_type"),
        ({"max_sessions": True}, "max_sessions", "invalid_type"),
        ({"session": []}, "session", "invalid_type"),
        ({"session": {"type": "realtime", "audio": {"output": {"speed": "fast"}}}}, "session.audio.output.speed", "invalid_type"),
        ({"session": {"type": "something"}}, "session.type", "invalid_value"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named_and_nothing_is_stored(
    tmp_path: Path, body: dict[str, Any], param: str, code: str
) -> None:
    async with serving(tmp_path) as server:
        answer = await server.ask(body)
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
    assert not (tmp_path / "client-secrets.sqlite3").exists()


async def test_unknown_fields_are_errors_only_where_that_is_asked_for(tmp_path: Path) -> None:
    body = {"session": {"type": "realtime", "surprise": 1}}
    async with serving(tmp_path / "lenient") as server:
        assert (await server.ask(body)).status_code == 200
    async with serving(tmp_path / "strict", strict=True) as server:
        with pytest.raises(BadRequestError) as error:
            await server.sdk().realtime.client_secrets.create(**body)  # type: ignore[arg-type]
        assert (error.value.code, error.value.param) == ("unknown_parameter", "session.surprise")


async def test_only_a_private_key_may_ask(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        ephemeral = (await server.ask({})).json()["value"]
        with pytest.raises(PermissionDeniedError) as error:
            await server.sdk(ephemeral).realtime.client_secrets.create()
        assert error.value.code == "insufficient_permissions"
        assert (await server.ask({}, "wrong")).json()["error"]["code"] == "invalid_api_key"
        assert (await server.http.post(URL)).status_code == 401


async def test_when_too_many_are_live_it_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path, capacity=1) as server:
        assert (await server.ask({"expires_after": {"seconds": 10}})).status_code == 200
        assert (await server.ask({})).status_code == 429
        server.clock.advance(10_000)
        assert (await server.ask({})).status_code == 200
