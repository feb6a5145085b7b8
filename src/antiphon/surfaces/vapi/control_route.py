"""``monitor.controlUrl``: what is asked of a live call with the call's own URL."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.calls.directory import CallDirectory
from antiphon.calls.planner import CallPlanner
from antiphon.errors import ConfigurationError
from antiphon.surfaces.http.responses import json_response
from antiphon.surfaces.vapi.access import Access, Asker
from antiphon.surfaces.vapi.bodies import json_body
from antiphon.surfaces.vapi.call_urls import CallUrls
from antiphon.surfaces.vapi.controls import command_of
from antiphon.surfaces.vapi.errors import ApiError
from antiphon.surfaces.vapi.media_gate import monitor_allows


class ControlRoute:
    """Needs no key, but where the assistant's ``monitorPlan`` asks for one."""

    def __init__(self, planner: CallPlanner, directory: CallDirectory, urls: CallUrls, access: Access) -> None:
        self._planner = planner
        self._directory = directory
        self._urls = urls
        self._access = access

    def route(self) -> Route:
        return Route("/call/{id}/{token}/control", self.control, methods=["POST"])

    async def control(self, request: Request) -> Response:
        id, token = request.path_params["id"], request.path_params["token"]
        if not self._urls.opens("control", id, token):
            return ApiError(403, "This URL is wrong, or has expired.").response()
        planned = self._planner.known(id)
        plan = planned.assistant.document.get("monitorPlan") if planned is not None else None
        if isinstance(plan, Mapping) and plan.get("controlAuthenticationEnabled") is True:
            return await self._access.public(self._controlled_by)(request)
        try:
            return await self._control(request)
        except ApiError as error:
            return error.response()

    async def _controlled_by(self, request: Request, asker: Asker) -> Response:
        return await self._control(request)

    async def _control(self, request: Request) -> Response:
        id = request.path_params["id"]
        planned = self._planner.known(id)
        if planned is not None and not monitor_allows(planned, "controlEnabled"):
            raise ApiError(403, "This call's assistant lets nobody control it.")
        first = planned.assistant.spec.first_message if planned is not None else None
        command = command_of(await json_body(request), first or "")
        try:
            obeyed = await self._directory.command(id, command)
        except ConfigurationError as error:
            raise ApiError(400, [f"{error.field}: {error.problem}"]) from None
        if not obeyed:
            raise ApiError(404, "There is no live call of this id.")
        return json_response({"success": True})
