"""API keys, kept as hashes in one file of the data folder.

A *private key* belongs to a server and may do everything in its organisation; one of the server's own organisation (``DEFAULT_ORG``)
opens the Realtime API and the operator's routes as well, which know of no others. A *public key* is for web pages (``vapi/access``). A
private key that signs tokens is kept encrypted beside its hash: a signature can be verified by nothing less.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import orjson

from antiphon.calls.stores import DEFAULT_ORG
from antiphon.errors import ConfigurationError
from antiphon.files import locked, reason, write_atomically
from antiphon.surfaces.sealed import Sealed

KeyKind = Literal["private", "public"]
SEALING_KEY = "secrets.key"
"""Beside the file of keys."""
_MAX_NAME_CHARS = 100
_MAX_RESTRICTIONS = 1000
_ORG = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PREFIXES = {"private": "sk_antiphon_", "public": "pk_antiphon_"}


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is kept of a key: never the key itself."""

    id: str
    name: str
    sha256: str
    created_wall_ms: int
    kind: KeyKind = "private"
    org_id: str = DEFAULT_ORG
    origins: tuple[str, ...] = ()
    """Of web pages that may use a public key; none: all."""
    assistants: tuple[str, ...] = ()
    """That a public key may call; none: all."""
    transient: bool = True
    """Whether a public key may bring an assistant of its own."""
    sealed: str = ""
    """The key itself, encrypted: of one that signs tokens."""


class ApiKeys:
    """Keys of this installation. The file is read anew when it changes, so that a key made while the server runs works at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at: tuple[int, int, int] | None = None
        self._records: list[KeyRecord] = []

    def create(
        self, name: str, wall_ms: int, *, like: KeyRecord | None = None, signs_tokens: bool = False
    ) -> tuple[KeyRecord, str]:
        """A new key; ``like``: of that kind and organisation, with those restrictions. The secret is returned once and never again. Raises
        OSError, ConfigurationError: for a name that is no line of text, or where the file cannot be understood (it is left as it is)."""
        if not (name.isprintable() and 0 < len(name) <= _MAX_NAME_CHARS):
            raise ConfigurationError("name", f"must be one line of text, of at most {_MAX_NAME_CHARS} characters")
        wanted = like or KeyRecord("", "", "", 0)
        if not _ORG.fullmatch(wanted.org_id):
            raise ConfigurationError("org", "must be 1 to 64 letters, digits, - and _")
        if len(wanted.origins) + len(wanted.assistants) > _MAX_RESTRICTIONS:
            raise ConfigurationError("restrictions", f"may name {_MAX_RESTRICTIONS} origins and assistants at most")
        if signs_tokens and wanted.kind != "private":
            raise ConfigurationError("signs_tokens", "only a private key signs tokens")
        secret = _PREFIXES[wanted.kind] + secrets.token_urlsafe(32)
        sealed = Sealed(self._path.with_name(SEALING_KEY)).seal(secret.encode()) if signs_tokens else ""
        record = replace(
            wanted,
            id=f"key_{secrets.token_hex(6)}",
            name=name,
            sha256=_digest(secret),
            created_wall_ms=wall_ms,
            sealed=sealed,
        )
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
        """The record of this private key of the server's own organisation; None where it is none. Raises as ``records``."""
        found = self.find_any(secret)
        return found if found is not None and found.kind == "private" and found.org_id == DEFAULT_ORG else None

    def find_any(self, secret: str) -> KeyRecord | None:
        """The record of this key, of whatever kind and organisation. Every key is compared, each in constant time. Raises as
        ``records``."""
        digest = _digest(secret)
        found = None
        for record in self.records():
            if hmac.compare_digest(record.sha256, digest):
                found = record
        return found

    def signing(self, org_id: str) -> list[tuple[KeyRecord, str]]:
        """The keys of an organisation that sign tokens, with their secrets. Raises as ``records``, and ConfigurationError where the
        sealing key is another; ProviderUnavailable."""
        sealing = Sealed(self._path.with_name(SEALING_KEY))
        kept = [record for record in self.records() if record.sealed and record.org_id == org_id]
        return [(record, sealing.open(record.sealed).decode()) for record in kept]

    def valid(self, secret: str) -> bool:
        """Whether ``find`` finds it."""
        return self.find(secret) is not None

    def _write(self, records: list[KeyRecord]) -> None:
        content = orjson.dumps([asdict(record) for record in records], option=orjson.OPT_INDENT_2)
        try:
            write_atomically(self._path, content)
        except OSError as error:
            raise ConfigurationError("keys.json", f"cannot be written ({reason(error)})") from None


def _record(fields: Any) -> KeyRecord:
    """Raises TypeError for what we would not have written."""
    if not isinstance(fields, dict):
        raise TypeError("a key is an object")
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    record = KeyRecord(**{**fields, **lists})
    texts = (record.id, record.name, record.sha256, record.org_id, record.sealed, *record.origins, *record.assistants)
    if not all(isinstance(text, str) for text in texts) or record.kind not in get_args(KeyKind):
        raise TypeError("id, name, sha256 and what else is text is text")
    if not isinstance(record.created_wall_ms, int) or not isinstance(record.transient, bool):
        raise TypeError("created_wall_ms is a number, transient true or false")
    return record


def _digest(secret: str) -> str:
    # The secrets are 256 random bits: a plain hash is as good as a slow one.
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
