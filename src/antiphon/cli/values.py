"""Options that commands share, and kinds of values where click's own are not enough."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class _Path(click.Path):
    """As click's, with the home folder for ``~``: in ``--record=~/call.wav`` no shell sees it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            return path.expanduser()
        except RuntimeError:
            self.fail(f"there is no home folder for {path.parts[0]}", param, ctx)


PATH = _Path(path_type=Path)


def auth_token(help_text: str) -> Callable[[CommandT], CommandT]:
    """The secret that callers sign with: the same option wherever somebody calls."""
    return click.option(
        "--auth-token",
        default="",
        show_default=False,
        envvar="TWILIO_AUTH_TOKEN",
        show_envvar=True,
        help=help_text,
    )


class FloatRange(click.FloatRange):
    """As click's, but NaN is refused: no comparison finds it outside a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number
