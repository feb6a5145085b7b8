"""``/call``: asking for calls, looking at them, ending and controlling them."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID, uuid5

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.directory import HangUp
from antiphon.calls.finder import UnknownAssistant
from antiphon.calls.planned import CallRequest, CallType, ConcurrencyReached, PlannedCall
from antiphon.calls.stores import CallRecord
from antiphon.errors import CapacityError, ConfigurationError, ProviderError, ProviderUnavailable
from antiphon.ids import new_call_id
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.call_parts import CallParts, Dial
from antiphon.surfaces.vapi.call_requests import (
    MAX_NAME_CHARS,
    require_harmless,
    schedule_of,
    websocket_format,
    websocket_transport,
)
from antiphon.surfaces.vapi.call_views import CallViews, calls_listed
from antiphon.surfaces.vapi.control_route import ControlRoute
from antiphon.surfaces.vapi.e164 import require_e164
from antiphon.surfaces.vapi.ended_reasons import NOT_SCHEDULED
from antiphon.surfaces.vapi.errors import ApiError, not_found
from antiphon.surfaces.vapi.paging import bare, paginated
from antiphon.surfaces.vapi.squad_calls import asked_call

MAX_CUSTOMERS = 50
MAX_DELETED = 100
T = TypeVar("T")
log = structlog.get_logger(__name__)


def routes(parts: CallParts) -> list[Route]:
    """All of ``/call``, and of ``/v2/call``. What is asked with a call's own URL needs no key."""
    them = CallRoutes(parts)
    access = parts.access
    return [
        Route("/call", access.private(them.create), methods=["POST"]),
        Route("/call/phone", access.private(them.create), methods=["POST"]),
        Route("/call/web", access.public(them.create_web), methods=["POST"]),
        Route("/call", access.private(them.list), methods=["GET"]),
        Route("/v2/call", access.private(them.list_pages), methods=["GET"]),
        Route("/call", access.private(them.delete_many), methods=["DELETE"]),
        Route("/call/{id}", access.private(them.get), methods=["GET"]),
        Route("/call/{id}", access.private(them.rename), methods=["PATCH"]),
        Route("/call/{id}", access.private(them.delete), methods=["DELETE"]),
        Route("/call/{id}/end", access.private(them.end), methods=["POST"]),
        ControlRoute(parts.planner, parts.directory, parts.urls, access).route(),
    ]


