"""Nobody speaks, or the call has lasted long enough: when to prompt, when to end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from antiphon.conversation.policy import Silence


class Due(StrEnum):
    IDLE_PROMPT = "idle prompt"
    SILENCE_TIMEOUT = "silence timeout"
    NO_AUDIO = "no audio"
    MAX_DURATION = "max duration"


@dataclass(slots=True)
class SilenceKeeper:
    """Counts silence on the session clock, since either side last did anything."""

    connected_ms: int
    last_activity_ms: int
    last_prompt_ms: int
    prompts: int = 0
    audio_arrived: bool = False

    def activity(self, now_ms: int, *, by_caller: bool, policy: Silence) -> None:
        """Somebody spoke, typed or finished speaking. A prompt of ours is not activity of the call."""
        self.last_activity_ms = now_ms
        self.last_prompt_ms = now_ms
        if by_caller and policy.idle_count_resets_on_speech:
            self.prompts = 0

    def prompted(self, now_ms: int) -> None:
        """An idle message was said; the silence of the *call* goes on."""
        self.prompts += 1
        self.last_prompt_ms = now_ms

    def next(self, policy: Silence, *, quiet: bool) -> tuple[int, Due] | None:
        """What comes next and when. ``quiet``: neither side is speaking, thinking or pausing."""
        due: Due | None = None
        at_ms = 0
        if policy.max_duration_ms:
            due, at_ms = Due.MAX_DURATION, self.connected_ms + policy.max_duration_ms
        if policy.no_audio_timeout_ms and not self.audio_arrived:
            no_audio_ms = self.connected_ms + policy.no_audio_timeout_ms
            if due is None or no_audio_ms < at_ms:
                due, at_ms = Due.NO_AUDIO, no_audio_ms
        if quiet:
            timeout_ms = self.last_activity_ms + policy.silence_timeout_ms
            if policy.silence_timeout_ms and (due is None or timeout_ms < at_ms):
                due, at_ms = Due.SILENCE_TIMEOUT, timeout_ms
            prompt_ms = self.last_prompt_ms + policy.idle_after_ms
            if self._prompts(policy) and (due is None or prompt_ms < at_ms):
                due, at_ms = Due.IDLE_PROMPT, prompt_ms
        return (at_ms, due) if due is not None else None

    def _prompts(self, policy: Silence) -> bool:
        """Whether there is still something to be said to a caller who says nothing."""
        says = policy.idle_reply or policy.idle_messages
        return bool(policy.idle_after_ms and says) and self.prompts < policy.idle_max_count
