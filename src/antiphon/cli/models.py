"""``antiphon models``: the models that engines on this machine load."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from antiphon.caller.tables import show_table
from antiphon.cli.terminal import show_error
from antiphon.config import read_settings
from antiphon.errors import AntiphonError
from antiphon.providers.model_catalogue import Model, is_there, model_named, read_catalogue


@click.group()
def models() -> None:
    """Fetch models for recognisers and voices on this machine."""


@models.command(name="list")
def list_models() -> None:
    """Show the models that can be fetched, and which of them are here."""
    try:
        settings = read_settings()
        folder, catalogue = settings.models.place, read_catalogue(settings.models.table_file)
    except (AntiphonError, OSError) as error:
        raise _said(error) from error
    table = Table(caption=f"They are kept in {escape(str(folder))}")
    table.add_column("model", no_wrap=True)  # a name that is cut cannot be fetched
    for heading in ("languages", "size", "licence", "here"):
        table.add_column(heading, no_wrap=heading in ("size", "here"))
    for name, model in catalogue.items():
        here = "[green]yes[/]" if is_there(model, folder / name) else ""
        table.add_row(name, model.languages, _size(model.size), escape(model.licence), here)
    show_table(Console(), table)


@models.command()
@click.argument("names", nargs=-1, required=True)
def pull(names: tuple[str, ...]) -> None:
    """Fetch models by NAME (see ``antiphon models list``).

    What broke off goes on where it stopped. A file with another checksum than the published one is thrown away.
    """
    try:
        settings = read_settings()
        folder, catalogue = settings.models.place, read_catalogue(settings.models.table_file)
        wanted = [(name, model_named(catalogue, name)) for name in names]
        for name, model in wanted:
            _pull(name, model, folder / name)
    except (AntiphonError, OSError) as error:
        raise _said(error) from error


def _pull(name: str, model: Model, folder: Path) -> None:
    from antiphon.providers.model_download import ModelDownload
    from antiphon.providers.model_download import Progress as Reached

    console = Console()
    console.print(f"[bold]{name}[/], for {model.engine}. Licence: {escape(model.licence)}. Table of {model.as_of}.")
    tasks: dict[str, TaskID] = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:

        def show(reached: Reached) -> None:
            if reached.name not in tasks:
                tasks[reached.name] = bars.add_task(reached.name, total=reached.total or None)
            bars.update(tasks[reached.name], completed=reached.done, total=reached.total or None)

        fetched = ModelDownload(model, folder, show).run()
    for file in fetched:
        if file.trusted and not file.was_there:
            console.print(
                f"{escape(file.name)}: no checksum is published. It was trusted, and its own is kept: sha256 {file.sha256}"
            )
    if all(file.was_there for file in fetched):
        console.print(f"It is in {escape(str(folder))} already, and whole.")
    else:
        console.print(f"[green]It is in {escape(str(folder))}.[/]")


def _size(size: int) -> str:
    return f"{size / 10**6:.0f} MB" if size else "?"


def _said(error: Exception) -> click.exceptions.Exit:
    show_error(error)
    return click.exceptions.Exit(1 if error.__class__.__name__ == "DownloadFailed" else 2)
