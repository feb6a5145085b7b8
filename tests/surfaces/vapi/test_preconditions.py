"""``If-Match`` at the REST API: a change is made to the version that its sender has seen, or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.surfaces.vapi.desk import Desk

from antiphon.surfaces.http.preconditions import ANY_VERSION, if_match_of

KINDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("/assistant", {"name": "A"}, {"firstMessage": "Hi"}),
    ("/tool", {"type": "endCall"}, {"name": "bye"}),
    ("/squad", {"members": [{"assistant": {"name": "B"}}]}, {"name": "S"}),
    ("/phone-number", {"provider": "vapi", "name": "N"}, {"name": "M"}),
    ("/credential", {"provider": "openai", "apiKey": "sk-123456789"}, {"name": "C"}),
    ("/structured-output", {"name": "so", "schema": {"type": "object"}}, {"name": "other"}),
    ("/eval", {"type": "chat.mockConversation", "name": "E", "messages": [{"role": "user", "content": "hi"}]}, {"name": "F"}),
    ("/workflow", {"name": "W", "nodes": [{"type": "conversation", "name": "n"}], "edges": []}, {"name": "V"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "change"), KINDS, ids=[path for path, *_ in KINDS])
async def test_the_second_of_two_who_saw_the_same_version_is_refused(
    quick_desk: Desk, path: str, body: dict[str, Any], change: dict[str, Any]
) -> None:
    client = quick_desk.client
    made = await client.post(path, json=body)
    one = f"{path}/{made.json()['id']}"
    seen = {"If-Match": (await client.get(one)).headers["etag"]}
    assert seen["If-Match"] == made.headers["etag"] == '"v1"'
    first = await client.patch(one, json=change, headers=seen)
    assert (first.status_code, first.headers["etag"]) == (200, '"v2"')
    kept = (await client.get(one)).json()
    for method in ("PATCH", "PUT", "DELETE"):
        second = await client.request(method, one, json=body, headers=seen)
        assert (second.status_code, second.headers["etag"]) == (412, '"v2"'), method
        told = second.json()
        assert set(told) == {"message", "error", "statusCode"}
        assert (told["error"], told["statusCode"]) == ("Precondition Failed", 412)
        assert '"v2"' in told["message"]
    assert (await client.get(one)).json() == kept
    assert (await client.patch(one, json=change)).status_code == 200, "without the header all is as it was"
    assert (await client.delete(one, headers={"If-Match": '"v1", "v3"'})).status_code == 200


async def test_of_many_who_saw_the_same_version_one_is_first(quick_desk: Desk) -> None:
    made = await quick_desk.make("/assistant", name="A")
    one, seen = f"/assistant/{made['id']}", {"If-Match": '"v1"'}
    answers = await asyncio.gather(
        *(quick_desk.client.patch(one, json={"firstMessage": str(number)}, headers=seen) for number in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    [won] = [number for number, answer in enumerate(answers) if answer.status_code == 200]
    assert (await quick_desk.client.get(one)).json()["firstMessage"] == str(won)


async def test_versions_and_drafts_of_an_assistant_take_it_too(quick_desk: Desk) -> None:
    client = quick_desk.client
    one = f"/assistant/{(await quick_desk.make('/assistant', name='A'))['id']}"
    await client.patch(one, json={"firstMessage": "Hi"})
    assert (await client.post(f"{one}/restore/v1", headers={"If-Match": '"v1"'})).status_code == 412
    assert (await client.post(f"{one}/restore/v1", headers={"If-Match": '"v2"'})).headers["etag"] == '"v3"'
    assert (await client.put(f"{one}/draft", json={}, headers={"If-Match": '"v1"'})).status_code == 412, "there is none"
    draft = await client.put(f"{one}/draft", json={"firstMessage": "Draft"})
    assert (draft.status_code, draft.headers["etag"]) == (201, '"v1"')
    assert (await client.patch(f"{one}/draft", json={"name": "B"}, headers={"If-Match": '"v1"'})).status_code == 200
    for method in ("PATCH", "PUT", "POST", "DELETE"):
        answer = await client.request(method, f"{one}/draft", json={}, headers={"If-Match": '"v1"'})
        assert answer.status_code == 412, method
    assert (await client.get(f"{one}/draft")).headers["etag"] == '"v2"'
    publish = f"{one}/draft/publish"
    assert (await client.post(publish, headers={"If-Match": '"v2"'})).status_code == 412, "the assistant is at v3"
    assert (await client.post(publish, headers={"If-Match": '"v3"'})).json()["firstMessage"] == "Draft"


async def test_the_organisations_settings_take_it_too(quick_desk: Desk) -> None:
    client = quick_desk.client
    [shown] = (await client.get("/org")).json()
    one = f"/org/{shown['id']}"
    unset = (await client.get(one)).headers["etag"]
    first = await client.patch(one, json={"retentionDays": 30}, headers={"If-Match": unset})
    assert (first.status_code, first.json()["retentionDays"]) == (200, 30)
    second = await client.patch(one, json={"retentionDays": 1}, headers={"If-Match": unset})
    assert (second.status_code, second.headers["etag"]) == (412, first.headers["etag"])
    assert (await client.get(one)).json()["retentionDays"] == 30


async def test_where_nothing_has_a_version_the_header_is_refused_and_not_passed_over(quick_desk: Desk) -> None:
    client = quick_desk.client
    one = f"/session/{(await quick_desk.make('/session', name='S'))['id']}"
    for method, path in (("POST", "/assistant"), ("PATCH", one), ("DELETE", one)):
        refused = await client.request(method, path, json={"name": "T"}, headers={"If-Match": '"v1"'})
        assert (refused.status_code, refused.json()["error"]) == (412, "Precondition Failed"), path
        assert "no versions" in refused.json()["message"]
    assert (await client.get(one)).json()["name"] == "S"
    assert (await client.get("/assistant")).json() == []
    any_version = {"If-Match": "*"}
    assert (await client.patch(one, json={"name": "T"}, headers=any_version)).status_code == 200


@pytest.mark.parametrize("given", ["v1", '"v1', "3", '"v1" "v2"', "", '"v1" v2', '*, "v1"', '"a,\\"v1"'])
async def test_what_is_no_entity_tag_is_refused_by_name(quick_desk: Desk, given: str) -> None:
    one = f"/assistant/{(await quick_desk.make('/assistant', name='A'))['id']}"
    answer = await quick_desk.client.patch(one, json={"name": "B"}, headers={"If-Match": given})
    assert (answer.status_code, answer.json()["message"].startswith("If-Match must be")) == (400, True)


@pytest.mark.parametrize(
    ("given", "met"),
    [('"v1"', True), ('"v2"', False), ('W/"v1"', False), ('"v0" , "v1"', True), (' "v1" ', True), ('"a,b", "v1"', True), ('""', False)],
)  # fmt: skip
def test_a_list_of_tags_is_met_by_any_strong_one(given: str, met: bool) -> None:
    assert if_match_of({"if-match": given}).met_by(1) is met
    assert ANY_VERSION.met_by(1)
