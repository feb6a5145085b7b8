"""Who gets in: private and public keys, signed tokens, web pages, and how often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.databases import sqlite_url
from tests.surfaces.vapi.desk import Desk, desk_of

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.errors import StoreUnavailable
from antiphon.surfaces.http.application import application
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.keys import KeyRecord
from antiphon.surfaces.vapi.access import INVALID_KEY, Asker

PRIVATE = KeyRecord("", "", "", 0)
PUBLIC = replace(PRIVATE, kind="public")
PAGE = "https://shop.example.com"


def call_route(desk: Desk) -> None:
    """A route that public keys reach, too: it answers who asks."""

    async def whoami(request: Request, asker: Asker) -> Response:
        asker.require_assistant(request.query_params.get("assistant"))
        return json_response({"org": asker.org_id, "key": asker.key_id, "public": asker.public})

    routes = [Route("/call/web", desk.api.access.public(whoami), methods=["POST"]), *desk.api.routes()]
    desk.client._transport.app = application(routes, [desk.api.cors()])  # type: ignore[attr-defined]


def signed(secret: str, desk: Desk, org: str = DEFAULT_ORG, ttl_s: int = 60, **token: Any) -> str:
    now_s = desk.clock.wall_ms() // 1000
    return jwt.encode({"orgId": org, "token": token, "exp": now_s + ttl_s}, secret, algorithm="HS256")


@pytest.mark.parametrize("key", ["", "x", "sk_antiphon_x", "ü", "eyJ.x.y", "x" * 5000])
async def test_without_a_good_key_nobody_gets_in(quick_desk: Desk, key: str) -> None:
    client = quick_desk.with_key("x")
    refused = await client.get("/assistant", headers={"Authorization": f"Bearer {key}".encode()})
    assert refused.status_code == 401
    assert refused.json() == {"message": INVALID_KEY, "error": "Unauthorized", "statusCode": 401}


async def test_a_revoked_key_is_worthless_at_once(quick_desk: Desk) -> None:
    record, secret = quick_desk.keys.create("other", 0)
    client = quick_desk.with_key(secret)
    assert (await client.get("/assistant")).status_code == 200
    quick_desk.keys.revoke(record.id)
    assert (await client.get("/assistant")).status_code == 401


async def test_organisations_do_not_see_each_other(desk: Desk) -> None:
    _, secret = desk.keys.create("other", 0, like=replace(PRIVATE, org_id="other-org"))
    other = desk.with_key(secret)
    made = await desk.make("/assistant", name="A")
    assert (await other.get("/assistant")).json() == []
    for method in ("GET", "PATCH", "DELETE"):
        assert (await other.request(method, f"/assistant/{made['id']}", json={})).status_code == 404
    assert (await other.get("/assistant/front-desk")).status_code == 404, "the files are the server's own"
    theirs = (await other.post("/assistant", json={"name": "B"})).json()
    assert theirs["orgId"] == "other-org"
    assert [each["name"] for each in (await desk.client.get("/assistant")).json()] == ["A"]
    assert (await other.get("/org")).json() == [{"id": "other-org", "name": "other-org"}]
    assert not desk.keys.valid(secret), "it opens the REST API and no more"


async def test_a_public_key_reaches_what_is_made_for_it(quick_desk: Desk) -> None:
    call_route(quick_desk)
    like = replace(PUBLIC, origins=(PAGE,), assistants=("a",))
    record, secret = quick_desk.keys.create("page", 0, like=like)
    page = quick_desk.with_key(secret, Origin=PAGE)
    answer = await page.post("/call/web?assistant=a")
    assert answer.json() == {"org": DEFAULT_ORG, "key": record.id, "public": True}
    assert answer.headers["access-control-allow-origin"] in ("*", PAGE)
    assert (await page.post("/call/web?assistant=b")).status_code == 403
    assert (await page.post("/call/web")).status_code == 403, "an assistant of its own"
    assert (await page.get("/assistant")).json()["message"] == INVALID_KEY
    assert (
        await quick_desk.with_key(secret, Origin="https://evil.test").post("/call/web?assistant=a")
    ).status_code == 403
    assert (await quick_desk.with_key(secret).post("/call/web?assistant=a")).status_code == 403
    assert (await quick_desk.client.post("/call/web")).json()["public"] is False
    assert not quick_desk.keys.valid(secret)


async def test_a_token_may_do_what_is_written_in_it(quick_desk: Desk) -> None:
    call_route(quick_desk)
    record, secret = quick_desk.keys.create("signer", 0, signs_tokens=True)
    _, other = quick_desk.keys.create("other", 0)
    assert secret not in (quick_desk.folder / "data" / "keys.json").read_text()
    private = quick_desk.with_key(signed(secret, quick_desk, tag="private"))
    assert (await private.get("/assistant")).status_code == 200
    restrictions = {"enabled": True, "allowedOrigins": [PAGE], "allowedAssistantIds": ["a"]}
    public = quick_desk.with_key(signed(secret, quick_desk, tag="public", restrictions=restrictions), Origin=PAGE)
    assert (await public.get("/assistant")).status_code == 401
    assert (await public.post("/call/web?assistant=a")).json()["key"] == record.id
    assert (await public.post("/call/web?assistant=b")).status_code == 403
    for wrong in (
        signed(other, quick_desk, tag="private"),  # that key signs nothing
        signed(secret, quick_desk, "other-org", tag="private"),
        signed(secret, quick_desk, tag="admin"),
        signed(secret, quick_desk, ttl_s=-1, tag="private"),
        jwt.encode({"orgId": DEFAULT_ORG, "token": {"tag": "private"}}, secret, algorithm="HS256"),
        jwt.encode({"orgId": DEFAULT_ORG, "token": {"tag": "private"}, "exp": 9e9}, secret, algorithm="HS384"),
        jwt.encode({"orgId": DEFAULT_ORG, "token": {"tag": "private"}, "exp": 9e9}, "", algorithm="none"),
    ):
        assert (await quick_desk.with_key(wrong).get("/assistant")).status_code == 401
    quick_desk.clock.advance(60_000)
    assert (await private.get("/assistant")).status_code == 401, "expired"
    fresh = quick_desk.with_key(signed(secret, quick_desk, tag="private"))
    assert (await fresh.get("/assistant")).status_code == 200
    quick_desk.keys.revoke(record.id)
    assert (await fresh.get("/assistant")).status_code == 401, "revoked"


async def test_keys_are_made_listed_and_revoked_over_the_api(quick_desk: Desk) -> None:
    body = {"tag": "public", "name": "page", "restrictions": {"allowedOrigins": [PAGE]}}
    made = await quick_desk.make("/token", **body)
    assert quick_desk.keys.find_any(made["value"]) is not None
    assert made["restrictions"]["allowedOrigins"] == [PAGE]
    listed = (await quick_desk.client.get("/token")).json()
    assert {each["name"] for each in listed} == {"page", "test"}
    assert all("value" not in each for each in listed)
    assert (await quick_desk.client.delete(f"/token/{made['id']}")).json()["id"] == made["id"]
    assert quick_desk.keys.find_any(made["value"]) is None
    assert (await quick_desk.client.delete(f"/token/{made['id']}")).status_code == 404
    assert (await quick_desk.client.post("/token", json={"tag": "root"})).status_code == 400


async def test_browsers_are_told_what_they_may_send(quick_desk: Desk) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "PATCH",
             "Access-Control-Request-Headers": "authorization,content-type,x-client-id"}  # fmt: skip
    told = await quick_desk.with_key("none").options("/assistant/x", headers=asked)
    assert told.status_code == 200
    allowed = told.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in ("authorization", "content-type", "x-client-id"))
    assert "PATCH" in told.headers["access-control-allow-methods"]
    refused = await quick_desk.with_key("none", Origin=PAGE).get("/assistant")
    assert refused.headers["access-control-allow-origin"] == "*", "so that the page can read why"


async def test_who_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path), requests_per_minute=60) as desk:
        codes = [(await desk.client.get("/org")).status_code for _ in range(11)]
        assert codes == [200] * 10 + [429]
        refused = await desk.client.get("/org")
        assert refused.json() == {"message": "Rate limit exceeded", "error": "Too Many Requests", "statusCode": 429}
        desk.clock.advance(int(refused.headers["retry-after"]) * 1000)
        assert (await desk.client.get("/org")).status_code == 200


async def test_a_named_request_that_is_sent_again_makes_nothing_twice(desk: Desk) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await desk.client.post("/assistant", json={"name": "A"}, headers=headers)
    again = await desk.client.post("/assistant", json={"name": "A"}, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await desk.client.post("/assistant", json={"name": "B"}, headers=headers)
    assert other.status_code == 400 and "Idempotency-Key" in other.json()["message"]
    assert len((await desk.client.get("/assistant")).json()) == 1
    await desk.make("/assistant", name="A")
    assert len((await desk.client.get("/assistant")).json()) == 2, "without a name, two are two"


async def test_a_create_whose_outcome_is_unknown_is_not_doubled_by_a_retry(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = desk.api.resources.add

    async def kept_but_not_told(resource: Any) -> bool:
        monkeypatch.undo()
        await add(resource)
        raise StoreUnavailable("the database does not answer")

    monkeypatch.setattr(desk.api.resources, "add", kept_but_not_told)
    failed = await desk.client.post("/assistant", json={"name": "A"})
    assert (failed.status_code, failed.json()["statusCode"]) == (503, 503)
    retried = await desk.client.post("/assistant", json={"name": "A"})
    assert retried.status_code == 201
    assert [each["id"] for each in (await desk.client.get("/assistant")).json()] == [retried.json()["id"]]
    await desk.make("/assistant", name="A")
    assert len((await desk.client.get("/assistant")).json()) == 2


async def test_unknown_paths_and_methods_are_refused_in_the_api_s_shape(quick_desk: Desk) -> None:
    for method, path, status in (
        ("GET", "/assistant/a/b/c", 404),
        ("DELETE", "/assistant", 405),
        ("GET", "/tool/x", 404),
    ):
        refused = await quick_desk.client.request(method, path)
        assert (refused.status_code, refused.json()["statusCode"]) == (status, status)


@pytest.mark.parametrize(
    "token",
    [
        {"restrictions": []}, {"restrictions": ""}, {"restrictions": 0}, {"restrictions": {"allowedOrigins": "https://shop.test"}},
        {"restrictions": {"allowedOrigins": ""}}, {"restrictions": {"allowedOrigins": False}}, {"restrictions": {"allowedOrigins": [1]}},
        {"restrictions": {"allowedAssistantIds": {}}}, {"restrictions": {"allowedAssistantIds": 0}},
        {"restrictions": {"allowTransientAssistant": "false"}}, {"restrictions": {"allowTransientAssistant": 0}},
        {"restrictions": {"enabled": "false"}}, {"restrictions": {"enabled": 0}}, {"tag": ["public"]}, {"tag": ""},
    ],
)  # fmt: skip
async def test_a_token_whose_restrictions_cannot_be_read_is_worth_nothing(
    quick_desk: Desk, token: dict[str, Any]
) -> None:
    """Whoever wrote them believes that they restrict something."""
    _, secret = quick_desk.keys.create("signer", 0, signs_tokens=True)
    claims = {"orgId": DEFAULT_ORG, "exp": 9e9}
    body = {"assistantId": "scripted", "input": "x"}
    signed = jwt.encode({**claims, "token": {"tag": "public", **token}}, secret, algorithm="HS256")
    assert (await quick_desk.with_key(signed).post("/chat/web", json=body)).status_code == 401
    nothing = {"tag": None, "restrictions": {"allowedOrigins": None, "allowedAssistantIds": [], "enabled": None}}
    unrestricted = jwt.encode({**claims, "token": nothing}, secret, algorithm="HS256")
    assert (await quick_desk.with_key(unrestricted).post("/chat/web", json=body)).status_code == 400, (
        "there is no such assistant"
    )
