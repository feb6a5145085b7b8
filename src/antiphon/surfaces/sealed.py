"""Secrets that must be had again: kept encrypted by a key of this installation, which is a file of the data folder."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.files import read_or_make


class Sealed:
    """Fernet (AES-128-CBC and HMAC-SHA256). The key is made where there is none; without it, what was sealed is lost."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def seal(self, content: bytes) -> str:
        """As text. Raises ConfigurationError, OSError, ProviderUnavailable."""
        sealed: bytes = self._fernet.encrypt(content)
        return sealed.decode("ascii")

    def open(self, text: str) -> bytes:
        """Raises ConfigurationError for what another key has sealed; OSError, ProviderUnavailable."""
        from cryptography.fernet import InvalidToken

        try:
            content: bytes = self._fernet.decrypt(text.encode())
        except InvalidToken:
            raise ConfigurationError(self._path.name, "is not the key that this secret was sealed with") from None
        return content

    @cached_property
    def _fernet(self) -> Any:
        try:
            from cryptography.fernet import Fernet
        except ModuleNotFoundError as error:
            raise ProviderUnavailable("api", "cryptography is not installed: install antiphon[api]") from error
        try:
            return Fernet(read_or_make(self._path, Fernet.generate_key).strip())
        except ValueError:
            raise ConfigurationError(self._path.name, "is no key; with it, what was sealed is lost") from None
