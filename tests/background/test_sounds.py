"""What is heard behind an agent: made here, or fetched over real HTTP and read by a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from starlette.responses import Response
from structlog.testing import capture_logs
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.audio import codec, pcm, wav
from antiphon.background.ambience import ROOM_DBFS
from antiphon.background.sounds import MAX_FILE_BYTES, BackgroundSounds
from antiphon.clock import ManualClock
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding
from antiphon.webhooks.client import WebhookClient
from antiphon.webhooks.egress import Egress

TONE = (8000 * np.sin(np.arange(3 * 44_100) * 2 * np.pi * 440 / 44_100)).astype(np.int16)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sounds")
    wav.write_wav(folder / "a.wav", np.stack((TONE, TONE), axis=1), 44_100)
    wav.write_wav(folder / "short.wav", TONE[:20_000], 44_100)
    _write_mp3(folder / "a.mp3")
    (folder / "page").write_bytes(b"<p>Not found</p>")
    (folder / "empty").write_bytes(b"")
    (folder / "cut.wav").write_bytes((folder / "a.wav").read_bytes()[:20])
    (folder / "large.wav").write_bytes(bytes(MAX_FILE_BYTES + 1))
    return {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}


def _write_mp3(path: Path) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mp3", rate=44_100)
        frame = av.AudioFrame.from_ndarray(TONE.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 44_100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)


class Sounds:
    """``BackgroundSounds`` that may ask a server on this machine."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.clock = ManualClock(1000)
        self.files = files
        self.asked: list[str] = []
        self.client = WebhookClient(Egress(allow_private=False, allow_loopback=True), self.clock)
        self.sounds = BackgroundSounds(self.client.send, self.clock)

    async def serve(self, came: Received) -> Any:
        self.asked.append(came.path)
        content = self.files.get(came.path)
        return Response(status_code=404) if content is None else Response(content, media_type="audio/x")

    async def heard(self, name: str, audio: AudioFormat = TELEPHONE) -> bytes | None:
        background = self.sounds.of(name)
        assert background is not None
        return await background(audio)


@pytest.fixture
async def sounds(files: dict[str, bytes]) -> AsyncIterator[Sounds]:
    made = Sounds(files)
    yield made
    made.sounds.close()
    await made.client.close()


async def test_off_and_nothing_are_no_sound(sounds: Sounds) -> None:
    assert [sounds.sounds.of(name) for name in ("off", "", None)] == [None, None, None]


async def test_an_office_is_made_once_for_each_format(sounds: Sounds) -> None:
    first, again, other = await asyncio.gather(
        sounds.heard("office"), sounds.heard("office"), sounds.heard("office", AudioFormat(Encoding.PCM16, 16_000))
    )
    assert first is not None and other is not None
    assert first is again and len(first) == 8000 * 19.5 and len(other) == 2 * 16_000 * 19.5
    assert pcm.dbfs(codec.decode(first, Encoding.MULAW)) == pytest.approx(ROOM_DBFS, abs=2)


@pytest.mark.parametrize("path", ["/a.wav", "/a.mp3"])
async def test_a_file_is_fetched_once_and_heard_at_a_rooms_level(sounds: Sounds, path: str) -> None:
    async with receiving(Receiver(sounds.serve)) as receiver:
        heard = [await sounds.heard(receiver.url + path) for _ in range(2)]
        assert sounds.asked == [path]
        sounds.clock.advance(3_600_000)
        await sounds.heard(receiver.url + path)
        assert sounds.asked == [path, path], "an hour later it may have changed"
    assert heard[0] is not None and heard[0] is heard[1]
    samples = codec.decode(heard[0], Encoding.MULAW)
    assert len(samples) == pytest.approx(2.5 * 8000, rel=0.02)
    assert pcm.dbfs(samples) == pytest.approx(ROOM_DBFS, abs=1)
    spectrum = np.abs(np.fft.rfft(samples[2000:10_000]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=1)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/gone", "the server answered 404"),
        ("/page", "it is no sound file that can be read"),
        ("/empty", "it is no sound file that can be read"),
        ("/cut.wav", "it is no sound file that can be read"),
        ("/short.wav", "it lasts less than a second"),
        ("/large.wav", f"too_large: the answer is larger than {MAX_FILE_BYTES} bytes"),
    ],
)
async def test_what_cannot_be_heard_is_told_and_not_asked_for_at_every_call(
    sounds: Sounds, path: str, problem: str
) -> None:
    with capture_logs() as logs:
        async with receiving(Receiver(sounds.serve)) as receiver:
            assert [await sounds.heard(receiver.url + path) for _ in range(3)] == [None] * 3
            assert len(sounds.asked) == 1
            sounds.clock.advance(60_000)
            assert await sounds.heard(receiver.url + path) is None
            assert len(sounds.asked) == 2
    assert [entry["problem"] for entry in logs if entry["event"] == "background_sound_failed"] == [problem] * 2


