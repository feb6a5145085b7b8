"""``antiphon …``: one file per command, each thin."""

from __future__ import annotations

import os

# Before numpy is loaded: the beat is one thread, and its matrix products are too small to be worth more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from antiphon import __version__
from antiphon.cli.bench import bench
from antiphon.cli.call import call
from antiphon.cli.demo import demo
from antiphon.cli.keys import keys
from antiphon.cli.replay import replay
from antiphon.cli.serve import serve

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(serve)
app.command()(demo)
app.command()(call)
app.command()(replay)
app.command()(bench)
app.add_typer(keys, name="keys")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"antiphon {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """A self-hosted server for real-time voice agents."""


def main() -> None:
    """The console script."""
    app()
