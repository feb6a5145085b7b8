"""A question to files, as a tool."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from antiphon.tools.query import NOTHING, UNREADABLE, Base, Found, Passage, QueryTool, query_parameters
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall

BASES = [Base("menu", ("a", "b")), Base("hours", ("b", "c"))]


class Shelf:
    def __init__(self, found: Found) -> None:
        self.found = found
        self.asked: list[tuple[str, tuple[str, ...], str]] = []

    async def find(self, question: str, file_ids: Sequence[str], org_id: str) -> Found:
        self.asked.append((question, tuple(file_ids), org_id))
        return self.found


async def run(shelf: Shelf, **arguments: object) -> ToolAnswer:
    tool = QueryTool(BASES, shelf, lambda context: context.org_id)
    return await tool.run(ToolCall("t", "query", dict(arguments)), CallContext("c", org_id="o1"))


async def test_passages_are_told_with_the_names_of_their_files() -> None:
    shelf = Shelf(Found((Passage("Soup costs 4.", "menu.txt"), Passage("Open at nine.", "hours.txt"))))
    assert await run(shelf, query=" soup? ") == ToolAnswer("[menu.txt] Soup costs 4.\n\n[hours.txt] Open at nine.")
    await run(shelf, query="soup?", knowledgeBase="hours")
    await run(shelf, query="soup?", knowledgeBase="made up")
    assert shelf.asked == [
        ("soup?", ("a", "b", "c"), "o1"), ("soup?", ("b", "c"), "o1"), ("soup?", ("a", "b", "c"), "o1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        (Found(), ToolAnswer(NOTHING)),
        (Found((), 2), ToolAnswer(NOTHING)),
        (Found((), 3), ToolAnswer(UNREADABLE, failed=True)),
    ],
)
async def test_that_nothing_was_found_is_said(found: Found, answer: ToolAnswer) -> None:
    assert await run(Shelf(found), query="soup?") == answer


async def test_a_question_is_needed() -> None:
    shelf = Shelf(Found())
    assert (await run(shelf)).failed and (await run(shelf, query="  ")).failed
    assert shelf.asked == []


def test_where_there_are_several_bases_the_model_may_choose() -> None:
    assert "knowledgeBase" not in query_parameters(["menu"])["properties"]
    assert query_parameters(["menu", "hours", ""])["properties"]["knowledgeBase"]["enum"] == ["menu", "hours"]
    assert query_parameters([])["required"] == ["query"]
