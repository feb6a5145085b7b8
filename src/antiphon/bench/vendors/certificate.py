"""TLS for servers on this machine: one certificate that comes with Antiphon, so that nothing has to be made or installed.

Its key is public, so it proves nothing; only what is told to trust it (``SSL_CERT_FILE``, for one process) does.
"""

from __future__ import annotations

import ssl
from importlib.resources import files
from pathlib import Path

CERTIFICATE = Path(str(files("antiphon.bench.vendors"))) / "localhost.pem"
"""Certificate and key for ``localhost`` and ``127.0.0.1``."""


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context
