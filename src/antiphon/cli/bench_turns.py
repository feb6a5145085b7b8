"""``antiphon bench turns``: how well a server takes turns with recorded people.

Exit status as ``antiphon bench``.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click
import orjson
import uvloop
from rich.console import Console

from antiphon.bench.turns import report
from antiphon.bench.turns.corpus import SUITES, Suite, trials
from antiphon.bench.turns.run import Target, measure
from antiphon.caller.caller import CallPlan
from antiphon.caller.webhook import Identity
from antiphon.cli.terminal import show_error
from antiphon.cli.values import PATH, auth_token
from antiphon.errors import AntiphonError, ConfigurationError

EXIT_FAILED = 1
EXIT_USAGE = 2


@click.command("turns", short_help="Measure turn-taking with recordings of people.")
@click.option("--corpus", type=PATH, required=True, help="A folder of recordings with a manifest.json")
@click.option("--suite", type=click.Choice(SUITES), default="pause", help="Which trials")
@click.option("--url", required=True, help="A server that runs: http://…/voice (webhook) or ws://… (media)")
@auth_token("Signs as Twilio would")
@click.option("--group", default="", show_default=False, help="Only trials whose group begins with this")
@click.option("--limit", type=click.IntRange(0), default=0, help="At most so many trials; 0 for all")
@click.option("--concurrency", type=click.IntRange(1, 200), default=8, help="Calls at once")
@click.option("--seed", default=0, help="Of the trials' order")
@click.option("--label", default="this server", help="The server's name in the picture")
@click.option("--json", type=PATH, help="Write the figures and every trial to this file")
@click.option("--svg", type=PATH, help="Draw cut-offs against delay, beside the published ones, into this file")
def turns(
    corpus: Path,
    suite: str,
    url: str,
    auth_token: str,
    group: str,
    limit: int,
    concurrency: int,
    seed: int,
    label: str,
    json: Path | None,
    svg: Path | None,
) -> None:
    """Measure false cut-offs, delay and interruptions with recordings of people."""
    console = Console()
    try:
        chosen = [each for each in trials(corpus, cast(Suite, suite), seed) if each.group.startswith(group)]
        chosen = chosen[: limit or None]
        if not chosen:
            raise ConfigurationError("corpus", f"{corpus} holds no trials for the suite {suite!r}")
        identity = Identity(auth_token=auth_token)
        media_url, webhook_url = (url, "") if url.startswith(("ws:", "wss:")) else ("", url)
        plan = CallPlan((), webhook_url=webhook_url, media_url=media_url, identity=identity)
        target = Target(plan, concurrency)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcomes = runner.run(measure(target, chosen))
        found = report.figures(outcomes)
        if json is not None:
            document = {
                "suite": suite, "label": label, "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "groups": found, "trials": [asdict(each) for each in outcomes],
            }  # fmt: skip
            json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        if svg is not None:
            svg.write_text(report.plot(report.point_of(label, found)), encoding="utf-8")
    except ConfigurationError as error:
        show_error(error)
        raise click.exceptions.Exit(EXIT_USAGE) from error
    except (AntiphonError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(EXIT_FAILED) from error
    console.print(report.table(found, over=suite == "over"), soft_wrap=True, markup=False, highlight=False)
    broken = [each.problem for each in outcomes if each.problem]
    if broken:
        console.print(f"{len(broken)} of {len(outcomes)} calls broke; the first: {broken[0]}", markup=False)
    if len(broken) == len(outcomes):
        raise click.exceptions.Exit(EXIT_FAILED)
