"""Users, sessions and the audit log in a real SQLite and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.databases import postgres_url, sqlite_url

from antiphon.calls.people import AuditEntry, AuditFilter, User, UserSession
from antiphon.storage.database import Database
from antiphon.storage.people import StoredPeople

ADA = User("u1", "ada", "admin", "hash", 1000)
BOB = User("u2", "bob", "viewer", "hash", 1001)


@pytest.fixture(params=["sqlite", "postgresql"])
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoredPeople]:
    database = Database(sqlite_url(tmp_path) if request.param == "sqlite" else postgres_url())
    await database.open()
    yield StoredPeople(database)
    await database.close()


async def test_of_many_who_want_to_be_first_one_is(people: StoredPeople) -> None:
    made = await asyncio.gather(
        *(people.add(replace(ADA, id=f"u{number}", name=f"n{number}"), first=True) for number in range(5))
    )
    assert made.count(True) == len(await people.list(10)) == await people.count() == 1


async def test_names_are_unique_and_an_admin_stays(people: StoredPeople) -> None:
    assert await people.add(ADA)
    assert await people.add(BOB)
    assert not await people.add(replace(BOB, id="u3"))
    assert not await people.change("u1", role="builder")
    assert not await people.delete("u1")
    assert not await people.delete("nobody")
    assert await people.change("u1", password_hash="another")
    assert await people.change("u2", role="admin")
    assert await people.delete("u1")
    assert await people.list(10) == [replace(BOB, role="admin", version=2)]


async def test_sessions_end_by_time_by_number_and_with_a_new_role(people: StoredPeople) -> None:
    await people.add(ADA)
    await people.add(BOB)
    for number in range(4):
        await people.begin(UserSession(f"t{number}", "u2", "csrf", 1000 + number, 2000 + number), keep=3)
    assert await people.signed_in("t0", 1500) is None, "the oldest of four"
    assert await people.signed_in("t1", 1500) == (BOB, UserSession("t1", "u2", "csrf", 1001, 2001))
    assert await people.signed_in("t1", 2001) is None
    await people.end("t2")
    assert await people.signed_in("t2", 1500) is None
    await people.change("u2", role="builder")
    assert await people.signed_in("t3", 1500) is None


async def test_people_are_listed_by_name_and_by_pages(people: StoredPeople) -> None:
    for number in (3, 1, 2):
        await people.add(replace(BOB, id=f"u{number}", name=f"n{number}"))
    assert [each.name for each in await people.list(2)] == ["n1", "n2"]
    assert [each.name for each in await people.list(2, 2)] == ["n3"]
    assert await people.count() == 3


async def test_the_audit_log_is_newest_first_and_bounded(people: StoredPeople) -> None:
    for number in range(5):
        await people.note(AuditEntry(number, "ada", "call.listened", "x" * 400))
    newest, *_ = listed = await people.audit(3)
    assert [entry.wall_ms for entry in listed] == [4, 3, 2]
    assert len(newest.subject) == 255
    assert [entry.wall_ms for entry in await people.audit(3, 3)] == [1, 0]
    assert await people.count_audit() == 5


async def test_a_person_is_changed_and_removed_in_the_version_that_was_seen(people: StoredPeople) -> None:
    await people.add(ADA)
    await people.add(BOB)
    assert await people.change("u2", role="builder", by="ada", version=1)
    assert not await people.change("u2", role="admin", version=1)
    assert not await people.delete("u2", version=1)
    assert await people.get("u2") == replace(BOB, role="builder", version=2, changed_by="ada")
    assert await people.delete("u2", version=2)
    assert await people.get("u2") is None


async def test_the_audit_log_is_filtered_by_person_action_subject_and_time(people: StoredPeople) -> None:
    for at, (who, action, subject) in enumerate(
        [("ada", "tool.added", "t1"), ("bob", "tool.removed", "t1"), ("ada", "call.listened", "50%_off"), ("", "tools", "t11")]
    ):  # fmt: skip
        await people.note(AuditEntry(1000 * at, who, action, subject))

    async def found(**wanted: Any) -> list[int]:
        meant = AuditFilter(**wanted)
        entries = await people.audit(10, 0, meant)
        assert await people.count_audit(meant) == len(entries)
        return [entry.wall_ms // 1000 for entry in entries]

    assert await found() == [3, 2, 1, 0]
    assert await found(user_name="ada") == [2, 0]
    assert await found(action="tool.removed") == [1]
    assert await found(action="tool.") == [1, 0]
    assert await found(subject="t1") == [3, 1, 0]
    assert await found(subject="%_") == [2], "what stands for anything in SQL stands for itself"
    assert await found(from_ms=1000, until_ms=3000) == [2, 1]
    assert await found(user_name="ada", action="tool.", until_ms=1) == [0]
    assert await people.audit_names(10) == ["ada", "bob"]
    assert await people.audit_actions(2) == ["call.listened", "tool.added"]
