"""Rows 2 to 5 of the conformance plan, without a socket. Twilio is played by its own package."""

from __future__ import annotations

from hashlib import sha256

import pytest
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from antiphon.carriers.twilio import signature
from antiphon.carriers.twilio.signature import SignatureVerifier, SignedRequest
from antiphon.errors import AuthenticationError

AUTH = "12345"
BASE = "https://voice.example.com"
FORM = "application/x-www-form-urlencoded"


def sign(url: str, fields: object = None, auth_token: str = AUTH) -> str:
    return str(RequestValidator(auth_token).compute_signature(url, fields or {}))


def reason_of(verifier: SignatureVerifier, request: SignedRequest) -> str:
    with pytest.raises(AuthenticationError) as raised:
        verifier.verify(request)
    return raised.value.reason


@pytest.fixture
def verifier() -> SignatureVerifier:
    return SignatureVerifier(AUTH, BASE)


class TestForms:
    def test_the_documented_vector(self) -> None:
        body = "CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
        request = SignedRequest(
            "POST", "/myapp.php", "foo=1&bar=2", FORM, body.encode(), "RSOYDt4T1cUTdK1PDd93/VVr8B8="
        )
        form = SignatureVerifier(AUTH, "https://mycompany.com").verify(request)
        assert form.get("From") == "+14158675309"

    def test_blank_repeated_unknown_and_accented_values(self, verifier: SignatureVerifier) -> None:
        fields = MultiDict(
            [("CallSid", "CA1"), ("CallerName", ""), ("A", "2"), ("A", "1"), ("A", "2"), ("Name", "ü ñ")]
        )
        body = b"CallSid=CA1&CallerName=&A=2&A=1&A=2&Name=%C3%BC+%C3%B1"
        form = verifier.verify(SignedRequest("POST", "/v", "", FORM, body, sign(BASE + "/v", fields)))
        assert form.getall("A") == ["2", "1", "2"]
        assert form.get("CallerName") == ""
        assert form.get("nothing") == ""
        assert form.get("Name") == "ü ñ"

    @pytest.mark.parametrize(
        ("signed_path", "path", "shifted"),
        [
            ("/voice/internal", "/voice", "/internalAccountSid=AC1&CallSid=CA1"),
            ("/voice/internal", "/voice", "%2FinternalAccountSid=AC1&CallSid=CA1"),
            ("/voice/sales1", "/voice/sales", "1AccountSid=AC1&CallSid=CA1"),
            ("/voice/sales1", "/voice/sales", "1=&AccountSid=AC1&CallSid=CA1"),
            ("/voice/salesA", "/voice/sales", "A=&AccountSid=AC1&CallSid=CA1"),
            ("/voice?a=b", "/voice", "%3Fa%3DbAccountSid=AC1&CallSid=CA1"),
            ("/voice-é", "/voice-", "é=&AccountSid=AC1&CallSid=CA1"),
            ("/voice ", "/voice", "+AccountSid=AC1&CallSid=CA1"),
        ],
    )
    def test_what_was_signed_for_one_url_is_not_good_for_a_shorter_one(
        self, verifier: SignatureVerifier, signed_path: str, path: str, shifted: str
    ) -> None:
        signature = sign(BASE + signed_path, {"AccountSid": "AC1", "CallSid": "CA1"})
        assert reason_of(verifier, SignedRequest("POST", path, "", FORM, shifted.encode(), signature)) == "malformed"

    def test_fields_as_twilio_names_them(self, verifier: SignatureVerifier) -> None:
        names = [
            "AccountSid",
            "AddOns",
            "AnsweredBy",
            "ApiVersion",
            "CallSid",
            "SipHeader_X-My.Header",
            "StirVerstat",
            "To",
        ]
        fields = dict.fromkeys(names, "1")
        body = "&".join(f"{name}=1" for name in names).encode()
        assert verifier.verify(SignedRequest("POST", "/v", "", FORM, body, sign(BASE + "/v", fields))).get("To") == "1"

    def test_another_account_is_refused_before_anything_is_computed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        computed: list[bytes] = []
        real = signature.digest

        def counting(key: bytes, message: bytes, name: str) -> bytes:
            computed.append(message)
            return real(key, message, name)

        monkeypatch.setattr(signature, "digest", counting)
        verifier = SignatureVerifier(AUTH, BASE, "AC1")
        for account in ("AC2", "AC10", "AC"):
            body = f"AccountSid={account}&CallSid=CA1"
            fields = {"AccountSid": account, "CallSid": "CA1"}
            request = SignedRequest("POST", "/v", "", FORM, body.encode(), sign(BASE + "/v", fields))
            assert reason_of(verifier, request) == "foreign_account"
        assert not computed
        large = b"AccountSid=AC1&" + b"&".join(b"F%03d=%s" % (at, b"x" * 120) for at in range(480))
        assert reason_of(verifier, SignedRequest("POST", "/v", "", FORM, large, "A" * 27 + "=")) == "bad_signature"
        assert len(computed) == 2, "one for each variant of the port"

    @pytest.mark.parametrize(
        ("signature", "reason"),
        [("", "missing"), ("nonsense", "bad_signature"), ("é" * 28, "bad_signature"), ("\udcff", "bad_signature")],
    )
    def test_bad_signatures(self, verifier: SignatureVerifier, signature: str, reason: str) -> None:
        assert reason_of(verifier, SignedRequest("POST", "/v", "", FORM, b"A=1", signature)) == reason

    def test_another_accounts_token(self, verifier: SignatureVerifier) -> None:
        signature = sign(BASE + "/v", {"A": "1"}, "other")
        assert reason_of(verifier, SignedRequest("POST", "/v", "", FORM, b"A=1", signature)) == "bad_signature"

    @pytest.mark.parametrize("body", [b"A=2", b"A=1&B=1", b"", b"A=1&A=2", b"a=1"])
    def test_a_changed_body(self, verifier: SignatureVerifier, body: bytes) -> None:
        signature = sign(BASE + "/v", {"A": "1"})
        reason = reason_of(verifier, SignedRequest("POST", "/v", "", FORM, body, signature))
        assert reason == ("malformed" if body == b"a=1" else "bad_signature")

    @pytest.mark.parametrize("body", [b"\xff=1", b"A=%FF", b"&".join(b"a%d=1" % n for n in range(600))])
    def test_bodies_that_cannot_be_read(self, verifier: SignatureVerifier, body: bytes) -> None:
        assert reason_of(verifier, SignedRequest("POST", "/v", "", FORM, body, "x")) == "malformed"

    def test_get_signs_the_query(self, verifier: SignatureVerifier) -> None:
        query = "CallSid=CA1&From=%2B1555"
        form = verifier.verify(SignedRequest("GET", "/v", query, "", b"", sign(f"{BASE}/v?{query}")))
        assert form.get("From") == "+1555"


