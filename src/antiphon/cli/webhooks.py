"""``antiphon webhooks``: what an application would be told, on a developer's own screen."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import click
import httpx
import orjson
import uvicorn
from rich.console import Console
from rich.markup import escape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from antiphon.cli.terminal import show_error
from antiphon.errors import AuthenticationError, ConfigurationError
from antiphon.transports.binding import bound_socket
from antiphon.webhooks.signing import Signed, standard_webhooks, vapi_signature, verify_hmac, verify_secret

MAX_BODY_BYTES = 16 * 1024 * 1024
_URL = re.compile(r"https?://[^/\s]")
_FORWARD_S = 30.0
_NOT_FORWARDED = frozenset(["host", "content-length", "connection", "transfer-encoding", "accept-encoding"])


@click.group()
def webhooks() -> None:
    """Look at what an application's server is sent."""


@webhooks.command(short_help="Print and check every message that arrives.")
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option("--port", default=4242, type=click.IntRange(1, 65535), help="The port to listen on.")
@click.option(
    "--forward-to",
    default="",
    show_default=False,
    help="An application's URL: it is sent the same request, and its answer is the answer.",
)
@click.option(
    "--secret",
    default="",
    show_default=False,
    help="The server's secret: what does not prove that it knows it is answered 401.",
)
def listen(host: str, port: int, forward_to: str, secret: str) -> None:
    """Print every message that arrives, check who sent it, and hand it on."""
    console = Console()
    try:
        if forward_to and not _URL.match(forward_to):
            raise ConfigurationError("--forward-to", "must begin with http:// or https:// and a host")
        bound = bound_socket(host, port)
    except (ConfigurationError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(2) from error
    to = f", handing on to {escape(forward_to)}" if forward_to else ""
    console.print(f"Listening on http://{host}:{port}{to}", soft_wrap=True)
    config = uvicorn.Config(listener(console, forward_to, secret), log_level="warning", ws="none")
    with bound:
        uvicorn.Server(config).run(sockets=[bound])


def listener(console: Console, forward_to: str = "", secret: str = "") -> Starlette:
    """The application behind ``listen``."""

    async def take(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY_BYTES:
                return JSONResponse({"error": "the body is too large"}, status_code=413)
        problem = proof_problem(secret, request.method, str(request.url), request.headers, body) if secret else ""
        console.print(line_of(body), f"[bold red]{problem}[/]" if problem else "", markup=True, highlight=False)
        if problem:
            return JSONResponse({"error": problem}, status_code=401)
        return await _forwarded(console, forward_to, request, body) if forward_to else JSONResponse({})

    return Starlette(routes=[Route("/{path:path}", take, methods=["POST"])])


def proof_problem(secret: str, method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """Why a request does not prove that its sender knows the secret; empty where it does: by ``X-Vapi-Secret``, ``x-vapi-signature``, or
    Standard Webhooks."""
    signed, now_s = Signed(body, method, url), int(time.time())
    try:
        if "x-vapi-signature" in headers:
            verify_hmac(vapi_signature(secret), signed, headers, now_s)
        elif "webhook-signature" in headers:
            verify_hmac(standard_webhooks(secret), signed, headers, now_s)
        else:
            verify_secret(secret, headers)
    except AuthenticationError as error:
        return f"not proven: {error}"
    return ""


def line_of(body: bytes) -> str:
    """What a message says, in a line."""
    try:
        message: Any = orjson.loads(body)["message"]
        kind, call = str(message["type"]), message.get("call") or {}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return f"[yellow]no message[/] ({len(body)} bytes)"
    told = [f"[bold]{escape(kind)}[/]", escape(str(call.get("id", "")))]
    told += [
        escape(str(message[name])) for name in ("status", "role", "endedReason", "transcript") if message.get(name)
    ]
    for asked in message.get("toolCalls") or ():
        function = asked.get("function", {})
        told.append(escape(f"{function.get('name')}({orjson.dumps(function.get('arguments')).decode()})"))
    return "  ".join(part for part in told if part)


async def _forwarded(console: Console, forward_to: str, request: Request, body: bytes) -> Response:
    headers = {name: value for name, value in request.headers.items() if name not in _NOT_FORWARDED}
    try:
        async with httpx.AsyncClient(timeout=_FORWARD_S) as client:
            answer = await client.post(forward_to, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        console.print(f"  [red]not handed on: {type(error).__name__}[/]")
        return JSONResponse({"error": "the application did not answer"}, status_code=502)
    console.print(f"  answered {answer.status_code}")
    kind = answer.headers.get("content-type", "application/json")
    return Response(answer.content, answer.status_code, media_type=kind)
