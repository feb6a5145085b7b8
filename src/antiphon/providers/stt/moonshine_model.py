"""Moonshine tiny-en over onnxruntime: samples to an encoding, tokens to the next token's odds. Knows no calls and no grammars.

The three files come from the wheel of ``moonshine-voice`` (MIT), which is not imported; ``requirements-models.lock`` pins it.
Runs in a worker process only: importing this needs onnxruntime.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from antiphon.errors import MalformedMessage, ProviderUnavailable
from antiphon.providers.stt.heard import RATE_HZ

NAME = "moonshine"
MIN_SAMPLES = RATE_HZ // 10
"""The encoder's convolutions need some sound to stand on; a shorter one is filled up with silence."""

NOTHING_SAMPLES, NOTHING_DBFS = 28_800, -55.0
"""A telephone line without speech, as long as a short answer with the quiet around it."""
_START, END = 1, 2
_FIRST_WRITTEN_TOKEN = 259
"""Before it stand the three special tokens and the 256 bytes."""
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""How the tokeniser writes a space."""

_SHA256 = {
    "encoder_model.ort": "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    "decoder_model_merged.ort": "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
    "tokenizer.bin": "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
}
"""The files of moonshine-voice 0.0.73. Another file
may be another model, and every figure and threshold here was measured with this one."""

Floats = NDArray[np.float32]
_Feed = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One piece of speech as the decoder reads it."""

    states: Floats
    """Shape (1, frames, width)."""
    mask: NDArray[np.int64]
    """Ones, shape (1, samples): the decoder strides it itself, so it has the length of the sound and not that of the states."""


@dataclass(frozen=True, slots=True)
class Cache:
    """What the decoder remembers of the tokens so far, one row for each hypothesis, and of the encoding."""

    spoken: Mapping[str, Floats]
    heard: Mapping[str, Floats]
    """One row: the same for all hypotheses."""

    def rows(self, chosen: Sequence[int]) -> Cache:
        """The rows ``chosen``, in that order."""
        index = np.asarray(chosen, dtype=np.intp)
        return Cache({name: value[index] for name, value in self.spoken.items()}, self.heard)


class Vocabulary:
    """The tokeniser's pieces."""

    def __init__(self, data: bytes) -> None:
        """From the file's bytes: for each token its length in one byte, or two where the first has its highest bit set, and its bytes.

        Raises MalformedMessage("tokenizer").
        """
        self._pieces = tuple(_pieces(data))
        self.by_text: dict[str, tuple[int, ...]] = {}
        """Lower-case text, a space where a word begins, to every token that writes it."""
        for token, piece in enumerate(self._pieces[_FIRST_WRITTEN_TOKEN:], start=_FIRST_WRITTEN_TOKEN):
            try:
                text = piece.decode().replace(_SPACE, " ").lower()
            except UnicodeDecodeError:
                continue
            self.by_text[text] = (*self.by_text.get(text, ()), token)

    def __len__(self) -> int:
        return len(self._pieces)

    def text(self, tokens: Iterable[int]) -> str:
        joined = b"".join(self._pieces[token] for token in tokens)
        return joined.decode("utf-8", "replace").replace(_SPACE, " ").strip()