class TestJson:
    BODY = b'{"CallSid":"CA1"}'
    QUERY = "bodySHA256=" + sha256(BODY).hexdigest()

    def request(self, body: bytes = BODY, query: str = QUERY, signature: str | None = None) -> SignedRequest:
        signed = sign(f"{BASE}/v?{query}") if signature is None else signature
        return SignedRequest("POST", "/v", query, "application/json; charset=utf-8", body, signed)

    def test_good(self, verifier: SignatureVerifier) -> None:
        assert len(verifier.verify(self.request())) == 0

    @pytest.mark.parametrize("body", [b'{"CallSid":"CA2"}', b"", b"\xff\x00"])
    def test_changed_body(self, verifier: SignatureVerifier, body: bytes) -> None:
        assert reason_of(verifier, self.request(body)) == "bad_signature"

    def test_without_its_hash(self, verifier: SignatureVerifier) -> None:
        assert reason_of(verifier, self.request(query="")) == "missing"

    def test_hash_that_is_not_ascii(self, verifier: SignatureVerifier) -> None:
        assert reason_of(verifier, self.request(query="bodySHA256=%C3%A9")) == "bad_signature"

    def test_right_hash_under_a_wrong_signature(self, verifier: SignatureVerifier) -> None:
        assert reason_of(verifier, self.request(signature=sign(BASE + "/v"))) == "bad_signature"

    def test_a_forms_signature_on_json(self, verifier: SignatureVerifier) -> None:
        request = SignedRequest("POST", "/v", "", "application/json", b"A=1", sign(BASE + "/v", {"A": "1"}))
        assert reason_of(verifier, request) == "missing"


