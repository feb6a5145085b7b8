"""A server of models' files that misbehaves on command: real HTTP on a real socket, in a thread, for a client that blocks."""

from __future__ import annotations

import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Trouble = Literal[
    "break", "short_length", "long_length", "more_than_said", "wrong", "busy", "gone", "wrong_range", "no_ranges", "endless", "no_length",
    "elsewhere", "nothing_left",
]  # fmt: skip


class ModelServer:
    """Serves ``files`` (by path). ``troubles``: what the next requests get, one each."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.troubles: deque[Trouble | None] = deque()
        self.ranges: list[str] = []
        """The ranges asked for; empty for whole files."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    site: ModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the tests' output."""

    def do_GET(self) -> None:
        site = self.site
        trouble = site.troubles.popleft() if site.troubles else None
        site.ranges.append(self.headers.get("Range", ""))
        if trouble == "elsewhere":
            self._answer(302, Location=f"{site.url.rstrip('/')}{self.path}")
            return
        content = site.files.get(self.path)
        if content is None or trouble in ("busy", "gone"):
            self._answer(503 if trouble == "busy" else 404)
            return
        if trouble == "wrong":
            content = bytes(byte ^ 1 for byte in content)
        start = self._start(trouble)
        if start is not None and (start >= len(content) or trouble == "nothing_left"):
            self._answer(416)
            return
        self._send(content, start, trouble)

    def _start(self, trouble: Trouble | None) -> int | None:
        asked = self.headers.get("Range")
        if asked is None or trouble == "no_ranges":
            return None
        if_range, etag = self.headers.get("If-Range"), self.site.etags.get(self.path)
        return None if if_range is not None and if_range != etag else int(asked.removeprefix("bytes=").rstrip("-"))

    def _send(self, content: bytes, start: int | None, trouble: Trouble | None) -> None:
        body = content[start or 0 :]
        length = len(body) + {"short_length": -3, "long_length": 5}.get(trouble or "", 0)
        self.send_response(200 if start is None else 206)
        if start is not None:
            shown = start + 1 if trouble == "wrong_range" else start
            self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
        if (etag := self.site.etags.get(self.path)) is not None:
            self.send_header("ETag", etag)
        if trouble in ("endless", "no_length"):
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if trouble == "endless":
            body = body + b"x" * 1000
        if trouble == "break":
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.close_connection = trouble in ("break", "endless", "no_length", "short_length", "long_length")

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()
