"""Is this request Twilio's? HMAC-SHA1 over the URL it asked for and the parameters it sent.

The arithmetic is ``twilio.request_validator``'s, which the tests compare it with, done once for all variants of a URL: anybody may
send 64 KiB that are not Twilio's. This module knows what that validator does not forgive (measured, each line a test): a JSON
body as bytes, a JSON body without ``bodySHA256``, a missing header, form values dropped because they were blank, a fragment
left in the URL, ``:443`` on a ``wss`` URL, an IPv6 host, a slash more or less at the end.

Twilio's text has no boundaries between URL, names and values, so names are held to what Twilio sends: else a signature for
``/voice/internal`` would be good for ``/voice`` with a field ``/internalAccountSid``.

The URL is our configured public URL plus the path and query as they came. Never the Host header, which anyone can write.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest, digest
from urllib.parse import parse_qs, parse_qsl, urlsplit

from antiphon.errors import AuthenticationError

_MAX_FIELDS = 512
_FIELD_NAME = re.compile(r"[A-Z][A-Za-z0-9_.-]*")
_FIRST_FIELD = "AccountSid"
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{27}=")  # 20 bytes in base64
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Form:
    """Form fields in the shape the validator wants (repeated names kept), and the first value of each for us."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            self._values[name].append(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getall(self, name: str) -> list[str]:
        """Every value of ``name``, in order. (The validator looks for a method of this name.)"""
        return self._values.get(name, [])

    def get(self, name: str) -> str:
        """The first value of ``name``; empty where there is none."""
        values = self._values.get(name)
        return values[0] if values else ""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """An HTTP request as it stood on the wire."""

    method: str
    raw_path: str
    """Path as sent, percent-escapes untouched."""
    raw_query: str
    """Query as sent, without the question mark."""
    content_type: str = ""
    body: bytes = b""
    signature: str = ""
    """The ``X-Twilio-Signature`` header; empty where missing."""


class SignatureVerifier:
    """Checks requests against one auth token and one public URL."""

    def __init__(self, auth_token: str, public_url: str, account_sid: str = "") -> None:
        """``account_sid``: where it is known, forms of other accounts are refused before anything is computed."""
        self._key = auth_token.encode()
        self._base_url = public_url.rstrip("/")
        self._account_sid = account_sid

    def verify(self, request: SignedRequest) -> Form:
        """The form (or, for GET, the query) as fields. Raises AuthenticationError: missing, malformed, bad_signature."""
        # A fragment (``#rc=2``) steers Twilio's retries and is neither sent nor signed; some clients send it all the same.
        query = request.raw_query.partition("#")[0]
        urls = (self._base_url + request.raw_path.partition("#")[0] + (f"?{query}" if query else ""),)
        if request.method == "GET":
            self._check(urls, Form(), request.signature)
            return read_form(query)
        if _is_form(request.content_type):
            form = read_form(_decoded(request.body))
            _check_names(form)
            if self._account_sid and form.get(_FIRST_FIELD) not in ("", self._account_sid):
                raise AuthenticationError("foreign_account")
            self._check(urls, form, request.signature)
            return form
        # Anything else has a body the signature does not cover unless its hash is in the URL.
        claimed = parse_qs(query).get("bodySHA256", [""])[0]
        actual = sha256(request.body).hexdigest()
        if not compare_digest(claimed.encode(), actual.encode()):
            raise AuthenticationError("bad_signature" if claimed else "missing")
        self._check(urls, Form(), request.signature)
        return Form()

    def verify_handshake(self, raw_path: str, raw_query: str, signature: str) -> None:
        """A WebSocket upgrade: signed over the ``wss`` URL of our TwiML. Raises AuthenticationError."""
        url = "ws" + self._base_url.removeprefix("http") + raw_path
        # Twilio drops the query of a stream URL; whatever came, the signature decides.
        self._check(_slash_variants(url + (f"?{raw_query}" if raw_query else "")), Form(), signature)

    def _check(self, urls: Iterable[str], form: Form, signature: str) -> None:
        if not signature:
            raise AuthenticationError("missing")
        if not _SIGNATURE.fullmatch(signature):
            raise AuthenticationError("bad_signature")
        given, fields = signature.encode(), _signed_fields(form)
        for url in urls:
            for variant in _port_variants(url):
                # That the first was right is no secret: the answer says so.
                if compare_digest(b64encode(digest(self._key, variant.encode() + fields, "sha1")), given):
                    return
        raise AuthenticationError("bad_signature")


def read_form(text: str) -> Form:
    """``application/x-www-form-urlencoded`` with blank and repeated values kept. Raises AuthenticationError (malformed)."""
    try:
        return Form(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"))
    except ValueError:  # too many fields, or not UTF-8
        raise AuthenticationError("malformed") from None


def _signed_fields(form: Form) -> bytes:
    """Names in order, each before every of its values, in order and once."""
    return "".join(name + value for name in sorted(form) for value in sorted(set(form.getall(name)))).encode()


def _check_names(form: Form) -> None:
    names = list(form)
    if not all(map(_FIELD_NAME.fullmatch, names)) or (_FIRST_FIELD in names and min(names) != _FIRST_FIELD):
        raise AuthenticationError("malformed")


def _is_form(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("", "application/x-www-form-urlencoded")


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise AuthenticationError("malformed") from None


def _slash_variants(url: str) -> tuple[str, str]:
    """For the handshake: whether Twilio signs a stream URL with a slash at its end is not documented."""
    head, mark, query = url.partition("?")
    other = head[:-1] if head.endswith("/") else head + "/"
    return (url, other + mark + query)


def _port_variants(url: str) -> Iterator[str]:
    """With and without the port: which one Twilio signs depends on the product and on the scheme's default."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    yield url
    if parts.port is None:
        yield parts._replace(netloc=f"{host}:{_DEFAULT_PORTS[parts.scheme]}").geturl()
    else:
        yield parts._replace(netloc=host.removesuffix(f":{parts.port}")).geturl()
