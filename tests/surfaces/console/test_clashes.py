"""Two who change the same in the console: the second is refused, and told who was first."""

from __future__ import annotations

from tests.surfaces.console.test_door import Console

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.surfaces.keys import ApiKeys

TOOL = {"type": "endCall", "name": "bye"}


async def test_the_second_is_told_who_was_first(console: Console) -> None:
    made = await console.ask("POST", "rest/tool", json=TOOL)
    path, seen = f"rest/tool/{made.json()['id']}", {"If-Match": made.headers["etag"]}
    assert (await console.ask("PUT", path, json={**TOOL, "name": "ciao"}, headers=seen)).status_code == 200
    for method in ("PUT", "PATCH", "DELETE"):
        refused = await console.ask(method, path, json=TOOL, headers=seen)
        told = refused.json()
        assert (refused.status_code, told["error"], told["statusCode"]) == (412, "Precondition Failed", 412)
        assert (told["changed"]["by"], told["changed"]["version"]) == ("ada", '"v2"')
        assert told["changed"]["wall_ms"] > 0
    anyway = {"If-Match": told["changed"]["version"]}
    assert (await console.ask("PUT", path, json=TOOL, headers=anyway)).headers["etag"] == '"v3"'
    assert console.antiphon.api is not None
    resources = console.antiphon.api.resources
    old = await resources.versions("tool", DEFAULT_ORG, made.json()["id"])
    assert [version.changed_by for version in old] == ["ada", "ada"]


async def test_a_key_that_was_first_has_no_name(console: Console) -> None:
    made = (await console.ask("POST", "rest/tool", json=TOOL)).json()
    _, secret = ApiKeys(console.antiphon.settings.data_dir / "keys.json").create("test", 1)
    key = {"Authorization": f"Bearer {secret}"}
    assert (await console.client.patch(f"/tool/{made['id']}", json={"name": "ciao"}, headers=key)).status_code == 200
    refused = await console.ask("PUT", f"rest/tool/{made['id']}", json=TOOL, headers={"If-Match": '"v1"'})
    assert (refused.status_code, refused.json()["changed"]["by"]) == (412, "")


async def test_of_two_admins_who_change_the_same_person_the_second_is_refused(console: Console) -> None:
    body = {"name": "bob", "password": "correct horse battery", "role": "viewer"}
    bob = (await console.ask("POST", "people", json=body)).json()
    path, seen = f"people/{bob['id']}", {"If-Match": bob["version"]}
    assert (await console.ask("PATCH", path, json={"role": "builder"}, headers=seen)).status_code == 204
    for method, given in (("PATCH", {"role": "admin"}), ("DELETE", None)):
        refused = await console.ask(method, path, json=given, headers=seen)
        assert refused.status_code == 412
        assert refused.json()["changed"] == {"version": '"v2"', "by": "ada", "wall_ms": None, "role": "builder"}
    [there] = [each for each in (await console.ask("GET", "people")).json()["people"] if each["name"] == "bob"]
    assert (there["role"], there["version"]) == ("builder", '"v2"')
    assert (await console.ask("PATCH", path, json={"role": "viewer"}, headers={"If-Match": "v2"})).status_code == 422
    assert (await console.ask("PATCH", path, json={"role": "viewer"})).status_code == 204, "as before, without it"
    assert (await console.ask("DELETE", path, headers={"If-Match": '"v3"'})).status_code == 204
    gone = await console.ask("DELETE", path, headers={"If-Match": '"v3"'})
    assert (gone.status_code, gone.json()["changed"]) == (412, None)
