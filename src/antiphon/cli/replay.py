"""``antiphon replay``: run a call again from its event log, and ask what another policy would have changed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antiphon.caller.tables import show_table
from antiphon.cli.terminal import show_error
from antiphon.cli.values import PATH
from antiphon.errors import AntiphonError, ConfigurationError, MalformedMessage
from antiphon.session.event_log import EventLog, read_event_log
from antiphon.session.replay import Difference, changed_policy
from antiphon.session.replay import replay as run_again
from antiphon.session.what_if import TurnOutcome, compared, outcomes

_SHOWN = 20


@click.command(short_help="Run a call again from its event log.")
@click.argument("log", type=PATH)
@click.option("--set", "changes", multiple=True, help="policy.path=value: what would have changed? (repeat)")
def replay(log: Path, changes: tuple[str, ...]) -> None:
    """Re-run a call and say "identical", or show the first difference (exit 1). With --set, compare policies turn by turn.

    LOG is an event log: <call id>.jsonl
    """
    out = Console()
    try:
        event_log = read_event_log(log)
        difference = run_again(event_log)
        _say_how_it_ended(out, event_log)
        if difference is not None:
            _show(out, difference)
            raise click.exceptions.Exit(1)
        out.print(f"[bold green]identical[/]: {len(event_log.entries)} inputs gave the same actions")
        if changes:
            _compare(out, event_log, _settings(changes))
    except MalformedMessage as error:
        show_error(MalformedMessage(f"{log}: {error}"))
        raise click.exceptions.Exit(2) from error
    except (AntiphonError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(2) from error


def _settings(assignments: Iterable[str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigurationError("--set", f"{assignment}: write path=value, e.g. policy.endpointing.wait_ms=300")
        settings[path] = value
    return settings


def _say_how_it_ended(out: Console, log: EventLog) -> None:
    if log.ended is None:
        out.print("[yellow]This log has no end: its process died.[/]" + (" Its last line is torn." if log.torn else ""))
    else:
        lost = f" [yellow]({log.lost} inputs before that could not be written)[/]" if log.lost else ""
        out.print(f"The call ended: {escape(log.ended)}{lost}")


def _show(out: Console, difference: Difference) -> None:
    out.print(
        f"[bold red]different[/] at input {difference.entry} ({difference.event}, {difference.now_ms} ms into the call)"
    )
    table = Table("logged", "replayed")
    for logged, replayed in zip_longest(difference.logged[:_SHOWN], difference.replayed[:_SHOWN], fillvalue=""):
        table.add_row(escape(orjson.dumps(logged).decode()), escape(orjson.dumps(replayed).decode()))
    show_table(out, table)


def _compare(out: Console, log: EventLog, settings: dict[str, str]) -> None:
    policy = changed_policy(log.header.policy, settings)
    before, after = outcomes(log), compared(log, policy)
    table = Table("turn", "as it was", "as it would have been", title="What would have changed")
    changed = 0
    for was, would in zip(before, after, strict=True):
        if was != would:
            changed += 1
            table.add_row(str(was.turn), _told(was), _told(would))
    if changed:
        show_table(out, table)
    out.print(f"{changed} of {len(before)} turns would have gone differently")
    out.print(
        "Each turn is judged by itself: the call until its first sound is as it was, silence is modelled, and what the caller "
        "would have said to another answer is not known.",
        style="dim",
    )


def _told(outcome: TurnOutcome) -> str:
    words = escape(outcome.text) or "(no words)"
    cut = f", cut reply {outcome.interrupted_reply}" if outcome.interrupted_reply is not None else ""
    return f"{outcome.fate} at {outcome.closed_ms / 1000:.2f} s: “{words}”{cut}"
