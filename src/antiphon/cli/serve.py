"""``antiphon serve``: answer calls until told to stop."""

from __future__ import annotations

import asyncio
import os

import click
import uvloop
from rich.console import Console
from rich.markup import escape

from antiphon.config import read_settings
from antiphon.errors import AntiphonError
from antiphon.observability import configure_logging

_NOBODY_ELSE = 0o077
"""What a server writes holds words, names and secrets: files of libraries that choose no rights themselves are for their owner, too."""


@click.command()
@click.option("--host", help="Address to listen on (ANTIPHON_HOST)")
@click.option("--port", type=int, help="Port to listen on, 0 for any (ANTIPHON_PORT)")
@click.option("--assistant", help="Who answers (ANTIPHON_ASSISTANT)")
def serve(host: str | None, port: int | None, assistant: str | None) -> None:
    """Serve phone calls. Settings come from ANTIPHON_* and antiphon.toml; these options win."""
    from antiphon.server import serve_forever

    given = {"host": host, "port": port, "assistant": assistant}
    try:
        os.umask(_NOBODY_ELSE)
        settings = read_settings(**{name: value for name, value in given.items() if value is not None})
        configure_logging(settings.log_level, settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_forever(settings))
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None
    except (AntiphonError, OSError) as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}")
        raise click.exceptions.Exit(2) from error