class TestUrls:
    @pytest.mark.parametrize(
        ("public_url", "signed_url"),
        [
            (BASE, BASE + "/v"),
            (BASE + "/", BASE + "/v"),
            (BASE, BASE + ":443/v"),
            (BASE + ":443", BASE + "/v"),
            (BASE + ":8443", BASE + ":8443/v"),
            (BASE + "/prefix", BASE + "/prefix/v"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]/v"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]:443/v"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/v"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v"),
        ],
    )
    def test_what_twilio_may_sign_for_the_configured_url(self, public_url: str, signed_url: str) -> None:
        SignatureVerifier(AUTH, public_url).verify(SignedRequest("GET", "/v", "", "", b"", sign(signed_url)))

    @pytest.mark.parametrize(
        "signed_url",
        [
            "https://evil.example.com/v",
            "http://voice.example.com/v",
            "https://VOICE.example.com/v",
            BASE + "/v/",
            BASE + "/w",
            BASE + "/v?a=1",
            BASE + ":8443/v",
        ],
    )
    def test_anything_else(self, verifier: SignatureVerifier, signed_url: str) -> None:
        assert reason_of(verifier, SignedRequest("GET", "/v", "", "", b"", sign(signed_url))) == "bad_signature"

    def test_query_order_and_escapes_count_as_sent(self, verifier: SignatureVerifier) -> None:
        signature = sign(BASE + "/v?b=%20&a=+")
        verifier.verify(SignedRequest("GET", "/v", "b=%20&a=+", "", b"", signature))
        for other in ("a=+&b=%20", "b=+&a=%20"):
            assert reason_of(verifier, SignedRequest("GET", "/v", other, "", b"", signature)) == "bad_signature"

    def test_a_fragment_is_not_signed(self, verifier: SignatureVerifier) -> None:
        verifier.verify(SignedRequest("GET", "/v", "a=1#rc=2", "", b"", sign(BASE + "/v?a=1")))
        verifier.verify(SignedRequest("GET", "/v#rc=2", "", "", b"", sign(BASE + "/v")))


class TestHandshake:
    @pytest.mark.parametrize(
        "signed_url",
        [
            "wss://voice.example.com/twilio/media",
            "wss://voice.example.com/twilio/media/",
            "wss://voice.example.com:443/twilio/media",
        ],
    )
    def test_good(self, verifier: SignatureVerifier, signed_url: str) -> None:
        verifier.verify_handshake("/twilio/media", "", sign(signed_url))

    @pytest.mark.parametrize(
        "signature",
        [
            "",
            "é",
            sign("https://voice.example.com/twilio/media"),
            sign("wss://voice.example.com/other"),
            sign("wss://voice.example.com/twilio/media", auth_token="other"),
        ],
    )
    def test_bad(self, verifier: SignatureVerifier, signature: str) -> None:
        with pytest.raises(AuthenticationError):
            verifier.verify_handshake("/twilio/media", "", signature)

    def test_plain_ws_for_a_plain_public_url(self) -> None:
        SignatureVerifier(AUTH, "http://127.0.0.1:9").verify_handshake("/m", "", sign("ws://127.0.0.1:9/m"))
