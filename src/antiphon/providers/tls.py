"""What a connection to a vendor keeps for TLS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RECORD_BYTES = 16 * 1024 + 320
"""One record of TLS and what is around it (RFC 8446, 5.2)."""
TLS_BUFFERS: Mapping[str, Any] = {"ssl_incoming_bio_size": _RECORD_BYTES, "ssl_outgoing_bio_size": _RECORD_BYTES}
"""For aiofastnet, as arguments. Its default is sixteen records in each direction: half a megabyte for every call and vendor, where some
kilobytes a second pass."""
