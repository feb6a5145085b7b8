"""DTLS and SRTP by aiortc, for one leg. The only place that knows the inside of its DTLS transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, cast

import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from antiphon.transports.webrtc.ice import IceLink
from antiphon.transports.webrtc.sdp import Fingerprint, Setup


class SecureLink(RTCDtlsTransport):
    """Keys for media, and the pipe below SCTP. Each leg has a certificate of its own (0.3 ms)."""

    def __init__(self, link: IceLink) -> None:
        certificate = RTCCertificate.generateCertificate()
        super().__init__(cast(Any, link), [certificate])
        self.fingerprint = next(
            Fingerprint(each.algorithm, each.value)
            for each in certificate.getFingerprints()
            if each.algorithm == "sha-256"
        )

    async def shake_hands(self, fingerprints: tuple[Fingerprint, ...], setup: Setup) -> None:
        """Agree on keys as the side that the answer named, and check that the peer is the offer's. Raises ConnectionError."""
        role: Literal["client", "server"] = "server" if setup == "passive" else "client"
        self._set_role(role)
        peer = [RTCDtlsFingerprint(algorithm=each.algorithm, value=each.value) for each in fingerprints]
        await self.start(RTCDtlsParameters(fingerprints=peer, role="server" if role == "client" else "client"))
        if self.state != "connected":
            raise ConnectionError("the DTLS handshake failed")

    def when_ended(self, tell: Callable[[BaseException | None], None]) -> None:
        """``tell`` is called when the peer has ended the connection (with None), or reading it has failed. Not after ``stop``."""

        def ended(task: asyncio.Future[None]) -> None:
            if not task.cancelled():
                tell(task.exception())

        assert self._task is not None, "after the handshake"
        self._task.add_done_callback(ended)

    def open_media(self, data: bytes) -> bytes | None:
        """An SRTP packet decrypted; None for one that is not the peer's, was here before, or came before the keys."""
        try:
            return self._rx_srtp.unprotect(data) if self._rx_srtp is not None else None
        except (pylibsrtp.Error, TypeError):  # TypeError: longer than libsrtp's buffer
            return None

    def seal_media(self, data: bytes) -> bytes:
        """An RTP packet encrypted."""
        return self._tx_srtp.protect(data)

    def seal_control(self, data: bytes) -> bytes:
        """An RTCP packet encrypted."""
        return self._tx_srtp.protect_rtcp(data)
