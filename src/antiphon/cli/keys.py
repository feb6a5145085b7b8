"""``antiphon keys``: who may use the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antiphon.clock import SystemClock
from antiphon.config import read_settings
from antiphon.errors import AntiphonError
from antiphon.surfaces.keys import ApiKeys

keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@contextmanager
def _keys() -> Iterator[ApiKeys]:
    """The installation's keys; what goes wrong with them is said, and ends the command."""
    try:
        yield ApiKeys(read_settings().data_dir / "keys.json")
    except (AntiphonError, OSError) as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}")
        raise typer.Exit(2) from error


@keys.command()
def create(name: Annotated[str, typer.Argument(help="What the key is for")] = "default") -> None:
    """Make a key. It is shown once."""
    with _keys() as kept:
        record, secret = kept.create(name, SystemClock().wall_ms())
    Console(stderr=True).print(f"Key {record.id} ({escape(name)}), shown this once:")
    typer.echo(secret)


@keys.command("list")
def list_() -> None:
    """Show the keys there are (never the keys themselves)."""
    table = Table("id", "name", "made")
    with _keys() as kept:
        records = kept.records()
    for record in records:
        table.add_row(record.id, escape(record.name), _day(record.created_wall_ms))
    Console().print(table)


@keys.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The id, as `antiphon keys list` shows it")]) -> None:
    """Make a key worthless, at once."""
    with _keys() as kept:
        revoked = kept.revoke(key_id)
    if not revoked:
        Console(stderr=True).print(f"[bold red]Error:[/] there is no key {escape(key_id)}")
        raise typer.Exit(1)


def _day(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
