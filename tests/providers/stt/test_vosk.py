"""Vosk in its worker process, with a tiny Kaldi model made here."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.providers.contract import SpeechToTextContract
from tests.providers.model_server import ModelServer
from tests.providers.stt.calls import FORMATS, Call, Clip, Noise, bursts
from tests.providers.stt.tiny_vosk import TEXT, make_vosk

from antiphon.errors import ProviderUnavailable
from antiphon.providers.base import ExpectedAnswers
from antiphon.providers.model_catalogue import Model, ModelFile
from antiphon.providers.model_download import ModelDownload
from antiphon.providers.stt.vosk import VoskSpeechToText
from antiphon.vocabulary import TELEPHONE, AudioFormat

pytest.importorskip("vosk")
LATE_MS = 30_000
"""For answers on a machine that may be busy."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_vosk(tmp_path_factory.mktemp("models") / "vosk-tiny")


@pytest.fixture
async def stt(tiny: Path) -> AsyncIterator[VoskSpeechToText]:
    engine = VoskSpeechToText(model="tiny", models_dir=str(tiny.parent), final_timeout_ms=LATE_MS)
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


@FORMATS
async def test_speech_is_written_by_the_model(stt: VoskSpeechToText, clip: Clip, audio: AudioFormat) -> None:
    heard = await Call(stt, audio, ExpectedAnswers()).says(clip("goforward.wav"))
    assert (heard.text, heard.confidence) == (TEXT, 1.0)


async def test_no_words_for_what_is_no_voice(stt: VoskSpeechToText, noise: Noise) -> None:
    assert (await Call(stt, TELEPHONE, ExpectedAnswers()).says(bursts(noise, 200, -20.0))).text == ""


@pytest.mark.parametrize("missing", ["am/final.mdl", "conf/mfcc.conf", "graph/HCLG.fst"])
async def test_a_file_that_is_not_there(tmp_path: Path, missing: str) -> None:
    (make_vosk(tmp_path) / missing).unlink()
    engine = VoskSpeechToText(path=str(tmp_path))
    with pytest.raises(ProviderUnavailable) as error:
        await engine.start()
    assert missing in str(error.value) and str(tmp_path) in str(error.value)


async def test_a_model_that_is_none(tmp_path: Path) -> None:
    (make_vosk(tmp_path) / "am" / "final.mdl").write_text("a model")
    with pytest.raises(ProviderUnavailable, match="cannot be loaded"):
        await VoskSpeechToText(path=str(tmp_path)).start()


@pytest.fixture(scope="module")
def published(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """As an archive."""
    stem = tmp_path_factory.mktemp("published") / "vosk-tiny"
    return Path(shutil.make_archive(str(stem), "zip", tiny.parent, tiny.name)).read_bytes()


async def test_a_model_that_was_pulled(published: bytes, tmp_path: Path, clip: Clip) -> None:
    with ModelServer() as server:
        server.files = {"/vosk-tiny.zip": published}
        file = ModelFile(name="vosk-tiny.zip", archive=True)
        model = Model(engine="vosk", kind="stt", licence="MIT", as_of="2026-11-29", base=server.url, files=(file,))
        ModelDownload(model, tmp_path / "models" / "vosk-tiny").run()
    engine = VoskSpeechToText(model="tiny", models_dir=str(tmp_path / "models"), final_timeout_ms=LATE_MS)
    await engine.start()
    heard = await Call(engine, TELEPHONE, ExpectedAnswers()).says(clip("goforward.wav"))
    assert heard.text == TEXT
    await engine.close()
