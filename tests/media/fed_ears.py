"""Ears that are fed by hand."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.media.ears import Ears
from antiphon.media.facts import MediaListener
from antiphon.media.line import CallerLine
from antiphon.media.settings import HearingSettings
from antiphon.providers.base import VoiceActivityModel
from antiphon.vocabulary import Encoding


class FedEars(Ears):
    """Each call has a line of its own, on which what is fed is all there is."""

    def __init__(self, encoding: Encoding, model: VoiceActivityModel, slots: int = 64) -> None:
        super().__init__(encoding, model, self._note_cut, slots)
        self.cut: list[MediaListener] = []
        self.faults: list[Exception] = []
        self._fed: dict[int, CallerLine] = {}

    def _note_cut(self, listener: MediaListener, fault: Exception) -> None:
        self.cut.append(listener)
        self.faults.append(fault)

    def open_line(
        self, listener: MediaListener, settings: HearingSettings, veto: Callable[[bytes, int], bool] | None = None
    ) -> int:
        line = self.new_line()
        slot = self.open(line, listener, settings, veto)
        self._fed[slot] = line
        return slot

    def feed(self, slot: int, audio: bytes) -> None:
        self._fed[slot].append(audio)
