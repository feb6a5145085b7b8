"""Who gets a key on the talk page: this machine's browsers, holders of a private key, or everybody, as the operator says."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog
from starlette.requests import Request

from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.talk.visitors import TalkAccess, Visitors

HERE = {"host": "127.0.0.1:8080"}


def request(headers: dict[str, str], client: str | None = "127.0.0.1") -> Request:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "client": (client, 5000) if client else None})


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    return ApiKeys(tmp_path / "keys.json")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080", "127.0.0.2"])
@pytest.mark.parametrize("client", ["127.0.0.1", "::1"])
def test_a_browser_on_this_machine_is_welcome(keys: ApiKeys, host: str, client: str) -> None:
    visitors = Visitors(keys, "local")
    assert visitors.welcome(request({"host": host}, client))
    assert visitors.welcome(request({"host": host, "origin": f"http://{host}"}, client))


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({"host": "192.168.1.4:8080"}, "192.168.1.9"),
        ({"host": "127.0.0.1:8080"}, "192.168.1.9"),
        ({"host": "rebound.example:8080"}, "127.0.0.1"),
        ({"host": "localhost.evil.example"}, "127.0.0.1"),
        ({"host": "127.0.0.1.evil.example"}, "127.0.0.1"),
        ({}, "127.0.0.1"),
        ({"host": "["}, "127.0.0.1"),
        ({"host": "127.0.0.1"}, None),
        ({"host": "127.0.0.1", "x-forwarded-for": "203.0.113.7"}, "127.0.0.1"),
        ({"host": "127.0.0.1", "forwarded": "for=203.0.113.7"}, "127.0.0.1"),
        ({"host": "127.0.0.1", "x-real-ip": "203.0.113.7"}, "127.0.0.1"),
        ({"host": "127.0.0.1", "via": "1.1 proxy"}, "127.0.0.1"),
    ],
)  # fmt: skip
def test_nobody_else_passes_for_local(keys: ApiKeys, headers: dict[str, str], client: str | None) -> None:
    assert not Visitors(keys, "local").welcome(request(headers, client))


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:9999", "null", "http://[", ""])
@pytest.mark.parametrize("access", ["key", "local", "open"])
def test_only_our_own_page_may_ask(keys: ApiKeys, access: TalkAccess, origin: str) -> None:
    _, secret = keys.create("test", 0)
    headers = {**HERE, "origin": origin, "authorization": f"Bearer {secret}"}
    assert not Visitors(keys, access).welcome(request(headers))
    assert Visitors(keys, access).welcome(request({**headers, "origin": "http://127.0.0.1:8080"}))


def test_behind_a_public_address_loopback_is_the_proxy(keys: ApiKeys) -> None:
    assert not Visitors(keys, "local", "https://voice.example").welcome(request(HERE))
    assert Visitors(keys, "local", "http://localhost:8080").welcome(request(HERE))


def test_a_private_key_opens_from_anywhere_but_where_there_is_no_page(keys: ApiKeys) -> None:
    record, secret = keys.create("test", 0)
    far = {"host": "voice.example", "authorization": f"Bearer {secret}"}
    for access in ("key", "local"):
        visitors = Visitors(keys, access, "https://voice.example")
        assert visitors.welcome(request(far, "203.0.113.7"))
        for wrong in ("Bearer wrong", "Bearer", f"Basic {secret}", secret, "", "Bearer " + "x" * 100_000):
            assert not visitors.welcome(request({**far, "authorization": wrong}, "203.0.113.7"))
        assert not visitors.welcome(request({"host": "voice.example"}, "203.0.113.7"))
    keys.revoke(record.id)
    assert not visitors.welcome(request(far, "203.0.113.7"))


def test_only_local_trusts_the_machine(keys: ApiKeys) -> None:
    assert not Visitors(keys, "key").welcome(request(HERE))
    assert Visitors(keys, "open").welcome(request({"host": "voice.example"}, "203.0.113.7"))


def test_keys_that_cannot_be_read_open_nothing(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("7")
    headers = {"host": "voice.example", "authorization": "Bearer anything"}
    with structlog.testing.capture_logs() as logs:
        assert not Visitors(ApiKeys(tmp_path / "keys.json"), "key").welcome(request(headers))
    assert [entry["event"] for entry in logs] == ["keys_unreadable"]
