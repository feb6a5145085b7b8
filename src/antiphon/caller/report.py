"""A report for people: per call a table with the latency waterfall of each turn, and a summary of all calls."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from antiphon.caller.measure import Turn
from antiphon.caller.summary import CallReport, Spread, Summary
from antiphon.caller.tables import show_table

NOT_KNOWN = "–"
WATERFALL_WIDTH = 32
_NARROW_WATERFALL = 14
_WIDE = 110
_MANY = 3
"""Up to so many calls are shown turn by turn."""


def print_report(console: Console, reports: Sequence[CallReport], summary: Summary) -> None:
    """Everything there is to see: calls that failed first, then turns (of few calls), then the figures."""
    if len(reports) <= _MANY:
        for report in reports:
            _print_call(console, report)
    for note in dict.fromkeys(report.note for report in reports if report.note):
        console.print(f"[yellow]![/] {escape(note)}")
    for problem, count in summary.problems.items():
        times = f" ({count} calls)" if count > 1 else ""
        console.print(f"[bold red]✗[/] {escape(problem)}{times}", soft_wrap=True)
    if summary.turns or summary.broken < summary.calls or not reports:
        show_table(console, summary_table(summary))


def _print_call(console: Console, report: CallReport) -> None:
    if report.turns:
        show_table(console, turn_table(report, console.width))
        for turn in report.turns:
            if said := remark(turn):
                console.print(f"  {turn.number}: {said}")
    for warning in report.record.warnings:
        console.print(f"[yellow]![/] {escape(warning)}")


def turn_table(report: CallReport, columns: int) -> Table:
    """One row per line of the caller; times in milliseconds after the user stopped. ``columns`` is the terminal's width."""
    title = f"Call {report.record.number}: milliseconds after the user stopped"
    # Eighty columns is what a terminal has by default: there the bar is short and the words are cut.
    wide = columns >= _WIDE
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1), pad_edge=False)
    table.add_column("#", justify="right", min_width=1, no_wrap=True)
    table.add_column("the caller", max_width=36 if wide else 17, overflow="ellipsis", no_wrap=True)
    for heading in ("turn\nclosed", "first\ntoken", "first\naudio", "recv", "heard"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("waterfall", no_wrap=True)
    longest_ms = max((turn.heard_ms or 0.0 for turn in report.turns), default=0.0)
    for turn in report.turns:
        stages = turn.stages if turn.noise is None else None
        table.add_row(
            str(turn.number),
            escape(f"{turn.spoken.kind}: {turn.spoken.content}"),
            _ms(stages.closed_ms if stages else None),
            _ms(stages.first_token_ms if stages else None),
            _ms(stages.first_audio_ms if stages else None),
            _ms(turn.response_ms),
            _ms(turn.heard_ms),
            waterfall(turn, longest_ms, WATERFALL_WIDTH if wide else _NARROW_WATERFALL),
        )
    return table


def waterfall(turn: Turn, longest_ms: float, width: int = WATERFALL_WIDTH) -> str:
    """The wait for one answer as a bar: ``c`` turn closed, ``t`` first token, ``a`` first audio, ``▶`` received, ``●`` heard.

    The server's times count from when *it* noticed the end, so they stand a little early.
    """
    if turn.heard_ms is None or turn.response_ms is None or longest_ms <= 0:
        return ""

    def place(at_ms: float) -> int:
        return min(width - 1, max(0, int(at_ms / longest_ms * (width - 1))))

    bar = ["·"] * (place(turn.heard_ms) + 1)
    stages = turn.stages
    marks = [(turn.heard_ms, "●"), (turn.response_ms, "▶")]
    if stages is not None:
        known = ((stages.closed_ms, "c"), (stages.first_token_ms, "t"), (stages.first_audio_ms, "a"))
        marks += [(at_ms, letter) for at_ms, letter in known if at_ms is not None]
    for at_ms, letter in marks:
        bar[min(place(at_ms), len(bar) - 1)] = letter
    return "".join(bar)


def remark(turn: Turn) -> str:
    """What else is worth saying about a turn, as rich markup."""
    remarks = []
    if turn.unanswered:
        remarks.append("[bold red]unanswered[/]")
    if turn.early:
        remarks.append("[yellow]answered early[/]")
    if turn.barge_in is not None:
        barge_in = turn.barge_in
        if barge_in.missed:
            remarks.append("[yellow]barge-in missed[/]")
        else:
            remarks.append(f"barge-in: clear {_ms(barge_in.clear_ms)}, silent {_ms(barge_in.silent_ms)}")
    if turn.noise is not None:
        gap = f" after {_ms(turn.noise.gap_ms)} ms" if turn.noise.gap_ms is not None else ""
        remarks.append(f"the agent's speech: {turn.noise.outcome}{gap}")
    return "; ".join(remarks)


def summary_table(summary: Summary) -> Table:
    """The figures of all calls."""
    broken = f", [bold red]{summary.broken} broken[/]" if summary.broken else ""
    unanswered = f"[bold red]{summary.unanswered} unanswered[/]" if summary.unanswered else "every one answered"
    title = f"{_count(summary.calls, 'call')}{broken}; {_count(summary.turns, 'turn')}, {unanswered}"
    table = Table(title=title, title_justify="left")
    table.add_column("milliseconds")
    for heading in ("n", "p50", "p95", "p99", "max"):
        table.add_column(heading, justify="right")
    _add_spread(table, "user stopped → first audio received", summary.response)
    _add_spread(table, "user stopped → heard", summary.heard)
    if summary.barge_ins:
        _add_spread(table, "barge-in: acoustic onset → clear", summary.barge_clear)
        _add_spread(table, "barge-in: acoustic onset → silence", summary.barge_silent)
    _add_spread(table, "server's frames late", summary.frame_lateness)
    _add_spread(table, "our own frames late", summary.send_lateness)
    table.caption = "; ".join(_remarks(summary)) or None
    table.caption_justify = "left"
    return table


def _remarks(summary: Summary) -> list[str]:
    counted = [
        (summary.missed_barge_ins, "barge-in missed"),
        (summary.early, "answered early"),
        (summary.underruns, "playout underrun"),
        (summary.lost, "message lost on purpose"),
        (summary.reordered, "message reordered on purpose"),
    ]
    remarks = [f"{name}: {count}" for count, name in counted if count]
    remarks += [f"noise, agent's speech {outcome}: {count}" for outcome, count in summary.noise_outcomes.items()]
    remarks += [f"not Twilio's protocol, {kind}: {count}" for kind, count in summary.faults.items()]
    return remarks


def _add_spread(table: Table, name: str, spread: Spread) -> None:
    figures = (spread.p50_ms, spread.p95_ms, spread.p99_ms, spread.max_ms)
    table.add_row(name, str(spread.count), *(_ms(figure) for figure in figures))


def _ms(value: float | None) -> str:
    if value is None:
        return NOT_KNOWN
    return f"{value:.1f}" if 0 < value < 10 else f"{value:.0f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
