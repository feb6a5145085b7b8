"""Whatever is sent to the REST API, it is answered, soon, and never with a fault of the server: bodies made by the published shapes with
wrong values among them, bodies that are no JSON, odd ids, queries out of range."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from tests.api_caller import transport
from tests.serving import running_server, settings_for
from tests.stopwatch import Stopwatch

from antiphon.config import Api
from antiphon.surfaces.vapi.fields import _form as form_of

LONGEST_S = 5.0
"""Generous: the machine may be busy with other tests."""
MADE_BY_FORM = 12
"""Documents of each form."""
BODIES: tuple[bytes, ...] = (
    b"[]", b"null", b'"x"', b'{"name":1e400}', b'{"name":NaN}', b'{"name":"\\u0000"}', b'{"name":"\\ud800"}', b'{"\\ud800":1}',
    b"\xff\xfe", b'{"name":"\xed\xa0\x80"}', b'{"name":1,"name":{"b":2}}', b'{"name":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"model":' * 90 + b"1" + b"}" * 90, b'{"name":123456789012345678901234567890}', b'{"id":"' + b"x" * 100_000 + b'"}',
    b'{"ids":[1]}', b'{"input":[]}', b'{"queries":[{}]}', b'{"customers":[],"phoneNumberId":"\xf0\x9f\x98\x80"}',
    orjson.dumps({f"k{number}": number for number in range(20_000)}),
)  # fmt: skip
CONTENT_TYPES = ("text/plain", "multipart/form-data", "application/json; charset=utf-16", "x" * 3000)
IDS = ("missing", "%00", "%ff", "%ed%a0%80", "a" * 5000, "%2e%2e%2f", "%F0%9F%98%80", "'", "null", "%20")
QUERIES = (
    "limit=-1", "limit=1e400", "limit=nan", "limit=" + "9" * 500, "page=1e18&limit=1000", "page=99999999999999999999", "sortBy=x",
    "createdAtGe=0001-01-01T00:00:00%2B14:00", "createdAtGt=0001-01-01T00:00:00Z", "createdAtLe=9999-12-31T23:59:59.999999-14:00",
    "createdAtLt=2026-13-45", "createdAtGe=%00", "updatedAtGe=" + "1" * 3000, "assistantId=%00", "assistantId=%ed%a0%80",
    "idAny=" + ",".join("a" * 30 for _ in range(200)), "status=%00", "squadId=" + "b" * 3000,
)  # fmt: skip
POSTED = ("/assistant", "/call", "/chat", "/analytics")
ELSEWHERE = ("phoneNumberId", "phoneNumber", "customers")
LISTED = ("/assistant", "/call", "/v2/phone-number")
FORMS: Mapping[str, str] = {
    "/assistant": "CreateAssistantDTO",
    "/tool": "CreateFunctionToolDTO",
    "/squad": "CreateSquadDTO",
    "/phone-number": "CreateByoPhoneNumberDTO",
    "/structured-output": "CreateStructuredOutputDTO",
    "/eval": "CreateEvalDTO",
    "/session": "CreateSessionDTO",
    "/analytics": "AnalyticsQueryDTO",
    "/call": "CreateCallDTO",
}
_WRONG: tuple[Any, ...] = (None, "", "x" * 5000, -1, 0, 1e308, True, [], {}, [[]], {"": {}}, "{{ x }}", "\u2028", 2**53)


def document(form: Mapping[str, Any], chance: random.Random, depth: int = 0) -> Any:
    """Something of this form; now and then something else."""
    if chance.random() < 0.03:
        return chance.choice(_WRONG)
    if name := form.get("ref"):
        form = form_of(name)
    if forms := form.get("any"):
        return document(chance.choice(forms), chance, depth)
    if allowed := form.get("enum"):
        return chance.choice(allowed)
    kind = form.get("type", "string")
    if kind == "object":
        few = 0.6 if depth < 2 else 0.15 if depth < 6 else 0.0
        wanted = {name for name in form.get("fields", {}) if chance.random() < few} | set(form.get("required", ()))
        return {name: document(form["fields"][name], chance, depth + 1) for name in sorted(wanted)} if depth < 9 else {}
    if kind == "array":
        return [document(form.get("items", {}), chance, depth + 1) for _ in range(chance.randint(0, 2))]
    if kind in ("number", "integer"):
        return chance.choice([form.get("min", 0), form.get("max", 7), form.get("max", 7) + 1, 1.5])
    if kind == "boolean":
        return chance.random() < 0.5
    if form.get("date"):
        return chance.choice(["2026-11-28T19:30:00.000Z", "0001-01-01T00:00:00+14:00", "soon"])
    return chance.choice(["x", "http://x.test", "+14155550100", "a" * min(form.get("most", 50), 5000), "{{ now }}"])


async def answered(client: httpx.AsyncClient, method: str, path: str, **given: Any) -> httpx.Response:
    """Raises AssertionError where the server failed, or took long."""
    watch = Stopwatch()
    answer = await client.request(method, path, **given)
    what = f"{method} {path[:100]} {str(given)[:300]}"
    assert answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:200]}"
    assert watch.own_s < LONGEST_S, f"{what} took too long"
    if answer.status_code >= 400 and answer.headers.get("content-type") == "application/json":
        assert answer.json()["statusCode"] == answer.status_code, what
    return answer


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    return settings_for(tmp_path, open_api=True, api=Api(requests_per_minute=1_000_000))


async def test_bodies_ids_and_queries_that_make_no_sense(settings: Any) -> None:
    async with running_server(settings) as (_, client):
        for path in POSTED:
            for content in BODIES:
                await answered(client, "POST", path, content=content, headers={"content-type": "application/json"})
        for kind in CONTENT_TYPES:
            for path in ("/assistant", "/file"):
                await answered(client, "POST", path, content=b'{"name":"a"}', headers={"content-type": kind})
        for path in LISTED:
            for query in QUERIES:
                await answered(client, "GET", f"{path}?{query}")
        for id in IDS:
            for method, path in (("GET", "/assistant"), ("PATCH", "/call"), ("DELETE", "/chat"), ("GET", "/call")):
                body: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
                assert (await answered(client, method, f"{path}/{id}", **body)).status_code in (400, 404, 405)
            assert (await answered(client, "GET", f"/call/{id}/mono-recording")).status_code in (400, 404)


async def test_documents_of_the_published_shapes(settings: Any) -> None:
    chance = random.Random(18)
    statuses: Counter[int] = Counter()
    async with running_server(settings) as (_, client):
        for path, form in FORMS.items():
            for _ in range(MADE_BY_FORM):
                made = document(form_of(form), chance)
                if path == "/call" and isinstance(made, dict):
                    made = {name: made[name] for name in made if name not in ELSEWHERE} | {"transport": transport()}
                answer = await answered(client, "POST", path, json=made)
                statuses[answer.status_code] += 1
                if answer.status_code == 201 and path not in ("/call", "/analytics"):
                    id = answer.json()["id"]
                    assert (await answered(client, "GET", f"{path}/{id}")).status_code == 200
                    await answered(client, "DELETE", f"{path}/{id}")
    assert statuses[201] > 5 and statuses[400] > 5, "both kinds are among them"
