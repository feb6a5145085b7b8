"""One exception tree, with a stable ``code`` on each leaf so callers never parse text.

AntiphonError
├── ConfigurationError      a setting or an assistant file is wrong: names the field and what is allowed
├── ProtocolError           the peer broke a wire protocol (their fault)
│   ├── MalformedMessage    this message cannot be read; the connection may go on
│   └── ProtocolViolation   the connection cannot go on; carries the close code
├── AuthenticationError     signature, token or key wrong, expired or replayed
├── ProviderError           a vendor or an engine failed
│   ├── ProviderTimeout     … by not answering in time
│   └── ProviderUnavailable … by not being reachable or not being installed
├── RequestFailed           a request to an application's server was not answered, or not allowed
├── StoreUnavailable        the database cannot be reached or opened
├── ValueRefused            the database works, and cannot keep a value that it was given
├── ValueTaken              another document has a value that only one may have (a telephone number)
├── CapacityError           the server is full or draining and takes no new call
└── IllegalTransition       a conversation state machine was fed an event its table does not list (our fault)
"""

from __future__ import annotations


class AntiphonError(Exception):
    """Base of everything Antiphon raises on purpose."""

    code = "error"


class ConfigurationError(AntiphonError):
    """A setting is wrong. ``field`` is its dotted path; the text says what is allowed. Where it was read from a file, ``file`` and ``line``
    say where (0: not known)."""

    code = "configuration"

    def __init__(self, field: str, problem: str, *, file: str = "", line: int = 0) -> None:
        place = [file, *([str(line)] if line else [])] if file and file != field else []
        super().__init__(": ".join([*([":".join(place)] if place else []), field, problem]))
        self.field = field
        self.problem = problem
        self.file = file
        self.line = line


class ProtocolError(AntiphonError):
    """The peer broke a wire protocol."""

    code = "protocol"


class MalformedMessage(ProtocolError):
    """One message cannot be read. ``kind`` is a short stable label, used as a metric label; no content is kept."""

    code = "malformed_message"

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


class ProtocolViolation(ProtocolError):
    """The connection must be closed with WebSocket ``close_code`` (RFC 6455 §7.4)."""

    code = "protocol_violation"

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(reason)
        self.close_code = close_code
        self.reason = reason


class AuthenticationError(AntiphonError):
    """A signature, token or key is missing, wrong, expired or used before. ``reason`` is a short stable label."""

    code = "authentication"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderError(AntiphonError):
    """A vendor or local engine failed. ``provider`` is its registry name."""

    code = "provider"
    incident: object = None
    """The same for all errors that one event made: a connection that is lost ends whatever was being done over it."""

    def __init__(self, provider: str, problem: str) -> None:
        super().__init__(f"{provider}: {problem}")
        self.provider = provider
        self.problem = problem


class ProviderTimeout(ProviderError):
    """The provider did not answer in time."""

    code = "provider_timeout"


class ProviderUnavailable(ProviderError):
    """The provider cannot be reached, or its engine is not installed (the text says which extra to install)."""

    code = "provider_unavailable"


class RequestFailed(AntiphonError):
    """A request to an application's server came to nothing. ``reason`` is a short stable label: ``refused`` (an address we do not call),
    ``connection``, ``timeout``, ``busy``, ``too_large``, ``redirect``, ``authentication``, ``protocol``. The text holds no address."""

    code = "request_failed"

    def __init__(self, reason: str, problem: str = "") -> None:
        super().__init__(f"{reason}: {problem}" if problem else reason)
        self.reason = reason


class StoreUnavailable(AntiphonError):
    """The database cannot be reached or opened. The text holds no data."""

    code = "store_unavailable"


class ValueRefused(AntiphonError):
    """A value that the database cannot keep, or cannot look for: too long for its column, or a number of more than 64 bits. It would be
    refused again. The text holds no data."""

    code = "value_refused"


class ValueTaken(AntiphonError):
    """Another document has a value that only one may have. The text holds no data."""

    code = "value_taken"


class CapacityError(AntiphonError):
    """No new call is taken. ``reason`` is ``full``, ``draining``, or ``failing`` (the media beat fails)."""

    code = "capacity"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IllegalTransition(AntiphonError):
    """A state machine was given an event its table does not list for its state: a bug of ours, never a no-op."""

    code = "illegal_transition"

    def __init__(self, machine: str, state: str, event: str) -> None:
        super().__init__(f"{machine}: {event} is not possible in state {state}")
        self.machine = machine
        self.state = state
        self.event = event
