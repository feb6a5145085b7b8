"""Structured logs: static event names, tagged fields, nothing that was said."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Literal

import structlog

_ADDRESS = re.compile(r"https?://[!-~]+")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _Lines(structlog.dev.ConsoleRenderer):
    """Structlog's own, but an address is written as it is: one that is printed to be opened can be copied as a whole."""

    def _repr(self, val: Any) -> str:
        return val if isinstance(val, str) and _ADDRESS.fullmatch(val) else super()._repr(val)


def configure_logging(level: Literal["debug", "info", "warning", "error"], form: Literal["console", "json"]) -> None:
    """Once per process, before anything logs. Everything goes to standard error."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else _Lines(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([structlog.processors.format_exc_info] if form == "json" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
