"""What a WebRTC leg costs: CPU milliseconds per call-second of this process, by thread, both directions, over this machine's own network.

    python bench/webrtc_legs.py --legs 1 10 20 --seconds 20 [--engine aiortc] [--complexity 5] [--talk 0.5]

The clients are stock aiortc peers in processes of their own; they send speech encoded beforehand all the time, as browsers do, and the
agent speaks for ``--talk`` of it. ``--engine stock`` measures aiortc's own RTCPeerConnection in the same place, with the same clients.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from av.packet import Packet

from antiphon.clock import SystemClock
from antiphon.providers.scripted_hum import hum
from antiphon.transports.watch import SocketWatch
from antiphon.transports.webrtc.aiortc_engine import AiortcEngine
from antiphon.transports.webrtc.opus import OpusEncoder
from antiphon.transports.webrtc.settings import WebRtcSettings
from antiphon.vocabulary import AudioFormat, Encoding

CLIENTS_PER_PROCESS = 10
PERIOD_S = 4.0
RATE_HZ = 24_000
SPEECH = hum(AudioFormat(Encoding.PCM16, RATE_HZ))

Answer = Callable[[str], Awaitable[str]]


# ---------------------------------------------------------------------------------------------- clients


class Microphone(MediaStreamTrack):
    """Packets encoded beforehand, in real time."""

    kind = "audio"

    def __init__(self, packets: list[bytes]) -> None:
        super().__init__()
        self._packets = packets
        self._count = 0
        self._began = time.monotonic()

    async def recv(self) -> Packet:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(max(0.0, self._began + self._count * 0.02 - time.monotonic()))
        packet = Packet(self._packets[self._count % len(self._packets)])
        packet.pts = self._count * 960
        packet.time_base = Fraction(1, 48_000)
        self._count += 1
        return packet


def client_process(pipe: Any, count: int) -> None:
    """``count`` peers. The pipe carries offers out and answers in, then anything that says stop."""

    async def run() -> None:
        encoder = OpusEncoder(RATE_HZ, 32_000, 5)
        frames = range(0, len(SPEECH) - 960, 960)
        packets = [encoder.encode(SPEECH[at : at + 960]) for at in frames]
        peers, reads = [], []
        for _ in range(count):
            peer = RTCPeerConnection()
            peer.createDataChannel("oai-events")
            peer.addTrack(Microphone(packets))

            @peer.on("track")
            def on_track(track: MediaStreamTrack) -> None:
                async def drain() -> None:
                    try:
                        while True:
                            await track.recv()
                    except MediaStreamError:
                        return

                reads.append(asyncio.ensure_future(drain()))

            await peer.setLocalDescription(await peer.createOffer())
            pipe.send(peer.localDescription.sdp)
            answer = await asyncio.to_thread(pipe.recv)
            await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            peers.append(peer)
        await asyncio.to_thread(pipe.recv)
        for peer in peers:
            await peer.close()

    asyncio.run(run())


# ---------------------------------------------------------------------------------------------- servers


class Owner:
    """Listener and sink of a leg of ours."""

    def __init__(self) -> None:
        self.heard_bytes = 0
        self.leg: Any = None

    def connected(self) -> None: ...
    def channel_opened(self, label: str) -> None: ...
    def message(self, text: str) -> None: ...
    def mark(self, name: str) -> None: ...
    def dtmf(self, digit: str) -> None: ...
    def closed(self, reason: str) -> None: ...

    def audio(self, payload: bytes, media_ms: int | None) -> None:
        self.heard_bytes += len(payload)


class Ours:
    def __init__(self, options: argparse.Namespace) -> None:
        self._watch = SocketWatch(SystemClock())
        self._engine = AiortcEngine(WebRtcSettings(complexity=options.complexity, max_legs=1000), self._watch)
        self._owners: list[Owner] = []
        self._talk = options.talk

    async def start(self) -> None:
        self._watch.start()
        await self._engine.start()

    async def answer(self, offer: str) -> str:
        owner = Owner()
        text, owner.leg = await self._engine.answer(offer, owner)
        owner.leg.listen(owner)
        self._owners.append(owner)
        return text

    async def speak(self, seconds: float) -> None:
        """80 ms messages, as the mouth sends them; the agents do not all speak at once."""
        step = RATE_HZ * 2 * 80 // 1000
        end, at = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            for number, owner in enumerate(self._owners):
                if ((time.monotonic() / PERIOD_S + number * 0.37) % 1.0) < self._talk:
                    start = at % (len(SPEECH) - step)
                    owner.leg.send_audio(SPEECH[start : start + step])
            at += step
            await asyncio.sleep(0.08)

    def heard_s(self) -> float:
        return sum(owner.heard_bytes for owner in self._owners) / 32_000

    async def close(self) -> None:
        await self._engine.close()
        self._watch.stop()


class Speaker(MediaStreamTrack):
    """What aiortc's documentation proposes: frames on a timer, silence where there is nothing to say."""

    kind = "audio"

    def __init__(self, number: int, talk: float) -> None:
        super().__init__()
        self._number, self._talk, self._count = number, talk, 0
        self._began = time.monotonic()

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(max(0.0, self._began + self._count * 0.02 - time.monotonic()))
        frame = AudioFrame(format="s16", layout="mono", samples=480)
        talks = ((time.monotonic() / PERIOD_S + self._number * 0.37) % 1.0) < self._talk
        at = self._count * 960 % (len(SPEECH) - 960)
        frame.planes[0].update(SPEECH[at : at + 960] if talks else bytes(960))
        frame.pts, frame.sample_rate, frame.time_base = self._count * 480, RATE_HZ, Fraction(1, RATE_HZ)
        self._count += 1
        return frame


