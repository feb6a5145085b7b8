"""Tables on terminals of any width."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

NARROW = 72
"""Below so many columns a table of several columns is cut to single letters: its rows are shown as lines instead."""


def show_table(console: Console, table: Table) -> None:
    """A table; on a narrow terminal its rows, cell by cell, each under the heading of its column."""
    if console.width >= NARROW:
        console.print(table)
        return
    if table.title:
        console.print(table.title)
    headings = [str(column.header).replace("\n", " ") for column in table.columns]
    for cells in zip(*(tuple(column.cells) for column in table.columns), strict=True):
        _show_row(console, headings, cells)
    if table.caption:
        console.print(table.caption)


def _show_row(console: Console, headings: Sequence[str], cells: Sequence[object]) -> None:
    console.print(cells[0])
    for heading, cell in zip(headings[1:], cells[1:], strict=True):
        if cell:
            console.print(f"  {heading}: {cell}" if heading else f"  {cell}")
