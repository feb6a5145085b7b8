"""Paths of the platform that this server does not have: the answer says so, and what there is instead."""

from __future__ import annotations

import pytest
from tests.surfaces.vapi.desk import Desk


@pytest.mark.parametrize(
    "path",
    ["/campaign", "/v2/campaign/x", "/v2/knowledge-base", "/reporting/insight/x/run", "/observability/scorecard", "/provider/11labs/voices",
     "/traffic-allocations", "/traffic-allocations/latest", "/voice-library/11labs", "/v2/assistant", "/v2/call/export", "/template"],
)  # fmt: skip
async def test_what_the_platform_has_and_this_server_has_not_is_named(quick_desk: Desk, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await quick_desk.client.request(method, path)
        assert answer.status_code == 404
        told = answer.json()
        assert (told["error"], told["statusCode"]) == ("Not Found", 404)
        assert told["message"].startswith("This server has no "), told


async def test_a_path_of_nobody_is_not_found(quick_desk: Desk) -> None:
    assert (await quick_desk.client.get("/assistant/a/b/c")).json()["message"] == "Not Found"
