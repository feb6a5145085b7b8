"""Our routes and the platform's published shapes (``fields.json``) as an OpenAPI document, for whoever makes requests of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antiphon.surfaces.vapi.fields import _forms, forms_by

_CRUD: Mapping[str, Any] = {
    "/assistant": "CreateAssistantDTO",
    "/tool": ("type", "ToolDTO"),
    "/squad": "CreateSquadDTO",
    "/phone-number": ("provider", "PhoneNumberDTO"),
    "/credential": ("provider", "CredentialDTO"),
    "/structured-output": "CreateStructuredOutputDTO",
    "/eval": "CreateEvalDTO",
    "/workflow": "CreateWorkflowDTO",
    "/session": "CreateSessionDTO",
    "/eval/simulation/personality": "CreatePersonalityDTO",
    "/eval/simulation/scenario": "CreateScenarioDTO",
    "/eval/simulation/suite": "CreateSimulationSuiteDTO",
    "/eval/simulation": "CreateSimulationDTO",
}
_POSTED: Mapping[str, Any] = {
    "/call": "CreateCallDTO",
    "/call/web": "CreateWebCallDTO",
    "/chat": "CreateChatDTO",
    "/chat/web": "CreateWebChatDTO",
    "/eval/run": "CreateEvalRunDTO",
    "/eval/simulation/run": "CreateSimulationRunDTO",
    "/analytics": "AnalyticsQueryDTO",
    "/token": "CreateTokenDTO",
    "/assistant/{id}/draft": "CreateAssistantDraftDTO",
    "/assistant/background-sound/validate": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
    "/eval/simulation/scenario/generate": {"type": "object", "properties": {"assistantId": {"type": "string"}}},
    "/eval/simulation/suite/{id}/duplicate": {"type": "object"},
    "/org/{id}/erase": {"type": "object", "properties": {"assistantId": {"type": "string"}, "before": {"type": "string"}}},
}  # fmt: skip
_PATCHED: Mapping[str, Any] = {
    "/call/{id}": "UpdateCallDTO",
    "/file/{id}": "UpdateFileDTO",
    "/assistant/{id}/draft": "CreateAssistantDraftDTO",
    "/org/{id}": {"type": "object", "properties": {"retentionDays": {"type": "number"}}},
}
_LISTED = (
    "/call",
    "/v2/call",
    "/v2/phone-number",
    "/chat",
    "/eval/run",
    "/eval/simulation/run",
    "/file",
    "/token",
    "/org",
    "/logs",
)
_ONE = (
    "/call/{id}",
    "/chat/{id}",
    "/eval/run/{id}",
    "/eval/simulation/run/{id}",
    "/file/{id}",
    "/token/{id}",
    "/org/{id}",
)
_LARGE = frozenset(
    {
        *_CRUD.values(),
        "CreateCallDTO",
        "CreateWebCallDTO",
        "CreateChatDTO",
        "CreateWebChatDTO",
        "CreateEvalRunDTO",
        "CreateSimulationRunDTO",
    }
)
_QUERY: Mapping[str, Any] = {
    "limit": {"type": "integer", "minimum": 0, "maximum": 1000},
    "page": {"type": "integer", "minimum": 1},
    "sortOrder": {"type": "string", "enum": ["ASC", "DESC"]},
    "createdAtGt": {"type": "string", "format": "date-time"},
    "updatedAtLe": {"type": "string", "format": "date-time"},
    "id": {"type": "string"},
    "idAny": {"type": "string"},
    "sortBy": {"type": "string", "enum": ["createdAt"]},
}
_TEXT = {"type": "string"}
_FILTERED: Mapping[str, Mapping[str, Any]] = {
    "/call": dict.fromkeys(["assistantId", "squadId", "customerNumber", "endedReason"], _TEXT),
    "/chat": dict.fromkeys(["assistantId", "assistantIdAny", "previousChatId", "name"], _TEXT),
    "/session": dict.fromkeys(["assistantId", "phoneNumberIdAny", "number", "customerNumberAny", "name"], _TEXT),
    "/v2/phone-number": {"search": _TEXT},
    "/structured-output": {"name": _TEXT},
    "/eval/run": {"evalId": _TEXT},
    "/eval/simulation/run": {"targetId": _TEXT, "status": {"type": "string", "enum": ["queued", "running", "ended"]}},
    "/logs": dict.fromkeys(["assistantId", "callId", "type", "webhookType"], _TEXT),
}
"""By what a list is filtered besides. Any other parameter is refused."""
_ANSWERED = {"responses": {"default": {"description": "An answer."}}}


WRONG_TOO = "x-wrong-too"
"""Marks operations of which Schemathesis makes wrong requests in no time. Of unions of hundreds of forms it takes minutes to find one that
fits none; and any text is an id."""


def document() -> dict[str, Any]:
    """The whole of it."""
    paths: dict[str, dict[str, Any]] = {}

    def add(path: str, method: str, body: Any = None, *, query: bool = False) -> None:
        small = body is not None and (isinstance(body, dict) or body not in (*_LARGE, "CreateAssistantDraftDTO"))
        operation: dict[str, Any] = {**_ANSWERED, WRONG_TOO: query or small}
        parameters = (
            [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}] if "{id}" in path else []
        )
        if query:
            asked = {**_QUERY, **_FILTERED.get(path, {})}
            parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in asked.items()]
        if parameters:
            operation["parameters"] = parameters
        if body is not None:
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _body(body)}}}
        paths.setdefault(path, {})[method] = operation

    for path, body in _CRUD.items():
        add(path, "post", body)
        add(path, "get", query=True)
        for method in ("get", "delete"):
            add(f"{path}/{{id}}", method)
        add(f"{path}/{{id}}", "patch", body)
    for path, body in _POSTED.items():
        add(path, "post", body)
    for path, body in _PATCHED.items():
        add(path, "patch", body)
    for path in _LISTED:
        add(path, "get", query=True)
    for path in _ONE:
        add(path, "get")
    add("/logs", "delete", query=True)
    schemas = {name: schema_of(form) for name, form in _forms().items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Antiphon", "version": "0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _body(body: Any) -> dict[str, Any]:
    if isinstance(body, str):
        return {"$ref": f"#/components/schemas/{body}"}
    if isinstance(body, tuple):
        return {"anyOf": [_body(form) for form in forms_by(*body).values()]}
    return dict(body)


def schema_of(form: Mapping[str, Any]) -> dict[str, Any]:
    """A form of ``fields.json`` as JSON Schema."""
    if "ref" in form:
        return {"$ref": f"#/components/schemas/{form['ref']}"}
    if "any" in form:
        return {"anyOf": [schema_of(each) for each in form["any"]]}
    names = {
        "min": "minimum",
        "max": "maximum",
        "least": "minLength",
        "most": "maxLength",
        "enum": "enum",
        "type": "type",
    }
    schema: dict[str, Any] = {ours: form[name] for name, ours in names.items() if name in form}
    if form.get("date"):
        schema["format"] = "date-time"
    if "items" in form:
        schema["items"] = schema_of(form["items"])
    if "fields" in form:
        schema["properties"] = {name: schema_of(each) for name, each in form["fields"].items()}
        schema["required"] = [name for name in form.get("required", ()) if name in form["fields"]]
        schema["additionalProperties"] = False
    return schema
