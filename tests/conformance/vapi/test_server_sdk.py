"""The platform's own Python SDK against our server: documents, lists, errors, with the values they hold."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import httpx
import pytest
from tests.conformance.vapi.conftest import Served
from tests.surfaces.vapi.test_resources import TOOLS

ONCE = {"max_retries": 0}
MODEL = {
    "provider": "custom-llm",
    "url": "http://m.test",
    "model": "m",
    "messages": [{"role": "system", "content": "x"}],
}
CLASSES = {
    "function": "Function", "apiRequest": "ApiRequest", "transferCall": "TransferCall", "endCall": "EndCall", "dtmf": "Dtmf",
    "handoff": "Handoff", "query": "Query", "mcp": "Mcp", "code": "Code", "voicemail": "Voicemail",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _the_sdk_s_own_warnings() -> Any:
    """Its models shadow names of pydantic's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def create_assistant(client: Any, **more: Any) -> Any:
    return client.assistants.create(
        name="A",
        first_message="Hi",
        model=MODEL,
        voice={"provider": "custom-voice", "server": {"url": "http://v.test"}},
        transcriber={"provider": "custom-transcriber", "server": {"url": "http://t.test"}},
        server={"url": "http://w.test"},
        stop_speaking_plan={"numWords": 2},
        request_options={"additional_body_parameters": {"silenceTimeoutSeconds": 30}},
        **more,
    )


def test_row_1_an_assistant_is_created_with_everything_it_was_given(client: Any) -> None:
    made = create_assistant(client)
    assert type(made.model).__name__ == "AssistantModel_CustomLlm"
    assert type(made.voice).__name__ == "AssistantVoice_CustomVoice"
    assert type(made.transcriber).__name__ == "AssistantTranscriber_CustomTranscriber"
    assert (made.name, made.first_message, made.model.url, made.model.messages[0].content) == (
        "A",
        "Hi",
        "http://m.test",
        "x",
    )
    assert (made.server.url, made.stop_speaking_plan.num_words) == ("http://w.test", 2)
    assert made.silenceTimeoutSeconds == 30
    assert isinstance(made.created_at, datetime)
    assert abs(datetime.now(UTC) - made.created_at) < timedelta(minutes=2)
    assert made.latest_version == "v1"


def test_rows_2_and_16_lists_are_newest_first_and_cut(client: Any) -> None:
    made = [create_assistant(client) for _ in range(3)]
    listed = client.assistants.list(limit=2)
    assert [each.id for each in listed] == [made[2].id, made[1].id]
    later = client.assistants.list(created_at_gt=made[0].created_at)
    assert made[0].id not in [each.id for each in later]
    assert made[2].id in [each.id for each in later] or made[2].created_at == made[0].created_at


def test_rows_3_and_4_an_update_replaces_what_it_names_whole(client: Any) -> None:
    made = create_assistant(client)
    assert client.assistants.get(made.id) == made
    client.assistants.update(made.id, first_message="Yo")
    got = client.assistants.get(made.id)
    assert (got.first_message, got.name, got.model.url, got.silenceTimeoutSeconds) == ("Yo", "A", "http://m.test", 30)
    client.assistants.update(made.id, model={"provider": "openai", "model": "gpt-4o"})
    got = client.assistants.get(made.id)
    assert (type(got.model).__name__, got.model.messages, got.first_message) == ("AssistantModel_Openai", None, "Yo")


def test_rows_5_and_6_errors_have_their_status_in_the_body(client: Any, served: Served) -> None:
    from vapi import Vapi
    from vapi.core.api_error import ApiError
    from vapi.errors import BadRequestError

    with pytest.raises(ApiError) as missing:
        client.assistants.get("missing")
    assert (missing.value.status_code, missing.value.body["statusCode"]) == (404, 404)
    with httpx.Client(timeout=60) as line, pytest.raises(ApiError) as refused:
        Vapi(token="wrong", base_url=served.url, httpx_client=line).assistants.list()
    assert refused.value.status_code == 401
    assert refused.value.body["message"].startswith("Invalid Key. Hot tip")
    with pytest.raises((BadRequestError, ApiError)) as wrong:
        client.assistants.create(name="x" * 41)
    assert wrong.value.status_code == 400
    assert wrong.value.body["message"] == ["name must be shorter than or equal to 40 characters"]


def test_a_background_sound_is_looked_at(client: Any) -> None:
    told = client.assistants.assistant_controller_validate_background_sound_url(url="http://10.0.0.1/a.mp3")
    assert (told.valid, told.reason) == (False, "blocked-address")


