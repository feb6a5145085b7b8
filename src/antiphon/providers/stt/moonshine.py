"""Moonshine tiny-en: English speech to text with no account, 4 % word errors over the telephone, decoded in worker processes.

It writes as people do (capitals, marks, figures). Expected answers come back in their author's words; other words, too, are told unless
``expected_only`` is set. ``moonshine_worker`` does the work.
"""

from __future__ import annotations

from antiphon.errors import ConfigurationError
from antiphon.providers.local_settings import check_positive
from antiphon.providers.stt.local import LocalSpeechToText

NAME = "moonshine"
_ENGINE = "antiphon.providers.stt.moonshine_worker:MoonshineEngine"


class MoonshineSpeechToText(LocalSpeechToText):
    """Implements ``SpeechToText``."""

    name = NAME
    doubted_below = 0.3
    """Words of people it believes more than this, misheard ones apart; of the words it writes of coughs and laughs, half."""

    def __init__(
        self,
        *,
        workers: int = 1,
        min_confidence: float = 0.5,
        expected_only: bool = False,
        partial_every_ms: int = 500,
        max_utterance_ms: int = 60_000,
        final_timeout_ms: int = 5_000,
        hung_after_s: float = 4.0,
    ) -> None:
        """``workers`` are processes of 130 MB and one core each. An answer is taken for an expected one from ``min_confidence`` on; with
        ``expected_only``, what is none is told as an empty text. Partials come at each pause, and every ``partial_every_ms`` of speech as
        long as they take no more than half of a process's time. Audio past ``max_utterance_ms`` is not heard. A process that
        gives no sign of life for ``hung_after_s`` is replaced. Raises ConfigurationError.
        """
        if not 0.0 <= min_confidence <= 1.0:
            raise ConfigurationError("stt.min_confidence", "must be 0 … 1")
        if not isinstance(expected_only, bool):
            raise ConfigurationError("stt.expected_only", "must be true or false")
        check_positive("stt", partial_every_ms=partial_every_ms)
        options = {
            "min_confidence": min_confidence,
            "expected_only": expected_only,
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
