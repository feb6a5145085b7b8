"""What a supervisor tells the workers that it starts. Light: the supervisor imports nothing of what a worker does."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

import orjson

from antiphon.config import Settings
from antiphon.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """What a supervisor tells a worker that it starts."""

    number: int
    """From 1."""
    node: str
    """Its name: another one after each start."""
    folder: Path
    """For the Unix sockets of all workers; nobody else can open it."""
    listener: int
    """File handle of the socket that all workers listen on."""
    line: int
    """File handle of a socket pair to the supervisor: a byte says that the worker serves, its end that the other side has died."""
    dead: str = ""
    """The name of the worker in whose place it starts."""

    def text(self) -> str:
        """For a command line."""
        fields = {name: getattr(self, name) for name in ("number", "node", "listener", "line", "dead")}
        return orjson.dumps({**fields, "folder": str(self.folder)}).decode()

    @classmethod
    def read(cls, text: str) -> WorkerPlace:
        """Raises ConfigurationError for what no supervisor has written."""
        try:
            fields = orjson.loads(text)
            return cls(**{**fields, "folder": Path(fields["folder"])})
        except (orjson.JSONDecodeError, TypeError, KeyError):
            raise ConfigurationError("worker", "is for the supervisor to give; use --workers") from None


def beginning_of_nodes(settings: Settings) -> str:
    """Of the names of all workers of this machine that share a Redis and its prefix."""
    return f"{socket.gethostname()[:150]}/{settings.redis_prefix}/"


def new_node(settings: Settings, number: int) -> str:
    """A name that no worker had before."""
    return f"{beginning_of_nodes(settings)}{number}-{secrets.token_hex(6)}"


def require_redis(settings: Settings) -> str:
    """Its URL. Raises ConfigurationError where several workers have none."""
    url = settings.redis_url.get_secret_value()
    if not url:
        raise ConfigurationError(
            "redis_url",
            f"is needed for workers = {settings.workers}: more than one process finds calls, limits and spent tokens in a Redis, "
            "e.g. redis://127.0.0.1:6379/0; or serve with one worker",
        )
    return url
