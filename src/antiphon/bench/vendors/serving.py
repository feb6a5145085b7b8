"""The three stand-ins on one event loop, and what tells a server of ours where they are."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urlsplit
from weakref import WeakSet

from picows import WSListener, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener, ws_create_server

from antiphon.bench import workload
from antiphon.bench.vendors.certificate import CERTIFICATE, server_context
from antiphon.bench.vendors.deepgram import DeepgramListener, Wish
from antiphon.bench.vendors.delays import DELAYS, KEY, WELL, Delays
from antiphon.bench.vendors.elevenlabs import FORMATS, SPELLINGS, ElevenLabsListener, Sound
from antiphon.bench.vendors.openai import OpenAiServer
from antiphon.bench.vendors.trouble import NoTrouble, Plan, Vendor
from antiphon.providers.scripted_hum import endless, hum
from antiphon.vocabulary import TELEPHONE


def humming(text: str, at: int) -> bytes:
    """Implements ``Sound``."""
    size = workload.MS_PER_CHARACTER * TELEPHONE.rate_hz // 1000
    return endless(hum(TELEPHONE), at * size, (at + len(text)) * size)


@dataclass(frozen=True, slots=True)
class Script:
    """What the stand-ins say."""

    transcripts: Sequence[str] = (workload.TRANSCRIPT,)
    """What is heard in a call's first utterance, its second, …; then again from the first."""
    answers: Sequence[str] = (workload.ANSWER,)
    """To a caller's first turn, its second, …; then again from the first."""
    sound: Sound = humming
    ms_per_character: float = workload.MS_PER_CHARACTER
    spellings: Sequence[str] = SPELLINGS
    """Of contexts' names. See there."""


class StandIns:
    """``async with`` starts and ends them."""

    def __init__(self, script: Script | None = None, delays: Delays = DELAYS, plan: Plan | None = None) -> None:
        self._script, self._delays, self._plan = script or Script(), delays, plan or NoTrouble()
        self._servers: list[asyncio.Server] = []
        self._connections: WeakSet[DeepgramListener | ElevenLabsListener] = WeakSet()
        self._responses = OpenAiServer(self._script.answers, self._delays, self._plan)

    async def __aenter__(self) -> Self:
        context = server_context()
        sockets = await ws_create_server(self._admit, "127.0.0.1", 0, ssl=context)
        self._servers = [sockets, await asyncio.start_server(self._responses.serve, "127.0.0.1", 0, ssl=context)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()

    @property
    def at_work(self) -> dict[Vendor, int]:
        """What they do for calls at this moment: calls that are listened to, answers that are streamed, replies that are spoken."""
        return {
            "deepgram": sum(each.at_work for each in self._connections if isinstance(each, DeepgramListener)),
            "openai": self._responses.at_work,
            "elevenlabs": sum(each.at_work for each in self._connections if isinstance(each, ElevenLabsListener)),
        }

    @property
    def kept_connections(self) -> int:
        """To the voice, which are kept for replies to come."""
        return sum(each.is_open for each in self._connections if isinstance(each, ElevenLabsListener))

    @property
    def ports(self) -> tuple[int, int]:
        """Of the WebSockets and of HTTP."""
        sockets, responses = (server.sockets[0].getsockname()[1] for server in self._servers)
        return sockets, responses

    def _admit(self, request: WSUpgradeRequest) -> WSListener | WSUpgradeResponseWithListener | None:
        address = urlsplit(request.path.decode("ascii", "replace"))
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/v1/listen":
            authorised = request.headers.get("Authorization") == f"Token {KEY}"
            wish = Wish.read(query)
            listener = self._kept(
                DeepgramListener(self._script.transcripts, self._delays, self._plan, wish or Wish()),
            )
            return self._or_refusal("deepgram", listener, authorised=authorised, fits=wish is not None)
        if address.path.startswith("/v1/text-to-speech/") and address.path.endswith("/multi-stream-input"):
            well = f"/{WELL}/" in address.path
            script, plan, wanted = self._script, NoTrouble() if well else self._plan, query.get("output_format", "")
            voice = ElevenLabsListener(
                script.sound, script.ms_per_character, self._delays, plan, wanted, script.spellings
            )
            authorised = request.headers.get("xi-api-key") == KEY
            return self._or_refusal(
                "elevenlabs", self._kept(voice), authorised=authorised, fits=wanted in FORMATS, well=well
            )
        return None

    def _kept(self, listener: DeepgramListener | ElevenLabsListener) -> WSListener:
        self._connections.add(listener)
        return listener

    def _or_refusal(
        self, vendor: Vendor, listener: WSListener, *, authorised: bool, fits: bool, well: bool = False
    ) -> WSListener | WSUpgradeResponseWithListener:
        status = None if authorised else http.HTTPStatus.UNAUTHORIZED
        if authorised and not fits:
            status = http.HTTPStatus.BAD_REQUEST
        elif authorised and not well and self._plan.refuses(vendor):
            status = http.HTTPStatus.TOO_MANY_REQUESTS
        if status is None:
            return listener
        return WSUpgradeResponseWithListener(
            WSUpgradeResponse.create_error_response(status, status.phrase.encode()), None
        )


def environment(ports: tuple[int, int]) -> dict[str, str]:
    """Variables that lead a server of ours to them."""
    sockets, responses = ports
    addresses = {
        "DEEPGRAM": f"wss://localhost:{sockets}",
        "OPENAI": f"https://localhost:{responses}/v1",
        "ELEVENLABS": f"wss://localhost:{sockets}",
    }
    variables = {"SSL_CERT_FILE": str(CERTIFICATE)}
    for name, address in addresses.items():
        variables[f"ANTIPHON_VENDORS__{name}__API_KEY"] = KEY
        variables[f"ANTIPHON_VENDORS__{name}__BASE_URL"] = address
    return variables
