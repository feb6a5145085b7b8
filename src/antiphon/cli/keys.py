"""``antiphon keys``: who may use the API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antiphon.caller.tables import show_table
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.cli.terminal import show_error
from antiphon.clock import SystemClock
from antiphon.config import read_settings
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.surfaces.keys import ApiKeys, KeyRecord

_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", re.IGNORECASE)


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@contextmanager
def _keys() -> Iterator[ApiKeys]:
    """The installation's keys; what goes wrong with them is said, and ends the command."""
    try:
        yield ApiKeys(read_settings().data_dir / "keys.json")
    except (AntiphonError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(2) from error


@keys.command()
@click.argument("name", default="default")
@click.option("--public", is_flag=True, help="A key for web pages: it starts calls and chats, and nothing else.")
@click.option(
    "--origin", "origins", multiple=True, help="Web pages of this origin may use the public key (several: repeat)."
)
@click.option(
    "--assistant", "assistants", multiple=True, help="The public key may call this assistant (several: repeat)."
)
@click.option("--no-transient", is_flag=True, help="The public key may bring no assistant of its own.")
@click.option("--signs-tokens", is_flag=True, help="The private key signs JSON Web Tokens: it is kept, encrypted.")
@click.option(
    "--org",
    default=DEFAULT_ORG,
    help="The organisation it belongs to. One of another organisation opens the REST API only.",
)
def create(
    name: str,
    public: bool,
    origins: tuple[str, ...],
    assistants: tuple[str, ...],
    no_transient: bool,
    signs_tokens: bool,
    org: str,
) -> None:
    """Make a key. It is shown once.

    NAME is what the key is for; "default" unless another is given.
    """
    if not public and (origins or assistants or no_transient):
        raise click.UsageError("--origin, --assistant and --no-transient are for --public keys.")
    for origin in origins:
        _refuse_no_origin(origin)
    wanted = KeyRecord(
        "", "", "", 0, "public" if public else "private", org, origins, assistants, transient=not no_transient
    )
    with _keys() as kept:
        record, secret = kept.create(name, SystemClock().wall_ms(), like=wanted, signs_tokens=signs_tokens)
    Console(stderr=True).print(f"Key {record.id} ({escape(name)}), shown this once:")
    click.echo(secret)


def _refuse_no_origin(origin: str) -> None:
    """Browsers send scheme, host and port, and nothing else: what is written otherwise fits no page."""
    parts = urlsplit(origin if "://" in origin else f"https://{origin}")
    meant = f"{parts.scheme}://{parts.netloc}".lower()
    if origin == meant and _HOST.fullmatch(parts.netloc):
        return
    advice = f"; write it as {meant}" if _HOST.fullmatch(parts.netloc) else ", such as https://shop.example.com"
    show_error(ConfigurationError("--origin", f"{origin} is no origin{advice}"))
    raise click.exceptions.Exit(2)


@keys.command("list")
def list_() -> None:
    """Show the keys there are (never the keys themselves)."""
    table = Table("id", "name", "kind", "made", "organisation")
    with _keys() as kept:
        records = kept.records()
    for record in records:
        kind = f"{record.kind}, signs tokens" if record.sealed else record.kind
        org = "" if record.org_id == DEFAULT_ORG else escape(record.org_id)
        table.add_row(record.id, escape(record.name), kind, _day(record.created_wall_ms), org)
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
