"""JSON Web Tokens that an application's server signs with a private key (HS256), for its own pages or services.

The payload is the platform's: ``{"orgId", "token": {"tag": "private"|"public", "restrictions": {"enabled", "allowedOrigins",
"allowedAssistantIds", "allowTransientAssistant"}}, "exp"}``. A hash of a key verifies nothing it has signed, so only keys that were
made with ``antiphon keys create --signs-tokens`` count, which are kept encrypted. ``exp`` is required. A token is worth no more than its
key: when that is revoked, so is the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from antiphon.surfaces.keys import ApiKeys, KeyKind, KeyRecord

_T = TypeVar("_T")
MAX_TOKEN_CHARS = 4096
_ALGORITHM = "HS256"
_NOT_LOOKED_AT = ("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss", "verify_sub", "verify_jti")
"""By the library: times are ours to compare, with our clock."""


def looks_signed(key: str) -> bool:
    """Whether it is a JWT and no key of ours."""
    return key.startswith("eyJ") and key.count(".") == 2


def signed_record(token: str, keys: ApiKeys, wall_ms: int) -> KeyRecord | None:
    """The key that has signed it, with what the token may do. None where none has, or it has expired. Raises as ``ApiKeys.signing``,
    and ProviderUnavailable."""
    import jwt

    try:
        claimed = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    org_id = claimed.get("orgId")
    if not isinstance(org_id, str):
        return None
    options: Any = {**dict.fromkeys(_NOT_LOOKED_AT, False), "require": ["exp"]}
    for record, secret in keys.signing(org_id):
        try:
            payload = jwt.decode(token, secret, algorithms=[_ALGORITHM], options=options)
        except jwt.PyJWTError:
            continue
        return _restricted(record, payload, wall_ms)
    return None


def _restricted(record: KeyRecord, payload: Mapping[str, Any], wall_ms: int) -> KeyRecord | None:
    expires: Any
    begins: Any
    expires, begins = payload.get("exp"), payload.get("nbf", 0)
    if not _is_time(expires) or not _is_time(begins) or not begins * 1000 <= wall_ms < expires * 1000:
        return None
    try:
        token = _of(payload, "token", dict, {})
        tag = _of(token, "tag", str, "public")
        restrictions = _of(token, "restrictions", dict, {})
        enabled = _of(restrictions, "enabled", bool, True)
        origins = _of(restrictions, "allowedOrigins", list, [])
        assistants = _of(restrictions, "allowedAssistantIds", list, [])
        transient = _of(restrictions, "allowTransientAssistant", bool, True)
    except TypeError:
        return None
    if (
        tag not in ("private", "public")
        or not enabled
        or not all(isinstance(each, str) for each in (*origins, *assistants))
    ):
        return None
    kind: KeyKind = "private" if tag == "private" else "public"
    return replace(record, kind=kind, origins=tuple(origins), assistants=tuple(assistants), transient=transient)


def _of(payload: Mapping[str, Any], name: str, kind: type[_T], default: _T) -> _T:
    """What the payload says; ``default`` where it says nothing. A restriction of another type restricts nothing, and its author believes
    that it does. Raises TypeError."""
    value = payload.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise TypeError(name)
    return value


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
