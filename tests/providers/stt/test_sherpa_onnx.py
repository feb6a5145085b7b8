"""sherpa-onnx in its worker process: with the Moonshine that comes with Antiphon, and with a tiny CTC model made here."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.providers.contract import SpeechToTextContract
from tests.providers.stt.calls import FORMATS, Call, Clip, Noise, bursts
from tests.providers.stt.tiny_nemo import TEXT, make_nemo

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.providers.base import ExpectedAnswers
from antiphon.providers.stt.moonshine_model import _pieces, installed_folder
from antiphon.providers.stt.sherpa_onnx import SherpaOnnxSpeechToText
from antiphon.vocabulary import TELEPHONE, AudioFormat

pytestmark = pytest.mark.asyncio(loop_scope="module")  # so all of them are coroutines

LATE_MS = 30_000
"""For answers on a machine that may be busy."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_nemo(tmp_path_factory.mktemp("models") / "sherpa-onnx-nemo-ctc-tiny")


@pytest.fixture(scope="module")
def moonshine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Moonshine's own files, and its tokens as this library wants them."""
    folder = tmp_path_factory.mktemp("models") / "moonshine"
    folder.mkdir()
    installed = installed_folder()
    for name in ("encoder_model.ort", "decoder_model_merged.ort"):
        shutil.copy(installed / name, folder / name)
    pieces = _pieces((installed / "tokenizer.bin").read_bytes())
    lines = [f"{base64.b64encode(piece).decode()}\t{id}\n" for id, piece in enumerate(pieces)]
    (folder / "tokens.txt").write_text("".join(lines))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stt(tiny: Path) -> AsyncIterator[SherpaOnnxSpeechToText]:
    """One for all tests: its process takes longer to start than most of them last."""
    engine = SherpaOnnxSpeechToText(model="nemo-ctc-tiny", models_dir=str(tiny.parent), final_timeout_ms=LATE_MS)
    await engine.start()
    yield engine
    await engine.close()


@pytest_asyncio.fixture(loop_scope="module")
async def own_stt(tiny: Path) -> AsyncIterator[SherpaOnnxSpeechToText]:
    """One that the test may do anything to."""
    engine = SherpaOnnxSpeechToText(model="nemo-ctc-tiny", models_dir=str(tiny.parent), final_timeout_ms=LATE_MS)
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


@FORMATS
async def test_speech_is_written_by_the_model(stt: SherpaOnnxSpeechToText, clip: Clip, audio: AudioFormat) -> None:
    assert (await Call(stt, audio, ExpectedAnswers()).says(clip("goforward.wav"))).text == TEXT


async def test_no_words_for_what_is_no_voice(stt: SherpaOnnxSpeechToText, noise: Noise) -> None:
    assert (await Call(stt, TELEPHONE, ExpectedAnswers()).says(bursts(noise, 200, -20.0))).text == ""


@pytest.mark.speech
async def test_moonshine_hears_people(moonshine: Path, clip: Clip) -> None:
    engine = SherpaOnnxSpeechToText(family="moonshine", path=str(moonshine), final_timeout_ms=LATE_MS)
    await engine.start()
    heard = (await Call(engine, TELEPHONE, ExpectedAnswers()).says(clip("goforward.wav"))).text
    await engine.close()
    assert re.sub(r"[^a-z0-9 ]", "", heard.lower()).replace("10", "ten") == "go forward ten meters"


@pytest.mark.parametrize("missing", ["tokens.txt", "model.onnx"])
async def test_a_file_that_is_not_there(tmp_path: Path, missing: str) -> None:
    (make_nemo(tmp_path) / missing).unlink()
    engine = SherpaOnnxSpeechToText(family="nemo-ctc", path=str(tmp_path))
    with pytest.raises(ProviderUnavailable) as error:
        await engine.start()
    assert missing in str(error.value) and str(tmp_path) in str(error.value)


async def test_a_family_must_be_known() -> None:
    for options in ({"model": "paraformer"}, {"family": "nonesuch"}, {"threads": 0}):
        with pytest.raises(ConfigurationError):
            SherpaOnnxSpeechToText(**options)  # type: ignore[arg-type]
