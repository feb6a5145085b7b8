"""How an application is convinced that a delivery comes from who it should: the schemes of the server and of the hosted platform.

What is proven has a name: the signed id where there is one, else its body. What comes again under a name is answered as it was and acts
no second time, so a replay within the tolerance of a signed time does nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.errors import AuthenticationError, ConfigurationError
from antiphon.webhooks import signing
from antiphon.webhooks.signing import Bearer, Hmac, OAuth2, Signed


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request as it came. Header names are in lower case; ``url`` is the one it was sent to."""

    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"
    url: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """One way to be convinced. Made by the functions below."""

    kind: Bearer | Hmac = field(repr=False)
    tolerance_s: int = signing.TOLERANCE_S

    def verify(self, delivery: Delivery, now_s: int) -> str:
        """The id that is signed with it; empty where none is. Raises AuthenticationError."""
        if isinstance(self.kind, Bearer):
            _verify_token(self.kind, delivery.headers)
            return ""
        signed = Signed(delivery.body, delivery.method, delivery.url)
        signing.verify_hmac(self.kind, signed, delivery.headers, now_s, self.tolerance_s)
        if "{svix-id}" not in self.kind.payload_format:
            return ""
        return delivery.headers.get(self.kind.message_id_header.lower(), "")[:256]


def shared_secret(secret: str) -> Proof:
    """``server.secret``: the secret itself in ``X-Vapi-Secret``."""
    return Proof(Bearer(_given(secret, "secret"), signing.SECRET_HEADER, prefixed=False))


def bearer(token: str, header: str = "Authorization", *, prefixed: bool = True) -> Proof:
    """A credential of type ``bearer``."""
    return Proof(Bearer(_given(token, "token"), header, prefixed))


def vapi_signature(secret: str) -> Proof:
    """The hex HMAC-SHA256 of the raw body in ``x-vapi-signature`` (the preset of that name). There is no time in it: what is replayed
    is recognised by its body for as long as deliveries are remembered."""
    return Proof(signing.vapi_signature(_given(secret, "secret")))


def standard_webhooks(secret: str, tolerance_s: int = signing.TOLERANCE_S) -> Proof:
    """https://www.standardwebhooks.com (the preset ``standard-webhooks``): ``secret`` is base64, usually after ``whsec_``. Raises
    ConfigurationError where it is not."""
    return Proof(signing.standard_webhooks(_given(secret, "secret")), tolerance_s)


def hmac_signature(secret: str, **plan: Any) -> Proof:
    """A credential of type ``hmac`` with the fields of its ``authenticationPlan`` (``algorithm``, ``signatureHeader``,
    ``payloadFormat`` …). Raises ConfigurationError."""
    return authentication_plan({**plan, "type": "hmac", "secretKey": secret})


def authentication_plan(plan: Mapping[str, Any], tolerance_s: int = signing.TOLERANCE_S) -> Proof:
    """The ``authenticationPlan`` of the credential that the server uses. Raises ConfigurationError."""
    made = signing.authentication_of(plan)
    if isinstance(made, OAuth2):
        raise ConfigurationError(
            "authenticationPlan.type", "a token of an OAuth 2 server is its resource server's to verify"
        )
    return Proof(made, tolerance_s)


def verified(proofs: Sequence[Proof], delivery: Delivery, now_s: int) -> str:
    """The id that is signed with a delivery for which one of the proofs holds; empty where none is. Raises AuthenticationError with the
    reason that came nearest."""
    reasons = set()
    for at, proof in enumerate(proofs):
        try:
            id = proof.verify(delivery, now_s)
        except AuthenticationError as error:
            reasons.add(error.reason)
        else:
            return f"{at} {id}" if id else ""
    raise AuthenticationError(next((reason for reason in ("stale", "wrong") if reason in reasons), "missing"))


def name_of(delivery: Delivery, signed_id: str, kind: str) -> str:
    """The same for a delivery that comes again. Tool calls are known by their bodies: what is signed as their id is the model's name for
    the call, which is another call's in another conversation."""
    if signed_id and kind != "tool-calls":
        return f"id {signed_id}"
    return f"body {hashlib.sha256(delivery.body).hexdigest()}"


def _verify_token(kind: Bearer, headers: Mapping[str, str]) -> None:
    shown = headers.get(kind.header.lower(), "")
    if not shown:
        raise AuthenticationError("missing")
    right = signing.bearer_headers(kind)[kind.header]
    if kind.prefixed and shown[:7].lower() == "bearer ":
        shown = f"Bearer {shown[7:].strip()}"
    if not hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), right.encode()):
        raise AuthenticationError("wrong")


def _given(secret: str, field: str) -> str:
    if not secret:
        raise ConfigurationError(field, "must not be empty: anybody could send that")
    return secret
