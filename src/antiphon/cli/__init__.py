"""``antiphon …``: one file per command, each thin."""

from __future__ import annotations

import os

# Before numpy is loaded: the beat is one thread, and its matrix products are too small to be worth more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from importlib import import_module

import click

from antiphon import __version__
from antiphon.cli.terminal import use_any_encoding

COMMANDS = ("init", "serve", "demo", "call", "replay", "bench", "keys", "webhooks", "providers", "models")
"""Each is a module of this package that has a command of its name: it is loaded when it is asked for, so that none waits for what the
others need."""
EXIT_INTERRUPTED = 130
"""128 and the signal's number, as shells have it."""


class _Commands(click.Group):
    """Lists its commands in the order they are told in."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            self.add_command(getattr(import_module(f"antiphon.cli.{cmd_name}"), cmd_name))
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click would say "Aborted!", with the status of a failure
            raise click.exceptions.Exit(EXIT_INTERRUPTED) from None


@click.group(cls=_Commands, context_settings={"show_default": True})
@click.version_option(__version__, message="antiphon %(version)s", help="Show the version.")
def app() -> None:
    """A self-hosted server for real-time voice agents."""
    use_any_encoding()


def main() -> None:
    """The console script."""
    app()
