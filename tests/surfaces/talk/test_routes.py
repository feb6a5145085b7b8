"""The talk page of a real server: its files, its keys, and how little it trusts."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from tests.serving import running_server, settings_for

from antiphon.calls.stores import DEFAULT_ORG, Resource
from antiphon.clock import ManualClock
from antiphon.composition.process import Antiphon
from antiphon.errors import CapacityError
from antiphon.ids import new_id
from antiphon.surfaces.keys import ApiKeys, KeyRecord
from antiphon.surfaces.realtime.http import HttpError
from antiphon.surfaces.talk.desk import TalkKeys


async def enter(antiphon: Antiphon, client: httpx.AsyncClient) -> httpx.Response:
    """The page, by the address that was printed. The client keeps its cookie."""
    address = antiphon.talk_address.replace("localhost", "127.0.0.1")
    return await client.get(address, follow_redirects=True)


PARTS = re.compile(r'(?:href|src)="(talk/[^"]+)"|from "\./([^"]+)"')


async def test_the_page_and_all_its_parts_are_served_and_fetch_nothing_from_elsewhere(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        page = await enter(antiphon, client)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        seen: dict[str, httpx.Response] = {"/talk": page}
        waiting = [page]
        while waiting:
            for names in PARTS.findall(waiting.pop().text):
                path = f"/{names[0]}" if names[0] else f"/talk/{names[1]}"
                if path not in seen:
                    seen[path] = await client.get(path)
                    waiting.append(seen[path])
        assert {"/talk/talk.js", "/talk/call.js", "/talk/talk.css", "/talk/icon.svg"} <= set(seen)
        for path, part in seen.items():
            assert part.status_code == 200, path
            _check_headers(part)
            assert not re.findall(r"https?://(?!www\.w3\.org)", re.sub(r"http://localhost", "", part.text)), path
        assert "<style" not in page.text
        assert "style=" not in page.text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page.text)
        assert not re.search(r"\son\w+=", page.text)


def _check_headers(part: httpx.Response) -> None:
    policy = dict(rule.split(" ", 1) for rule in part.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert re.fullmatch(r"'self'( ws://127\.0\.0\.1:\d+ wss://127\.0\.0\.1:\d+)?", policy["connect-src"])
    assert part.headers["x-content-type-options"] == "nosniff"
    assert part.headers["referrer-policy"] == "no-referrer"


async def test_a_host_that_is_none_is_not_written_into_the_policy(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (_, client):
        page = await client.get("/talk", headers={"Host": "evil.example; script-src *"})
        assert "evil" not in page.headers.get("content-security-policy", "")


async def test_unchanged_parts_are_not_sent_again(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (_, client):
        etag = (await client.get("/talk/talk.js")).headers["etag"]
        again = await client.get("/talk/talk.js", headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert (await client.get("/talk/talk.js", headers={"If-None-Match": '"other"'})).status_code == 200


@pytest.mark.parametrize("path", ["index.html", "%2e%2e%2froutes.py", "routes.py", "page/talk.js", "talk.js/"])
async def test_nothing_else_is_served(tmp_path: Path, path: str) -> None:
    async with running_server(settings_for(tmp_path)) as (_, client):
        assert (await client.get(f"/talk/{path}")).status_code == 404


async def test_the_printed_address_makes_a_session_and_is_forgotten(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        for ask in (client.get("/talk/assistants"), client.post("/talk/key/scripted")):
            refused = await ask
            assert refused.status_code == 403
            assert "the address that the server printed" in refused.json()["detail"]
        shut = await client.get("/talk")
        assert (shut.status_code, shut.headers["cache-control"]) == (403, "no-store")
        assert "<title>Talk" in shut.text, "where a private key may be typed"
        assert (await client.get("/talk?token=wrong")).status_code == 403
        first = antiphon.talk_address
        with structlog.testing.capture_logs() as logs:
            answer = await client.get(first.replace("localhost", "127.0.0.1"))
        assert (answer.status_code, answer.headers["location"], answer.content) == (303, "talk", b"")
        cookie = answer.headers["set-cookie"]
        assert all(part in cookie.lower() for part in ("httponly", "samesite=strict", "path=/talk"))
        assert [(line["event"], line["next_address"]) for line in logs] == [("talk_page_opened", antiphon.talk_address)]
        assert antiphon.talk_address != first
        assert (await client.get("/talk")).status_code == 200
        assert (await client.post("/talk/key/scripted")).status_code == 200
        client.cookies.clear()
        assert (await client.get(first.replace("localhost", "127.0.0.1"))).status_code == 403


@pytest.mark.parametrize(
    "failure", [sqlite3.OperationalError("database or disk is full"), OSError(28, "No space left")]
)
async def test_on_a_full_disk_it_is_said_that_no_key_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        await enter(antiphon, client)

        def full(*given: object, **named: object) -> None:
            raise failure

        monkeypatch.setattr(antiphon.client_secrets, "create", full)
        answer = await client.post("/talk/key/scripted")
        assert (answer.status_code, "keep a key" in answer.json()["detail"]) == (503, True)


async def test_a_browser_on_this_machine_gets_a_key_that_opens_one_assistant_and_nothing_else(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        await enter(antiphon, client)
        listed = (await client.get("/talk/assistants")).json()
        assert listed["default"] == "scripted"
        assert {"scripted", "front-desk"} <= set(listed["assistants"])
        answer = await client.post("/talk/key/front-desk")
        assert answer.headers["cache-control"] == "no-store"
        access = antiphon.access.authenticate({"authorization": f"Bearer {answer.json()['value']}"})
        assert access.secret is not None
        assert access.secret.session["model"] == "assistant:front-desk"
        refused = await client.get("/calls/CA0/timeline", headers={"Authorization": f"Bearer {answer.json()['value']}"})
        assert refused.status_code == 401
        for name in ("nobody", "..%2fsecret", "front-desk%20", "a%00b", "x" * 2000, "%ff", "front-desk/more", ""):
            refused = await client.post(f"/talk/key/{name}")
            assert refused.status_code == 404, name
            assert "assistant" in refused.json()["detail"], "which is no such page's 404"


async def test_elsewhere_a_private_key_is_needed(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, realtime={"talk_page": "key"})
    async with running_server(settings) as (_, client):
        assert (await client.get("/talk")).status_code == 200, "the page itself is no secret"
        for ask in (client.get("/talk/assistants"), client.post("/talk/key/scripted")):
            refused = await ask
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        _, secret = ApiKeys(settings.data_dir / "keys.json").create("test", 0)
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await client.get("/talk/assistants", headers=headers)).json()["default"] == "scripted"
        assert (await client.post("/talk/key/scripted", headers=headers)).json()["value"].startswith("ek_")


@pytest.mark.parametrize("given", [{"talk_page": "off"}, {"enabled": False}])
async def test_where_it_is_off_there_is_no_page(tmp_path: Path, given: dict[str, Any]) -> None:
    async with running_server(settings_for(tmp_path, realtime=given)) as (_, client):
        for path in ("/talk", "/talk/talk.js", "/talk/assistants"):
            assert (await client.get(path)).status_code == 404


async def test_an_open_api_has_an_open_page(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, open_api=True, public_url="https://voice.example", expose_without_protection=True)
    async with running_server(settings) as (antiphon, _):
        url = f"http://127.0.0.1:{antiphon.settings.port}/talk/assistants"
        async with httpx.AsyncClient(timeout=60) as client:
            assert (await client.get(url)).status_code == 200


# ------------------------------------------------------------------------------------------------ the desk


class Maker:
    """Makes numbered keys, and says how many it made."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.made = 0

    def __call__(self, assistant: str, ttl_s: int, key_id: str, resumed: bool) -> tuple[str, int]:
        self.made += 1
        return f"ek_{assistant}_{'on_' * resumed}{key_id}{self.made}", self.clock.wall_ms() + ttl_s * 1000