def test_row_7_what_others_use_is_not_deleted(client: Any) -> None:
    from vapi.errors import ConflictError

    made = create_assistant(client)
    squad = client.squads.create(members=[{"assistantId": made.id}])
    with pytest.raises(ConflictError) as refused:
        client.assistants.delete(made.id, request_options=ONCE)
    assert (refused.value.status_code, refused.value.body["error"]) == (409, "assistant_pinned")
    client.squads.delete(squad.id)
    assert client.assistants.delete(made.id).id == made.id


def test_row_8_tools_of_every_type(client: Any) -> None:
    made = {}
    for body in TOOLS:
        tool = client.tools.create(request=body)
        assert type(tool).__name__.startswith(f"CreateToolsResponse_{CLASSES[body['type']]}"), type(tool)
        made[tool.id] = body
    listed = {tool.id: tool for tool in client.tools.list(limit=len(TOOLS))}
    assert None not in listed.values()
    assert listed.keys() == made.keys()
    assert {tool.type for tool in listed.values()} == set(CLASSES)
    function = next(tool for tool in listed.values() if tool.type == "function")
    assert type(function).__name__ == "ListToolsResponseItem_Function"
    assert (function.async_, function.function.name, function.server.url) == (False, "f", "http://w.test")
    assert type(function.messages[0]).__name__ == "FunctionToolMessagesItem_RequestStart"
    assert function.messages[0].content == "wait"


def test_row_9_a_squad(client: Any) -> None:
    made = create_assistant(client)
    destination = {"type": "assistant", "assistantName": "B", "message": "x"}
    squad = client.squads.create(name="S", members=[{"assistantId": made.id, "assistantDestinations": [destination]}])
    member = client.squads.get(squad.id).members[0]
    assert (squad.name, type(member).__name__, member.assistant_id) == ("S", "SquadMemberDto", made.id)
    to = member.assistant_destinations[0]
    assert (type(to).__name__, to.assistant_name, to.message) == ("TransferDestinationAssistant", "B", "x")
    assert [each.id for each in client.squads.list(limit=1)] == [squad.id]


def test_row_10_phone_numbers(client: Any) -> None:
    made = create_assistant(client)
    ours = client.phone_numbers.create(request={"provider": "vapi", "assistantId": made.id})
    assert (type(ours).__name__, ours.assistant_id, ours.status) == (
        "CreatePhoneNumbersResponse_Vapi",
        made.id,
        "active",
    )
    byo = client.phone_numbers.create(
        request={"provider": "byo-phone-number", "credentialId": "c", "number": "+14155550100", "name": "N"}
    )
    assert (type(byo).__name__, byo.number, byo.name) == (
        "CreatePhoneNumbersResponse_ByoPhoneNumber",
        "+14155550100",
        "N",
    )
    page = client.phone_numbers.phone_number_controller_find_all_paginated(limit=1)
    assert type(page).__name__ == "PhoneNumberPaginatedResponse"
    assert (page.metadata.total_items, page.metadata.items_per_page, page.metadata.current_page) == (2, 1, 1)
    assert page.results[0].id == byo.id
    assert [each.provider for each in client.phone_numbers.list(limit=2)] == ["byo-phone-number", "vapi"]


def test_row_20_files(client: Any) -> None:
    made = client.files.create(file=("a.txt", BytesIO(b"abc"), "text/plain"))
    assert (type(made).__name__, made.object, made.status, made.name, made.bytes) == (
        "File",
        "file",
        "done",
        "a.txt",
        3,
    )
    assert httpx.get(made.url, timeout=60).content == b"abc"
    assert made.id in [each.id for each in client.files.list(purpose="assistant")]
    assert client.files.update(made.id, name="b").name == "b"
    assert client.files.delete(made.id).id == made.id
    assert httpx.get(made.url, timeout=60).status_code == 404


def test_a_file_larger_than_any_other_body_comes_through_the_door(client: Any) -> None:
    content = b"x" * (3 * 1024 * 1024)
    made = client.files.create(file=("large.bin", BytesIO(content), "application/octet-stream"))
    assert made.bytes == len(content)
    client.files.delete(made.id)


def test_row_22_a_structured_output(client: Any) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    made = client.structured_outputs.structured_output_controller_create(name="so", schema=schema)
    assert (type(made).__name__, made.name) == ("StructuredOutput", "so")
    page = client.structured_outputs.structured_output_controller_find_all()
    assert [each.id for each in page.results] == [made.id]
    assistant = create_assistant(client, artifact_plan={"structuredOutputIds": [made.id]})
    assert assistant.artifact_plan.structured_output_ids == [made.id]


def test_row_25_what_is_deleted_is_told_and_gone(client: Any) -> None:
    from vapi.core.api_error import ApiError

    made = create_assistant(client)
    deleted = client.assistants.delete(made.id)
    assert (type(deleted).__name__, deleted.id, deleted.name) == ("Assistant", made.id, "A")
    with pytest.raises(ApiError) as gone:
        client.assistants.get(made.id)
    assert gone.value.status_code == 404
