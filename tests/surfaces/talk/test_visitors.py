"""Who gets a key on the talk page: this machine's browsers, holders of a private key, or everybody, as the operator says."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog
from starlette.requests import Request

from antiphon.clock import ManualClock
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.talk.visitors import MAX_SESSIONS, SESSION_MS, TalkAccess, Visitors

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


def visitors_of(keys: ApiKeys, access: TalkAccess, clock: ManualClock | None = None) -> Visitors:
    return Visitors(keys, access, 8080, clock or ManualClock())


def enter(visitors: Visitors, headers: dict[str, str] = HERE) -> dict[str, str]:
    """The cookie of a browser that opened the printed address."""
    session = visitors.admit(request(headers, token=visitors.token))
    assert session
    return {"cookie": f"{visitors.cookie}={session}"}


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080", "127.0.0.2"])
@pytest.mark.parametrize("client", ["127.0.0.1", "::1"])
def test_a_browser_on_this_machine_that_opened_the_printed_address_is_welcome(
    keys: ApiKeys, host: str, client: str
) -> None:
    visitors = visitors_of(keys, "local")
    cookie = enter(visitors)
    assert visitors.welcome(request({"host": host, **cookie}, client))
    assert visitors.welcome(request({"host": host, "origin": f"http://{host}", **cookie}, client))
    assert visitors.welcome(request({"host": host, "cookie": f"other=1; {cookie['cookie']}; third=2"}, client))
    assert not visitors.welcome(request({"host": host}, client)), "another one on this machine"


def test_the_printed_address_is_good_once_and_another_takes_its_place(keys: ApiKeys) -> None:
    visitors = visitors_of(keys, "local")
    first = visitors.token
    enter(visitors)
    assert not visitors.admit(request(HERE, token=first))
    assert visitors.token not in ("", first)
    assert enter(visitors) != enter(visitors)
    for wrong in ("", "x", "é", visitors.token[:-1], visitors.token + "x"):
        assert not visitors.admit(request(HERE, token=wrong))


def test_what_is_not_the_cookie_opens_nothing(keys: ApiKeys) -> None:
    visitors = visitors_of(keys, "local")
    session = enter(visitors)["cookie"].partition("=")[2]
    for cookie in (
        f"antiphon_talk_8081={session}",
        f"{visitors.cookie}=",
        f"{visitors.cookie}={session}x",
        session,
        "=",
        '"',
        "a=\x01",
    ):
        assert not visitors.welcome(request({**HERE, "cookie": cookie})), cookie


def test_a_session_ends_and_there_are_not_too_many(keys: ApiKeys) -> None:
    clock = ManualClock()
    visitors = visitors_of(keys, "local", clock)
    first = enter(visitors)
    clock.advance(SESSION_MS - 1)
    assert visitors.welcome(request({**HERE, **first}))
    clock.advance(1)
    assert not visitors.welcome(request({**HERE, **first}))
    second = enter(visitors)
    for _ in range(MAX_SESSIONS):
        last = enter(visitors)
    assert not visitors.welcome(request({**HERE, **second}))
    assert visitors.welcome(request({**HERE, **last}))


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
    visitors = visitors_of(keys, "local")
    assert not visitors.admit(request(headers, client, token=visitors.token))
    assert not visitors.welcome(request({**headers, **enter(visitors)}, client))


def test_a_proxy_that_speaks_http_1_0_is_none_of_this_machine_s_browsers(keys: ApiKeys) -> None:
    visitors = visitors_of(keys, "local")
    assert not visitors.admit(request(HERE, token=visitors.token, version="1.0"))
    assert not visitors.welcome(request({**HERE, **enter(visitors)}, version="1.0"))


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:9999", "null", "http://[", ""])
@pytest.mark.parametrize("access", ["key", "local", "open"])
def test_only_our_own_page_may_ask(keys: ApiKeys, access: TalkAccess, origin: str) -> None:
    _, secret = keys.create("test", 0)
    visitors = visitors_of(keys, access)
    headers = {**HERE, "origin": origin, "authorization": f"Bearer {secret}"}
    assert not visitors.welcome(request(headers))
    assert visitors.welcome(request({**headers, "origin": "http://127.0.0.1:8080"}))


def test_a_private_key_opens_from_anywhere_but_where_there_is_no_page(keys: ApiKeys) -> None:
    record, secret = keys.create("test", 0)
    far = {"host": "voice.example", "authorization": f"Bearer {secret}"}
    accesses: tuple[TalkAccess, ...] = ("key", "local")
    for access in accesses:
        visitors = visitors_of(keys, access)
        assert visitors.welcome(request(far, "203.0.113.7"))
        for wrong in ("Bearer wrong", "Bearer", f"Basic {secret}", secret, "", "Bearer " + "x" * 100_000):
            assert not visitors.welcome(request({**far, "authorization": wrong}, "203.0.113.7"))
        assert not visitors.welcome(request({"host": "voice.example"}, "203.0.113.7"))
    keys.revoke(record.id)
    assert not visitors.welcome(request(far, "203.0.113.7"))


def test_only_local_trusts_the_machine(keys: ApiKeys) -> None:
    assert not visitors_of(keys, "key").welcome(request(HERE))
    assert visitors_of(keys, "key").token == visitors_of(keys, "open").token == ""
    assert visitors_of(keys, "open").welcome(request({"host": "voice.example"}, "203.0.113.7"))


def test_keys_that_cannot_be_read_open_nothing(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("7")
    headers = {"host": "voice.example", "authorization": "Bearer anything"}
    with structlog.testing.capture_logs() as logs:
        assert not visitors_of(ApiKeys(tmp_path / "keys.json"), "key").welcome(request(headers))
    assert [entry["event"] for entry in logs] == ["keys_unreadable"]