def test_visitors_share_a_key_that_is_good_for_another_minute() -> None:
    clock = ManualClock()
    maker = Maker(clock)
    desk = TalkKeys(maker, lambda: ["a", "b"], "a", clock)
    first = desk.key("a")
    for _ in range(1000):
        assert desk.key("a") == first
    assert desk.key("b")["value"] == "ek_b_2"
    clock.advance(60_000)
    assert desk.key("a") == first
    clock.advance(1)
    assert desk.key("a")["value"] == "ek_a_3"
    assert maker.made == 3


def test_a_key_is_shared_by_those_alone_who_came_with_the_same_private_key() -> None:
    clock = ManualClock()
    desk = TalkKeys(Maker(clock), lambda: ["a"], "a", clock)
    values = [desk.key("a", key_id)["value"] for key_id in ("", "key_x", "key_y", "key_x", "")]
    assert values == ["ek_a_1", "ek_a_key_x2", "ek_a_key_y3", "ek_a_key_x2", "ek_a_1"]


def test_a_conversation_that_goes_on_has_a_key_of_its_own() -> None:
    desk = TalkKeys(Maker(clock := ManualClock()), lambda: ["a"], "a", clock)
    values = [desk.key("a", resumed=resumed)["value"] for resumed in (False, True, False, True)]
    assert values == ["ek_a_1", "ek_a_on_2", "ek_a_1", "ek_a_on_2"]


