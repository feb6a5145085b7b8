"""The espeak-ng C library by ctypes (``speak_lib.h``), found through ``espeakng-loader``.

Only for processes of their own: the library is GPL-3 and keeps global state. One instance a process.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import ConfigurationError, ProviderError, ProviderUnavailable
from antiphon.providers.espeak_voices import check_voice

_NAME = "espeak"
_OUTPUT_SYNCHRONOUS = 2
_NEVER_EXIT = 0x8000
_CHARACTERS_UTF8 = 1
_RATE_PARAMETER = 1
_PHONEME_SEPARATOR = ord("_") << 8


class EventKind(IntEnum):
    """The ``espeak_EVENT_TYPE`` values we look at."""

    END_OF_LIST = 0
    WORD = 1
    END = 5


@dataclass(frozen=True, slots=True)
class SynthesisEvent:
    kind: int
    text_position: int
    """Characters before the word."""
    sample: int
    """Position in the whole speech, in samples."""


OnSynthesised = Callable[[NDArray[np.int16], list[SynthesisEvent]], bool]
"""Samples and events as they are made; returns whether to go on."""


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class EspeakLibrary:
    """The library, initialised once."""

    def __init__(self, chunk_ms: int = 60) -> None:
        """Raises ProviderUnavailable when the library or its data cannot be loaded."""
        try:
            import espeakng_loader

            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            data_path = espeakng_loader.get_data_path()
        except (ImportError, OSError, RuntimeError) as missing:
            raise ProviderUnavailable(
                _NAME, "the espeakng-loader package is not installed for this platform: pip install 'antiphon[espeak]'"
            ) from missing
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._library.espeak_Synth.argtypes = (
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        )
        self.rate_hz: int = self._library.espeak_Initialize(
            _OUTPUT_SYNCHRONOUS, chunk_ms, data_path.encode(), _NEVER_EXIT
        )
        if self.rate_hz <= 0:
            raise ProviderUnavailable(_NAME, "the library does not find its data")
        self._voice = ""
        self._on_synthesised: OnSynthesised | None = None
        self._failure: BaseException | None = None
        self._callback = _Callback(self._deliver)  # kept: the library holds no reference to it
        self._library.espeak_SetSynthCallback(self._callback)

    def set_voice(self, name: str) -> None:
        """Raises ProviderError for a name that is none of a voice. espeak-ng takes paths too, which no caller may name."""
        if name == self._voice:
            return
        try:
            check_voice(name)
        except ConfigurationError as unknown:
            raise ProviderError(_NAME, unknown.problem) from None
        voice, plus, variant = name.partition("+")
        if self._library.espeak_SetVoiceByName(f"{voice.lower()}{plus}{variant}".encode()) != 0:
            raise ProviderError(_NAME, "unknown voice")
        self._voice = name

    def set_words_per_minute(self, words_per_minute: int) -> None:
        self._library.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0)

    def phonemes(self, word: str) -> str:
        """The word's phoneme mnemonics, separated by ``_``; a word that is spoken as several has blanks between them."""
        rest = ctypes.c_char_p(word.encode())
        parts = []
        while rest.value:
            part = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _CHARACTERS_UTF8, _PHONEME_SEPARATOR)
            parts.append(part.decode() if part else "")
        return " ".join(parts)

    def synthesise(self, text: str, on_synthesised: OnSynthesised) -> None:
        """Speak ``text`` as it is (no SSML, no phoneme brackets). Returns when done or stopped.

        What ``on_synthesised`` raises stops the speech and is raised from here.
        """
        data = text.encode()
        self._on_synthesised, self._failure = on_synthesised, None
        try:
            status = self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _CHARACTERS_UTF8, None, None)
        finally:
            self._on_synthesised = None
        if self._failure is not None:
            raise self._failure
        if status != 0:
            raise ProviderError(_NAME, f"synthesis failed with status {status}")

    def _deliver(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        """The library's callback: 0 goes on, 1 stops. Nothing may be raised through C."""
        if self._on_synthesised is None:
            return 1
        try:
            # A copy: the library uses its buffer again.
            audio = np.ctypeslib.as_array(samples, (count,)).copy() if count else np.empty(0, dtype=np.int16)
            return 0 if self._on_synthesised(audio, _events(events)) else 1
        except BaseException as failure:
            self._failure = failure
            return 1


def _events(events: ctypes._Pointer[_Event]) -> list[SynthesisEvent]:
    found = []
    index = 0
    while events[index].type != EventKind.END_OF_LIST:
        event = events[index]
        # The library counts characters from 1.
        found.append(SynthesisEvent(event.type, event.text_position - 1, event.sample))
        index += 1
    return found
