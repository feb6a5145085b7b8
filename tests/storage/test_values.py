"""Values that a database or its driver does not take: kept in another form, or refused for what they are. Both databases do the same."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from tests.databases import postgres_url

from antiphon.calls.stores import Listing, Resource, Span
from antiphon.errors import StoreUnavailable, ValueRefused
from antiphon.json_values import read, written
from antiphon.storage.database import Database
from antiphon.storage.resources import StoredResources
from antiphon.storage.tables import audit, deliveries, users

ODD = "a\0b\ud83dc"
KEPT = "a\ufffdb\ufffdc"
SAID = "".join(("marma", "lade"))
"""Not as it stands in the lines that a traceback quotes."""


@pytest.mark.parametrize(
    "document",
    [{"name": "미용실", "empty": None}, {"big": 2**70}, {"nested": [{"a": 1.5, "b": [True, ""]}]}, {"told": "\\u0000 \U0001f600"}],
)  # fmt: skip
def test_a_document_comes_back_as_it_was_written(document: dict[str, object]) -> None:
    assert read(written(document)) == document


@pytest.mark.parametrize("beside", [None, 2**70], ids=["for orjson", "for the standard library"])
def test_what_no_database_keeps_is_written_as_something_else(beside: object) -> None:
    document = {"half": ODD, ODD: [{"in": (ODD,)}], "never": float("inf"), "beside": beside}
    assert read(written(document)) == {"half": KEPT, KEPT: [{"in": [KEPT]}], "never": None, "beside": beside}


def test_what_another_writer_wrote_is_read() -> None:
    assert read('{"half": "\\ud83d", "infinite": Infinity}') == {"half": "\ud83d", "infinite": float("inf")}


async def test_what_was_said_is_kept_whatever_is_in_it(database: Database) -> None:
    store = StoredResources(database)
    body: dict[str, Any] = {"name": ODD, "said": [ODD], "big": 2**70, "never": float("nan")}
    assert await store.add(Resource("chat", ODD, "org", body, 1, 1, changed_by=ODD))
    found = await store.find("chat", "org", ODD)
    assert found is not None and (found.id, found.changed_by) == (KEPT, KEPT)
    assert found.body == {"name": KEPT, "said": [KEPT], "big": 2**70, "never": None}
    for listing in (Listing(ids=[ODD]), Listing(equal={"name": ODD})):
        assert [each.id for each in await store.list("chat", "org", listing)] == [KEPT]


async def test_long_texts_too(database: Database) -> None:
    row = {
        "id": "d", "org_id": "o", "type": "t", "status": "pending", "target": {}, "body": ODD * 1000, "timeout_ms": 1, "attempts": 0,
        "created_wall_ms": 1, "due_wall_ms": 1, "lease": "", "leased_until_wall_ms": 0,
    }  # fmt: skip
    assert await database.add(deliveries, row)
    assert (
        await database.read(lambda connection: connection.execute(select(deliveries.c.body)).scalar_one())
        == KEPT * 1000
    )


async def test_a_number_beyond_64_bits_is_refused_and_the_database_works_on(database: Database) -> None:
    with pytest.raises(ValueRefused, match="cannot keep one of the values"):
        await StoredResources(database).list("tool", "org", Listing(created=Span(from_ms=2**63)))
    with pytest.raises(ValueRefused):
        await database.write(lambda connection: connection.execute(insert(audit), {"wall_ms": -(2**63) - 1}).close())
    assert await StoredResources(database).list("tool", "org", Listing(created=Span(from_ms=2**63 - 1))) == []


async def test_a_text_too_long_for_postgresql_is_refused() -> None:
    database = Database(postgres_url())
    await database.open()
    user = {"id": "u", "name": "n" * 256, "role": "admin", "password_hash": "", "created_wall_ms": 1}
    with pytest.raises(ValueRefused):
        await database.add(users, user)
    assert await database.add(users, {**user, "name": "n" * 255})
    await database.close()


async def test_a_value_that_is_none_where_there_must_be_one_is_refused_and_not_taken_for_there_already(
    database: Database,
) -> None:
    user = {"id": "u", "name": "n", "role": "admin", "password_hash": "", "created_wall_ms": 1}
    with pytest.raises(ValueRefused):
        await database.add(users, {**user, "role": None})
    assert await database.add(users, user)
    assert not await database.add(users, user)
    assert not await database.add(users, {**user, "id": "another"}), "of the same name"


@pytest.mark.parametrize("body", [{"said": {1, 2}}, {"said": SAID, "when_ms": object()}], ids=["set", "object"])
async def test_what_json_cannot_say_is_refused(database: Database, body: dict[str, Any]) -> None:
    with pytest.raises(ValueRefused) as refused:
        await StoredResources(database).add(Resource("tool", "t", "org", body, 1, 1))
    assert SAID not in "".join(traceback.format_exception(refused.value))


async def test_no_error_of_the_database_tells_what_was_to_be_written(database: Database) -> None:
    """They are logged with their causes, and what is written is what people said."""
    row = {"wall_ms": -(2**63) - 1, "subject": SAID}
    with pytest.raises(ValueRefused) as refused:
        await database.write(lambda connection: connection.execute(insert(audit), row).close())
    with pytest.raises(StoreUnavailable) as gone:
        await database.write(
            lambda connection: connection.execute(text("insert into nowhere values (:a)"), {"a": SAID}).close()
        )
    for error in (refused.value, gone.value):
        assert SAID not in "".join(traceback.format_exception(error))
