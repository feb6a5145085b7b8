"""API keys, kept as hashes in one file of the data folder."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from antiphon.errors import ConfigurationError
from antiphon.files import locked, reason, write_atomically

_MAX_NAME_CHARS = 100


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
        self._read_at: tuple[int, int, int] | None = None
        self._records: list[KeyRecord] = []

    def create(self, name: str, wall_ms: int) -> tuple[KeyRecord, str]:
        """A new key. The secret is returned once and never again. Raises OSError, ConfigurationError: for a name that is no line of
        text, or where the file cannot be understood (it is left as it is)."""
        if not (name.isprintable() and 0 < len(name) <= _MAX_NAME_CHARS):
            raise ConfigurationError("name", f"must be one line of text, of at most {_MAX_NAME_CHARS} characters")
        secret = f"sk_antiphon_{secrets.token_urlsafe(32)}"
        record = KeyRecord(f"key_{secrets.token_hex(6)}", name, _digest(secret), wall_ms)
        with locked(self._path):
            self._write([*self._read(), record])
        return record, secret

    def revoke(self, key_id: str) -> bool:
        """Whether there was such a key. Raises as ``create``."""
        with locked(self._path):
            records = self._read()
            left = [record for record in records if record.id != key_id]
            if len(left) == len(records):
                return False
            self._write(left)
        return True

    def records(self) -> list[KeyRecord]:
        """Raises ConfigurationError where the file cannot be understood, OSError where it cannot be read."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return []
        # Two changes may fall into one tick of the file system's clock and leave the size as it was, but not the file: it is replaced.
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if stamp != self._read_at:
            self._records = self._read()
            self._read_at = stamp
        return list(self._records)

    def _read(self) -> list[KeyRecord]:
        try:
            kept = orjson.loads(self._path.read_bytes())
            if not isinstance(kept, list):
                raise TypeError("keys are a list")
            return [_record(fields) for fields in kept]
        except FileNotFoundError:
            return []
        except (orjson.JSONDecodeError, TypeError) as error:
            raise ConfigurationError("keys.json", f"cannot be read ({type(error).__name__})") from None

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
        content = orjson.dumps([asdict(record) for record in records], option=orjson.OPT_INDENT_2)
        try:
            write_atomically(self._path, content)
        except OSError as error:
            raise ConfigurationError("keys.json", f"cannot be written ({reason(error)})") from None


def _record(fields: dict[str, object]) -> KeyRecord:
    """Raises TypeError for what we would not have written."""
    record = KeyRecord(**fields)  # type: ignore[arg-type]
    if not all(isinstance(text, str) for text in (record.id, record.name, record.sha256)):
        raise TypeError("id, name and sha256 are text")
    if not isinstance(record.created_wall_ms, int):
        raise TypeError("created_wall_ms is a number")
    return record


def _digest(secret: str) -> str:
    # The secrets are 256 random bits: a plain hash is as good as a slow one.
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
