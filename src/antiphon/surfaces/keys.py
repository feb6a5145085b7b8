"""API keys, kept as hashes in one file of the data folder."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from antiphon.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of a key: never the key itself."""

    id: str
    name: str
    sha256: str
    created_wall_ms: int


class ApiKeys:
    """Private keys of this installation. The file is read anew when it changes, so that a key made while the server runs works at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int] = (0, 0)
        self._records: list[KeyRecord] = []

    def create(self, name: str, wall_ms: int) -> tuple[KeyRecord, str]:
        """A new key. The secret is returned once and never again. Raises OSError."""
        secret = f"sk_antiphon_{secrets.token_urlsafe(32)}"
        record = KeyRecord(f"key_{secrets.token_hex(6)}", name, _digest(secret), wall_ms)
        self._write([*self.records(), record])
        return record, secret

    def revoke(self, key_id: str) -> bool:
        """Whether there was such a key."""
        records = self.records()
        left = [record for record in records if record.id != key_id]
        if len(left) == len(records):
            return False
        self._write(left)
        return True

    def records(self) -> list[KeyRecord]:
        """Raises ConfigurationError where the file cannot be understood."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return []
        stamp = (stat.st_mtime_ns, stat.st_size)
        if stamp != self._read_at:
            try:
                self._records = [KeyRecord(**fields) for fields in orjson.loads(self._path.read_bytes())]
            except (orjson.JSONDecodeError, TypeError) as error:
                raise ConfigurationError("keys.json", f"cannot be read ({type(error).__name__})") from None
            self._read_at = stamp
        return list(self._records)

    def find(self, secret: str) -> KeyRecord | None:
        """The record of this key; None where it is none. Every key is compared, each in constant time. Raises as ``records``."""
        digest = _digest(secret)
        found = None
        for record in self.records():
            if hmac.compare_digest(record.sha256, digest):
                found = record
        return found

    def valid(self, secret: str) -> bool:
        """Whether ``find`` finds it."""
        return self.find(secret) is not None

    def _write(self, records: list[KeyRecord]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps([asdict(record) for record in records], option=orjson.OPT_INDENT_2))
        os.replace(temporary, self._path)


def _digest(secret: str) -> str:
    # The secrets are 256 random bits: a plain hash is as good as a slow one.
    return hashlib.sha256(secret.encode()).hexdigest()
