"""Whose chats are whose, and what a web page's key may do with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.databases import sqlite_url
from tests.surfaces.vapi.desk import Desk, desk_of

from antiphon.surfaces.keys import KeyRecord

SCRIPTED = {"model": {"provider": "scripted", "options": {"replies": ["One.", "Two."]}}}


def key(desk: Desk, **fields: Any) -> str:
    return desk.keys.create("web", 0, like=KeyRecord("", "", "", 0, **fields))[1]


async def test_a_public_key_chats_with_its_assistants_and_sees_nothing_else(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path)) as desk:
        mine, other = [(await desk.make("/assistant", name=name, **SCRIPTED))["id"] for name in ("A", "B")]
        secret = key(desk, kind="public", assistants=(mine,), transient=False)
        foreign = (await desk.make("/session", assistantId=other))["id"]
        async with desk.with_key(secret) as page:
            body = {"assistantId": mine, "input": "x"}
            first = (await page.post("/chat/web", json=body, headers={"X-Client-ID": "vapi-widget"})).json()
            second = await page.post("/chat/web", json={"sessionId": first["sessionId"], "input": "y"})
            assert [each["output"][0]["content"] for each in (first, second.json())] == ["One.", "Two."]
            for refused in ({"assistantId": other}, {"assistant": SCRIPTED}, {"sessionId": foreign}):
                assert (await page.post("/chat/web", json={**refused, "input": "x"})).status_code == 403
            for path in ("/chat", f"/chat/{first['id']}", f"/session/{first['sessionId']}", "/eval/run"):
                assert (await page.get(path)).status_code == 401
            assert (await page.post("/chat", json=body)).status_code == 401
        sessions = (await desk.client.get("/session")).json()["results"]
        assert {session["id"] for session in sessions} == {first["sessionId"], foreign}


async def test_organisations_do_not_see_each_other_s_chats(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path)) as desk:
        chat = await desk.make("/chat", assistant=SCRIPTED, input="x")
        session = await desk.make("/session", assistant=SCRIPTED)
        async with desk.with_key(key(desk, org_id="another")) as stranger:
            assert (await stranger.get(f"/chat/{chat['id']}")).status_code == 404
            assert (await stranger.delete(f"/session/{session['id']}")).status_code == 404
            for body in ({"previousChatId": chat["id"]}, {"sessionId": session["id"]}):
                assert (await stranger.post("/chat", json={**body, "input": "y"})).status_code == 404
            assert (await stranger.get("/chat")).json()["results"] == []
            file = await stranger.post("/chat", json={"assistantId": "front-desk", "input": "x"})
            assert file.status_code == 400


async def test_a_session_expires(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path)) as desk:
        session = await desk.make("/session", assistant=SCRIPTED, expirationSeconds=60)
        desk.clock.advance(59_999)
        await desk.make("/chat", sessionId=session["id"], input="x")
        desk.clock.advance(1)
        refused = await desk.client.post("/chat", json={"sessionId": session["id"], "input": "x"})
        assert (refused.status_code, "has expired" in refused.json()["message"]) == (400, True)
