"""How a request proves that it is ours: a shared secret, a bearer token, OAuth 2, or an HMAC over the raw body. Pure functions."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from antiphon.errors import AuthenticationError, ConfigurationError

SECRET_HEADER = "X-Vapi-Secret"
TOLERANCE_S = 300
"""A signed time further off than this, to either side, is stale (Standard Webhooks)."""
_PLACES = re.compile(rb"\{(timestamp|body|method|url|svix-id)\}")
_DEFAULT_FORMAT = "{timestamp}.{body}"
_ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "sha512": hashlib.sha512}
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token in a header."""

    token: str
    header: str = "Authorization"
    prefixed: bool = True
    """Whether ``Bearer`` stands before it."""


@dataclass(frozen=True, slots=True)
class OAuth2:
    """A token fetched with client credentials (RFC 6749 §4.4)."""

    url: str
    client_id: str
    client_secret: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Hmac:
    """A signature over what ``payload_format`` puts together: ``{timestamp}``, ``{body}``, ``{method}``, ``{url}``, ``{svix-id}``."""

    secret_key: str
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    signature_header: str = "x-signature"
    timestamp_header: str = "x-timestamp"
    signature_prefix: str = ""
    include_timestamp: bool = True
    payload_format: str = _DEFAULT_FORMAT
    message_id_header: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    secret_is_base64: bool = False


Authentication = Bearer | OAuth2 | Hmac


@dataclass(frozen=True, slots=True)
class Signed:
    """The request that is signed, or was. Its time is UTC in seconds."""

    body: bytes
    method: str = "POST"
    url: str = ""


def vapi_signature(secret: str) -> Hmac:
    """What tutorials of the platform compute: the hex HMAC of the raw body in ``x-vapi-signature``, without a time."""
    return Hmac(secret, signature_header="x-vapi-signature", include_timestamp=False, payload_format="{body}")


def standard_webhooks(secret: str) -> Hmac:
    """https://www.standardwebhooks.com: ``secret`` is base64, usually after ``whsec_``. Raises ConfigurationError where it is not."""
    plan = Hmac(
        secret.removeprefix("whsec_"),
        signature_header="webhook-signature",
        timestamp_header="webhook-timestamp",
        message_id_header="webhook-id",
        signature_prefix="v1,",
        payload_format="{svix-id}.{timestamp}.{body}",
        encoding="base64",
        secret_is_base64=True,
    )
    _key(plan)
    return plan


def authentication_of(plan: Mapping[str, Any], path: str = "authenticationPlan") -> Authentication:
    """An ``authenticationPlan`` as the platform writes it. ``preset`` (ours) is ``x-vapi-signature`` or ``standard-webhooks``, with
    ``secretKey``. Raises ConfigurationError naming the field that is wrong; never its value."""
    kind = str(plan.get("type", "hmac" if "preset" in plan else "")).lower()
    if kind == "bearer":
        header = _header(plan, "headerName", "Authorization", path)
        return Bearer(_text(plan, "token", path), header, plan.get("bearerPrefixEnabled", True) is not False)
    if kind == "oauth2":
        url = _text(plan, "url", path)
        if not url.startswith(("https://", "http://")):
            raise ConfigurationError(f"{path}.url", "must begin with https:// or http://")
        scope = plan.get("scope") or ""
        return OAuth2(url, _text(plan, "clientId", path), _text(plan, "clientSecret", path), str(scope))
    if kind == "hmac":
        return _hmac_of(plan, path)
    raise ConfigurationError(f"{path}.type", "must be bearer, oauth2 or hmac")


def _hmac_of(plan: Mapping[str, Any], path: str) -> Hmac:
    secret = _text(plan, "secretKey", path)
    preset = plan.get("preset")
    if preset == "x-vapi-signature":
        return vapi_signature(secret)
    if preset == "standard-webhooks":
        return standard_webhooks(secret)
    if preset is not None:
        raise ConfigurationError(f"{path}.preset", "must be x-vapi-signature or standard-webhooks")
    algorithm, encoding = plan.get("algorithm", "sha256"), plan.get("signatureEncoding", "hex")
    if algorithm not in _ALGORITHMS:
        raise ConfigurationError(f"{path}.algorithm", f"must be one of {', '.join(_ALGORITHMS)}")
    if encoding not in ("hex", "base64"):
        raise ConfigurationError(f"{path}.signatureEncoding", "must be hex or base64")
    stamped = plan.get("includeTimestamp", True) is not False
    form = str(plan.get("payloadFormat") or (_DEFAULT_FORMAT if stamped else "{body}"))
    if "{body}" not in form:
        raise ConfigurationError(f"{path}.payloadFormat", "must hold {body}: a signature of less proves nothing")
    id_header = _header(plan, "messageIdHeader", "", path)
    made = Hmac(
        secret,
        algorithm,
        _header(plan, "signatureHeader", "x-signature", path),
        _header(plan, "timestampHeader", "x-timestamp", path),
        str(plan.get("signaturePrefix") or ""),
        stamped,
        form,
        id_header or ("svix-id" if "{svix-id}" in form else ""),
        encoding,
        plan.get("secretIsBase64", False) is True,
    )
    _key(made, path)
    return made


