"""``antiphon providers``: the vendors and engines behind assistants."""

from __future__ import annotations

import asyncio

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antiphon.caller.tables import show_table
from antiphon.cli.terminal import show_error
from antiphon.config import read_settings
from antiphon.errors import AntiphonError


@click.group()
def providers() -> None:
    """Look after vendors and engines."""


@providers.command(short_help="Ask every engine of an assistant whether it works.")
@click.argument("assistant", default="")
def check(assistant: str) -> None:
    """Ask every engine of an assistant, those that stand in included, whether it works.

    ASSISTANT is its name; the one that answers calls unless another is given. Recognisers, models and voices of vendors are asked twice,
    which costs a few tokens. The exit status is 1 where one does not work.
    """
    try:
        works = check_assistant(assistant)
    except (AntiphonError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(2) from error
    if not works:
        raise click.exceptions.Exit(1)


def check_assistant(assistant: str = "") -> bool:
    """Ask every engine of an assistant, show what was found; whether all of them work. Raises AntiphonError, OSError."""
    from antiphon.assistants.loader import AssistantLibrary
    from antiphon.engine_check import Checked, check_engines
    from antiphon.engines import credentials_of
    from antiphon.observability import configure_logging

    async def all_of_them() -> list[Checked]:
        return [checked async for checked in check_engines(spec, credentials)]

    settings = read_settings()
    configure_logging("error", settings.log_format)
    folders = [settings.assistants_dir] if settings.assistants_dir else []
    spec = AssistantLibrary(folders, settings.assistant_variables, lambda spec: None).load(
        assistant or settings.assistant
    )
    credentials = credentials_of(settings)
    found = asyncio.run(all_of_them())
    table = Table("field", "provider", "model", "first word or sound", "state")
    for each in found:
        first = f"{each.first_ms} ms" if each.first_ms else ""
        state = "[red]does not work[/]" if each.problem else "[green]works[/]"
        table.add_row(each.place, escape(each.provider), escape(each.model), first, state)
    console = Console()
    show_table(console, table)
    for each in found:
        if each.problem:  # outside the table, whose narrow columns would cut the names of settings
            where = f"{each.place}: {each.provider} " if each.provider else ""
            console.print(f"[red]✗[/] {escape(where + each.problem)}", soft_wrap=True, highlight=False)
    return not any(each.problem for each in found)
