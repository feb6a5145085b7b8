"""The caller's side of the conversation: what to say next, and when.

No sockets and no clock of its own: ``tick`` is called once per 20 ms frame with the time at which that frame is complete,
and gives the frame to send. The agent is known only by what is heard of it (``Hearing``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from antiphon.caller.clips import Clip, LineNoise
from antiphon.caller.hearing import Hearing
from antiphon.caller.measure import Answer, Spoken, find_answer
from antiphon.caller.script import After, AgentDone, BargeIn, Cue, Line
from antiphon.caller.wire import FRAME_MS

KEY_FRAMES = 10
"""200 ms from key to key, as fast as people press them."""
KEY_PAUSE_FRAMES = 25
"""``w``: half a second (Twilio's own meaning in SendDigits)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the caller waits for the agent."""

    agent_done_ms: int = 700
    """So much silence after speech means that the agent has finished."""
    greeting_ms: int = 3000
    """An agent that has not greeted by then is spoken to."""
    reply_ms: int = 8000
    """A line not answered by then, counted from its end, goes unanswered, and the next one is said."""
    noise_ms: int = 2500
    """After a noise, so much silence: an agent that has held its reply may take a while to resume it."""


@dataclass(frozen=True, slots=True)
class Cued:
    """A line with its sound (or none, for keys and waits)."""

    line: Line
    clip: Clip | None = None


class Dialogue:
    """One caller's way through its script."""

    def __init__(self, lines: Sequence[Cued], patience: Patience, noise: LineNoise, hearing: Hearing) -> None:
        self.spoken: list[Spoken] = []
        """What has been said, the last perhaps still being said."""
        self.finished = False
        """Every line has been said, and answered or waited for."""
        self._lines = deque(lines)
        self._patience = patience
        self._noise = noise.frames
        self._hearing = hearing
        self._frames_sent = 0
        self._clip: Clip | None = None
        self._position = 0
        self._keys: deque[str | None] = deque()
        """One entry a frame; None is a frame without a key."""
        self._free_ms = 0.0
        """When the caller's last line ended."""

    @property
    def unsaid(self) -> int:
        """Lines not yet begun."""
        return len(self._lines)

    def tick(self, now_ms: float) -> bytes:
        """The frame that was captured in the 20 ms before ``now_ms``, in base64."""
        self._frames_sent += 1
        if self._clip is None and not self._keys and not self.finished:
            self._consider(now_ms)
        if self._clip is not None:
            return self._next_frame(self._clip, now_ms)
        return self._noise[self._frames_sent % len(self._noise)]

    def take_key(self, now_ms: float) -> str | None:
        """The key pressed in this frame, if any. To be asked once after each ``tick``."""
        if not self._keys:
            return None
        key = self._keys.popleft()
        if key is not None:
            self.spoken[-1] = replace(self.spoken[-1], ended_ms=now_ms)
        if not self._keys:
            self._free_ms = now_ms
        return key

    def _consider(self, now_ms: float) -> None:
        if not self._lines:
            self.finished = self._is_due(AgentDone(), now_ms)
        elif self._is_due(self._lines[0].line.cue, now_ms):
            self._begin(self._lines.popleft(), now_ms)

    def _begin(self, cued: Cued, now_ms: float) -> None:
        line = cued.line
        if line.kind == "wait":
            self._free_ms = now_ms
            return
        if cued.clip is not None:
            self._clip = cued.clip
            self._position = 0
            began_ms = now_ms - FRAME_MS
            span_ms = (began_ms + cued.clip.onset_ms, began_ms + cued.clip.offset_ms)
        else:
            for key in line.content:
                pause = KEY_PAUSE_FRAMES if key == "w" else KEY_FRAMES
                self._keys.extend([None if key == "w" else key, *[None] * (pause - 1)])
            span_ms = (now_ms, now_ms)
        self.spoken.append(Spoken(line.kind, line.content, *span_ms, line.expects_reply))

    def _next_frame(self, clip: Clip, now_ms: float) -> bytes:
        frame = clip.frames[self._position]
        began_ms = self._position * FRAME_MS
        if began_ms < clip.offset_ms <= began_ms + FRAME_MS:
            # Frames may leave late; the end that counts is the one on the wire.
            self.spoken[-1] = replace(self.spoken[-1], ended_ms=now_ms - FRAME_MS + clip.offset_ms - began_ms)
        self._position += 1
        if self._position == len(clip.frames):
            self._clip = None
            self._free_ms = now_ms
        return frame

    def _is_due(self, cue: Cue, now_ms: float) -> bool:
        if isinstance(cue, After):
            return now_ms - FRAME_MS >= self._free_ms + cue.delay_ms  # the frame to be sent began 20 ms ago
        if isinstance(cue, BargeIn):
            heard_from_ms = self._answer_heard_from_ms()
            if heard_from_ms is not None and now_ms >= heard_from_ms + cue.into_ms:
                return True
            return self._agent_done(now_ms, 0)
        return self._agent_done(now_ms, cue.pause_ms)

    def _answer_heard_from_ms(self) -> float | None:
        if self.spoken:
            answer = self._answer()
            return answer.utterance.heard_from_ms if answer else None
        return self._hearing.utterances[0].heard_from_ms if self._hearing.utterances else None

    def _answer(self) -> Answer | None:
        # Fifty times a second: only what was heard since the line began can matter to it.
        last = self.spoken[-1]
        return find_answer(last, self._hearing.heard_after(last.started_ms), self._hearing.cuts_ms)

    def _agent_done(self, now_ms: float, pause_ms: int) -> bool:
        """Whether the agent has said what it had to say, or has been waited for long enough."""
        patience = self._patience
        quiet_ms = now_ms - max(self._hearing.spoken_until_ms, self._free_ms)
        if not self.spoken:
            waited_ms = patience.agent_done_ms if self._hearing.utterances else patience.greeting_ms
            return quiet_ms >= waited_ms + pause_ms
        last = self.spoken[-1]
        if last.expects_reply and self._answer() is None:
            return now_ms - last.ended_ms >= patience.reply_ms + pause_ms
        waited_ms = patience.noise_ms if last.kind == "noise" else patience.agent_done_ms
        return quiet_ms >= waited_ms + pause_ms
