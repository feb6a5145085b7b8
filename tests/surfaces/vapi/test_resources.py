"""Documents through the REST API: they come back as they were sent, whatever was sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.databases import sqlite_url
from tests.pdf_file import pdf
from tests.surfaces.vapi.desk import Desk, desk_of

from antiphon.calls.secrets import masked

ASSISTANT: dict[str, Any] = {
    "name": "A",
    "firstMessage": "Hi",
    "model": {"provider": "custom-llm", "url": "http://m.test", "model": "m", "messages": [{"role": "system", "content": "x"}]},
    "voice": {"provider": "custom-voice", "server": {"url": "http://v.test"}},
    "transcriber": {"provider": "custom-transcriber", "server": {"url": "http://t.test"}},
    "server": {"url": "http://w.test", "secret": "s", "headers": {"x": "y"}},
    "stopSpeakingPlan": {"numWords": 2},
    "silenceTimeoutSeconds": 30,
    "hooks": [{"on": "call.ending", "do": [{"type": "say", "exact": "Bye"}]}],
    "metadata": {"deep": [1, {"ü": None}]},
}  # fmt: skip
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}, "async": False,
     "messages": [{"type": "request-start", "content": "wait"}], "server": {"url": "http://w.test"}},
    {"type": "apiRequest", "name": "api", "method": "POST", "url": "http://api.test/{{x}}"},
    {"type": "transferCall", "destinations": [{"type": "number", "number": "+14155550100"}]},
    {"type": "endCall"},
    {"type": "dtmf"},
    {"type": "handoff", "destinations": [{"type": "assistant", "assistantName": "B"}]},
    {"type": "query", "knowledgeBases": [{"provider": "google", "name": "k", "description": "d", "fileIds": ["f"]}]},
    {"type": "mcp", "server": {"url": "http://mcp.test"}},
    {"type": "code", "name": "c", "description": "d", "code": "return 1"},
    {"type": "voicemail"},
]  # fmt: skip
MEMBER = {"assistant": {"name": "B"}, "assistantDestinations": [{"type": "assistant", "assistantName": "B"}]}
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("/squad", {"name": "S", "members": [MEMBER]}),
    ("/phone-number", {"provider": "vapi", "name": "N", "assistantId": "a"}),
    ("/phone-number", {"provider": "byo-phone-number", "credentialId": "c", "number": "+14155550100"}),
    ("/structured-output", {"name": "so", "schema": {"type": "object", "properties": {"x": {"type": "string"}}}}),
    ("/eval", {"type": "chat.mockConversation", "name": "E", "messages": [{"role": "user", "content": "hi"}]}),
    ("/workflow", {"name": "W", "nodes": [{"type": "conversation", "name": "n"}], "edges": []}),
]  # fmt: skip


def without_ours(document: dict[str, Any]) -> dict[str, Any]:
    ours = ("id", "orgId", "createdAt", "updatedAt", "latestVersion", "status")
    return {field: value for field, value in document.items() if field not in ours}


@pytest.mark.parametrize(
    ("path", "body"), [("/assistant", ASSISTANT), *(("/tool", tool) for tool in TOOLS), *OTHERS], ids=str
)
async def test_a_document_comes_back_as_it_was_sent(quick_desk: Desk, path: str, body: dict[str, Any]) -> None:
    """But for its secrets, which are masked."""
    document = {**body, "somethingNew": {"of": "next week"}}
    made = await quick_desk.make(path, **document)
    sent = masked(document)
    assert without_ours(made) == sent
    got = await quick_desk.client.get(f"{path}/{made['id']}")
    assert (got.status_code, got.json()) == (200, made)
    changed = await quick_desk.client.patch(f"{path}/{made['id']}", json={"another": [1]})
    assert without_ours(changed.json()) == {**sent, "another": [1]}
    deleted = await quick_desk.client.delete(f"{path}/{made['id']}")
    assert (deleted.status_code, deleted.json()) == (200, changed.json())
    gone = await quick_desk.client.get(f"{path}/{made['id']}")
    assert (gone.status_code, gone.json()["statusCode"], gone.json()["error"]) == (404, 404, "Not Found")


async def test_an_assistant_from_its_making_to_its_end(desk: Desk) -> None:
    made = await desk.make("/assistant", **ASSISTANT)
    assert (made["createdAt"], made["updatedAt"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.000Z")
    assert len(made["id"]) == len(made["orgId"]) == 36
    one = f"/assistant/{made['id']}"
    desk.clock.advance(1500)
    changed = (await desk.client.patch(one, json={"firstMessage": "Yo", "model": {"provider": "openai"}})).json()
    assert (changed["firstMessage"], changed["model"]) == ("Yo", {"provider": "openai"})
    assert (changed["voice"], changed["updatedAt"]) == (ASSISTANT["voice"], "2023-11-14T22:13:21.500Z")
    assert (await desk.client.patch(f"/assistants/{made['id']}", json=changed)).json()["firstMessage"] == "Yo"
    versions = (await desk.client.get(f"{one}/versions")).json()
    assert [each["version"] for each in versions] == ["v3", "v2", "v1"]
    assert versions[-1]["firstMessage"] == "Hi"
    restored = await desk.client.post(f"{one}/restore/v1")
    assert (restored.status_code, restored.json()["firstMessage"], restored.json()["latestVersion"]) == (
        201,
        "Hi",
        "v4",
    )
    put = (await desk.client.put(one, json={"name": "Only"})).json()
    assert without_ours(put) == {"name": "Only"}
    assert (await desk.client.delete(one)).json()["name"] == "Only"
    for request in (desk.client.get(one), desk.client.delete(one), desk.client.patch(one, json={})):
        assert (await request).status_code == 404


async def test_a_draft_is_written_and_published(desk: Desk) -> None:
    made = await desk.make("/assistant", name="A", firstMessage="Hi")
    draft = f"/assistant/{made['id']}/draft"
    assert (await desk.client.get(draft)).status_code == 404
    saved = await desk.client.post(draft, json={"firstMessage": "Soon"})
    assert (saved.status_code, saved.json()["firstMessage"], saved.json()["baseVersion"]) == (201, "Soon", "v1")
    assert (await desk.client.get(f"/assistant/{made['id']}")).json()["firstMessage"] == "Hi"
    published = await desk.client.post(f"{draft}/publish")
    assert (published.json()["firstMessage"], published.json()["latestVersion"]) == ("Soon", "v2")
    assert "baseVersion" not in published.json()
    assert (await desk.client.get(draft)).status_code == 404


async def test_lists_are_newest_first_and_paged_backwards(desk: Desk) -> None:
    made = []
    for number in range(5):
        made.append(await desk.make("/assistant", name=f"A{number}"))
        desk.clock.advance(1)

    async def names(query: str) -> list[str]:
        return [each["name"] for each in (await desk.client.get(f"/assistant?{query}")).json()]

    assert await names("") == ["A4", "A3", "A2", "A1", "A0"]
    assert await names("limit=2") == ["A4", "A3"]
    assert await names("limit=0") == []
    assert await names(f"createdAtLt={made[3]['createdAt']}&limit=2") == ["A2", "A1"]
    assert await names(f"createdAtGe={made[3]['createdAt']}") == ["A4", "A3"]
    refused = await desk.client.get("/assistant?limit=1001")
    assert refused.json() == {
        "message": ["limit must not be greater than 1000"], "error": "Bad Request", "statusCode": 400,
    }  # fmt: skip


async def test_paginated_lists_say_where_they_stand(desk: Desk) -> None:
    for number in range(3):
        await desk.make("/phone-number", provider="vapi", number=f"+1415555010{number}")
        desk.clock.advance(1)
    page = (await desk.client.get("/v2/phone-number?limit=2&page=2&sortOrder=ASC")).json()
    assert [each["number"] for each in page["results"]] == ["+14155550102"]
    metadata = page["metadata"]
    assert (metadata["itemsPerPage"], metadata["totalItems"], metadata["currentPage"]) == (2, 3, 2)
    assert (metadata["totalPages"], metadata["hasNextPage"]) == (2, False)
    assert (await desk.client.get("/structured-output")).json()["results"] == []


async def test_what_others_use_is_not_deleted(desk: Desk) -> None:
    tool = await desk.make("/tool", type="endCall")
    model = {"provider": "openai", "toolIds": [tool["id"]]}
    assistant = await desk.make("/assistant", name="A", model=model)
    refused = await desk.client.delete(f"/tool/{tool['id']}")
    assert (refused.status_code, refused.json()["error"], refused.json()["statusCode"]) == (409, "tool_pinned", 409)
    squad = await desk.make("/squad", members=[{"assistantId": assistant["id"]}])
    number = await desk.make("/phone-number", provider="vapi", assistantId=assistant["id"])
    for user in (f"/phone-number/{number['id']}", f"/squad/{squad['id']}"):
        refused = await desk.client.delete(f"/assistant/{assistant['id']}")
        assert (refused.status_code, refused.json()["error"]) == (409, "assistant_pinned")
        assert user.rpartition("/")[2] in refused.json()["message"]
        assert (await desk.client.delete(user)).status_code == 200
    assert (await desk.client.delete(f"/assistant/{assistant['id']}")).status_code == 200
    assert (await desk.client.delete(f"/tool/{tool['id']}")).status_code == 200


async def test_a_number_belongs_to_one(desk: Desk) -> None:
    number = await desk.make("/phone-number", provider="vapi", number="+14155550100")
    again = await desk.client.post("/phone-number", json={"provider": "vapi", "number": "+14155550100"})
    assert (again.status_code, again.json()["message"]) == (400, ["number +14155550100 is already in use"])
    one = f"/phone-number/{number['id']}"
    assert (await desk.client.patch(one, json={"provider": "vapi", "name": "N"})).json()["name"] == "N"
    other = await desk.client.patch(one, json={"provider": "telnyx", "name": "N"})
    assert other.json()["message"] == ["provider must be vapi, as it was made"]


async def test_of_those_who_ask_for_a_number_at_once_one_has_it(desk: Desk) -> None:
    body = {"provider": "vapi", "number": "+14155550100"}
    others = [await desk.make("/phone-number", provider="vapi") for _ in range(4)]
    made = [desk.client.post("/phone-number", json=body) for _ in range(4)]
    changed = [desk.client.patch(f"/phone-number/{other['id']}", json=body) for other in others]
    answers = await asyncio.gather(*made, *changed)
    assert sorted(answer.status_code for answer in answers)[1:] == [400] * 7
    assert [answer.status_code for answer in answers if answer.status_code < 300] in ([201], [200])
    refused = {str(answer.json()["message"]) for answer in answers if answer.status_code == 400}
    assert refused == {"['number +14155550100 is already in use']"}
    numbers = (await desk.client.get("/phone-number")).json()
    assert [each.get("number") for each in numbers].count("+14155550100") == 1


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("/assistant", {"name": "x" * 41}, "name must be shorter than or equal to 40 characters"),
    ("/assistant", {"stopSpeakingPlan": {"voiceSeconds": 0.6}}, "stopSpeakingPlan.voiceSeconds must not be greater than 0.5"),
    ("/assistant", {"silenceTimeoutSeconds": 5}, "silenceTimeoutSeconds must not be less than 10"),
    ("/assistant", {"server": {"url": 3}}, "server.url must be a string"),
    ("/assistant", {"hooks": "x"}, "hooks must be an array"),
    ("/assistant", {"policy": {"nope": 1}}, "policy.nope"),
    ("/assistant", {"model": {"messages": []}}, "model.provider must be one of the following values"),
    ("/squad", {}, "members should not be empty"),
    ("/squad", {"members": [{}]}, "members.0 must have assistantId or assistant"),
    ("/squad", {"members": [{"assistant": {"name": 5}}]}, "members.0.assistant.name must be a string"),
    ("/tool", {"type": "nope"}, "type must be one of the following values"),
    ("/tool", {}, "type must be one of the following values"),
    ("/tool", {"type": "function"}, "function"),
    ("/phone-number", {"provider": "nope"}, "provider must be one of the following values: byo-phone-number, telnyx"),
    ("/structured-output", {"schema": {}}, "name should not be empty"),
    ("/structured-output", {"name": "x", "schema": {}, "conditions": [{"type": "fullMoon"}]}, "conditions.0.type must be one of"),
    ("/structured-output", {"name": "x", "schema": {}, "conditions": [{"type": "minMessages", "count": -1}]}, "conditions.0.count"),
    (
        "/structured-output",
        {"name": "x", "schema": {"type": "string"}, "conditions": [{"type": "endedReason", "operator": "oneOf", "values": []}]},
        "conditions.0.values",
    ),
    ("/eval", {"type": "x", "messages": []}, "type must be one of the following values: chat.mockConversation"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "problem"), WRONG, ids=str)
async def test_what_is_wrong_is_told_with_its_field(quick_desk: Desk, path: str, body: Any, problem: str) -> None:
    refused = await quick_desk.client.post(path, json=body)
    assert (refused.status_code, refused.json()["statusCode"], refused.json()["error"]) == (400, 400, "Bad Request")
    assert any(problem in line for line in refused.json()["message"]), refused.json()
    assert (await quick_desk.client.get(path)).json() in ([], {"results": [], "metadata": ANY_METADATA})


class _Anything:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


ANY_METADATA = _Anything()


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"{", "not valid JSON"), (b"[]", "must be a JSON object"),
     (b'{"model":{"messages":[{"content":"a\\u0000"}]}}', "model.messages.0.content must not hold the character U+0000"),
     (b'{"metadata":{"a\\u0000":1}}', "metadata.a\\u0000 must not hold the character U+0000"),
     (b'{"metadata":{"order":[1,18446744073709551616]}}', "metadata.order.1 must not be a number of more than 64 bits: write it as text"),
     (b'{"metadata":{"order":-9223372036854775809}}', "metadata.order must not be a number of more than 64 bits: write it as text"),
     (b'{"metadata":{"order":' + b"1" * 300 + b"}}", "metadata.order must not be a number of more than 64 bits: write it as text"),
     (b'{"metadata":1e400}', "not valid JSON"), (b'{"name":"\\ud800"}', "not valid JSON"),
     (b'{"metadata":' + b"[" * 150 + b"]" * 150 + b"}", "nested more than 100 deep")],
)  # fmt: skip
async def test_a_body_that_cannot_be_kept_is_refused(quick_desk: Desk, content: bytes, problem: str) -> None:
    refused = await quick_desk.client.post("/assistant", content=content)
    assert (refused.status_code, problem in refused.json()["message"]) == (400, True), refused.text


async def test_numbers_are_kept_exactly_up_to_64_bits(quick_desk: Desk) -> None:
    kept = {"most": 2**64 - 1, "least": -(2**63), "text": "123456789012345678901234", "fraction": 0.1234567890123456789}
    made = await quick_desk.client.post("/assistant", json={"metadata": kept})
    found = await quick_desk.client.get(f"/assistant/{made.json()['id']}")
    assert found.json()["metadata"] == made.json()["metadata"] == kept
    changed = await quick_desk.client.patch(f"/assistant/{made.json()['id']}", json={"metadata": {"order": 2**70}})
    assert (changed.status_code, changed.json()["message"][0].split()[0]) == (400, "metadata.order")


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ('{"order":123456789012345678901234}', "metadata.order must not be a number of more than 64 bits"),
        ('{"a":' * 150 + "1" + "}" * 150, "metadata must be a json string"),
        ('{"a":"\\u0000"}', "metadata.a must not hold the character U+0000"),
    ],
)
async def test_a_file_s_metadata_that_cannot_be_kept_is_refused(quick_desk: Desk, metadata: str, problem: str) -> None:
    refused = await quick_desk.client.post("/file", files={"file": ("a.txt", b"text")}, data={"metadata": metadata})
    assert refused.status_code == 400 and problem in refused.json()["message"][0], refused.text


async def test_the_six_characters_of_an_escape_are_text_as_any_other(quick_desk: Desk) -> None:
    made = await quick_desk.client.post("/assistant", content=rb'{"name":"a\\u0000"}')
    assert (made.status_code, made.json()["name"]) == (201, "a\\u0000")


async def test_a_filter_that_cannot_be_looked_for_is_refused_with_its_name(quick_desk: Desk) -> None:
    refused = await quick_desk.client.get("/structured-output?name=a%00")
    assert (refused.status_code, refused.json()["message"]) == (400, ["name must not hold the character U+0000"])
    assert (await quick_desk.client.get("/structured-output?idAny=a%00")).json()["results"] == []


async def test_a_union_that_nothing_tells_apart_costs_no_more_than_it_is_worth(quick_desk: Desk) -> None:
    deep: dict[str, Any] = {"name": "x"}
    for _ in range(15):
        deep = {
            "model": {
                "provider": "openai",
                "tools": [{"type": "handoff", "destinations": [{"type": "assistant", "assistant": deep}]}],
            }
        }
    assert (await quick_desk.client.post("/assistant", json=deep)).status_code in (201, 400)


async def test_what_is_not_honoured_is_told(quick_desk: Desk) -> None:
    made = await quick_desk.client.post(
        "/assistant", json={"nmae": "A", "model": {"provider": "openai", "numFastTurns": 2}}
    )
    assert made.status_code == 201
    lines = made.headers["X-Antiphon-Warnings"]
    assert "nmae" in lines and "did you mean name?" in lines
    warnings = (await quick_desk.client.get(f"/assistant/{made.json()['id']}/warnings")).json()
    assert {"nmae", "model.numFastTurns"} <= {each["field"] for each in warnings}
    tool = await quick_desk.client.post("/tool", json={"type": "endCall", "speed": 1})
    assert "speed: no such field" in tool.headers["X-Antiphon-Warnings"]
    linked = {"name": "so", "schema": {"type": "string"}, "assistantIds": ["a"], "workflowIds": ["w"]}
    output = await quick_desk.client.post("/structured-output", json=linked)
    assert json.loads(output.headers["X-Antiphon-Warnings"]) == [
        "workflowIds: kept, and has no effect: name assistants (assistantIds)",
        "assistantIds.0: there is no assistant of this id",
    ]
    assert "X-Antiphon-Warnings" not in (await quick_desk.client.post("/assistant", json={"name": "A"})).headers
    odd = await quick_desk.client.post("/assistant", json={"ü\r\nx: y": 1})
    assert odd.status_code == 201 and "\\u00fc" in odd.headers["X-Antiphon-Warnings"]


async def test_in_strict_mode_unknown_fields_are_refused_with_their_path(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path), strict=True) as desk:
        body = {"customer": 1, "stopSpeakingPlan": {"nope": 1}, "model": {"provider": "openai", "x": 1}}
        refused = await desk.client.post("/assistant", json=body)
        assert set(refused.json()["message"]) == {
            "property customer should not exist",
            "property stopSpeakingPlan.nope should not exist",
            "property model.x should not exist",
        }
        made = await desk.make("/assistant", **{**ASSISTANT, "id": "x", "orgId": "y"})
        assert made["id"] != "x"


async def test_assistants_that_are_files_can_be_read_and_not_changed(quick_desk: Desk) -> None:
    got = (await quick_desk.client.get("/assistant/front-desk")).json()
    assert (got["id"], got["model"]["provider"]) == ("front-desk", "workflow")
    assert (await quick_desk.client.get("/assistant")).json() == []
    for request in (
        quick_desk.client.patch("/assistant/front-desk", json={"name": "X"}),
        quick_desk.client.delete("/assistant/front-desk"),
    ):
        refused = await request
        assert refused.status_code == 400 and "is a file on the server" in refused.json()["message"]
    assert (await quick_desk.client.get("/assistant/..%2Fsecrets")).status_code == 404


async def test_credentials_are_sealed_and_their_secrets_never_told(desk: Desk) -> None:
    plan = {"type": "hmac", "secretKey": "very-secret", "algorithm": "sha256", "signatureHeader": "x-sig"}
    made = await desk.make("/credential", provider="webhook", name="C", authenticationPlan=plan)
    assert made["authenticationPlan"] == {"type": "hmac", "algorithm": "sha256", "signatureHeader": "x-sig"}
    one = f"/credential/{made['id']}"
    renamed = (await desk.client.patch(one, json={"provider": "webhook", "name": "D", "sealed": "x"})).json()
    assert (renamed["name"], renamed["authenticationPlan"]) == ("D", made["authenticationPlan"])
    kept = await desk.api.documents.credentials.get(made["orgId"], made["id"])
    assert "very-secret" not in str(kept.body)
    from antiphon.surfaces.vapi.kinds import whole

    assert whole(desk.api.sealed, kept.body)["authenticationPlan"] == plan
    assert (desk.folder / "data" / "secrets.key").stat().st_mode & 0o077 == 0
    bearer = {"provider": "webhook", "authenticationPlan": {"type": "bearer", "token": "other-secret"}}
    changed = await desk.client.patch(one, json=bearer)
    assert "secret" not in changed.text and changed.json()["authenticationPlan"] == {"type": "bearer"}
    assert "secret" not in (await desk.client.get("/credential")).text
    assert (await desk.client.post("/credential", json={"provider": "webhook", "name": "C"})).status_code == 400


async def test_a_carrier_s_secrets_are_sealed(desk: Desk) -> None:
    body = {
        "provider": "twilio",
        "number": "+14155550100",
        "twilioAccountSid": "AC1",
        "twilioAuthToken": "t0ken-secret",
    }
    made = await desk.make("/phone-number", **body)
    assert "twilioAuthToken" not in made and made["twilioAccountSid"] == "AC1"
    kept = await desk.api.documents.phone_numbers.get(made["orgId"], made["id"])
    assert "t0ken-secret" not in str(kept.body)


async def test_files_come_back_as_they_were_sent(desk: Desk) -> None:
    answer = await desk.client.post("/file", files={"file": ("a.txt", b"abc", "text/plain")})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["object"], made["status"], made["bytes"], made["name"]) == ("file", "done", 3, "a.txt")
    assert (made["purpose"], made["mimetype"], made["parsedTextBytes"]) == ("assistant", "text/plain", 3)
    for field in ("url", "parsedTextUrl"):
        assert (await desk.with_key("no key").get(made[field])).content == b"abc"
        assert (await desk.with_key("no key").get(made[field].replace("org=", "org=x"))).status_code == 401
    assert [each["id"] for each in (await desk.client.get("/file?purpose=assistant")).json()] == [made["id"]]
    assert (await desk.client.get("/file?purpose=knowledge-base-v2")).json() == []
    one = f"/file/{made['id']}"
    assert (await desk.client.patch(one, json={"name": "b", "bytes": 7})).json()["name"] == "b"
    assert (await desk.client.get(one)).json()["bytes"] == 3
    assert (await desk.client.get(f"{one}/content")).content == b"abc"
    desk.clock.advance(3_600_001)
    assert (await desk.with_key("no key").get(made["url"])).status_code == 401
    assert (await desk.client.delete(one)).status_code == 200
    assert list((desk.folder / "data" / "files").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/squad", {"members": [None]}, "members.0"),
        ("/assistant", {"model": {"provider": "openai", "model": "m", "tools": [{"type": "endCall"}, None]}}, "model.tools.1"),
        ("/assistant", {"hooks": [None]}, "hooks.0"),
        ("/assistant", {"artifactPlan": {"structuredOutputIds": [None]}}, "artifactPlan.structuredOutputIds.0"),
        ("/tool", {"type": "transferCall", "destinations": [None]}, "destinations.0"),
        ("/eval", {"type": "chat.mockConversation", "messages": [None]}, "messages.0"),
        ("/workflow", {"name": "w", "nodes": [None], "edges": []}, "nodes.0"),
        ("/session", {"squad": {"members": [None]}}, "squad.members.0"),
    ],
)  # fmt: skip
async def test_an_element_that_is_null_is_refused_where_it_stands(
    quick_desk: Desk, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await quick_desk.client.post(path, json=body)
    assert (answer.status_code, answer.json()["message"]) == (400, [f"{field} should not be empty"])


async def test_what_a_file_is_stays_whatever_is_said_of_it(desk: Desk) -> None:
    sent = {"file": ("a.txt", b"abc", "text/plain")}
    made = (await desk.client.post("/file", files=sent, data={"metadata": '{"a": 1}'})).json()
    path = f"/file/{made['id']}"
    for wrong in ({"purpose": None}, {"purpose": "odd"}, {"purpose": 5}, {"metadata": [1]}, {"metadata": "x"}):
        for method in ("PATCH", "PUT"):
            answer = await desk.client.request(method, path, json=wrong)
            assert (answer.status_code, answer.json()["statusCode"]) == (400, 400), (method, wrong)
    renamed = (await desk.client.patch(path, json={"name": None, "metadata": {"b": [None]}})).json()
    assert (renamed["name"], renamed["metadata"], renamed["originalName"]) == (None, {"b": [None]}, "a.txt")
    put = (await desk.client.put(path, json={"name": "b.txt", "bytes": 9})).json()
    stays = ("object", "status", "bytes", "purpose", "mimetype", "key", "path", "bucket", "originalName")
    assert {name: put[name] for name in stays} == {name: made[name] for name in stays}
    assert put["name"] == "b.txt" and "metadata" not in put
    assert (await desk.client.get(f"{path}/content")).content == b"abc"


async def test_a_named_upload_that_is_sent_again_changes_no_content(quick_desk: Desk) -> None:
    headers = {"Idempotency-Key": "once"}
    first, again = [
        await quick_desk.client.post("/file", files={"file": ("a.txt", content)}, headers=headers)
        for content in (b"first", b"second")
    ]
    assert first.json()["id"] == again.json()["id"]
    assert (await quick_desk.client.get(again.json()["url"])).content == b"first"


async def test_changes_that_come_at_once_are_all_made(desk: Desk) -> None:
    made = await desk.make("/assistant", name="A", metadata={})
    one = f"/assistant/{made['id']}"
    fields = [f"field{number}" for number in range(40)]
    answers = await asyncio.gather(*(desk.client.patch(one, json={field: field}) for field in fields))
    assert {answer.status_code for answer in answers} == {200}
    last = (await desk.client.get(one)).json()
    assert [last[field] for field in fields] == fields
    assert len((await desk.client.get(f"{one}/versions")).json()) == 41


async def test_the_text_of_a_pdf_is_read(quick_desk: Desk) -> None:
    pytest.importorskip("pypdf")
    sent = {"file": ("prices.PDF", pdf("Marmalade costs eleven crowns."), "application/octet-stream")}
    made = (await quick_desk.client.post("/file", files=sent)).json()
    assert made["parsedTextBytes"] == len("Marmalade costs eleven crowns.")
    assert (await quick_desk.client.get(made["parsedTextUrl"])).text == "Marmalade costs eleven crowns."
    broken = {"file": ("b.pdf", b"%PDF-1.7 nothing", "application/pdf")}
    assert "parsedTextUrl" not in (await quick_desk.client.post("/file", files=broken)).json()


async def test_a_file_has_bounds(tmp_path: Path) -> None:
    async with desk_of(tmp_path, sqlite_url(tmp_path), max_file_mib=1) as desk:
        large = await desk.client.post("/file", files={"file": ("a", b"x" * (1024 * 1024 + 1), "text/plain")})
        assert large.status_code == 413, large.text
        endless = await desk.client.post("/file", files={"file": ("a", b"x" * (3 * 1024 * 1024), "text/plain")})
        assert endless.status_code == 413
        assert (await desk.client.post("/file", files={"other": ("a", b"x")})).status_code == 400
        assert (await desk.client.post("/file", json={})).status_code == 400
        bad = await desk.client.post("/file", files={"file": ("a", b"x")}, data={"purpose": "nope"})
        assert bad.status_code == 400
        assert not (desk.folder / "data" / "files").exists(), "nothing is left of what was refused"
        binary = await desk.client.post(
            "/file", files={"file": ("a" * 60, b"\xff\xfe", "text/plain")}, data={"metadata": '{"k": 1}'}
        )
        assert (binary.json()["metadata"], "parsedTextUrl" in binary.json(), len(binary.json()["name"])) == (
            {"k": 1},
            False,
            40,
        )
