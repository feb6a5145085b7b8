"""Recordings by signed addresses: whole, in ranges, each side of them."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from tests.databases import sqlite_url

from antiphon.audio.wav import WavWriter, is_being_written, read_wav
from antiphon.calls.files import CallFiles
from antiphon.calls.rates import MemoryRates
from antiphon.calls.recorded_side import RecordedSide
from antiphon.calls.stores import DEFAULT_ORG, CallRecord
from antiphon.clock import ManualClock
from antiphon.storage.call_records import StoredCalls
from antiphon.storage.database import Database
from antiphon.surfaces.keys import ApiKeys
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.call_files import CallFileRoutes
from antiphon.surfaces.vapi.file_links import FileLinks
from antiphon.surfaces.vapi.signed_urls import SignedUrls
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

PCM = AudioFormat(Encoding.PCM16, 8000)
LEFT, RIGHT = np.arange(2000, dtype=np.int16), np.arange(2000, dtype=np.int16) * -3


def record(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with WavWriter(path, PCM, channels=2) as writer:
        writer.write_stereo(LEFT.tobytes(), RIGHT.tobytes())
        assert is_being_written(path)
    assert not is_being_written(path)


@pytest.mark.parametrize(
    ("side", "wanted"),
    [("customer", LEFT), ("assistant", RIGHT), ("mono", LEFT + RIGHT), ("stereo", np.stack([LEFT, RIGHT], 1))],
)
def test_any_bytes_of_any_side_can_be_read(tmp_path: Path, side: str, wanted: np.ndarray) -> None:
    record(tmp_path / "c.wav")
    recorded = RecordedSide(tmp_path / "c.wav", side)  # type: ignore[arg-type]
    whole = recorded.read(0, recorded.size)
    assert len(whole) == recorded.size
    (tmp_path / "side.wav").write_bytes(whole)
    samples, rate_hz = read_wav(tmp_path / "side.wav")
    assert rate_hz == 8000 and np.array_equal(samples.reshape(wanted.shape), wanted)
    for begin in (0, 1, 43, 44, 45, 46, 47, 48, 999, recorded.size - 1, recorded.size):
        for size in (1, 2, 3, 64, 5000):
            assert recorded.read(begin, size) == whole[begin : begin + size]


def test_a_telephone_s_recording_of_odd_length(tmp_path: Path) -> None:
    with WavWriter(tmp_path / "c.wav", TELEPHONE, channels=2) as writer:
        writer.write_stereo(b"\x01\x02\x03", b"\xff\xff\xff")
    recorded = RecordedSide(tmp_path / "c.wav", "customer")
    assert recorded.read(0, 10_000)[-3:] == b"\x01\x02\x03"


async def test_a_recording_is_found_by_key_and_fetched_without_one(tmp_path: Path) -> None:
    clock, database = ManualClock(), Database(sqlite_url(tmp_path))
    await database.open()
    calls, files = StoredCalls(database), CallFiles(tmp_path / "calls")
    keys = ApiKeys(tmp_path / "keys.json")
    _, key = keys.create("test", clock.wall_ms())
    access = Access(keys, MemoryRates(1000, clock.now_ms), clock)
    links = FileLinks(SignedUrls(b"secret", lambda: "http://here", clock), clock, 60)
    record(tmp_path / "calls" / "call-1.wav")
    (tmp_path / "calls" / "call-1.jsonl").write_text("{}\n")
    for name in ("call-1", "call-2"):
        await calls.add(CallRecord(name, DEFAULT_ORG, "webCall", "ended", 1, 1))
    app = Starlette(routes=CallFileRoutes(files, calls, links, access).routes())
    bearer = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        assert (await client.get("/call/call-1/mono-recording")).status_code == 401
        assert (await client.get("/call/none/mono-recording", headers=bearer)).status_code == 404
        assert (await client.get("/call/call-2/mono-recording", headers=bearer)).status_code == 404
        found = await client.get("/call/call-1/mono-recording", headers=bearer)
        assert found.status_code == 302
        address = found.headers["location"]
        whole = await client.get(address)
        assert whole.status_code == 200 and whole.headers["content-type"] == "audio/wav"
        assert whole.content == RecordedSide(tmp_path / "calls" / "call-1.wav", "mono").read(0, 10_000)
        part = await client.get(address, headers={"range": "bytes=10-99"})
        assert part.status_code == 206 and part.content == whole.content[10:100]
        assert part.headers["content-range"] == f"bytes 10-99/{len(whole.content)}"
        assert (await client.get(address, headers={"range": "bytes=-7"})).content == whole.content[-7:]
        assert (await client.get(address, headers={"range": "bytes=99999999-"})).status_code == 416
        assert (await client.get(address, headers={"range": "bytes=0-1,5-6"})).status_code == 200
        logs = (await client.get("/call/call-1/call-logs", headers=bearer)).headers["location"]
        assert (await client.get(logs)).content == b"{}\n"
        assert (await client.get(address.replace("mono", "stereo"))).status_code == 403, "signed for this file alone"
        assert (await client.get(address[:-1] + ("0" if address[-1] != "0" else "1"))).status_code == 403
        assert (await client.get(address.split("?")[0])).status_code == 403
        clock.advance(61_000)
        assert (await client.get(address)).status_code == 403, "its time is over"
    assert links.addresses("c", recorded=False, logged=False).mono == ""
    await database.close()


def test_names_that_are_no_calls_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("x")
    files = CallFiles(tmp_path / "calls")
    assert files.parts("../secret") == [] and files.parts("") == [] and files.parts("a/b") == []