def _text(plan: Mapping[str, Any], field: str, path: str) -> str:
    value = plan.get(field)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigurationError(f"{path}.{field}", "must be text, and not empty")
    return value


def _header(plan: Mapping[str, Any], field: str, default: str, path: str) -> str:
    value = plan.get(field) or default
    if value and (not isinstance(value, str) or not _HEADER.fullmatch(value)):
        raise ConfigurationError(f"{path}.{field}", "must be a header's name")
    return str(value)


def _key(plan: Hmac, path: str = "authenticationPlan") -> bytes:
    if not plan.secret_is_base64:
        return plan.secret_key.encode()
    try:
        return base64.b64decode(plan.secret_key, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"{path}.secretKey", "is not base64") from None


def signature(plan: Hmac, request: Signed, stamp: str, message_id: str) -> str:
    """As it stands in the header, without ``signature_prefix``."""
    values = {
        b"timestamp": stamp.encode(),
        b"body": request.body,
        b"method": request.method.upper().encode(),
        b"url": request.url.encode(),
        b"svix-id": message_id.encode(),
    }
    # In one pass: a body that holds "{url}" stays as it is.
    payload = _PLACES.sub(lambda place: values[place[1]], plan.payload_format.encode())
    made = hmac.new(_key(plan), payload, _ALGORITHMS[plan.algorithm])
    return made.hexdigest() if plan.encoding == "hex" else base64.b64encode(made.digest()).decode()


def signed_headers(plan: Hmac, request: Signed, now_s: int, message_id: str) -> dict[str, str]:
    """The headers that prove ``request``."""
    stamp = str(now_s) if plan.include_timestamp else ""
    headers = {plan.signature_header: plan.signature_prefix + signature(plan, request, stamp, message_id)}
    if plan.include_timestamp and plan.timestamp_header:
        headers[plan.timestamp_header] = stamp
    if plan.message_id_header:
        headers[plan.message_id_header] = message_id
    return headers


def verify_hmac(
    plan: Hmac, request: Signed, headers: Mapping[str, str], now_s: int, tolerance_s: int = TOLERANCE_S
) -> None:
    """The receiver's side. A header may name several signatures, parted by spaces (a secret being replaced); one must be right. Raises
    AuthenticationError: ``missing``, ``stale``, ``wrong``."""
    given = {name.lower(): value for name, value in headers.items()}
    shown = given.get(plan.signature_header.lower())
    if not shown:
        raise AuthenticationError("missing")
    stamp = given.get(plan.timestamp_header.lower(), "") if plan.include_timestamp else ""
    if plan.include_timestamp:
        if not re.fullmatch(r"[0-9]{1,16}", stamp):
            raise AuthenticationError("missing")
        if abs(now_s - int(stamp)) > tolerance_s:
            raise AuthenticationError("stale")
    message_id = given.get(plan.message_id_header.lower(), "") if plan.message_id_header else ""
    right = (plan.signature_prefix + signature(plan, request, stamp, message_id)).encode()
    if not any(hmac.compare_digest(one.encode(), right) for one in _signatures(plan, shown)):
        raise AuthenticationError("wrong")


def _signatures(plan: Hmac, shown: str) -> Iterator[str]:
    yield shown
    if plan.signature_prefix:
        yield from shown.split(" ")[:8]


def verify_secret(secret: str, headers: Mapping[str, str]) -> None:
    """Whether ``X-Vapi-Secret`` is the secret. Raises AuthenticationError: ``missing``, ``wrong``."""
    shown = {name.lower(): value for name, value in headers.items()}.get(SECRET_HEADER.lower())
    if not shown:
        raise AuthenticationError("missing")
    if not hmac.compare_digest(shown.encode(), secret.encode()):
        raise AuthenticationError("wrong")


def bearer_headers(plan: Bearer) -> dict[str, str]:
    return {plan.header: f"Bearer {plan.token}" if plan.prefixed else plan.token}


def with_secret(plan: Hmac, secret: str) -> Hmac:
    """The same way of signing, with another secret."""
    return replace(plan, secret_key=secret)
