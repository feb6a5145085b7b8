"""Who is let in, by which header, and what they may do then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from starlette.datastructures import Headers

from antiphon.clock import ManualClock
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.realtime.access import AccessControl, Act, key_of
from antiphon.surfaces.realtime.http import HttpError
from antiphon.surfaces.realtime.secrets import ClientSecrets

SESSION = {"type": "realtime", "model": "assistant:front-desk"}


class Door:
    """An access control over real keys, and a clock to move."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.path = folder
        self.keys = ApiKeys(folder / "keys.json")
        self.secrets = ClientSecrets(folder / "client-secrets.sqlite3")
        self.record, self.private = self.keys.create("test", 0)
        self.secret, self.ephemeral = self.secrets.create(SESSION, 60, self.clock.wall_ms())

    def control(self, **given: Any) -> AccessControl:
        return AccessControl(self.keys, self.secrets, self.clock, **given)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    yield made
    made.secrets.close()


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def azure(key: str) -> dict[str, str]:
    return {"api-key": key}


def browser(key: str) -> dict[str, str]:
    return {"sec-websocket-protocol": f"realtime, openai-insecure-api-key.{key}, openai-agents-sdk.0.20.0"}


def refused(control: AccessControl, headers: Mapping[str, str]) -> HttpError:
    with pytest.raises(HttpError) as error:
        control.authenticate(headers)
    return error.value


# ------------------------------------------------------------------------------------------------ who


@pytest.mark.parametrize("carry", [bearer, azure, browser])
def test_every_way_a_key_travels_opens(door: Door, carry: Any) -> None:
    control = door.control()
    assert control.authenticate(carry(door.private)).secret is None
    access = control.authenticate(carry(door.ephemeral))
    assert access.secret == door.secret
    assert access.name == door.secret.id
    for wrong in ("sk_wrong", door.private + "x", "ek_wrong", door.ephemeral[:-1], "x" * 100_000):
        error = refused(control, carry(wrong))
        assert (error.status, error.wire_code) == (401, "invalid_api_key")


def test_headers_as_starlette_brings_them(door: Door) -> None:
    assert door.control().authenticate(Headers({"Authorization": f"bearer  {door.private} "})).secret is None


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": ""}, {"authorization": "Bearer"}, {"authorization": "Basic dTpw"}, {"api-key": " "},
     {"sec-websocket-protocol": "realtime"}, {"sec-websocket-protocol": "openai-insecure-api-key."}],
)  # fmt: skip
def test_no_key_is_said_to_be_no_key(door: Door, headers: dict[str, str]) -> None:
    assert key_of(headers) == ""
    error = refused(door.control(), headers)
    assert error.status == 401
    assert "No API key" in str(error)


def test_a_secret_dies_at_its_time(door: Door) -> None:
    control = door.control()
    door.clock.advance(59_999)
    assert control.authenticate(bearer(door.ephemeral)).secret is not None
    door.clock.advance(1)
    error = refused(control, bearer(door.ephemeral))
    assert error.status == 401
    assert "expired" in str(error)


def test_a_revoked_key_is_worthless_at_once(door: Door) -> None:
    control = door.control()
    assert control.authenticate(bearer(door.private)).secret is None
    [record] = door.keys.records()
    door.keys.revoke(record.id)
    assert refused(control, bearer(door.private)).status == 401


HERE = {"host": "127.0.0.1:8080"}


def test_an_open_api_lets_this_machine_in_but_keeps_secrets_to_their_session(door: Door) -> None:
    control = door.control(open_api=True)
    assert control.authenticate(HERE).secret is None
    assert control.authenticate({**HERE, **bearer("whatever")}).secret is None
    assert control.authenticate(bearer(door.private)).secret is None
    assert control.authenticate({"host": "voice.example", **bearer(door.private)}).secret is None
    for elsewhere in ({"host": "rebound.example:8080"}, {}, {**HERE, "x-forwarded-for": "127.0.0.1"}):
        assert refused(control, elsewhere).status == 401
        assert door.control(open_api=True, open_anywhere=True).authenticate(elsewhere).secret is None
    assert control.authenticate(bearer(door.ephemeral)).secret == door.secret
    assert refused(control, bearer("ek_wrong")).status == 401


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://127.0.0.1:3000", "http://localhost:8080"]
)
@pytest.mark.parametrize("anywhere", [False, True])
def test_an_open_api_is_closed_to_pages_of_other_origins(door: Door, origin: str, anywhere: bool) -> None:
    control = door.control(open_api=True, open_anywhere=anywhere)
    assert refused(control, {**HERE, "origin": origin}).status == 403
    assert control.authenticate({**HERE, "origin": "http://127.0.0.1:8080"}).secret is None
    named = door.control(open_api=True, open_anywhere=anywhere, origins=["*", origin or "x"])
    if origin:
        assert named.authenticate({**HERE, "origin": origin}).secret is None