class Model:
    """One model for all calls of a process, on one thread."""

    def __init__(self, folder: Path | None = None) -> None:
        """Loads the files in ``folder``, else those of the installed wheel. Raises ProviderUnavailable for a missing or another file."""
        files = {name: _checked(name, folder or installed_folder()) for name in _SHA256}
        self.vocabulary = Vocabulary(files["tokenizer.bin"])
        self._encoder = _session(files["encoder_model.ort"])
        self._decoder = _session(files["decoder_model_merged.ort"])
        inputs = self._decoder.get_inputs()
        past = {each.name: each.shape for each in inputs if each.name.startswith("past_key_values")}
        shape = next(iter(past.values()))
        self._heads, self._width = int(shape[1]), int(shape[3])
        self._spoken = tuple(name for name in past if ".decoder." in name)
        self._heard = tuple(name for name in past if ".encoder." in name)
        self._outputs = [each.name for each in self._decoder.get_outputs()]

    @cached_property
    def nothing(self) -> Encoded:
        """A line on which nobody speaks: with it the decoder tells how likely words are before anything is heard."""
        noise = np.random.default_rng(7).standard_normal(NOTHING_SAMPLES) * 10 ** (NOTHING_DBFS / 20)
        return self.encode(noise.astype(np.float32))

    def encode(self, samples: Floats) -> Encoded:
        """``samples`` has shape (n,), 16 kHz, −1…1."""
        if samples.size < MIN_SAMPLES:
            samples = np.concatenate((samples, np.zeros(MIN_SAMPLES - samples.size, dtype=np.float32)))
        sound = np.ascontiguousarray(samples, dtype=np.float32)[None]
        mask = np.ones(sound.shape, dtype=np.int64)
        (states,) = self._encoder.run(None, {"input_values": sound, "attention_mask": mask})
        return Encoded(states, mask)

    def begin(self, encoding: Encoded) -> tuple[Floats, Cache]:
        """The first token's log-probabilities, shape (1, tokens), and what to give to ``go_on``."""
        ids = np.array([[_START]], dtype=np.int64)
        logits, present = self._run(encoding, ids, self._nothing_spoken(encoding), cached=False)
        return logits, Cache(
            {name: present[name] for name in self._spoken}, {name: present[name] for name in self._heard}
        )

    def go_on(self, encoding: Encoded, cache: Cache, tokens: Sequence[int]) -> tuple[Floats, Cache]:
        """After one more token in each row of ``cache``: the next one's log-probabilities, shape (rows, tokens)."""
        rows = len(tokens)
        past: _Feed = dict(cache.spoken)
        past |= {name: np.repeat(value, rows, axis=0) if rows > 1 else value for name, value in cache.heard.items()}
        ids = np.array(tokens, dtype=np.int64)[:, None]
        logits, present = self._run(encoding, ids, past, cached=True)
        return logits, Cache({name: present[name] for name in self._spoken}, cache.heard)

    def likelihood(self, encoding: Encoded, tokens: Sequence[int]) -> float:
        """The log-probability of writing exactly these tokens, at least one. All at once, which takes hardly longer than the first of them:
        the quantised model then differs from ``go_on`` by half a nat."""
        ids = np.array([[_START, *tokens[:-1]]], dtype=np.int64)
        logits, *_ = self._decoder.run(
            self._outputs, self._feed(encoding, ids, self._nothing_spoken(encoding), cached=False)
        )
        return float(_log_softmax(logits[0])[np.arange(len(tokens)), list(tokens)].sum())

    def _nothing_spoken(self, encoding: Encoded) -> _Feed:
        frames = encoding.states.shape[1]
        past: _Feed = {name: np.zeros((1, self._heads, 0, self._width), np.float32) for name in self._spoken}
        return past | {name: np.zeros((1, self._heads, frames, self._width), np.float32) for name in self._heard}

    def _run(
        self, encoding: Encoded, ids: NDArray[np.int64], past: _Feed, *, cached: bool
    ) -> tuple[Floats, dict[str, Floats]]:
        logits, *present = self._decoder.run(self._outputs, self._feed(encoding, ids, past, cached=cached))
        names = (name.replace("present", "past_key_values") for name in self._outputs[1:])
        return _log_softmax(logits[:, -1]), dict(zip(names, present, strict=True))

    @staticmethod
    def _feed(encoding: Encoded, ids: NDArray[np.int64], past: _Feed, *, cached: bool) -> _Feed:
        rows = len(ids)
        return {
            "encoder_attention_mask": np.repeat(encoding.mask, rows, axis=0) if rows > 1 else encoding.mask,
            "input_ids": ids,
            "encoder_hidden_states": np.repeat(encoding.states, rows, axis=0) if rows > 1 else encoding.states,
            "use_cache_branch": np.array([cached]),
            **past,
        }


def installed_folder() -> Path:
    """Where the wheel put the files. Raises ProviderUnavailable where it is not installed."""
    spec = find_spec("moonshine_voice")
    if spec is None or not spec.submodule_search_locations:
        raise ProviderUnavailable(
            NAME, "the package moonshine-voice is not installed (pip install --no-deps -r requirements-models.lock)"
        )
    return Path(spec.submodule_search_locations[0]) / "assets" / "tiny-en"


def _checked(name: str, folder: Path) -> bytes:
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise ProviderUnavailable(
            NAME, f"{name} cannot be read ({error.strerror}); moonshine-voice must be 0.0.73"
        ) from None
    if hashlib.sha256(data).hexdigest() != _SHA256[name]:
        raise ProviderUnavailable(
            NAME, f"{name} has another checksum than it should; moonshine-voice must be 0.0.73, unchanged"
        )
    return data


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One process is one core; a thread that spins while it waits would take the core of somebody who works.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _pieces(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size, at = data[at], at + 1
        if size >= 128:
            if at == len(data):
                raise MalformedMessage("tokenizer", "it ends within a length")
            size, at = data[at] * 128 + size - 128, at + 1
        if at + size > len(data):
            raise MalformedMessage("tokenizer", "it ends within a token")
        yield data[at : at + size]
        at += size


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    odds: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return odds
