"""Who gets a key on the talk page: this machine's browsers, holders of a private key, or everybody, as the operator says."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog
from starlette.requests import Request

from antiphon.clock import ManualClock
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.talk.page_access import MAX_SESSIONS, SESSION_MS, PageAccess, TalkAccess

HERE = {"host": "127.0.0.1:8080"}
NEXT_TO_IT = "127.0.0.1"


def request(
    headers: dict[str, str], client: str | None = NEXT_TO_IT, *, token: str = "", version: str = "1.1"
) -> Request:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "http_version": version,
            "path": "/talk",
            "headers": raw,
            "query_string": f"token={token}".encode() if token else b"",
            "client": (client, 5000) if client else None,
        }
    )


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    return ApiKeys(tmp_path / "keys.json")


def access_of(keys: ApiKeys, access: TalkAccess, clock: ManualClock | None = None) -> PageAccess:
    return PageAccess(keys, access, 8080, clock or ManualClock())


def enter(access: PageAccess, headers: dict[str, str] = HERE) -> dict[str, str]:
    """The cookie of a browser that opened the printed address."""
    session = access.admit(request(headers, token=access.token))
    assert session
    return {"cookie": f"{access.cookie}={session}"}


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080", "127.0.0.2"])
@pytest.mark.parametrize("client", ["127.0.0.1", "::1"])
def test_a_browser_on_this_machine_that_opened_the_printed_address_is_welcome(
    keys: ApiKeys, host: str, client: str
) -> None:
    access = access_of(keys, "local")
    cookie = enter(access)
    assert access.welcome(request({"host": host, **cookie}, client))
    assert access.welcome(request({"host": host, "origin": f"http://{host}", **cookie}, client))
    assert access.welcome(request({"host": host, "cookie": f"other=1; {cookie['cookie']}; third=2"}, client))
    assert not access.welcome(request({"host": host}, client)), "another one on this machine"


def test_the_printed_address_is_good_once_and_another_takes_its_place(keys: ApiKeys) -> None:
    access = access_of(keys, "local")
    first = access.token
    enter(access)
    assert not access.admit(request(HERE, token=first))
    assert access.token not in ("", first)
    assert enter(access) != enter(access)
    for wrong in ("", "x", "é", access.token[:-1], access.token + "x"):
        assert not access.admit(request(HERE, token=wrong))


def test_what_is_not_the_cookie_opens_nothing(keys: ApiKeys) -> None:
    access = access_of(keys, "local")
    session = enter(access)["cookie"].partition("=")[2]
    for cookie in (
        f"antiphon_talk_8081={session}",
        f"{access.cookie}=",
        f"{access.cookie}={session}x",
        session,
        "=",
        '"',
        "a=\x01",
    ):
        assert not access.welcome(request({**HERE, "cookie": cookie})), cookie


def test_a_session_ends_and_there_are_not_too_many(keys: ApiKeys) -> None:
    clock = ManualClock()
    access = access_of(keys, "local", clock)
    first = enter(access)
    clock.advance(SESSION_MS - 1)
    assert access.welcome(request({**HERE, **first}))
    clock.advance(1)
    assert not access.welcome(request({**HERE, **first}))
    second = enter(access)
    for _ in range(MAX_SESSIONS):
        last = enter(access)
    assert not access.welcome(request({**HERE, **second}))
    assert access.welcome(request({**HERE, **last}))


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({"host": "192.168.1.4:8080"}, "192.168.1.9"),
        ({"host": "127.0.0.1:8080"}, "192.168.1.9"),
        ({"host": "rebound.example:8080"}, "127.0.0.1"),
        ({"host": "localhost.evil.example"}, "127.0.0.1"),
        ({"host": "127.0.0.1.evil.example"}, "127.0.0.1"),
        ({"host": "localhost."}, "127.0.0.1"),
        ({"host": "0.0.0.0"}, "127.0.0.1"),
        ({}, "127.0.0.1"),
        ({"host": "["}, "127.0.0.1"),
        ({"host": "127.0.0.1"}, None),
        *(
            ({"host": "127.0.0.1", name: "203.0.113.7"}, "127.0.0.1")
            for name in (
                "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded", "forwarded", "via", "x-real-ip", "x-client-ip",
                "true-client-ip", "cf-connecting-ip", "cf-ray", "fly-client-ip", "fastly-client-ip", "x-cluster-client-ip",
                "x-envoy-external-address", "x-original-forwarded-for", "x-appengine-user-ip", "x-azure-clientip",
            )
        ),
        *(({"host": "127.0.0.1", "sec-fetch-site": site}, "127.0.0.1") for site in ("cross-site", "same-site", "Cross-Site", "x")),
    ],
)  # fmt: skip
def test_nobody_else_passes_for_local_with_token_and_cookie(
    keys: ApiKeys, headers: dict[str, str], client: str | None
) -> None:
    access = access_of(keys, "local")
    assert not access.admit(request(headers, client, token=access.token))
    assert not access.welcome(request({**headers, **enter(access)}, client))


def test_a_proxy_that_speaks_http_1_0_is_none_of_this_machine_s_browsers(keys: ApiKeys) -> None:
    access = access_of(keys, "local")
    assert not access.admit(request(HERE, token=access.token, version="1.0"))
    assert not access.welcome(request({**HERE, **enter(access)}, version="1.0"))


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:9999", "null", "http://[", ""])
@pytest.mark.parametrize("access", ["key", "local", "open"])
def test_only_our_own_page_may_ask(keys: ApiKeys, access: TalkAccess, origin: str) -> None:
    _, secret = keys.create("test", 0)
    access = access_of(keys, access)
    headers = {**HERE, "origin": origin, "authorization": f"Bearer {secret}"}
    assert not access.welcome(request(headers))
    assert access.welcome(request({**headers, "origin": "http://127.0.0.1:8080"}))


def test_a_private_key_opens_from_anywhere_but_where_there_is_no_page(keys: ApiKeys) -> None:
    record, secret = keys.create("test", 0)
    far = {"host": "voice.example", "authorization": f"Bearer {secret}"}
    accesses: tuple[TalkAccess, ...] = ("key", "local")
    for access in accesses:
        access = access_of(keys, access)
        assert access.welcome(request(far, "203.0.113.7"))
        for wrong in ("Bearer wrong", "Bearer", f"Basic {secret}", secret, "", "Bearer " + "x" * 100_000):
            assert not access.welcome(request({**far, "authorization": wrong}, "203.0.113.7"))
        assert not access.welcome(request({"host": "voice.example"}, "203.0.113.7"))
    keys.revoke(record.id)
    assert not access.welcome(request(far, "203.0.113.7"))


def test_only_local_trusts_the_machine(keys: ApiKeys) -> None:
    assert not access_of(keys, "key").welcome(request(HERE))
    assert access_of(keys, "key").token == access_of(keys, "open").token == ""
    assert access_of(keys, "open").welcome(request({"host": "voice.example"}, "203.0.113.7"))


def test_keys_that_cannot_be_read_open_nothing(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("7")
    headers = {"host": "voice.example", "authorization": "Bearer anything"}
    with structlog.testing.capture_logs() as logs:
        assert not access_of(ApiKeys(tmp_path / "keys.json"), "key").welcome(request(headers))
    assert [entry["event"] for entry in logs] == ["keys_unreadable"]
