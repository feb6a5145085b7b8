"""Secrets inside documents that people write (a server's ``secret``, an ``Authorization`` header, a transient credential): found by their
names, sealed where they are kept, masked where they are shown, left out where an application is told of an assistant."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import orjson
import structlog

from antiphon.errors import ConfigurationError

log = structlog.get_logger(__name__)

MASK = "********"
"""What is shown in a secret's place, with its last four characters where it is long enough to spare them."""
_SHOWN_CHARS, _SPARES_CHARS = 4, 16
_SEALED = "sealed:"
_MAX_DEPTH = 100
_ENDINGS = (
    "secret", "secretkey", "secrettoken", "password", "apikey", "authtoken", "accesstoken", "refreshtoken", "privatekey", "bearertoken",
)  # fmt: skip
_NAMES = frozenset({"token", "authorization"})
_SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|key|password|signature|credential", re.IGNORECASE)
_NO_SECRETS_IN = frozenset({"messages", "parameters", "schema"})
"""Fields whose own fields are words or JSON Schemas: nothing in them is a secret by its name."""
_THEIRS = frozenset({"metadata", "variableValues"})
"""Fields whose content is the author's own: sealed, and shown as it came."""
_TOLD_OF_CREDENTIALS = frozenset(
    {"id", "provider", "name", "type", "region", "url", "headerName", "algorithm", "signatureHeader", "timestampHeader", "scope"}
)  # fmt: skip
WRITTEN = (
    "assistant", "assistantOverrides", "squad", "squadOverrides", "workflow", "workflowOverrides", "phoneNumber", "transport", "lead",
)  # fmt: skip
"""Fields of a call that hold what somebody wrote; the others are what happened."""

Path = tuple[str | int, ...]
Change = Callable[[Path, str], str]


class Seal(Protocol):
    """Encrypts by a key of this installation (``surfaces.sealed.Sealed``)."""

    def seal(self, content: bytes) -> str: ...

    def open(self, text: str) -> bytes:
        """Raises ConfigurationError for what another key has sealed."""
        ...


class DocumentSecrets:
    """The secrets of documents on their way into the database and out of it. Without a seal they stay as they are."""

    def __init__(self, seal: Seal | None = None) -> None:
        self._seal = seal

    def sealed(self, document: Any) -> Any:
        """What is sealed already stays as it is."""
        seal = self._seal
        if seal is None:
            return document
        return _mapped(
            document, lambda _, text: text if text.startswith(_SEALED) else _SEALED + seal.seal(text.encode())
        )

    def opened(self, document: Any) -> Any:
        """What another key has sealed stays sealed, and is told: the rest of the document can be read all the same."""
        return document if self._seal is None else _mapped(document, self._opened)

    def sealed_whole(self, document: Any) -> Any:
        """All of it as one text, not only its secrets: for what waits in the database and is read by us alone. JSON in, JSON out. Raises
        ConfigurationError, OSError, ProviderUnavailable."""
        return document if self._seal is None else _SEALED + self._seal.seal(orjson.dumps(document))

    def opened_whole(self, kept: Any) -> Any:
        """What ``sealed_whole`` was given. Raises ConfigurationError for what another key has sealed, OSError, ProviderUnavailable."""
        if self._seal is None or not isinstance(kept, str):
            return kept
        return orjson.loads(self._seal.open(kept.removeprefix(_SEALED)))

    def _opened(self, path: Path, text: str) -> str:
        if self._seal is None or not text.startswith(_SEALED):
            return text
        try:
            return self._seal.open(text[len(_SEALED) :]).decode()
        except ConfigurationError:
            log.error("secret_unreadable", field=".".join(map(str, path))[:128])
            return text


def masked(document: Any) -> Any:
    """As it is shown: no secret in full."""
    return _mapped(document, lambda _, text: mask(text), skipping=_THEIRS)


def mask(secret: str) -> str:
    return MASK + (secret[-_SHOWN_CHARS:] if len(secret) >= _SPARES_CHARS else "")


def restored(document: Any, before: Any) -> tuple[Any, list[str]]:
    """``document`` as a client sent it back, with the secrets of ``before`` for what was shown masked; and the dotted fields whose mask
    stands for nothing that was there: they must be given anew."""
    known: dict[Path, str] = {}
    _mapped(before, lambda path, text: known.setdefault(path, text), skipping=_THEIRS)
    unknown: list[str] = []

    def restore(path: Path, text: str) -> str:
        if not text.startswith(MASK):
            return text
        if path in known and mask(known[path]) == text:
            return known[path]
        fitting = {secret for secret in known.values() if mask(secret) == text}  # its place in a list is another
        if len(fitting) == 1:
            return fitting.pop()
        unknown.append(".".join(map(str, path)))
        return text

    return _mapped(document, restore, skipping=_THEIRS), unknown


