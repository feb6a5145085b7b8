"""The stream token: what lets a media socket become a call.

What a carrier signs at the WebSocket handshake may have neither time nor nonce (Twilio's has not), so that it can be replayed; this token
cannot. It travels as a parameter in our answer to the call's webhook and comes back when the stream starts: HMAC-SHA256 over its content,
128 random bits, bound to the carrier's ids of the call and the account, good for a minute and for one socket. Any process that has the
secret can check it. "Once" is kept in each process, and where several share what was spent (``SpendNonce``), in all of them.

The caller's and the called number are bound by the signature but not written into the token: they travel as parameters
of their own, which Twilio knows anyway.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

import orjson

from antiphon.errors import AntiphonError, AuthenticationError, CapacityError
from antiphon.transports.base import Direction

TOKEN, CALLER, CALLED = "token", "caller", "called"
"""Names of the stream's parameters."""
MAX_TOKEN_CHARS = 480
"""Twilio allows 500 characters for a parameter's name and value, the least of the carriers known to us."""
_NONCE_BYTES = 16
_VERSION = 1


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token says. Numbers are not in it; ``StreamTokens`` binds them."""

    call_id: str
    assistant: str
    provider_call_id: str
    account_id: str = ""
    direction: Direction = "inbound"


@dataclass(frozen=True, slots=True)
class Parties:
    """The two ends as the carrier named them; either may be empty."""

    caller: str = ""
    called: str = ""


SpendNonce = Callable[[str, int], Awaitable[bool]]
"""``(nonce, ttl_ms)``: spends it for all processes; False where one of them has spent it. Raises StoreUnavailable."""


class SpentNonces:
    """Nonces seen, kept until they would expire: by the wall clock, which decides whether a token is good, and by the session clock,
    because the wall clock may be put right meanwhile: a token that seemed expired for a moment would be good again, and not known. Only
    nonces of tokens with a good signature get here, so nobody outside can fill it."""

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._expiry_by_nonce: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """Until when: (wall_ms, now_ms)."""

    def __len__(self) -> int:
        return len(self._expiry_by_nonce)

    def spend(self, nonce: str, expires_wall_ms: int, wall_ms: int, expires_ms: int, now_ms: int) -> bool:
        """False where ``nonce`` was spent before. It is kept until both clocks have passed its expiry. Raises CapacityError where too many
        are live: forgetting one would open a door."""
        if nonce in self._expiry_by_nonce:
            return False
        if len(self._expiry_by_nonce) >= self._capacity:
            self._forget_expired(wall_ms, now_ms)
            if len(self._expiry_by_nonce) >= self._capacity:
                raise CapacityError("full")
        self._expiry_by_nonce[nonce] = (expires_wall_ms, expires_ms)
        self._forget_oldest(wall_ms, now_ms)
        return True

    def _forget_oldest(self, wall_ms: int, now_ms: int) -> None:
        # Tokens live equally long, so the first in are the first to expire; two a call keep the map near its floor.
        for _ in range(2):
            nonce, (expires_wall_ms, expires_ms) = next(iter(self._expiry_by_nonce.items()))
            if expires_wall_ms > wall_ms or expires_ms > now_ms:
                return
            del self._expiry_by_nonce[nonce]

    def _forget_expired(self, wall_ms: int, now_ms: int) -> None:
        expired = [
            nonce
            for nonce, (expires_wall_ms, expires_ms) in self._expiry_by_nonce.items()
            if expires_wall_ms <= wall_ms and expires_ms <= now_ms
        ]
        for nonce in expired:
            del self._expiry_by_nonce[nonce]


class StreamTokens:
    """Mints and verifies. ``secret`` is 32 bytes, equal in all processes."""

    def __init__(self, secret: bytes, ttl_ms: int = 60_000, spent: SpentNonces | None = None) -> None:
        self._secret = secret
        self._ttl_ms = ttl_ms
        self._spent = spent if spent is not None else SpentNonces()

    def mint(self, claims: TokenClaims, parties: Parties, wall_ms: int) -> str:
        """A fresh token. Raises ValueError where a name in it is too long to fit."""
        content = orjson.dumps(
            [
                _VERSION,
                secrets.token_urlsafe(_NONCE_BYTES),
                wall_ms + self._ttl_ms,
                claims.provider_call_id,
                claims.account_id,
                claims.call_id,
                claims.assistant,
                claims.direction,
            ]
        )
        token = f"{_encode(content)}.{_encode(self._mac(content, parties))}"
        if len(token) > MAX_TOKEN_CHARS:
            raise ValueError("the assistant's name is too long for a stream token")
        return token

    def verify(
        self,
        token: str,
        provider_call_id: str,
        wall_ms: int,
        now_ms: int,
        parties: Parties = Parties(),
        account_id: str = "",
    ) -> TokenClaims:
        """The claims, and the token is spent. Raises AuthenticationError with ``reason`` one of missing, malformed,
        bad_signature, expired, wrong_call, replayed; CapacityError where too many calls start at once."""
        content, mac = _split(token)
        if not hmac.compare_digest(mac, self._mac(content, parties)):
            raise AuthenticationError("bad_signature")
        nonce, expires_wall_ms, claims = _read(content)
        if wall_ms >= expires_wall_ms:
            raise AuthenticationError("expired")
        if claims.provider_call_id != provider_call_id or (claims.account_id and claims.account_id != account_id):
            raise AuthenticationError("wrong_call")
        # By the session clock it has its whole life before it, whatever is left of it by the wall clock now.
        if not self._spent.spend(nonce, expires_wall_ms, wall_ms, now_ms + self._ttl_ms, now_ms):
            raise AuthenticationError("replayed")
        return claims

    async def spend_for_all(self, token: str, parties: Parties, spend: SpendNonce) -> bool:
        """Before ``verify``: False where another process has verified this token. What is no token of ours is left to ``verify``, and so
        is everything where the others cannot be asked: then once means once in each process."""
        try:
            content, mac = _split(token)
            if not hmac.compare_digest(mac, self._mac(content, parties)):
                return True
            nonce, _, _ = _read(content)
            return await spend(nonce, self._ttl_ms)
        except AntiphonError:
            return True

    def _mac(self, content: bytes, parties: Parties) -> bytes:
        # The numbers are hashed as a JSON array so that no pair of them can be shifted into another.
        bound = content + b"\0" + orjson.dumps([parties.caller, parties.called])
        return hmac.new(self._secret, bound, hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _split(token: str) -> tuple[bytes, bytes]:
    if not token:
        raise AuthenticationError("missing")
    content, dot, mac = token.partition(".")
    if not dot or len(token) > MAX_TOKEN_CHARS:
        _malformed()
    try:
        return _decode(content), _decode(mac)
    except ValueError:  # binascii.Error is one; so is what non-ASCII text raises
        _malformed()


def _read(content: bytes) -> tuple[str, int, TokenClaims]:
    """Content we signed ourselves; another version of ourselves may have."""
    fields = orjson.loads(content)
    if fields[0] != _VERSION:
        _malformed()
    _, nonce, expires_wall_ms, provider_call_id, account_id, call_id, assistant, direction = fields
    return nonce, expires_wall_ms, TokenClaims(call_id, assistant, provider_call_id, account_id, direction)


def _malformed() -> NoReturn:
    raise AuthenticationError("malformed") from None
