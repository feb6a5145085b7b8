"""Assistants as the console's pages change them: by the REST API's own routes, behind the console's door."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.serving import running_server, settings_for
from tests.surfaces.console.test_door import Console

DESK = {"name": "Desk", "firstMessage": "Good day.", "model": {"provider": "openai", "model": "gpt-4.1"}}


async def test_files_that_cannot_be_used_are_told_with_what_is_wrong(console: Console, tmp_path: Path) -> None:
    folder = tmp_path / "assistants"
    (folder / "torn.yaml").write_text("name: [unclosed\n", encoding="utf-8")
    (folder / "deaf.json").write_text('{"name": "Deaf", "transcriber": {"provider": "nobody"}}', encoding="utf-8")
    listed = (await console.ask("GET", "assistants")).json()
    assert "scripted" in listed["files"]
    assert not {"torn", "deaf"} & set(listed["files"])
    assert set(listed["unusable"]) == {"torn", "deaf"}
    assert "transcriber.provider: " in listed["unusable"]["deaf"]
    assert "line 2" in listed["unusable"]["torn"]
    assert str(tmp_path) not in str(listed)


async def test_one_is_made_changed_restored_and_removed(console: Console) -> None:
    made = (await console.ask("POST", "rest/assistant", json=DESK)).json()
    path = f"rest/assistant/{made['id']}"
    assert (await console.ask("PUT", path, json={**DESK, "firstMessage": "Hello."})).json()["latestVersion"] == "v2"
    versions = (await console.ask("GET", f"{path}/versions")).json()
    assert [(each["version"], each["firstMessage"]) for each in versions] == [("v2", "Hello."), ("v1", "Good day.")]
    restored = await console.ask("POST", f"{path}/restore/v1")
    assert (restored.json()["latestVersion"], restored.json()["firstMessage"]) == ("v3", "Good day.")
    assert restored.headers["cache-control"] == "no-store"
    listed = (await console.ask("GET", "assistants")).json()
    [row] = listed["assistants"]
    assert (row["name"], row["model"], row["version"], listed["total"]) == ("Desk", "openai gpt-4.1", 3, 1)
    assert "scripted" in listed["files"]
    assert (await console.ask("DELETE", path)).status_code == 200
    assert (await console.ask("GET", path)).status_code == 404
    entries = (await console.ask("GET", "audit")).json()["entries"]
    actions = [entry["action"] for entry in entries if entry["subject"] == made["id"]]
    assert actions == ["assistant.removed", "assistant.restored", "assistant.changed", "assistant.added"]


async def test_what_is_wrong_is_said_before_and_when_it_is_saved(console: Console) -> None:
    wrong = {**DESK, "voice": {"provider": "nobody"}}
    told = (await console.ask("POST", "assistants/check", json=wrong)).json()
    assert any(problem.startswith("voice.provider must be") for problem in told["problems"])
    refused = await console.ask("POST", "rest/assistant", json=wrong)
    assert (refused.status_code, refused.json()["message"]) == (400, told["problems"])
    told = (await console.ask("POST", "assistants/check", json={**DESK, "firstMesage": "Hi"})).json()
    assert told["problems"] == []
    assert "firstMesage" in [each["field"] for each in told["warnings"]]
    for body in (b"[]", b"{"):
        assert (await console.ask("POST", "assistants/check", content=body)).json()["problems"]
    choices = (await console.ask("GET", "assistants/choices")).json()
    assert "openai" in choices["model"]
    assert "scripted" not in choices["model"]


async def test_viewers_read_and_builders_change(console: Console) -> None:
    made = (await console.ask("POST", "rest/assistant", json=DESK)).json()
    path = f"rest/assistant/{made['id']}"
    for headers in ({"X-CSRF-Token": "wrong"}, {"Origin": "https://evil.example"}):
        assert (await console.ask("PUT", path, json=DESK, headers=headers)).status_code == 403
    await console.become("viewer")
    for read in (path, f"{path}/versions", "assistants", "assistants/choices"):
        assert (await console.ask("GET", read)).status_code == 200
    for method, change in (("PUT", path), ("PATCH", path), ("DELETE", path), ("POST", "rest/assistant")):
        assert (await console.ask(method, change, json=DESK)).status_code == 403
    await console.ask("POST", "sign-out")
    await console.sign_in()
    await console.become("builder")
    assert (await console.ask("PATCH", path, json={"name": "Front desk"})).status_code == 200
    await console.ask("POST", "sign-out")
    for read in (path, "assistants", "rest/tool"):
        assert (await console.ask("GET", read)).status_code == 401


@pytest.mark.parametrize(
    "path", ["rest/call", "rest/call/x", "rest/token", "rest/", "rest/none", "rest/assistant/x/y/z"]
)
async def test_what_is_not_open_here_is_not_there(console: Console, path: str) -> None:
    for method in ("GET", "POST"):
        assert (await console.ask(method, path, json={})).status_code == 404


async def test_the_api_itself_takes_no_cookie(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, open_api=False)) as (antiphon, client):
        console = Console(antiphon, client)
        await console.set_up()
        await console.me()
        assert (await console.ask("GET", "rest/assistant")).status_code == 200
        assert (await client.get("/assistant")).status_code == 401


async def test_what_is_secret_is_never_told(console: Console) -> None:
    kept = {"provider": "openai", "name": "Main", "apiKey": "sk-hidden-value"}
    made = await console.ask("POST", "rest/credential", json=kept)
    path = f"rest/credential/{made.json()['id']}"
    told = [made, await console.ask("PATCH", path, json={"name": "Other"}), await console.ask("GET", path)]
    told.append(await console.ask("GET", "rest/credential"))
    for answer in told:
        assert answer.status_code in (200, 201)
        assert "hidden" not in answer.text
        assert "sealed" not in answer.text
    entries = (await console.ask("GET", "audit")).text
    assert "credential.changed" in entries
    assert "hidden" not in entries