@pytest.mark.parametrize(
    "names_it",
    [
        "ffconcat version 1.0\nfile recordings/call.wav\nduration 3\n",
        "ffconcat version 1.0\nfile '{folder}/recordings/call.wav'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nrecordings/call.wav\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{url}/a.wav\n#EXT-X-ENDLIST\n",
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n",
    ],
)
async def test_a_file_that_names_another_is_none(
    sounds: Sounds, names_it: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recordings").mkdir()
    wav.write_wav(tmp_path / "recordings" / "call.wav", TONE, 44_100)
    monkeypatch.chdir(tmp_path)
    async with receiving(Receiver(sounds.serve)) as receiver:
        names = names_it.format(folder=tmp_path, url=receiver.url)
        sounds.files = sounds.files | {"/names": names.encode()}
        assert await sounds.heard(f"{receiver.url}/names") is None
    assert sounds.asked == ["/names"]


async def test_no_address_is_asked_that_may_not_be(sounds: Sounds) -> None:
    with capture_logs() as logs:
        assert await sounds.heard("http://10.0.0.1/secret.wav") is None
    assert "secret" not in str(logs) and "refused" in logs[0]["problem"]


async def test_a_host_that_hangs_keeps_nobody_else_from_theirs_and_nothing_is_fetched_for_calls_that_are_over(
    sounds: Sounds,
) -> None:
    hangs = asyncio.Event()

    async def never(came: Received) -> Any:
        sounds.asked.append(came.path)
        await hangs.wait()

    async with receiving(Receiver(never)) as mute, receiving(Receiver(sounds.serve)) as receiver:
        calls = [asyncio.create_task(sounds.heard(f"{mute.url}/{number}")) for number in range(40)]
        await mute.wait_for(2)
        assert await sounds.heard(f"{receiver.url}/a.wav") is not None
        assert sounds.asked == ["/0", "/1", "/a.wav"]
        for call in calls[1:]:
            call.cancel()
        await asyncio.gather(*calls[1:], return_exceptions=True)
        again = asyncio.create_task(sounds.heard(f"{mute.url}/again"))
        await mute.wait_for(3)
        assert sounds.asked[3:] == ["/again"]
        hangs.set()
        await asyncio.gather(calls[0], again)
    tasks = [task.get_name() for task in asyncio.all_tasks()]
    assert "background-sound" not in tasks


async def test_where_no_process_can_be_had_there_is_no_sound(sounds: Sounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with receiving(Receiver(sounds.serve)) as receiver:
        with capture_logs() as logs:
            assert await sounds.heard(f"{receiver.url}/a.wav") is None
    assert [entry["problem"] for entry in logs] == ["FileNotFoundError"]


async def test_no_more_sounds_are_kept_than_a_process_can_hold(sounds: Sounds) -> None:
    async with receiving(Receiver(sounds.serve)) as receiver:
        for number in range(17):
            assert await sounds.heard(f"{receiver.url}/gone?{number}") is None
        assert len(sounds.asked) == 17
        await sounds.heard(f"{receiver.url}/gone?16")
        assert len(sounds.asked) == 17
        await sounds.heard(f"{receiver.url}/gone?0")
        assert len(sounds.asked) == 18
