"""The origin of a web page that uses the API from a browser: another than the server's, as it is for most."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.programs import JS

_BUNDLE = JS / "node_modules" / "@openai" / "agents-realtime" / "dist" / "bundle" / "openai-realtime-agents.umd.js"
_FILES: dict[str, tuple[Path, str]] = {
    "/": (JS / "page.html", "text/html; charset=utf-8"),
    "/agents.js": (_BUNDLE, "text/javascript; charset=utf-8"),
}


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, kind = _FILES.get(self.path, (None, ""))
        if path is None:
            self.send_error(404)
            return
        body = path.read_bytes()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing to say."""


@contextmanager
def page_origin() -> Iterator[str]:
    """The address of the page while the block runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}/"
        finally:
            listener.shutdown()
            thread.join()