class CallRoutes:
    """The handlers."""

    def __init__(self, parts: CallParts) -> None:
        self._parts = parts
        self._views = CallViews(parts.planner, parts.calls, parts.urls, parts.live_cost)

    # ---------------------------------------------------------------------------------- asking for calls

    async def create(self, request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        made = await self._made_before(request, asker, body)
        if made is not None:
            return made
        by_phone = body.get("phoneNumberId") or body.get("phoneNumber")
        if body.get("schedulePlan") and not by_phone:
            raise ApiError(400, ["schedulePlan is for telephone calls: phoneNumberId or phoneNumber must be given"])
        transport = body.get("transport")
        provider = transport.get("provider") if isinstance(transport, Mapping) else None
        if provider == "vapi.websocket":
            assert isinstance(transport, Mapping)
            return json_response(await self._websocket(request, body, transport, asker), 201)
        if by_phone:
            return json_response(await self._phone(request, body, asker), 201)
        problems = []
        if not any(
            body.get(name) for name in ("assistantId", "assistant", "squadId", "squad", "workflowId", "workflow")
        ):
            problems.append("one of assistantId and assistant must be given")
        problems.append("one of transport (provider vapi.websocket) and phoneNumberId with customer must be given")
        raise ApiError(400, problems)

    async def _made_before(self, request: Request, asker: Asker, body: Mapping[str, Any]) -> Response | None:
        """The call that this request made when it was sent before, where its client names its requests."""
        if not request.headers.get("idempotency-key"):
            return None
        record = await self._parts.calls.find(asker.org_id, self._id(request, asker, body))
        if record is None:
            return None
        return json_response(await self._again(record), 201)

    async def _again(self, record: CallRecord) -> dict[str, Any]:
        """A call that was made before, as it was answered then; without its address where nobody can come any more."""
        document = {**self._views.shown(record), "subscriptionLimits": await self._views.limits(record.org_id)}
        if record.type == "vapi.websocketCall" and self._parts.planner.find(record.id) is not None:
            url = self._parts.urls.websocket(record.id, self._parts.expires_ms)
            document["transport"] = {**document["transport"], "websocketCallUrl": url}
        if record.type == "webCall" and self._parts.planner.find(record.id) is not None:
            document = self._with_web_url(document, record.id)
        return document

    def _with_web_url(self, document: Mapping[str, Any], id: str) -> dict[str, Any]:
        url = self._parts.urls.web(id, self._parts.expires_ms)
        return {**document, "webCallUrl": url, "transport": {"provider": "daily", "callUrl": url}}

    def _id(self, request: Request, asker: Asker, body: Mapping[str, Any]) -> str:
        return self._parts.repeats.id_for(request, asker.org_id, body)

    async def _websocket(
        self, request: Request, body: Mapping[str, Any], transport: Mapping[str, Any], asker: Asker
    ) -> dict[str, Any]:
        wrong = [name for name in ("phoneNumberId", "phoneNumber", "customers") if body.get(name)]
        if wrong:
            raise ApiError(400, [f"{name} must be absent where the transport is vapi.websocket" for name in wrong])
        described = websocket_transport(websocket_format(transport))
        asked = await self._request(body, asker, "vapi.websocketCall", described)
        planned = await self._planned(replace(asked, call_id=self._id(request, asker, body)))
        document = await self._views.document(planned)
        url = self._parts.urls.websocket(planned.id, self._parts.expires_ms)
        return {**document, "transport": {**described, "websocketCallUrl": url}}

    async def create_web(self, request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        asker.require_assistant(body.get("assistantId") if isinstance(body.get("assistantId"), str) else None)
        if not asker.transient_allowed:
            require_harmless(body.get("assistantOverrides"))
        named = self._parts.repeats.named(request, asker.org_id)
        made = await self._parts.calls.find(asker.org_id, named) if named else None
        if made is not None:
            answer = await self._again(made)
        else:
            asked = await self._request(body, asker, "webCall", {"provider": "daily"})
            planned = await self._planned(replace(asked, call_id=named))
            answer = self._with_web_url(await self._views.document(planned), planned.id)
        if asker.public:  # a web page is told what it needs, not what the assistant is made of
            for name in ("monitor", "warnings"):
                answer.pop(name, None)
        return json_response(answer, 201)

    async def _phone(self, request: Request, body: Mapping[str, Any], asker: Asker) -> dict[str, Any]:
        dial = self._parts.dial
        if dial is None:
            raise ApiError(400, "This server has no telephone: set twilio.account_sid and twilio.auth_token.")
        if not isinstance(body.get("phoneNumberId"), str | None):
            raise ApiError(400, ["phoneNumberId must be a string"])
        customers = body.get("customers")
        if customers is None:
            return await self._dialled(dial, body, asker, self._id(request, asker, body))
        if not isinstance(customers, list) or not 0 < len(customers) <= MAX_CUSTOMERS:
            raise ApiError(400, [f"customers must be an array of 1 to {MAX_CUSTOMERS}"])
        results, errors = [], []
        named = self._parts.repeats.named(request, asker.org_id)
        for number, customer in enumerate(customers):
            id = str(uuid5(UUID(named), str(number))) if named else ""
            try:
                made = await self._parts.calls.find(asker.org_id, id) if id else None
                if made is not None:
                    results.append(self._views.shown(made))
                else:
                    results.append(await self._dialled(dial, {**body, "customer": customer}, asker, id))
            except ApiError as error:
                errors.append({"customer": customer, "error": str(error)})
        limits = await self._views.limits(asker.org_id)
        return {"results": results, "errors": errors, "subscriptionLimits": limits}

    async def _dialled(self, dial: Dial, body: Mapping[str, Any], asker: Asker, call_id: str = "") -> dict[str, Any]:
        customer = body.get("customer")
        if not isinstance(customer, Mapping) or not isinstance(customer.get("number"), str):
            raise ApiError(400, ["customer.number must be a string"])
        require_e164(customer, "customer.number")
        number = body.get("phoneNumber")
        number_id = body.get("phoneNumberId")
        if isinstance(number_id, str) and number_id:
            number = await self._parts.phone_number(asker.org_id, number_id)
            if number is None:
                raise ApiError(400, f"Couldn't find phone number {number_id[:64]}.")
        calling = number.get("number") or number.get("twilioPhoneNumber") if isinstance(number, Mapping) else None
        if not isinstance(calling, str) or not calling:
            raise ApiError(400, ["phoneNumber.number must be a string"])
        given = {name: value for name, value in body.items() if name not in ("customers", "phoneNumberId")}
        transport = {"provider": "twilio", "conversationType": "voice", "from": calling}
        asked = await self._request(given, asker, "outboundPhoneCall", transport)
        variables = {**asked.variables, "phoneNumber": dict(number) if isinstance(number, Mapping) else {}}
        asked = replace(asked, phone_number_id=number_id or "", variables=variables, call_id=call_id)
        if (times := schedule_of(body.get("schedulePlan"), self._parts.clock.wall_ms())) is not None:
            asked = replace(asked, call_id=call_id or new_call_id())
            record = await self._asked(self._parts.later.schedule(asked, *times))
            return {**self._views.shown(record), "subscriptionLimits": await self._views.limits(asker.org_id)}
        return await self._views.document(await self._asked(dial(asked)))

    async def _request(
        self, body: Mapping[str, Any], asker: Asker, kind: CallType, transport: Mapping[str, Any]
    ) -> CallRequest:
        return await asked_call(body, asker.org_id, kind, transport, self._parts.squad, strict=self._parts.strict)

    async def _planned(self, asked: CallRequest) -> PlannedCall:
        return await self._asked(self._parts.planner.plan(asked))

    async def _asked(self, planning: Awaitable[T]) -> T:
        """Raises ApiError."""
        try:
            return await planning
        except UnknownAssistant as error:
            raise ApiError(400, f"Couldn't find assistant: {error.problem}.") from None
        except ConfigurationError as error:
            raise ApiError(400, [f"{error.field} {error.problem}"]) from None
        except ConcurrencyReached as error:
            raise ApiError(400, f"Over Concurrency Limit: {error.limit} calls at once are allowed.") from None
        except CapacityError as error:
            raise ApiError(
                503, f"The server takes no new call now ({error.reason}).", headers={"Retry-After": "2"}
            ) from None
        except ProviderError as error:
            if isinstance(error, ProviderUnavailable) and error.provider == "engines":
                raise ApiError(503, f"The call's engines are not ready: {error.problem}") from None
            # Not a status that SDKs repeat: a telephone may be ringing.
            raise ApiError(400, f"The call could not be dialled: {error.problem}") from None

    # ---------------------------------------------------------------------------------- looking

    async def list(self, request: Request, asker: Asker) -> Response:
        records = await self._parts.calls.list(asker.org_id, calls_listed(request))
        return bare([self._views.shown(record) for record in records])

    async def list_pages(self, request: Request, asker: Asker) -> Response:
        listing = calls_listed(request)
        records = await self._parts.calls.list(asker.org_id, listing)
        total = await self._parts.calls.count(asker.org_id, listing)
        return json_response(paginated([self._views.shown(record) for record in records], total, listing))

    async def get(self, request: Request, asker: Asker) -> Response:
        return json_response(self._views.shown(await self._views.found(request, asker)))

    async def rename(self, request: Request, asker: Asker) -> Response:
        body = await json_body(request)
        problems = [f"property {name} should not exist" for name in body if name != "name"]
        name = body.get("name") or ""  # null takes the name away
        if not isinstance(name, str) or len(name) > MAX_NAME_CHARS:
            problems.append(f"name must be a string shorter than or equal to {MAX_NAME_CHARS} characters")
        if problems:
            raise ApiError(400, problems)
        found = await self._views.found(request, asker)
        if "name" not in body:
            return json_response(self._views.shown(found))
        changed = await self._parts.calls.change(found.id, self._parts.clock.wall_ms(), name=name)
        if changed is None:
            raise not_found("call", found.id)
        return json_response(self._views.shown(changed))

    # ---------------------------------------------------------------------------------- ending

    async def end(self, request: Request, asker: Asker) -> Response:
        found = await self._views.found(request, asker)
        if found.status == "ended":
            raise ApiError(400, "The call has ended already.")
        if (cancelled := await self._cancelled(found, "manually-canceled")) is not None:
            return json_response(self._views.shown(cancelled), 201)
        if not await self._end(found):
            await self._parts.planner.written()
            if (await self._views.found(request, asker)).status == "ended":
                raise ApiError(400, "The call has ended already.")
            raise ApiError(409, "The call is not held by this server any more.")
        return json_response(self._views.shown(found), 201)

    async def delete(self, request: Request, asker: Asker) -> Response:
        return json_response(await self._deleted(await self._views.found(request, asker)))

    async def delete_many(self, request: Request, asker: Asker) -> Response:
        ids = (await json_body(request)).get("ids")
        if not isinstance(ids, list) or not 0 < len(ids) <= MAX_DELETED or not all(isinstance(id, str) for id in ids):
            raise ApiError(400, [f"ids must be an array of 1 to {MAX_DELETED} strings"])
        found = [
            record for id in dict.fromkeys(ids) if (record := await self._views.record(asker.org_id, id)) is not None
        ]
        return bare([await self._deleted(record) for record in found])

    async def _deleted(self, record: CallRecord) -> dict[str, Any]:
        if record.status != "ended" and await self._cancelled(record, NOT_SCHEDULED) is None:
            await self._end(record)
        if self._parts.erase is not None:
            try:
                await self._parts.erase(record)
            except OSError as error:
                log.error("call_not_erased", call_id=record.id, problem=type(error).__name__)
                self._parts.deleted(record, "call.delete.failed")
                raise ApiError(503, "The call's recording could not be erased; nothing was deleted.") from None
        await self._parts.calls.delete(record.org_id, record.id)
        self._parts.deleted(record, "call.deleted")
        return self._views.shown(record)

    async def _cancelled(self, record: CallRecord, reason: str) -> CallRecord | None:
        """A scheduled call that will not be made."""
        return await self._parts.later.cancel(record, reason) if record.status == "scheduled" else None

    async def _end(self, record: CallRecord) -> bool:
        planner = self._parts.planner
        return planner.give_up(record.id, "manually-canceled") or await self._parts.directory.command(
            record.id, HangUp()
        )