class Stock:
    """aiortc as it comes: what one would write with its documentation."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._talk = options.talk
        self._peers: list[RTCPeerConnection] = []
        self._samples = 0
        self._reads: list[Any] = []

    async def start(self) -> None: ...

    async def answer(self, offer: str) -> str:
        peer = RTCPeerConnection()

        @peer.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            self._reads.append(asyncio.ensure_future(self._listen(track)))

        peer.addTrack(Speaker(len(self._peers), self._talk))
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        self._peers.append(peer)
        return str(peer.localDescription.sdp)

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                pcm = frame.to_ndarray().reshape(-1, 2).mean(axis=1).astype(np.int16).tobytes()
                self._samples += len(pcm) // 2
        except MediaStreamError:
            return

    async def speak(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def heard_s(self) -> float:
        return self._samples / 48_000

    async def close(self) -> None:
        for peer in self._peers:
            await peer.close()


# ---------------------------------------------------------------------------------------------- measuring


def cpu_ms() -> dict[int, float]:
    """CPU used so far by each thread of this process, in ms."""
    used = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            used[int(task.name)] = int((task / "schedstat").read_text().split()[0]) / 1e6
        except FileNotFoundError:
            continue  # the thread has just ended
    return used


def rss_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


async def measure(options: argparse.Namespace, legs: int) -> dict[str, Any]:
    server: Any = Ours(options) if options.engine == "aiortc" else Stock(options)
    await server.start()
    before_kib = rss_kib()
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for first in range(0, legs, CLIENTS_PER_PROCESS):
        count = min(CLIENTS_PER_PROCESS, legs - first)
        ours, theirs = context.Pipe()
        process = context.Process(target=client_process, args=(theirs, count), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
        for _ in range(count):
            ours.send(await server.answer(await asyncio.to_thread(ours.recv)))
    await server.speak(3.0)
    heard_s, began, start = server.heard_s(), time.monotonic(), cpu_ms()
    await server.speak(options.seconds)
    took_s = time.monotonic() - began
    used = {thread: ms - start.get(thread, 0.0) for thread, ms in cpu_ms().items()}
    heard_s = server.heard_s() - heard_s
    call_s = legs * took_s
    loop = used.pop(threading.main_thread().native_id or 0)
    result = {
        "engine": options.engine,
        "legs": legs,
        "seconds": round(took_s, 1),
        "heard_share": round(heard_s / call_s, 3),
        "cpu_ms_per_call_second": round((loop + sum(used.values())) / call_s, 2),
        "event_loop_ms": round(loop / call_s, 2),
        "other_threads_ms": round(sum(used.values()) / call_s, 2),
        "threads": len(used) + 1,
        "kib_per_leg": round((rss_kib() - before_kib) / legs),
    }
    for pipe in pipes:
        pipe.send("stop")
    for process in processes:
        await asyncio.to_thread(process.join, 10)
    await server.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--legs", type=int, nargs="+", default=[1, 10, 20])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--engine", choices=["aiortc", "stock"], default="aiortc")
    parser.add_argument("--complexity", type=int, default=WebRtcSettings().complexity)
    parser.add_argument("--talk", type=float, default=0.5, help="the share of time that the agent speaks")
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    if options.uvloop:
        import uvloop

        uvloop.install()
    settings = {name: getattr(options, name) for name in ("complexity", "talk", "uvloop")}
    results = [asyncio.run(measure(options, legs)) for legs in options.legs]
    json.dump({"settings": settings, "results": results}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