def test_keys_that_have_expired_are_forgotten() -> None:
    clock = ManualClock()
    desk = TalkKeys(Maker(clock), list, "a", clock)
    for number in range(200):
        desk.key(f"stored {number}")
        clock.advance(10_000)
    assert len(desk._keys) <= 13


async def test_a_session_that_goes_on_with_a_conversation_greets_nobody(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        await enter(antiphon, client)
        for query, greets in (("", True), ("?resumed", False)):
            key = (await client.post(f"/talk/key/scripted{query}")).json()["value"]
            secret = antiphon.access.authenticate({"authorization": f"Bearer {key}"}).secret
            assert secret is not None
            plan = antiphon.plans.realtime_plan(secret.session["model"], "rtc_x")
            assert (plan.policy.greeting.mode == "assistant-speaks-first") is greets
            assert plan.assistant == "scripted"


# ------------------------------------------------------------------------------------------------ whose assistants


async def store(antiphon: Antiphon, org_id: str, name: str) -> str:
    """An assistant that this organisation keeps; its id."""
    assert antiphon.api is not None
    document = {
        "name": name,
        "model": {"provider": "scripted", "model": "m", "options": {"replies": ["Yes."]}},
        "voice": {"provider": "scripted", "voiceId": "v"},
        "transcriber": {"provider": "scripted"},
    }
    kept = Resource("assistant", new_id("assistant"), org_id, document, 0, 0)
    await antiphon.api.resources.add(kept)
    return kept.id


async def test_whoever_may_talk_talks_to_their_own_organisations_assistants_alone(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        await enter(antiphon, client)
        ours, theirs = await store(antiphon, DEFAULT_ORG, "Ours"), await store(antiphon, "another", "Theirs")
        assert (await client.get(f"/talk/assistants?assistant={ours}")).json()["named"] == {ours: "Ours"}
        assert (await client.post(f"/talk/key/{ours}")).status_code == 200
        nobody = await client.post(f"/talk/key/{new_id('assistant')}")
        for ask in (client.post(f"/talk/key/{theirs}"), client.get(f"/talk/assistants?assistant={theirs}")):
            refused = await ask
            assert refused.status_code == 404
            assert refused.json()["detail"].rpartition(" ")[0] == nobody.json()["detail"].rpartition(" ")[0], (
                "as good as none"
            )


async def test_a_page_that_stands_open_lets_strangers_talk_to_no_stored_assistant(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, realtime={"talk_page": "open"})
    async with running_server(settings) as (antiphon, client):
        ours = await store(antiphon, DEFAULT_ORG, "Ours")
        assert (await client.post("/talk/key/scripted")).status_code == 200
        assert (await client.post(f"/talk/key/{ours}")).status_code == 404
        _, key = antiphon.keys.create("laptop", 0)
        assert (await client.post(f"/talk/key/{ours}", headers={"Authorization": f"Bearer {key}"})).status_code == 200


async def test_a_key_of_another_organisation_opens_nothing_here(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, realtime={"talk_page": "key"})) as (antiphon, client):
        ours = await store(antiphon, DEFAULT_ORG, "Ours")
        _, key = antiphon.keys.create("theirs", 0, like=KeyRecord("", "", "", 0, org_id="another"))
        for name in ("scripted", ours):
            refused = await client.post(f"/talk/key/{name}", headers={"Authorization": f"Bearer {key}"})
            assert refused.status_code == 401


# ------------------------------------------------------------------------------------------------ the connection check


async def test_what_the_server_knows_of_the_way_to_it_is_told_to_those_who_may_talk(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        for ask in (client.get("/talk/connection"), client.post("/talk/probe", content="v=0")):
            assert (await ask).status_code == 403
        await enter(antiphon, client)
        assert (await client.get("/talk/connection")).json() == {"relay": "none", "public_url": ""}
        refused = await client.post("/talk/probe", content="v=0")
        assert (refused.status_code, refused.json()["detail"]) == (400, "This is no offer of a WebRTC connection")
        assert (await client.post("/talk/probe", content=b"\xff")).status_code == 400
        assert (await client.post("/talk/probe", content=b"x" * 100_000)).status_code == 413
        assert antiphon.webrtc.legs == 0


async def test_when_no_key_can_be_made_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        await enter(antiphon, client)

        def full(*given: object, **named: object) -> None:
            raise CapacityError("full")

        monkeypatch.setattr(antiphon.client_secrets, "create", full)
        assert (await client.post("/talk/key/scripted")).status_code == 503


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"host": "127.0.0.1"}, "http://localhost:8080/talk"),
        ({"host": "::1"}, "http://[::1]:8080/talk"),
        ({"host": "0.0.0.0"}, "http://localhost:8080/talk"),
        ({"public_url": "https://voice.example"}, "https://voice.example/talk"),
        ({"realtime": {"talk_page": "off"}}, ""),
        ({"realtime": {"enabled": False}}, ""),
    ],
)
def test_the_address_that_is_printed_is_one_a_browser_gives_a_microphone_to(
    tmp_path: Path, given: dict[str, Any], url: str
) -> None:
    antiphon = Antiphon(settings_for(tmp_path, port=8080, **given), ManualClock())
    assert antiphon.talk_url == url
    if given.get("host") in ("127.0.0.1", "::1"):
        assert re.fullmatch(re.escape(url) + r"\?token=[\w-]{43}", antiphon.talk_address)
    else:
        assert antiphon.talk_address == url, "who is elsewhere types a key"


async def test_browsers_that_ask_for_an_icon_get_it(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (_, client):
        answer = await client.get("/favicon.ico")
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "image/svg+xml")


async def test_what_a_typed_key_brings_goes_with_it(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, realtime={"talk_page": "key"})
    async with running_server(settings) as (antiphon, client):
        record, key = antiphon.keys.create("laptop", 0)
        made = await client.post("/talk/key/scripted", headers={"Authorization": f"Bearer {key}"})
        secret = made.json()["value"]
        access = antiphon.access.authenticate({"authorization": f"Bearer {secret}"})
        assert access.key_id == record.id
        antiphon.keys.revoke(record.id)
        with pytest.raises(HttpError):
            antiphon.access.authenticate({"authorization": f"Bearer {secret}"})
