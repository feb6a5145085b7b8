"""``antiphon keys``: who may use the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antiphon.caller.tables import show_table
from antiphon.clock import SystemClock
from antiphon.config import read_settings
from antiphon.errors import AntiphonError
from antiphon.surfaces.keys import ApiKeys


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@contextmanager
def _keys() -> Iterator[ApiKeys]:
    """The installation's keys; what goes wrong with them is said, and ends the command."""
    try:
        yield ApiKeys(read_settings().data_dir / "keys.json")
    except (AntiphonError, OSError) as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}")
        raise click.exceptions.Exit(2) from error


@keys.command()
@click.argument("name", default="default")
def create(name: str) -> None:
    """Make a key. It is shown once.

    NAME is what the key is for; "default" unless another is given.
    """
    with _keys() as kept:
        record, secret = kept.create(name, SystemClock().wall_ms())
    Console(stderr=True).print(f"Key {record.id} ({escape(name)}), shown this once:")
    click.echo(secret)


@keys.command("list")
def list_() -> None:
    """Show the keys there are (never the keys themselves)."""
    table = Table("id", "name", "made")
    with _keys() as kept:
        records = kept.records()
    for record in records:
        table.add_row(record.id, escape(record.name), _day(record.created_wall_ms))
    show_table(Console(), table)


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Make a key worthless, at once.

    KEY_ID is the id, as `antiphon keys list` shows it.
    """
    with _keys() as kept:
        revoked = kept.revoke(key_id)
    if not revoked:
        Console(stderr=True).print(f"[bold red]Error:[/] there is no key {escape(key_id)}")
        raise click.exceptions.Exit(1)


def _day(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