# ------------------------------------------------------------------------------------------------ what


def test_a_private_key_may_do_everything_and_a_secret_only_open_sessions(door: Door) -> None:
    control = door.control()
    for act in Act:
        access = control.require(bearer(door.private), act)
        assert access.name == access.key_id == door.record.id
    assert control.require(bearer(door.ephemeral), Act.OPEN_SESSION).secret == door.secret
    for act in set(Act) - {Act.OPEN_SESSION}:
        with pytest.raises(HttpError) as error:
            control.require(bearer(door.ephemeral), act)
        assert (error.value.status, error.value.wire_code) == (403, "insufficient_permissions")
        assert act.value in str(error.value)


# ------------------------------------------------------------------------------------------------ from where


def test_pages_of_other_origins_are_refused_where_origins_are_named(door: Door) -> None:
    control = door.control(origins=["https://shop.example"])
    key = bearer(door.private)
    for origin, host in (("https://shop.example", "voice.example"), ("https://voice.example", "voice.example")):
        assert control.authenticate({**key, "origin": origin, "host": host}).secret is None
    assert control.authenticate({**key, "host": "voice.example"}).secret is None, "a server names no origin"
    for origin in (
        "https://evil.example",
        "null",
        "https://shop.example.evil.example",
        "http://[",
        "//",
        "http://shop.example",
    ):
        error = refused(control, {**key, "origin": origin, "host": "voice.example"})
        assert (error.status, error.wire_code) == (403, "origin_not_allowed")


def test_by_default_any_page_may_come_with_a_key(door: Door) -> None:
    headers = {**bearer(door.ephemeral), "origin": "https://anything.example", "host": "voice.example"}
    assert door.control().authenticate(headers).secret == door.secret


# ------------------------------------------------------------------------------------------------ how it is said


def test_the_refusal_has_openai_s_shape(door: Door) -> None:
    error = refused(door.control(), bearer("wrong"))
    assert orjson.loads(error.body()) == {
        "error": {"message": str(error), "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    }
    answer = error.response()
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("file", "carry"), [("keys.json", "sk_antiphon_anything"), ("client-secrets.sqlite3", "ek_anything")]
)
def test_keys_that_cannot_be_read_let_nobody_in_and_do_not_blame_the_client(
    tmp_path: Path, file: str, carry: str
) -> None:
    (tmp_path / file).write_bytes(b'{"this": "is neither keys nor a database"}' * 50)
    secrets = ClientSecrets(tmp_path / "client-secrets.sqlite3")
    control = AccessControl(ApiKeys(tmp_path / "keys.json"), secrets, ManualClock())
    with structlog.testing.capture_logs() as logs:
        error = refused(control, bearer(carry))
    assert (error.status, error.kind, error.wire_code) == (503, "server_error", "keys_unreadable")
    assert [entry["event"] for entry in logs] == ["keys_unreadable"]
    secrets.close()


def test_no_key_reaches_a_log_or_a_message(door: Door) -> None:
    control = door.control()
    with structlog.testing.capture_logs() as logs:
        messages = [str(refused(control, carry(f"{key}x"))) for carry in (bearer, azure, browser)
                    for key in (door.private, door.ephemeral)]  # fmt: skip
        with pytest.raises(HttpError) as error:
            control.require(bearer(door.ephemeral), Act.MAKE_SECRET)
    messages.append(str(error.value))
    for text in (*messages, *map(repr, logs)):
        assert door.private not in text
        assert door.ephemeral not in text
    assert door.private not in repr(control.authenticate(bearer(door.private)))
    assert door.ephemeral not in repr(control.authenticate(bearer(door.ephemeral)))
