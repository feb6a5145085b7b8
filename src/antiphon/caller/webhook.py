"""How a call reaches a server: Twilio's voice webhook, its signature, and the TwiML that comes back.

The rules are Twilio's: the webhook is a form POST signed with the account's auth token over the URL and all parameters;
the media socket's upgrade is signed over the URL exactly as the TwiML gives it; a ``<Stream>`` URL has no query string.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit
from xml.etree import ElementTree

import httpx
from twilio.request_validator import RequestValidator

from antiphon.caller.wire import StreamIds
from antiphon.errors import AntiphonError

WEBHOOK_TIMEOUT_S = 15.0
"""Twilio's own limit for the whole request."""
MAX_TWIML_BYTES = 64 * 1024
MAX_REDIRECTS = 3
PARAMETER_LIMIT = 500


class CallFailed(AntiphonError):
    """The call could not be made, or broke. The text is for the person who placed it."""

    code = "call_failed"


class CallRefused(CallFailed):
    """The server would not take the call, and said so as a telephone network understands it."""

    code = "call_refused"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls whom, and with which secret Twilio would sign it (empty: unsigned)."""

    caller: str = "+15550100001"
    called: str = "+15550100002"
    account_sid: str = "AC" + "0" * 32
    auth_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Stream:
    """Where the media goes."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """What Twilio would not have accepted."""


def split_url(url: str, *schemes: str) -> SplitResult:
    """The parts of ``url``. Raises CallFailed where its scheme is none of ``schemes``, or host or port make no sense."""
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise CallFailed(f"not a URL: {error}") from error
    if not usable:
        raise CallFailed(f"the URL must begin with {wanted} and a host")
    return parts


def new_stream_ids(account_sid: str) -> StreamIds:
    """Fresh random names for one call."""
    return StreamIds(account_sid, "CA" + secrets.token_hex(16), "MZ" + secrets.token_hex(16))


def handshake_headers(url: str, auth_token: str) -> dict[str, str]:
    """Extra headers of the media socket's upgrade request; none without a token."""
    if not auth_token:
        return {}
    return {"x-twilio-signature": RequestValidator(auth_token).compute_signature(url, {})}


async def ask_webhook(client: httpx.AsyncClient, url: str, identity: Identity, ids: StreamIds) -> Stream:
    """Ring the server: where does it want the media? Raises CallFailed in the caller's own words."""
    for _ in range(1 + MAX_REDIRECTS):
        twiml = await _post(client, url, identity, ids)
        answer = read_twiml(twiml)
        if isinstance(answer, Stream):
            return answer
        url = _absolute(url, answer)
    raise CallFailed(f"the server redirected the call more than {MAX_REDIRECTS} times")


def _absolute(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError as error:
        raise CallFailed(f"the server redirected the call to what is not a URL: {error}") from error


async def _post(client: httpx.AsyncClient, url: str, identity: Identity, ids: StreamIds) -> bytes:
    split_url(url, "http", "https")
    form = {
        "AccountSid": identity.account_sid,
        "ApiVersion": "2010-04-01",
        "CallSid": ids.call_sid,
        "CallStatus": "ringing",
        "Called": identity.called,
        "Caller": identity.caller,
        "Direction": "inbound",
        "From": identity.caller,
        "To": identity.called,
    }
    headers = {"I-Twilio-Idempotency-Token": ids.call_sid}
    if identity.auth_token:
        headers["X-Twilio-Signature"] = RequestValidator(identity.auth_token).compute_signature(url, form)
    try:
        async with client.stream("POST", url, data=form, headers=headers, timeout=WEBHOOK_TIMEOUT_S) as response:
            if response.status_code != 200:
                raise CallFailed(_refusal(response.status_code, signed=bool(identity.auth_token)))
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_TWIML_BYTES:
                    raise CallFailed(f"the webhook's answer is longer than {MAX_TWIML_BYTES} bytes")
            return body
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CallFailed(f"the webhook cannot be reached: {str(error) or type(error).__name__}") from error


def _refusal(status: int, *, signed: bool) -> str:
    text = f"the webhook answered HTTP {status}"
    if status in (401, 403):
        text += " (is the auth token the server's?)" if signed else " (no auth token was given to sign with)"
    return text


def read_twiml(twiml: bytes) -> Stream | str:
    """The stream a TwiML document connects to, or the URL it redirects to. Raises CallRefused where the call ends there,
    CallFailed for anything else.

    ``<Say>``, ``<Play>`` and ``<Pause>`` before it are passed over: they are Twilio's to carry out.
    """
    if b"<!" in twiml.replace(b"<!--", b""):
        raise CallFailed("the webhook's TwiML has a document type or entity declaration, which Twilio refuses")
    try:
        root = ElementTree.fromstring(twiml)
    except ElementTree.ParseError as error:
        raise CallFailed(f"the webhook's answer is not XML ({error})") from error
    if root.tag != "Response":
        raise CallFailed("the webhook's answer is not TwiML: the root element must be <Response>")
    said = ""
    for verb in root:
        if verb.tag == "Connect":
            return _read_stream(verb)
        if verb.tag == "Redirect":
            return (verb.text or "").strip()
        if verb.tag == "Reject":
            raise CallRefused(f"the server rejected the call: {verb.get('reason', 'rejected')}")
        if verb.tag == "Hangup":
            break
        if verb.tag == "Say":
            said = (verb.text or "").strip()
        elif verb.tag not in ("Play", "Pause"):
            raise CallFailed(f"the TwiML's <{verb.tag}> is not a two-way stream: <Connect><Stream> is needed")
    raise CallRefused("the server took no media and hung up" + (f', saying: "{said}"' if said else ""))


def _read_stream(connect: ElementTree.Element) -> Stream:
    stream = connect.find("Stream")
    if stream is None:
        raise CallFailed("the TwiML's <Connect> has no <Stream>")
    url = stream.get("url", "").strip()
    try:
        split_url(url, "wss", "ws")
    except CallFailed as error:
        raise CallFailed(f"the TwiML's <Stream> cannot be opened: {error}") from error
    parameters = {each.get("name", ""): each.get("value", "") for each in stream.findall("Parameter")}
    return checked_stream(url, parameters)


def checked_stream(url: str, parameters: Mapping[str, str]) -> Stream:
    """A stream as Twilio would open it, with warnings for what Twilio would not do."""
    warnings = []
    parts = urlsplit(url)
    if parts.query:
        warnings.append("the stream URL has a query string, which Twilio does not pass on (31920)")
    if parts.scheme == "ws" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        warnings.append("the stream URL is not wss://, which Twilio refuses (31922)")
    for name, value in parameters.items():
        if len(name) + len(value) >= PARAMETER_LIMIT:
            warnings.append(f"the stream parameter {name!r} is longer than Twilio's {PARAMETER_LIMIT} characters")
    bare = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return Stream(bare, dict(parameters), tuple(warnings))
