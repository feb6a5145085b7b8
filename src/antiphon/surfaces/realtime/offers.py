"""What ``POST /v1/realtime/calls`` may carry: an SDP offer by itself, or a form with the offer and the session's configuration."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import structlog
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from antiphon.surfaces.realtime.http import MAX_BODY_BYTES, HttpError, parse_json
from antiphon.surfaces.realtime.protocol.errors import missing, wrong_type
from antiphon.transports.http_body import read_body

_MOST_PARTS = 8
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046 §5.1.1
_BYTES_AS_TEXT = "latin-1"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CallOffer:
    """Somebody wants to talk. ``session`` is as it came: an object, not checked beyond that; empty where there was none."""

    sdp: str
    session: Mapping[str, Any] = field(default_factory=dict)


def invalid_offer(problem: str) -> HttpError:
    """``problem`` is a sentence without its stop, in words of ours."""
    return HttpError(
        400, f"Invalid SDP offer: {problem}. Please try again with a WHIP-compliant offer.", "invalid_offer"
    )


def no_webrtc(problem: str) -> HttpError:
    """What calls over WebRTC need is not installed. ``problem`` is for the operator's log."""
    log.error("webrtc_unavailable", problem=problem)
    return HttpError(501, "This server takes no calls over WebRTC.", "webrtc_unavailable", kind="server_error")


async def read_offer(request: Request) -> CallOffer:
    """Raises HttpError (400, 415, 501), HTTPException (408, 413), ClientError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/sdp":
        return CallOffer(_sdp(await read_body(request, MAX_BODY_BYTES)))
    if kind == "multipart/form-data":
        return await _read_form(request)
    raise HttpError(
        415,
        "Unsupported content type. Send the offer as 'application/sdp', or 'multipart/form-data' with the parts "
        "'sdp' and 'session'.",
        "unsupported_content_type",
    )


async def _read_form(request: Request) -> CallOffer:
    body = await read_body(request, MAX_BODY_BYTES)
    if find_spec("python_multipart") is None:  # what starlette's parser is made of
        raise no_webrtc("a form needs python-multipart: install antiphon[webrtc]")

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        _form_headers(request), stream(), max_files=_MOST_PARTS, max_fields=_MOST_PARTS, max_part_size=MAX_BODY_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException:
        raise _invalid_form() from None
    try:
        sdp, session = await _part(form.get("sdp")), await _part(form.get("session"))
    finally:
        await form.close()
    if sdp is None:
        raise missing("sdp")
    return CallOffer(_sdp(sdp), _session(session))


def _form_headers(request: Request) -> Headers:
    """What the parser is told of the form: its boundary. The client's ``charset`` it would take for the name of any codec of Python's,
    some of which need the square of the text's length; with ours every byte stays what it was."""
    from python_multipart.multipart import parse_options_header

    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary", b"").decode("latin-1")
    if not _BOUNDARY.fullmatch(boundary):
        raise _invalid_form()
    return Headers({"content-type": f'multipart/form-data; boundary="{boundary}"; charset={_BYTES_AS_TEXT}'})


def _invalid_form() -> HttpError:
    return HttpError(400, "The form of the request could not be parsed as multipart/form-data.", "invalid_form")


async def _part(value: UploadFile | str | None) -> bytes | None:
    """Browsers send a part that has a type of its own as a file."""
    if isinstance(value, UploadFile):
        return await value.read()
    return value.encode(_BYTES_AS_TEXT) if value is not None else None


def _sdp(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise invalid_offer("it is not text") from None


def _session(part: bytes | None) -> Mapping[str, Any]:
    if part is None or not part.strip():
        return {}
    try:
        session = parse_json(part)
    except ValueError:
        raise HttpError(
            400, "The part 'session' could not be parsed as JSON.", "invalid_json", param="session"
        ) from None
    if not isinstance(session, dict):
        raise wrong_type("session", "an object", session)
    return session
