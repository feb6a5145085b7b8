"""Settings that engines of vendors have in common: the key, the address, the authorities that certificates are checked by."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from antiphon.errors import ConfigurationError


def checked_key(api_key: str, field: str = "api_key") -> str:
    """``api_key`` without blanks around it. Raises ConfigurationError naming ``field``."""
    key = api_key.strip()
    if not key:
        raise ConfigurationError(field, "is missing: it needs the API key of an account")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(field, "holds a blank or a character that no key has")
    return key


def websocket_url(base_url: str, field: str = "base_url") -> str:
    """``base_url`` for a WebSocket, without a slash at its end. Raises ConfigurationError naming ``field``."""
    return _with_scheme(base_url, {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}, field)


def http_url(base_url: str, field: str = "base_url") -> str:
    """``base_url`` for requests, without a slash at its end. Raises ConfigurationError naming ``field``."""
    return _with_scheme(base_url, {"https": "https", "http": "http", "wss": "https", "ws": "http"}, field)


def _with_scheme(base_url: str, schemes: Mapping[str, str], field: str) -> str:
    parts = urlsplit(base_url.strip())
    known = parts.scheme in schemes and parts.netloc and not parts.query and not parts.fragment
    if not known or any(map(str.isspace, base_url.strip())):
        raise ConfigurationError(field, f"must be {' or '.join(schemes)}://host, perhaps with a path")
    return parts._replace(scheme=schemes[parts.scheme]).geturl().rstrip("/")


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """What vendors' certificates are checked by: the machine's authorities, or those in ``ca_file``. Raises ConfigurationError."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("ca_file", f"cannot be read as certificates ({type(error).__name__})") from None
