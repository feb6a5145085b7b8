"""Deliveries that are proven, and those that are not: what our own server sends is what an application verifies."""

from __future__ import annotations

import pytest

from antiphon.app.proofs import (
    Delivery,
    Proof,
    authentication_plan,
    bearer,
    hmac_signature,
    name_of,
    shared_secret,
    standard_webhooks,
    vapi_signature,
    verified,
)
from antiphon.errors import AuthenticationError, ConfigurationError
from antiphon.webhooks.signing import Bearer, Signed, bearer_headers, signed_headers

BODY = b'{"message":{"type":"status-update"}}'
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW_S = 1_760_000_000


def sent(proof: Proof, body: bytes = BODY, now_s: int = NOW_S, id: str = "msg_1") -> Delivery:
    """As the server sends it."""
    if isinstance(proof.kind, Bearer):
        headers = bearer_headers(proof.kind)
    else:
        headers = signed_headers(proof.kind, Signed(body, "POST", "https://app.test/hook"), now_s, id)
    named = {name.lower(): value for name, value in headers.items()}
    return Delivery(body, named, "POST", "https://app.test/hook")


PROOFS = {
    "shared secret": shared_secret("s3cret"),
    "bearer": bearer("t0ken"),
    "token in a header": bearer("t0ken", "x-key", prefixed=False),
    "x-vapi-signature": vapi_signature("k3y"),
    "standard webhooks": standard_webhooks(WHSEC),
    "the platform's default": hmac_signature("k3y"),
    "over the address": hmac_signature("k3y", payloadFormat="{method} {url} {timestamp} {body}", algorithm="sha512"),
}


@pytest.mark.parametrize("proof", PROOFS.values(), ids=PROOFS)
def test_what_the_server_sends_is_proven_and_anything_else_is_not(proof: Proof) -> None:
    delivery = sent(proof)
    proof.verify(delivery, NOW_S)
    with pytest.raises(AuthenticationError, match="missing"):
        proof.verify(Delivery(BODY, {}, "POST", delivery.url), NOW_S)
    forged = {name: ("x" * len(value) if not value.isdigit() else value) for name, value in delivery.headers.items()}
    with pytest.raises(AuthenticationError, match="wrong"):
        proof.verify(Delivery(BODY, forged, "POST", delivery.url), NOW_S)
    if not isinstance(proof.kind, Bearer):
        with pytest.raises(AuthenticationError, match="wrong"):
            proof.verify(Delivery(BODY + b" ", delivery.headers, "POST", delivery.url), NOW_S)


@pytest.mark.parametrize("late_s", [301, -301])
def test_a_signed_time_that_is_too_far_away_is_stale(late_s: int) -> None:
    for name in ("standard webhooks", "the platform's default"):
        with pytest.raises(AuthenticationError, match="stale"):
            PROOFS[name].verify(sent(PROOFS[name]), NOW_S + late_s)
    PROOFS["standard webhooks"].verify(sent(PROOFS["standard webhooks"]), NOW_S + 299)


def test_one_of_several_proofs_is_enough_and_names_what_came_nearest() -> None:
    proofs = [standard_webhooks(WHSEC), shared_secret("old"), shared_secret("new")]
    assert verified(proofs, sent(shared_secret("new")), NOW_S) == ""
    assert verified(proofs, sent(proofs[0]), NOW_S) == "0 msg_1"
    with pytest.raises(AuthenticationError, match="stale"):
        verified(proofs, sent(proofs[0]), NOW_S + 1000)
    with pytest.raises(AuthenticationError, match="wrong"):
        verified(proofs, sent(shared_secret("other")), NOW_S)
    with pytest.raises(AuthenticationError, match="missing"):
        verified(proofs, Delivery(BODY, {}), NOW_S)


def test_a_delivery_is_known_by_its_signed_id_or_its_body() -> None:
    """But tool calls never by the id: models count them anew in every conversation."""
    first, second = Delivery(b"1", {}), Delivery(b"2", {})
    assert name_of(first, "0 msg_1", "status-update") == name_of(second, "0 msg_1", "status-update")
    assert name_of(first, "0 msg_1", "tool-calls") != name_of(second, "0 msg_1", "tool-calls")
    assert name_of(first, "", "status-update") != name_of(second, "", "status-update")


def test_what_is_no_proof_is_refused() -> None:
    for make in (shared_secret, bearer, vapi_signature, standard_webhooks, hmac_signature):
        with pytest.raises(ConfigurationError):
            make("")
    with pytest.raises(ConfigurationError, match="base64"):
        standard_webhooks("whsec_no base64!")
    with pytest.raises(ConfigurationError, match="body"):
        hmac_signature("k3y", payloadFormat="{timestamp}")
    oauth2 = {"type": "oauth2", "url": "https://a.test", "clientId": "c", "clientSecret": "s"}
    with pytest.raises(ConfigurationError, match="OAuth 2"):
        authentication_plan(oauth2)
