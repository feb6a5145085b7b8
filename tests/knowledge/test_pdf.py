"""The text of PDFs, read by a process of its own, and what becomes of those that are none, or are made to harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.pdf_file import pdf

from antiphon.knowledge.pdf import text_of_pdf

pytest.importorskip("pypdf")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.pdf"


async def test_pages_are_read_in_their_order(file: Path) -> None:
    file.write_bytes(pdf("The house opens at nine.", "Café Zoë: 5 €."))  # noqa: ASYNC240
    assert await text_of_pdf(file) == "The house opens at nine.\n\nCafé Zoë: 5 €.".encode()


@pytest.mark.parametrize(
    "content",
    [b"", b"%PDF-1.4\n", b"\x00" * 4096, pdf("x")[:200], pdf("x").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"), pdf()],
    ids=["empty", "head alone", "zeros", "torn", "a tree that is its own child", "no page"],
)
async def test_what_cannot_be_read_has_no_text(file: Path, content: bytes) -> None:
    file.write_bytes(content)  # noqa: ASYNC240
    assert await text_of_pdf(file) is None


async def test_a_file_that_takes_too_long_is_given_up(file: Path) -> None:
    file.write_bytes(pdf("x", further=b" BT (y) Tj ET" * 3_000_000))  # noqa: ASYNC240
    assert await text_of_pdf(file, seconds=0.5) is None
