"""``antiphon serve``: answer calls until told to stop."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
import uvloop
from rich.console import Console
from rich.markup import escape

from antiphon.config import read_settings
from antiphon.errors import AntiphonError
from antiphon.observability import configure_logging


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (ANTIPHON_HOST)")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for any (ANTIPHON_PORT)")] = None,
    assistant: Annotated[str | None, typer.Option(help="Who answers (ANTIPHON_ASSISTANT)")] = None,
) -> None:
    """Serve phone calls. Settings come from ANTIPHON_* and antiphon.toml; these options win."""
    from antiphon.server import serve_forever

    given = {"host": host, "port": port, "assistant": assistant}
    try:
        settings = read_settings(**{name: value for name, value in given.items() if value is not None})
        configure_logging(settings.log_level, settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_forever(settings))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (AntiphonError, OSError) as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}")
        raise typer.Exit(2) from error
