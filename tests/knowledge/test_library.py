"""Questions to files: by words alone, and with the model of what sentences mean. Nothing is found where there is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.knowledge import library as module
from antiphon.knowledge.library import Library, StoredText
from antiphon.knowledge.local_files import LocalFiles
from antiphon.tools.query import Found
from antiphon.workflow import sentence_meaning
from antiphon.workflow.sentence_meaning import SentenceVectors

HOUSE = """# Opening hours

We are open from nine to five, Monday to Friday. On Saturdays we close at noon. On Sundays nobody is here.

# Parking

The car park is behind the house; the first hour is free. Bicycles stand beside the entrance.

# Prices

A cleaning costs eighty crowns. A first examination is free of charge. We take cards and cash.

# Children

Small patients are welcome from the age of three, and there are toys in the waiting room.

# Cancelling

Appointments can be moved or called off until the evening before. Later, half of the price is due.

# Emergencies

Outside of our hours, the dental emergency service answers at 115.
"""
HAUS_KO = """# 영업시간

평일은 오전 아홉 시부터 오후 다섯 시까지 엽니다. 토요일은 정오에 닫습니다.

# 주차

주차장은 건물 뒤에 있습니다. 처음 한 시간은 무료입니다.

# 예약 취소

예약은 전날 저녁까지 취소하거나 바꿀 수 있습니다. 그 뒤에는 요금의 절반을 냅니다.
"""
BY_WORDS = [
    ("Is there parking?", "Parking"),
    ("How much does a cleaning cost?", "Prices"),
    ("Do you take cards?", "Prices"),
    ("Are you open on Saturdays?", "Opening hours"),
    ("Whom do I call in an emergency?", "Emergencies"),
    ("주차장이 있나요?", "주차"),
    ("예약을 취소하고 싶어요", "예약 취소"),
    ("토요일에도 여나요?", "영업시간"),
]
BY_MEANING = [
    ("Where can I leave my car?", "Parking"),
    ("Can I bring my son, he is five?", "Children"),
    ("What happens if I don't show up?", "Cancelling"),
    ("When do you close?", "Opening hours"),
    ("Can I pay by credit card?", "Prices"),
    ("차를 어디에 세울 수 있어요?", "주차"),
    ("약속을 미룰 수 있나요?", "예약 취소"),
]
FOUND_BY_MEANING = {"Where can I leave my car?", "When do you close?", "Can I pay by credit card?"}
ABOUT_NOTHING = [
    "What is the capital of France?",
    "Who won the football game yesterday?",
    "Tell me a joke about penguins.",
    "How tall is the Eiffel tower?",
    "What is seven times eight?",
    "오늘 날씨가 어때요?",
    "노래 한 곡 틀어 주세요",
]


def text_of(name: str, text: str) -> Any:
    async def look(org_id: str, id: str) -> StoredText | None:
        return StoredText(name, "1", text.encode) if (org_id, id) == ("o1", name) else None

    return look


@pytest.fixture(scope="module")
def meaning() -> SentenceVectors:
    if not sentence_meaning.installed():
        pytest.skip("the model's package comes with requirements-models.lock")
    return SentenceVectors()


@pytest.fixture
async def by_words() -> AsyncIterator[Library]:
    made = Library([text_of("en.md", HOUSE), text_of("ko.md", HAUS_KO)], None)
    yield made
    await made.close()


async def best(library: Library, question: str) -> str:
    found = await library.find(question, ("en.md", "ko.md"), "o1")
    return found.passages[0].text.partition(":")[0] if found.passages else ""


async def test_words_alone_find_what_is_written(by_words: Library) -> None:
    assert [await best(by_words, question) for question, _ in BY_WORDS] == [where for _, where in BY_WORDS]


async def test_words_alone_find_nothing_where_there_is_nothing(by_words: Library) -> None:
    assert [await best(by_words, question) for question in ABOUT_NOTHING] == [""] * len(ABOUT_NOTHING)
    assert await by_words.find("Is there parking?", ("nobody.md",), "o1") == Found((), 1)
    assert await by_words.find("Is there parking?", ("en.md",), "o2") == Found((), 1), "another organisation's"


@pytest.mark.speech
async def test_with_meaning_other_words_find_it_too(meaning: SentenceVectors) -> None:
    library = Library([text_of("en.md", HOUSE), text_of("ko.md", HAUS_KO)], meaning)
    await library.find("anything", ("en.md", "ko.md"), "o1")
    await library.ready()
    found = {question: await best(library, question) for question, _ in (*BY_WORDS, *BY_MEANING)}
    assert [found[question] for question, _ in BY_WORDS] == [where for _, where in BY_WORDS]
    assert {question: found[question] for question, _ in BY_MEANING} == {
        question: where if question in FOUND_BY_MEANING else "" for question, where in BY_MEANING
    }, "what is too far away is not found, rather than something else"
    (passage,) = (await library.find("Is there parking?", ("ko.md",), "o1")).passages
    assert passage.text.startswith("주차:"), "a question in another language"
    assert [await best(library, question) for question in ABOUT_NOTHING] == [""] * len(ABOUT_NOTHING)
    await library.close()


async def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path, "o1")
    (tmp_path / "menu.md").write_text("Soup costs four crowns.", encoding="utf-8")
    (tmp_path / ".secret").write_text("Soup costs nothing.", encoding="utf-8")
    (tmp_path / "link.md").symlink_to(tmp_path / ".secret")
    library = Library([files.look], None)
    found = await library.find("How much is the soup?", ("menu.md",), "o1")
    assert [(passage.text, passage.file) for passage in found.passages] == [("Soup costs four crowns.", "menu.md")]
    (tmp_path / "menu.md").write_text("Soup costs five crowns today.", encoding="utf-8")
    found = await library.find("How much is the soup?", ("menu.md",), "o1")
    assert found.passages[0].text == "Soup costs five crowns today."
    for name in (".secret", "link.md", "../menu.md", "gone.md", "a/b", "", "menu.md\0"):
        assert await files.look("o1", name) is None, name
    assert await files.look("o2", "menu.md") is None
    await library.close()


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    async def look(org_id: str, id: str) -> StoredText | None:
        def content() -> bytes:
            read.append(id)
            return f"Soup number {id} costs four crowns.".encode()

        return StoredText(id, "1", content)

    monkeypatch.setattr(module, "MAX_FILES", 2)
    library = Library([look], None)
    for id in ("a", "b", "a", "c", "a", "b"):
        await library.find("soup", (id,), "o1")
    assert read == ["a", "b", "c", "b"]
    await library.close()


async def test_two_that_ask_at_once_read_a_file_once_and_an_unreadable_one_is_said_to_be() -> None:
    read: list[str] = []

    async def look(org_id: str, id: str) -> StoredText | None:
        def content() -> bytes:
            read.append(id)
            return b"\xff\xfe\x00" if id == "image" else b"Soup costs four."

        return StoredText(id, "1", content)

    library = Library([look], None)
    await asyncio.gather(library.find("soup", ("a",), "o1"), library.find("soup", ("a",), "o1"))
    assert read == ["a"]
    assert (await library.find("soup", ("image", "a"), "o1")).unread == 1
    await library.close()
