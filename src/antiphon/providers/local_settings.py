"""Settings that every engine in processes of this machine has."""

from __future__ import annotations

from typing import Literal

from antiphon.errors import ConfigurationError


def check_processes(kind: Literal["stt", "tts"], workers: int, hung_after_s: float) -> None:
    """Raises ConfigurationError naming the option."""
    if not 1 <= workers <= 64:
        raise ConfigurationError(f"{kind}.workers", "must be 1 … 64")
    if not 1 <= hung_after_s <= 600:
        raise ConfigurationError(f"{kind}.hung_after_s", "must be 1 … 600")


def check_positive(kind: Literal["stt", "tts"], **options: int) -> None:
    """Raises ConfigurationError naming the first option that is not."""
    for name, value in options.items():
        if value <= 0:
            raise ConfigurationError(f"{kind}.{name}", "must be positive")
