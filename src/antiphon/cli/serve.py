"""``antiphon serve``: answer calls until told to stop."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import click
import uvloop

from antiphon.cli.terminal import show_error
from antiphon.config import read_settings
from antiphon.errors import AntiphonError
from antiphon.observability import configure_logging

if TYPE_CHECKING:
    from antiphon.workers.place import WorkerPlace

_NOBODY_ELSE = 0o077
"""What a server writes holds words, names and secrets: files of libraries that choose no rights themselves are for their owner, too."""


@click.command(short_help="Serve phone calls, API sessions and the pages.")
@click.option("--host", help="Address to listen on (ANTIPHON_HOST)")
@click.option("--port", type=int, help="Port to listen on, 0 for any (ANTIPHON_PORT)")
@click.option("--assistant", help="Who answers (ANTIPHON_ASSISTANT)")
@click.option("--workers", type=int, help="Processes that answer, with a Redis if more than one (ANTIPHON_WORKERS)")
@click.option("--worker", hidden=True, help="For the supervisor of several workers")
def serve(host: str | None, port: int | None, assistant: str | None, workers: int | None, worker: str | None) -> None:
    """Serve phone calls, API sessions and the pages. Settings come from ANTIPHON_* and antiphon.toml; these options win."""
    options = {"host": host, "port": port, "assistant": assistant, "workers": workers}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        os.umask(_NOBODY_ELSE)
        settings = read_settings(**given)
        configure_logging(settings.log_level, settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            if worker is None and settings.workers > 1:
                from antiphon.supervisor import supervise

                arguments = [part for name, value in given.items() for part in (f"--{name}", str(value))]
                if status := runner.run(supervise(settings, arguments)):
                    raise click.exceptions.Exit(status)
            else:
                from antiphon.server import serve_forever

                runner.run(serve_forever(settings, *_place(worker)))
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None
    except (AntiphonError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(2) from error


def _place(worker: str | None) -> tuple[WorkerPlace, ...]:
    """None where the server is one process. Raises ConfigurationError."""
    if worker is None:
        return ()
    from antiphon.workers.place import WorkerPlace

    return (WorkerPlace.read(worker),)
