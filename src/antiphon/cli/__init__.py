"""``antiphon …``: one file per command, each thin."""

from __future__ import annotations

import os

# Before numpy is loaded: the beat is one thread, and its matrix products are too small to be worth more.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click

from antiphon import __version__
from antiphon.cli.bench import bench
from antiphon.cli.call import call
from antiphon.cli.demo import demo
from antiphon.cli.init import init
from antiphon.cli.keys import keys
from antiphon.cli.models import models
from antiphon.cli.providers import providers
from antiphon.cli.replay import replay
from antiphon.cli.serve import serve
from antiphon.cli.terminal import use_any_encoding
from antiphon.cli.webhooks import webhooks

EXIT_INTERRUPTED = 130
"""128 and the signal's number, as shells have it."""


class _Commands(click.Group):
    """Lists its commands in the order they are told in."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

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


for _command in (init, serve, demo, call, replay, bench, keys, webhooks, providers, models):
    app.add_command(_command)


def main() -> None:
    """The console script."""
    app()
