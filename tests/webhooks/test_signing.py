"""Signatures: known answers, and for whatever is signed: the receiver accepts it, and accepts nothing that was changed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import AuthenticationError, ConfigurationError
from antiphon.webhooks.signing import (
    Bearer,
    Hmac,
    OAuth2,
    Signed,
    authentication_of,
    bearer_headers,
    signed_headers,
    standard_webhooks,
    vapi_signature,
    verify_hmac,
    verify_secret,
)

NOW_S = 1_700_000_000
BODY = b'{"message":{"type":"hang"}}'

secrets = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
plans = st.builds(
    Hmac,
    secrets,
    algorithm=st.sampled_from(["sha1", "sha256", "sha512"]),
    signature_prefix=st.sampled_from(["", "v1,", "sha256="]),
    include_timestamp=st.booleans(),
    payload_format=st.sampled_from(["{body}", "{timestamp}.{body}", "{method}:{url}:{svix-id}:{timestamp}:{body}"]),
    message_id_header=st.just("webhook-id"),
    encoding=st.sampled_from(["hex", "base64"]),
)


def test_the_preset_of_tutorials_is_the_hex_hmac_of_the_raw_body() -> None:
    right = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
    assert signed_headers(vapi_signature("secret"), Signed(BODY), NOW_S, "m") == {"x-vapi-signature": right}


def test_the_platform_s_default_signs_time_and_body() -> None:
    right = hmac.new(b"secret", f"{NOW_S}.".encode() + BODY, hashlib.sha256).hexdigest()
    made = signed_headers(Hmac("secret"), Signed(BODY), NOW_S, "m")
    assert made == {"x-signature": right, "x-timestamp": str(NOW_S)}


def test_standard_webhooks_known_answer() -> None:
    """The example of the specification."""
    plan = standard_webhooks("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    made = signed_headers(plan, Signed(body), 1614265330, "msg_p5jXN8AQM9LWM0D4loKWxJek")
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    two = {**made, "webhook-signature": f"v1,{base64.b64encode(b'another').decode()} {made['webhook-signature']}"}
    verify_hmac(plan, Signed(body), two, 1614265330 + 299)


@given(plans, st.binary(max_size=200), st.integers(-300, 300))
def test_what_is_signed_is_accepted(plan: Hmac, body: bytes, later_s: int) -> None:
    request = Signed(body, "POST", "https://example.test/hook?a={body}")
    headers = signed_headers(plan, request, NOW_S, "msg_1")
    verify_hmac(plan, request, {name.upper(): value for name, value in headers.items()}, NOW_S + later_s)


@given(plans, st.binary(min_size=1, max_size=200), st.data())
def test_what_was_changed_is_not(plan: Hmac, body: bytes, data: st.DataObject) -> None:
    headers = signed_headers(plan, Signed(body), NOW_S, "msg_1")
    at = data.draw(st.integers(0, len(body) - 1))
    other = body[:at] + bytes([body[at] ^ data.draw(st.integers(1, 255))]) + body[at + 1 :]
    with pytest.raises(AuthenticationError, match="wrong"):
        verify_hmac(plan, Signed(other), headers, NOW_S)
    with pytest.raises(AuthenticationError, match="wrong"):
        verify_hmac(Hmac(plan.secret_key + "x", **_but_secret(plan)), Signed(body), headers, NOW_S)


def _but_secret(plan: Hmac) -> dict[str, Any]:
    names = ("algorithm", "signature_prefix", "include_timestamp", "payload_format", "message_id_header", "encoding")
    return {name: getattr(plan, name) for name in names}


@given(st.binary(max_size=100), st.integers(301, 10**9))
def test_a_stale_time_is_refused_and_another_is_wrong(body: bytes, later_s: int) -> None:
    headers = signed_headers(Hmac("secret"), Signed(body), NOW_S, "")
    for now_s in (NOW_S + later_s, NOW_S - later_s):
        with pytest.raises(AuthenticationError, match="stale"):
            verify_hmac(Hmac("secret"), Signed(body), headers, now_s)
    with pytest.raises(AuthenticationError, match="wrong"):
        verify_hmac(Hmac("secret"), Signed(body), {**headers, "x-timestamp": str(NOW_S + 1)}, NOW_S)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=4))
def test_no_headers_of_a_stranger_do_more_than_be_refused(headers: dict[str, str]) -> None:
    for given_headers in (headers, {**headers, "x-signature": "é", "x-timestamp": "9" * 17}):
        with pytest.raises(AuthenticationError):
            verify_hmac(Hmac("secret"), Signed(b"{}"), given_headers, NOW_S)
    with pytest.raises(AuthenticationError):
        verify_secret("secret", headers)


def test_a_body_that_looks_like_the_format_is_signed_as_it_is() -> None:
    plan = Hmac("secret", payload_format="{body}|{url}")
    made = signed_headers(plan, Signed(b"{url}", url="https://a.test"), NOW_S, "")
    assert made["x-signature"] == hmac.new(b"secret", b"{url}|https://a.test", hashlib.sha256).hexdigest()


def test_the_shared_secret() -> None:
    verify_secret("s3cret", {"x-vapi-secret": "s3cret"})
    with pytest.raises(AuthenticationError, match="wrong"):
        verify_secret("s3cret", {"X-Vapi-Secret": "other"})


@pytest.mark.parametrize(
    ("plan", "made"),
    [
        ({"type": "bearer", "token": "t"}, Bearer("t")),
        (
            {"type": "bearer", "token": "t", "headerName": "X-Key", "bearerPrefixEnabled": False},
            Bearer("t", "X-Key", False),
        ),
        (
            {"type": "oauth2", "url": "https://a.test/t", "clientId": "i", "clientSecret": "s", "scope": "x"},
            OAuth2("https://a.test/t", "i", "s", "x"),
        ),
        ({"type": "hmac", "secretKey": "k"}, Hmac("k")),
        ({"preset": "x-vapi-signature", "secretKey": "k"}, vapi_signature("k")),
        ({"preset": "standard-webhooks", "secretKey": "whsec_aGk="}, standard_webhooks("aGk=")),
        (
            {"type": "hmac", "secretKey": "aGk=", "secretIsBase64": True, "algorithm": "sha512", "signatureEncoding": "base64"},
            Hmac("aGk=", "sha512", encoding="base64", secret_is_base64=True),
        ),
        ({"type": "hmac", "secretKey": "k", "includeTimestamp": False}, Hmac("k", include_timestamp=False, payload_format="{body}")),
    ],
)  # fmt: skip
def test_plans_are_read(plan: dict[str, Any], made: object) -> None:
    assert authentication_of(plan) == made


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({}, "type"),
        ({"type": "basic"}, "type"),
        ({"type": "bearer"}, "token"),
        ({"type": "bearer", "token": "a\nb"}, "token"),
        ({"type": "bearer", "token": "t", "headerName": "X Key:"}, "headerName"),
        ({"type": "oauth2", "url": "ftp://a", "clientId": "i", "clientSecret": "s"}, "url"),
        ({"type": "oauth2", "url": "https://a", "clientSecret": "s"}, "clientId"),
        ({"type": "hmac"}, "secretKey"),
        ({"type": "hmac", "secretKey": "k", "algorithm": "md5"}, "algorithm"),
        ({"type": "hmac", "secretKey": "k", "payloadFormat": "{timestamp}"}, "payloadFormat"),
        ({"type": "hmac", "secretKey": "k", "signatureEncoding": "octal"}, "signatureEncoding"),
        ({"type": "hmac", "secretKey": "?", "secretIsBase64": True}, "secretKey"),
        ({"preset": "none", "secretKey": "k"}, "preset"),
    ],
)
def test_a_wrong_plan_is_refused_by_its_field(plan: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        authentication_of(plan)
    assert refused.value.field == f"authenticationPlan.{field}"


def test_bearer_headers() -> None:
    assert bearer_headers(Bearer("t")) == {"Authorization": "Bearer t"}
    assert bearer_headers(Bearer("t", "X-Key", False)) == {"X-Key": "t"}
