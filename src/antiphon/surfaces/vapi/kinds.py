"""What is particular about each kind of document: its form, what it points to, what of it is secret, and who needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from antiphon.assistants.output_conditions import conditions_of
from antiphon.assistants.tool_definition import ToolDefinition, TransferDestination
from antiphon.calls.number_hooks import read_hooks, require_callable
from antiphon.calls.stores import Listing, Resource, ResourceStore
from antiphon.chat.reading import read_by_pattern
from antiphon.errors import ConfigurationError
from antiphon.surfaces.sealed import Sealed
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.documents import Check, Kind, every
from antiphon.surfaces.vapi.e164 import require_e164
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.wire_model import parse

SEALED = "sealed"
"""Where a kept document has its secrets. Nobody can send a field of this name."""
_NUMBER_SECRETS = ("twilioAuthToken", "twilioApiSecret", "authentication")
_TOLD = frozenset(
    [
        "algorithm", "authenticationPlan", "bearerPrefixEnabled", "clientId", "endpoint", "headerName", "includeTimestamp",
        "messageIdHeader", "name", "payloadFormat", "provider", "region", "scope", "secretIsBase64", "signatureEncoding",
        "signatureHeader", "signaturePrefix", "timestampHeader", "type", "url",
    ]
)  # fmt: skip
"""Of a credential: everything else is secret, known to us or not."""


def form_of(tag: str, ending: str, body: Mapping[str, Any]) -> str:
    """The form of a document that ``tag`` decides. Raises ApiError 400."""
    forms = fields.forms_by(tag, ending)
    given = body.get(tag)
    if not isinstance(given, str) or given not in forms:
        raise ApiError(400, [f"{tag} must be one of the following values: {', '.join(sorted(forms))}"])
    return forms[given]


def formed(form: str, *, strict: bool) -> Check:
    """A check by one form."""

    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        fields.require(form, body, strict=strict)

    return check


def tagged(tag: str, ending: str, *, strict: bool) -> Check:
    """A check by the form that ``tag`` decides."""

    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        fields.require(form_of(tag, ending, body), body, strict=strict)

    return check


def tools(store: ResourceStore, *, strict: bool) -> Kind:
    by_form = tagged("type", "ToolDTO", strict=strict)

    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        await by_form(org_id, id, body)
        if body["type"] == "function":
            try:
                parse(ToolDefinition, dict(body))
            except ConfigurationError as error:
                raise ApiError(400, [f"{error.field} {error.problem}"]) from None

    async def in_use(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        async for assistant in every(store, "assistant", org_id):
            model = assistant.body.get("model")
            if isinstance(model, Mapping) and id in (model.get("toolIds") or ()):
                raise ApiError(409, f"The tool is used by assistant {assistant.id}.", "tool_pinned")

    return Kind("tool", check=check, in_use=in_use, fixed="type")


def squads(store: ResourceStore, *, strict: bool) -> Kind:
    by_form = formed("CreateSquadDTO", strict=strict)

    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        await by_form(org_id, id, body)
        for at, member in enumerate(body["members"]):
            if not (member.get("assistantId") or member.get("assistant")):
                raise ApiError(400, [f"members.{at} must have assistantId or assistant"])
            if member.get("assistantId") and member.get("assistant"):
                raise ApiError(400, [f"members.{at}: assistantId and assistant are mutually exclusive"])

    async def in_use(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        for number in await store.list("phone-number", org_id, Listing(limit=1, equal={"squad_id": id})):
            raise ApiError(409, f"The squad is used by phone number {number.id}.", "squad_pinned")

    return Kind("squad", check=check, in_use=in_use)


def structured_outputs(*, strict: bool) -> Kind:
    by_form = formed("CreateStructuredOutputDTO", strict=strict)

    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        await by_form(org_id, id, body)
        try:
            conditions_of(body)
            await check_pattern(body)
        except ConfigurationError as error:
            raise ApiError(400, [f"{error.field} {error.problem}"]) from None

    return Kind("structured-output", check=check)


async def check_pattern(output: Mapping[str, Any]) -> None:
    """Whether one of type ``regex`` has a regular expression. In a thread, as it will be read. Raises ConfigurationError."""
    if output.get("type") == "regex":
        await asyncio.to_thread(read_by_pattern, output.get("regex"), "", output.get("schema") or {})


def phone_numbers(store: ResourceStore, sealed: Sealed, *, strict: bool) -> Kind:
    by_form = tagged("provider", "PhoneNumberDTO", strict=strict)

    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        await by_form(org_id, id, whole(sealed, body))
        require_e164(body, "number")
        _check_destinations(body)
        number = body.get("number")
        if isinstance(number, str) and number:
            others = await store.find_by("phone-number", "number", number)
            if any(other.id != id for other in others):
                raise ApiError(400, [f"number {number[:40]} is already in use"])

    def show(resource: Resource) -> Mapping[str, Any]:
        return {**without_sealed(resource.body), "status": "active"}

    return Kind(
        "phone-number",
        check=check,
        own_fields=("status", SEALED),
        keeping=sealing(sealed, lambda body: [name for name in _NUMBER_SECRETS if name in body]),
        show=show,
        fixed="provider",
    )


def _check_destinations(number: Mapping[str, Any]) -> None:
    """Of its hooks, and where calls go that nobody else takes. Raises ApiError 400 for what can never be carried out when a call comes."""
    try:
        destinations = list(read_hooks(number).destinations())
        if fallback := number.get("fallbackDestination"):
            read = parse(TransferDestination, fallback, "fallbackDestination")
            require_callable(read, "fallbackDestination")
            destinations.append(("fallbackDestination", read))
    except ConfigurationError as error:
        raise ApiError(400, [f"{error.field} {error.problem}"]) from None
    for field, destination in destinations:
        require_e164(destination.model_dump(by_alias=True), f"{field}.number")


def credentials(sealed: Sealed, *, strict: bool) -> Kind:
    by_form = tagged("provider", "CredentialDTO", strict=strict)

    async def check(org_id: str, id: str, body: Mapping[str, Any]) -> None:
        await by_form(org_id, id, whole(sealed, body))

    def show(resource: Resource) -> Mapping[str, Any]:
        told: Mapping[str, Any] = _told(whole(sealed, resource.body))
        return told

    keeping = sealing(sealed, lambda body: [name for name in body if name not in ("name", "provider")])
    return Kind("credential", check=check, own_fields=(SEALED,), keeping=keeping, show=show, fixed="provider")


def sealing(
    sealed: Sealed, secrets: Callable[[Mapping[str, Any]], Iterable[str]]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Keeps the fields that ``secrets`` names encrypted, with those that are sealed already."""

    def keeping(body: dict[str, Any]) -> dict[str, Any]:
        new = {name: body[name] for name in secrets(body) if name != SEALED}
        kept = {name: value for name, value in body.items() if name not in new}
        if new:
            kept[SEALED] = sealed.seal(orjson.dumps({**opened(sealed, body), **new}))
        return kept

    return keeping


def opened(sealed: Sealed, body: Mapping[str, Any]) -> dict[str, Any]:
    """The secret fields of a kept document. Raises ConfigurationError where the key is another."""
    text = body.get(SEALED)
    found: dict[str, Any] = orjson.loads(sealed.open(text)) if text else {}
    return found


def whole(sealed: Sealed, body: Mapping[str, Any]) -> dict[str, Any]:
    """A kept document as it came, with its secrets: for whoever uses them, never for an answer."""
    return {**without_sealed(body), **opened(sealed, body)}


def without_sealed(body: Mapping[str, Any]) -> dict[str, Any]:
    """What of a kept document is not secret."""
    return {name: value for name, value in body.items() if name != SEALED}


def _told(value: Any) -> Any:
    """What may be told of a credential."""
    if isinstance(value, Mapping):
        return {name: _told(item) for name, item in value.items() if name in _TOLD}
    return value if isinstance(value, str | int | float | bool) else None
