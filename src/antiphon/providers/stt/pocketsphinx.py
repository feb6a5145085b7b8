"""pocketsphinx: US English speech to text with no account and no download, decoded in worker processes.

With expected answers it is a small recogniser that is exact, and that says nothing (an empty final) to a cough or to other
words; without, free dictation of modest quality. ``pocketsphinx_worker`` does the work.
"""

from __future__ import annotations

from importlib.util import find_spec

from antiphon.errors import ConfigurationError
from antiphon.providers.local_models import not_installed
from antiphon.providers.local_settings import check_positive
from antiphon.providers.stt.local import LocalSpeechToText
from antiphon.providers.stt.places import Places

NAME = "pocketsphinx"
_ENGINE = "antiphon.providers.stt.pocketsphinx_worker:PocketsphinxEngine"


class PocketsphinxSpeechToText(LocalSpeechToText):
    """Implements ``SpeechToText``."""

    name = NAME
    punctuation = 0.0

    def __init__(
        self,
        *,
        workers: int = 1,
        dictation_decoders: int = 3,
        grammar_decoders: int = 24,
        min_confidence: float = 0.5,
        partial_every_ms: int = 200,
        max_utterance_ms: int = 60_000,
        final_timeout_ms: int = 5_000,
        hung_after_s: float = 4.0,
    ) -> None:
        """``workers`` are processes; decoders are per process. They are built when first needed (``pocketsphinx_decoders`` says
        what they cost), and an utterance past the cap fails at once. ``dictation_decoders=0`` never loads the language model
        (90 MB less). Audio past ``max_utterance_ms`` is not heard. A process that gives no sign of life for ``hung_after_s`` is
        replaced. Raises ConfigurationError.
        """
        if dictation_decoders < 0 or grammar_decoders < 0 or dictation_decoders + grammar_decoders == 0:
            raise ConfigurationError(
                "stt.dictation_decoders", "must not be negative, nor 0 together with grammar_decoders"
            )
        if not 0.0 <= min_confidence <= 1.0:
            raise ConfigurationError("stt.min_confidence", "must be 0 … 1")
        check_positive("stt", partial_every_ms=partial_every_ms)
        options = {
            "dictation_decoders": dictation_decoders,
            "grammar_decoders": grammar_decoders,
            "min_confidence": min_confidence,
            "partial_every_ms": partial_every_ms,
        }
        super().__init__(
            _ENGINE,
            options,
            workers=workers,
            max_utterance_ms=max_utterance_ms,
            final_timeout_ms=final_timeout_ms,
            hung_after_s=hung_after_s,
        )
        if dictation_decoders > 0:
            self.places = Places(max(1, dictation_decoders - 1) * workers)

    async def start(self) -> None:
        """Raises ProviderUnavailable where the package is not there."""
        if find_spec(NAME) is None:
            raise not_installed(NAME, NAME, NAME)
        await super().start()
