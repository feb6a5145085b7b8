"""Who is let into the console of a real server, and what a change needs beside a cookie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import running_server, settings_for

from antiphon.composition.process import Antiphon
from antiphon.surfaces.console.passwords import TRIES, WINDOW_MS, Passwords, Throttle

PASSWORD = "correct horse battery"
API = "/console/api"


class Console:
    """A server, and one browser at it."""

    def __init__(self, antiphon: Antiphon, client: httpx.AsyncClient) -> None:
        self.antiphon = antiphon
        self.client = client
        self.csrf = ""

    async def set_up(self, **given: Any) -> httpx.Response:
        token = self.antiphon.console_address.rpartition("/")[2]
        body = {"token": token, "name": " Ada ", "password": PASSWORD} | given
        return await self.client.post(f"{API}/setup", json=body)

    async def sign_in(self, name: str = "ada", password: str = PASSWORD) -> httpx.Response:
        return await self.client.post(f"{API}/sign-in", json={"name": name, "password": password})

    async def me(self) -> dict[str, Any]:
        told: dict[str, Any] = (await self.client.get(f"{API}/me")).json()
        self.csrf = (told["user"] or {}).get("csrf", "")
        return told

    async def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"X-CSRF-Token": self.csrf, **given.pop("headers", {})}
        return await self.client.request(method, f"{API}/{path}", headers=headers, **given)

    async def become(self, role: str) -> None:
        """Somebody else, of this role."""
        await self.me()
        body = {"name": role, "password": PASSWORD, "role": role}
        assert (await self.ask("POST", "people", json=body)).status_code == 200
        await self.ask("POST", "sign-out")
        assert (await self.sign_in(role)).status_code == 204
        await self.me()


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        yield Console(antiphon, client)


async def test_the_printed_token_makes_one_admin(console: Console) -> None:
    assert (await console.me()) == {"user": None, "setup": True}
    for given, status in (({"token": "wrong"}, 403), ({"password": "short"}, 422), ({"name": "a\nb"}, 422)):
        assert (await console.set_up(**given)).status_code == status
    answer = await console.set_up()
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 204
    assert all(part in cookie for part in ("httponly", "samesite=lax", "path=/"))
    assert "secure" not in cookie, "it is http"
    told = await console.me()
    assert (told["user"]["name"], told["user"]["role"], told["setup"]) == ("ada", "admin", False)
    assert (await console.set_up(token="")).status_code in (403, 422)
    assert console.antiphon.console_address.endswith("/")


async def test_behind_https_the_cookie_is_for_https(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, public_url="https://voice.example")) as (antiphon, client):
        client.base_url = httpx.URL(antiphon.settings.own_url)
        answer = await Console(antiphon, client).set_up()
        assert (answer.status_code, "secure" in answer.headers["set-cookie"].lower()) == (204, True)


async def test_a_wrong_password_is_slow_and_counted(console: Console) -> None:
    await console.set_up()
    console.client.cookies.clear()
    statuses = [(await console.sign_in("ada", "wrong password")).status_code for _ in range(TRIES + 1)]
    assert statuses == [401] * TRIES + [429]
    refused = await console.sign_in()
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)


def test_who_was_wrong_may_try_again_later() -> None:
    throttle = Throttle()
    for _ in range(TRIES):
        assert throttle.wait_ms("ada", 1000) == 0
        throttle.failed("ada", 1000)
    assert throttle.wait_ms("ada", 2000) == WINDOW_MS - 1000
    assert throttle.wait_ms("bob", 2000) == 0
    assert throttle.wait_ms("ada", 1000 + WINDOW_MS) == 0


async def test_a_hash_is_of_one_password_and_tells_nothing_of_who_is_there() -> None:
    passwords = Passwords()
    kept = await passwords.hash(PASSWORD)
    assert PASSWORD not in kept
    assert kept != await passwords.hash(PASSWORD)
    assert await passwords.fits(PASSWORD, kept)
    assert not await passwords.fits(f"{PASSWORD}!", kept)
    assert not await passwords.fits("nobody", None)


async def test_a_change_needs_our_page_and_its_token(console: Console) -> None:
    await console.set_up()
    await console.me()
    body = {"name": "bob", "password": PASSWORD, "role": "viewer"}
    for headers in ({"X-CSRF-Token": ""}, {"X-CSRF-Token": "wrong"}, {"Origin": "https://evil.example"}):
        assert (await console.ask("POST", "people", json=body, headers=headers)).status_code == 403
    assert (await console.ask("POST", "people", json=body)).status_code == 200
    assert (await console.ask("POST", "people", json=body)).status_code == 409
    for sign_in in ("setup", "sign-in"):
        headers = {"Origin": "https://evil.example"}
        given = {"token": "x", "name": "ada", "password": PASSWORD}
        assert (await console.ask("POST", sign_in, json=given, headers=headers)).status_code == 403
    await console.ask("POST", "sign-out")
    assert (await console.me())["user"] is None


READS = ("overview", "calls", "live", "calls/x", "calls/x/peaks", "calls/x/recording", "live/x/events")


@pytest.mark.parametrize("path", [*READS, "people", "audit", "audit/choices"])
async def test_nobody_reads_without_signing_in(console: Console, path: str) -> None:
    assert (await console.ask("GET", path)).status_code == 401


async def test_roles(console: Console) -> None:
    await console.set_up()
    await console.become("viewer")
    for path in READS:
        assert (await console.ask("GET", path)).status_code in (200, 404)
    for method, path in (
        ("GET", "people"), ("GET", "audit"), ("GET", "audit/choices"),
        ("POST", "people"), ("POST", "live/x/say"), ("POST", "live/x/end"), ("POST", "live/x/control")
    ):  # fmt: skip
        assert (await console.ask(method, path, json={"text": "x"})).status_code == 403
    assert (await console.client.post("/talk/key/scripted")).status_code == 403, "talking costs money"
    await console.ask("POST", "sign-out")
    await console.sign_in()
    await console.become("builder")
    assert (await console.ask("POST", "live/x/end")).status_code == 404
    assert (await console.client.post("/talk/key/scripted")).status_code == 200
    assert (await console.client.get("/talk")).status_code == 200
    evil = {"Origin": "https://evil.example"}
    assert (await console.client.post("/talk/key/scripted", headers=evil)).status_code == 403


async def test_an_admin_manages_people_and_one_stays(console: Console) -> None:
    await console.set_up()
    me = (await console.me())["user"]["id"]
    for body, status in (
        ({"role": "viewer"}, 409), ({"role": "king"}, 422), ({}, 422), ({"name": "x"}, 422), ({"password": "x"}, 422)
    ):  # fmt: skip
        assert (await console.ask("PATCH", f"people/{me}", json=body)).status_code == status
    assert (await console.ask("DELETE", f"people/{me}")).status_code == 409
    added = {"name": "bob", "password": PASSWORD, "role": "viewer"}
    bob = (await console.ask("POST", "people", json=added)).json()["id"]
    assert (await console.ask("PATCH", f"people/{bob}", json={"role": "admin"})).status_code == 204
    assert (await console.ask("DELETE", f"people/{bob}")).status_code == 204
    told = (await console.ask("GET", "people")).text
    assert "scrypt" not in told
    told_of = (await console.ask("GET", "audit")).json()
    entries = told_of["entries"]
    assert told_of["total"] == len(entries)
    [second] = (await console.ask("GET", "audit?limit=1&offset=1")).json()["entries"]
    assert second == entries[1]
    assert (await console.ask("GET", "people?limit=1")).json()["total"] == 1
    for path in ("audit?limit=201", "people?offset=x"):
        assert (await console.ask("GET", path)).status_code == 422
    actions = [entry["action"] for entry in entries]
    assert actions == ["person.removed", "person.changed", "person.added", "console.set_up"]
    assert {entry["who"] for entry in entries} == {"ada"}


async def test_the_page_runs_nothing_that_is_not_ours(console: Console) -> None:
    page = await console.client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "<style" not in page.text
    assert page.text.count("<script") == page.text.count('<script type="module" src="console/app.js">') == 1
    etag = (await console.client.get("/console/app.js")).headers["etag"]
    assert (await console.client.get("/console/app.js", headers={"If-None-Match": etag})).status_code == 304
    for name in ("index.html", "..%2froutes.py", "routes.py", "page"):
        assert (await console.client.get(f"/console/{name}")).status_code == 404


@pytest.mark.parametrize("given", [{"console": {"enabled": False}}, {"api": {"enabled": False}}])
async def test_where_it_is_off_there_is_only_the_talk_page(tmp_path: Path, given: dict[str, Any]) -> None:
    async with running_server(settings_for(tmp_path, **given)) as (antiphon, client):
        assert antiphon.console_address == ""
        for path in ("/", "/console/app.js", f"{API}/me"):
            assert (await client.get(path)).status_code == 404
        assert (await client.get("/talk")).status_code == 403


async def test_the_audit_log_is_asked_for_by_person_action_object_and_time(console: Console) -> None:
    await console.set_up()
    await console.me()
    body = {"name": "Bob", "password": PASSWORD, "role": "builder"}
    bob = (await console.ask("POST", "people", json=body)).json()["id"]
    await console.ask("PATCH", f"people/{bob}", json={"password": PASSWORD})
    await console.sign_in("bob")
    await console.me()
    tool = (await console.ask("POST", "rest/tool", json={"type": "endCall"})).json()["id"]
    await console.sign_in("ada")
    await console.me()

    async def found(query: str) -> list[tuple[str, str]]:
        told = (await console.ask("GET", f"audit?{query}")).json()
        assert told["total"] == len(told["entries"])
        return [(entry["who"], entry["action"]) for entry in told["entries"]]

    everything = (await console.ask("GET", "audit")).json()["entries"]
    assert await found("who=bob") == [("bob", "tool.added"), ("bob", "console.signed_in")]
    assert await found("who=Bob&action=tool.added") == [("bob", "tool.added")]
    assert await found("action=person.") == [("ada", "person.changed"), ("ada", "person.added")]
    assert await found(f"subject={tool}") == [("bob", "tool.added")]
    [first] = [entry for entry in everything if entry["action"] == "console.set_up"]
    assert ("ada", "console.set_up") not in await found(f"from_ms={first['wall_ms'] + 1}")
    assert await found(f"until_ms={first['wall_ms'] + 1}&action=console.") == [("ada", "console.set_up")]
    [newest] = (await console.ask("GET", "audit?who=ada&limit=1")).json()["entries"]
    assert newest["action"] == "console.signed_in"
    choices = (await console.ask("GET", "audit/choices")).json()
    assert choices["who"] == ["ada", "bob"]
    assert choices["actions"] == sorted({entry["action"] for entry in everything})
    for query in ("from_ms=x", "until_ms=-1", f"who={'a' * 129}", "subject=%00", "from_ms=99999999999999"):
        assert (await console.ask("GET", f"audit?{query}")).status_code == 422, query