def stripped(document: Any, depth: int = 0) -> Any:
    """As an application is told of it: without secrets, and without the headers of requests."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(document, Mapping):
        return {
            name: item if name in _NO_SECRETS_IN or name in _THEIRS else stripped(item, depth + 1)
            for name, item in document.items()
            if not (
                name in ("headers", "credentials", "environmentVariables")
                or (isinstance(item, str) and is_secret(name))
            )
        }
    if isinstance(document, list | tuple):
        return [stripped(item, depth + 1) for item in document]
    return document


def scrubbed(text: str, document: Any) -> str:
    """``text`` without the secrets of ``document``, where somebody has echoed them."""
    found: list[str] = []
    _mapped(document, lambda _, secret: found.append(secret) or secret)  # type: ignore[func-returns-value]
    for secret in sorted(set(found), key=len, reverse=True):
        if len(secret) >= _SHOWN_CHARS:
            text = text.replace(secret, MASK)
    return text


def is_secret(name: str) -> bool:
    """Whether a text field of this name holds a secret."""
    plain = name.replace("_", "").replace("-", "").lower()
    return plain in _NAMES or plain.endswith(_ENDINGS)


def _mapped(value: Any, change: Change, path: Path = (), skipping: Collection[str] = ()) -> Any:
    """``value`` with every secret changed; the very same object where nothing was."""
    if len(path) > _MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        changed = {
            name: new
            for name, item in value.items()
            if name not in skipping and (new := _mapped_field(name, item, change, (*path, name), skipping)) is not item
        }
        return {**value, **changed} if changed else value
    if isinstance(value, list | tuple):
        items = [_mapped(item, change, (*path, at), skipping) for at, item in enumerate(value)]
        return items if any(new is not item for new, item in zip(items, value, strict=True)) else value
    return value


def _mapped_field(name: str, item: Any, change: Change, path: Path, skipping: Collection[str]) -> Any:
    if isinstance(item, str):
        return change(path, item) if item and is_secret(name) else item
    if name == "headers" and isinstance(item, Mapping):
        return _mapped_headers(item, change, path)
    if name == "credentials" and isinstance(item, list | tuple):
        return _mapped_texts(item, change, path, lambda field: field not in _TOLD_OF_CREDENTIALS)
    if name == "environmentVariables" and isinstance(item, list | tuple):
        return _mapped_texts(item, change, path, lambda field: field == "value")
    return item if name in _NO_SECRETS_IN else _mapped(item, change, path, skipping)


def _mapped_headers(headers: Mapping[str, Any], change: Change, path: Path) -> Any:
    """Names and texts, or a JSON Schema whose properties have a ``value`` or a ``default``."""
    described = headers.get("properties")
    if isinstance(described, Mapping):
        within = _mapped_headers(described, change, (*path, "properties"))
        return {**headers, "properties": within} if within is not described else headers
    changed: dict[str, Any] = {}
    for name, item in headers.items():
        if not _SECRET_HEADER.search(name):
            continue
        if isinstance(item, str) and item:
            changed[name] = change((*path, name), item)
        elif isinstance(item, Mapping):
            changed[name] = _mapped_texts(item, change, (*path, name), lambda field: field in ("value", "default"))
    changed = {name: new for name, new in changed.items() if new is not headers[name]}
    return {**headers, **changed} if changed else headers


def _mapped_texts(value: Any, change: Change, path: Path, secret: Callable[[str], bool]) -> Any:
    """Every text below whose field ``secret`` says yes to."""
    if len(path) > _MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        changed = {}
        for name, item in value.items():
            if isinstance(item, str):
                new = change((*path, name), item) if item and secret(name) else item
            else:
                new = _mapped_texts(item, change, (*path, name), secret)
            if new is not item:
                changed[name] = new
        return {**value, **changed} if changed else value
    if isinstance(value, list | tuple):
        items = [_mapped_texts(item, change, (*path, at), secret) for at, item in enumerate(value)]
        return items if any(new is not item for new, item in zip(items, value, strict=True)) else value
    return value
