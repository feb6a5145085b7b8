"""Smart Turn v3.2, in its worker process. Frames in: ``ask`` (one question a stream) and ``close``; out: ``score``.

A question is the last seconds of a turn. The newest matters most: one that has waited ``_STALE_S`` is answered with none, since its caller
has been silent for longer by then and asks again.

The model (BSD-2-Clause, 8.7 MB) comes from the wheel of ``pipecat-ai``, which is not imported; ``requirements-models.lock`` pins it.
Runs only there: importing it needs onnxruntime.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from antiphon.audio import codec
from antiphon.audio.resample import Resampler
from antiphon.errors import ProviderUnavailable
from antiphon.providers.turn.smart_turn_features import RATE_HZ, log_mel
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import Encoding

if TYPE_CHECKING:
    from antiphon.providers.worker_process import Link

NAME = "smart-turn"
FILE = "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"
_SHA256 = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
"""The file of pipecat-ai 1.14.0. Another file may be another model, and every figure here was measured with this one."""
_STALE_S = 0.5
_MOST_WAITING = 64
"""Questions of as many calls: more than can be answered before they are stale."""


@dataclass(frozen=True, slots=True)
class Question:
    encoding: Encoding
    rate_hz: int
    audio: bytes
    asked_s: float


class SmartTurnEngine:
    """The ``PatientEngine`` of this process."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """``options["model"]`` is the path of the same file elsewhere, or empty. Raises ProviderUnavailable where it is not there, or is
        another."""
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            _model(options.get("model", "")), settings, providers=["CPUExecutionProvider"]
        )
        self._waiting: dict[int, Question] = {}

    def warm(self) -> None:
        """The first run plans its memory."""
        self._probability(Question(Encoding.PCM16, RATE_HZ, b"", 0.0))

    def handle(self, frame: Frame, link: Link) -> None:
        if frame.kind == "ask":
            if len(self._waiting) >= _MOST_WAITING:
                _answer(frame.stream, None, link)
                return
            fields = frame.fields
            question = Question(Encoding(fields["encoding"]), fields["rate_hz"], frame.payload, time.monotonic())
            self._waiting[frame.stream] = question
        elif frame.kind == "close":
            self._waiting.pop(frame.stream, None)

    def work(self, link: Link) -> bool:
        if not self._waiting:
            return False
        stream = next(iter(self._waiting))
        question = self._waiting.pop(stream)
        stale = time.monotonic() - question.asked_s > _STALE_S
        _answer(stream, None if stale else self._probability(question), link)
        return True

    def _probability(self, question: Question) -> float:
        samples = codec.decode(question.audio, question.encoding)
        if question.rate_hz != RATE_HZ and len(samples):
            samples = Resampler(question.rate_hz, RATE_HZ).process(samples)
        picture = log_mel(samples.astype(np.float32) / np.float32(32768))
        (scores,) = self._session.run(None, {"input_features": picture[np.newaxis]})
        return float(np.asarray(scores).ravel()[0])


def _answer(stream: int, probability: float | None, link: Link) -> None:
    link.send(Frame(stream, "score", {"probability": probability}))


def _model(path: str) -> bytes:
    file = Path(path) if path else _installed()
    try:
        data = file.read_bytes()
    except OSError:
        raise ProviderUnavailable(NAME, "the model file cannot be read; see docs/turn-taking.md") from None
    if hashlib.sha256(data).hexdigest() != _SHA256:
        raise ProviderUnavailable(NAME, f"{file.name} is not the file of pipecat-ai 1.14.0")
    return data


def _installed() -> Path:
    found = find_spec("pipecat")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        if (file := Path(folder) / FILE).is_file():
            return file
    raise ProviderUnavailable(NAME, "the package pipecat-ai, which holds the model, is not installed")
