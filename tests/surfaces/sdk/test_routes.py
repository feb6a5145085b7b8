"""The web SDK's files, as pages of other origins and npm get them."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path

import pytest
from tests.serving import running_server, settings_for

from antiphon.surfaces.sdk.routes import npm_package, npm_version

IMPORTED = re.compile(r'(?:from|import)\s*\(?\s*"\./([^"]+)"')


async def test_pages_of_every_origin_get_the_modules_and_what_they_import(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (_, client):
        seen: set[str] = set()
        waiting = ["daily.js", "web.js", "widget.js", "widget-view.js", "worklet.js"]
        while waiting:
            name = waiting.pop()
            seen.add(name)
            answer = await client.get(f"/sdk/{name}", headers={"Origin": "https://shop.test"})
            assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
            assert not re.search(r"eval\(|innerHTML|new Function|https?://(?!your-server|localhost)", answer.text), name
            waiting += set(IMPORTED.findall(answer.text)) - seen
        again = await client.get(
            "/sdk/web.js", headers={"If-None-Match": (await client.get("/sdk/web.js")).headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert (await client.get("/sdk/__init__.py")).status_code == 404
        assert (await client.get("/sdk/..%2froutes.py")).status_code == 404


async def test_npm_gets_a_package_in_the_place_of_daily_js(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (_, client):
        answer = await client.get("/sdk/daily-js.tgz")
        assert answer.headers["content-type"] == "application/gzip"
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            names = set(archive.getnames())
            described = json.load(archive.extractfile("package/package.json"))  # type: ignore[arg-type]
        assert described["name"] == "@daily-co/daily-js"
        assert {f"package/{described['main']}", "package/worklet.js", "package/web.js"} < names
        cached = await client.get("/sdk/daily-js.tgz", headers={"If-None-Match": answer.headers["etag"]})
        assert cached.status_code == 304


def test_the_package_is_the_same_for_the_same_files() -> None:
    assert npm_package({"a.js": b"1", "b.js": b"2"}, "1.0.0") == npm_package({"b.js": b"2", "a.js": b"1"}, "1.0.0")


@pytest.mark.parametrize(("ours", "npm"), [("0.1.0", "0.1.0"), ("0.1.0.dev3", "0.1.0-dev3")])
def test_versions_are_written_as_npm_writes_them(ours: str, npm: str) -> None:
    assert npm_version(ours) == npm
