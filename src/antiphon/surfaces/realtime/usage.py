"""What a response is said to have used. Tokens as the model counts them; where it does not, the rules of thumb by which such calls
are billed: four characters of text, 100 ms of the caller's audio, 50 ms of the agent's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from antiphon.surfaces.realtime.protocol.response import ResponseUsage
from antiphon.vocabulary import Message, Usage

_CHARACTERS_A_TOKEN = 4
_CALLER_MS_A_TOKEN = 100
_AGENT_MS_A_TOKEN = 50


class Meter:
    """Of one session, from one bill to the next."""

    def __init__(self, take_heard_ms: Callable[[], float]) -> None:
        """``take_heard_ms`` is how much the caller has said since it was last asked."""
        self._take_heard_ms = take_heard_ms
        self._prompt_characters = 0
        self._input_tokens = 0
        self._output_tokens = 0

    def asked(self, messages: Sequence[Message]) -> None:
        """The model was shown these."""
        self._prompt_characters += sum(len(message.content) for message in messages)

    def used(self, usage: Usage) -> None:
        """A provider counted."""
        self._input_tokens += usage.input_tokens
        self._output_tokens += usage.output_tokens

    def bill(self, words: str, audio_ms: float) -> ResponseUsage:
        """Of a response that said or wrote ``words``."""
        bill = ResponseUsage(
            input_text_tokens=self._input_tokens or tokens_of(self._prompt_characters),
            input_audio_tokens=round(self._take_heard_ms() / _CALLER_MS_A_TOKEN),
            output_text_tokens=self._output_tokens or tokens_of(len(words)),
            output_audio_tokens=round(audio_ms / _AGENT_MS_A_TOKEN),
        )
        self._prompt_characters = self._input_tokens = self._output_tokens = 0
        return bill


def tokens_of(characters: int) -> int:
    return -(-characters // _CHARACTERS_A_TOKEN)
