"""The stores in a real SQLite and a real PostgreSQL: the same answers from both."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.databases import postgres_url, sqlite_url

from antiphon.calls.stores import CallRecord, Listing, Resource, Span
from antiphon.errors import ConfigurationError, StoreUnavailable, ValueTaken
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.storage.resources import StoredResources


def assistant(number: int, **body: object) -> Resource:
    return Resource("assistant", f"a{number}", "org", {"name": f"A{number}", **body}, 1000 + number, 1000 + number)


def call(number: int, **fields: object) -> CallRecord:
    record = CallRecord(f"c{number}", "org", "webCall", "queued", 1000 + number, 1000 + number)
    return replace(record, **fields)  # type: ignore[arg-type]


async def test_a_resource_comes_back_as_it_was_kept(database: Database) -> None:
    store = StoredResources(database)
    kept = replace(assistant(1, unknown={"deep": [1, None, "ü"]}), links={"number": "+15550100"})
    assert await store.add(kept)
    assert await store.find("assistant", "org", "a1") == kept
    assert not await store.add(replace(kept, body={}))
    assert await store.find("assistant", "org", "a1") == kept
    assert await store.find("assistant", "another-org", "a1") is None
    assert await store.find("tool", "org", "a1") is None
    assert await store.find_by("assistant", "number", "+15550100") == [kept]


async def test_lists_are_cut_ordered_and_filtered(database: Database) -> None:
    store = StoredResources(database)
    for number in range(5):
        await store.add(assistant(number))

    async def ids(listing: Listing) -> list[str]:
        return [each.id for each in await store.list("assistant", "org", listing)]

    assert await ids(Listing()) == ["a4", "a3", "a2", "a1", "a0"]
    assert await ids(Listing(limit=2, offset=1)) == ["a3", "a2"]
    assert await ids(Listing(order="oldest", limit=1)) == ["a0"]
    assert await ids(Listing(limit=0)) == []
    assert await ids(Listing(created=Span(1001, 1003))) == ["a3", "a2", "a1"]
    assert await ids(Listing(equal={"name": "A2"})) == ["a2"]
    assert await ids(Listing(ids=["a1", "a4", "none"])) == ["a4", "a1"]
    assert await store.count("assistant", "org", Listing(limit=1, created=Span(from_ms=1003))) == 2


async def test_a_replaced_version_is_kept_until_all_is_deleted(database: Database) -> None:
    store = StoredResources(database)
    first = assistant(1)
    await store.add(first)
    second = replace(first, body={"name": "B"}, version=2, updated_wall_ms=2000)
    assert await store.replace(second)
    assert not await store.replace(second), "there is no version 1 any more"
    assert await store.find("assistant", "org", "a1") == second
    assert [each.body["name"] for each in await store.versions("assistant", "org", "a1")] == ["A1"]
    assert await store.delete("assistant", "org", "a1") == second
    assert await store.versions("assistant", "org", "a1") == []
    assert await store.delete("assistant", "org", "a1") is None


async def test_of_two_who_replace_the_same_version_one_succeeds(database: Database) -> None:
    store = StoredResources(database)
    first = assistant(1)
    await store.add(first)
    changes = [replace(first, body={"name": str(number)}, version=2) for number in range(8)]
    assert sorted(await asyncio.gather(*map(store.replace, changes))) == [False] * 7 + [True]
    assert len(await store.versions("assistant", "org", "a1")) == 1


def telephone(number: int, value: str = "+15550100", org: str = "org") -> Resource:
    return Resource("phone-number", f"n{number}", org, {"number": value}, 1000, 1000, links={"number": value})


async def test_of_all_who_take_a_telephone_number_one_gets_it(database: Database) -> None:
    """Whichever process they are in: it is the database that says so."""
    store = StoredResources(database)

    async def taken(number: int) -> bool:
        try:
            return await store.add(telephone(number, org=f"org{number % 3}"))
        except ValueTaken:
            return False

    assert sum(await asyncio.gather(*(taken(number) for number in range(12)))) == 1
    (has_it,) = await store.find_by("phone-number", "number", "+15550100")
    assert not await store.add(has_it), "the same once more is no other"
    other = telephone(20, "+15550101")
    assert await store.add(other)
    with pytest.raises(ValueTaken):
        await store.replace(replace(other, links={"number": "+15550100"}, version=2))
    assert await store.find("phone-number", "org", "n20") == other
    assert await store.versions("phone-number", "org", "n20") == []
    await store.delete("phone-number", has_it.org_id, has_it.id)
    assert await store.replace(replace(other, links={"number": "+15550100"}, version=2))


async def test_documents_without_a_number_and_of_other_kinds_take_none(database: Database) -> None:
    store = StoredResources(database)
    for number in range(2):
        assert await store.add(telephone(number, ""))
        assert await store.add(replace(assistant(number), links={"number": "+15550100"}))
    assert await store.add(telephone(9))


async def test_changes_of_a_call_do_not_lose_each_other(database: Database) -> None:
    store = StoredCalls(database)
    assert await store.add(call(1, body={"kept": 1}))
    assert not await store.add(call(1))
    await asyncio.gather(*(store.change("c1", 2000, {f"field{number}": number}) for number in range(8)))
    changed = await store.change("c1", 3000, status="ended", ended_reason="customer-ended-call", cost_usd=0.25)
    assert changed == await store.find("org", "c1") == await store.find(None, "c1")
    assert changed is not None
    assert changed.body == {"kept": 1, **{f"field{number}": number for number in range(8)}}
    assert (changed.status, changed.updated_wall_ms) == ("ended", 3000)
    assert await store.change("none", 1) is None
    assert await store.find("another-org", "c1") is None


async def test_calls_are_listed_by_what_they_are(database: Database) -> None:
    store = StoredCalls(database)
    for number in range(4):
        await store.add(call(number, assistant_id=f"a{number % 2}", body={"artifact": {}}))
    listed = await store.list("org", Listing(equal={"assistant_id": "a1"}))
    assert [each.id for each in listed] == ["c3", "c1"]
    assert await store.count("org", Listing()) == 4
    assert listed[0].body
    bare = await store.list("org", Listing(equal={"assistant_id": "a1"}), bodies=False)
    assert list(bare) == [replace(each, body={}) for each in listed]
    assert (await store.delete("org", "c3")) == listed[0]
    assert await store.delete("org", "c3") is None


async def test_a_database_that_is_gone_is_told_without_its_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="database_url"):
        Database("mysql://somewhere/x")
    with pytest.raises(ConfigurationError, match="database_url"):
        Database("no url")
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable):
        await gone.open()
    with pytest.raises(StoreUnavailable):
        await StoredCalls(gone).find("org", "c1")
    await gone.close()
    (tmp_path / "antiphon.db").write_bytes(b"this is no database at all" * 100)
    broken = Database(sqlite_url(tmp_path))
    with pytest.raises(StoreUnavailable):
        await broken.open()
    await broken.close()


async def test_databases_that_are_opened_at_once_get_each_its_own_tables(tmp_path: Path) -> None:
    urls = [*(f"sqlite:///{tmp_path / name}.db" for name in ("a", "b", "c")), postgres_url()]
    opened = [Database(url) for url in (*urls, *urls)]
    await asyncio.gather(*(each.open() for each in opened))
    for each in opened:
        assert await StoredCalls(each).list("org", Listing()) == []
        await each.close()


async def test_what_migrations_make_is_what_the_tables_say(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import Connection

    from antiphon.storage.tables import metadata

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await database.read(differences) == []
    await database.open()  # once more changes nothing


async def test_calls_of_a_process_that_is_gone_are_ended_by_one_of_those_who_find_it(database: Database) -> None:
    store = StoredCalls(database)
    await store.add(call(1, node="host/antiphon/1-a", status="in-progress"))
    await store.add(call(2, node="host/antiphon/1-a"))
    await store.add(call(3, node="host/antiphon/1-a", status="ended", ended_reason="customer-ended-call"))
    await store.add(call(4, node="host/antiphon/1-a", status="scheduled"))
    await store.add(call(5, node="host/antiphon/2-b", status="ringing"))
    await store.add(call(6, node="host", status="in-progress"))
    assert sorted(await store.nodes("host/antiphon/")) == ["host/antiphon/1-a", "host/antiphon/2-b"]
    assert list(await store.nodes("host/%/")) == []
    told = await asyncio.gather(*(store.end_of("host/antiphon/1-a", 5000, "died") for _ in range(3)))
    assert sorted(each for some in told for each in some) == [("c1", "org"), ("c2", "org")]
    found = {each.id: each for each in await store.list("org", Listing())}
    assert [found[f"c{number}"].ended_reason for number in range(1, 7)] == [
        "died", "died", "customer-ended-call", "", "", ""
    ]  # fmt: skip
    assert (found["c1"].ended_wall_ms, found["c5"].status) == (5000, "ringing")
