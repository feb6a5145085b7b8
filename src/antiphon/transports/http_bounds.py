"""What one HTTP connection may cost, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpBounds:
    """Sizes are of what arrives before anybody was asked for a key; what each route takes of a body is for it to say, below these."""

    max_head_bytes: int = 32 * 1024
    """Request line and headers. nginx takes 32 KiB, Node 16."""
    max_headers: int = 100
    """Apache's number. A browser behind two proxies sends thirty."""
    max_url_bytes: int = 8 * 1024
    """RFC 9110 §4.1 recommends 8,000 at least."""
    max_body_bytes: int = 1024 * 1024
    """Twice what the route that takes most does take."""
    uploads: Mapping[str, int] = field(default_factory=dict)
    """Paths that take larger bodies, in pieces that they do not keep in memory, and how many bytes."""
    max_framing_bytes: int = 256 * 1024
    """Chunk sizes, their extensions and trailers of one request: 512 KiB of body in chunks of 16 bytes has 160 of it."""
    max_pipelined: int = 16
    """Requests sent ahead on one connection. Browsers, Twilio and the SDKs send none."""
    max_discarded_bytes: int = 256 * 1024
    """Of a body that no handler asked for, or after a refusal: read and thrown away so that the answer gets through."""
    head_timeout_s: float = 5.0
    """How long a request's head may take to arrive."""
    idle_timeout_s: float = 75.0
    """How long a connection may wait for its next request: longer than clients and proxies keep one, or a request meets the end of its
    connection and has no answer. httpx keeps one for 5 s, nginx and Amazon's load balancers for 60 s. nginx's own number; beyond
    ``max_connections`` the one that has waited longest makes room sooner."""
    request_timeout_s: float = 60.0
    """From the end of the head until the answer was written. Handlers have shorter times of their own."""
    discard_timeout_s: float = 2.0
    """How long the rest of a body may take that no handler asked for (RFC 9112 §9.6)."""
    close_timeout_s: float = 5.0
    """How long a peer may take to read what it was answered before the connection closes."""
    max_connections: int = 256
    """At once, media sockets not counted. Beyond, the one that has shown nothing for longest makes room."""
    spare_handles: int = 48
    """Below the process's limit of file handles from which on connections are given up: for recordings, logs and engines."""

    def max_body_of(self, path: str) -> int:
        """What the body of a request may have at this path."""
        return self.uploads.get(path, self.max_body_bytes)

    @property
    def max_elsewhere(self) -> int:
        """Requests at once that are not a carrier's: the last quarter of the connections is the telephone's."""
        return self.max_connections * 3 // 4
