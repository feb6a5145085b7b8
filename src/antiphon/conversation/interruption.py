"""The caller takes the floor from the agent: hold at the first sound, end the reply once it is sure, and know first what was heard of it.

``barge_in`` says whether a sound is an interruption; here is what that does to the reply and the turn.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from antiphon.conversation.agent_side import AgentSide
from antiphon.conversation.barge_in import Evidence
from antiphon.conversation.reply import Reply
from antiphon.conversation.situation import Situation
from antiphon.conversation.state import Agent, User
from antiphon.conversation.turn import Turn

_REMEMBERED_FINALS = 16


class RecogniserPace:
    """How long after the end of speech a call's recogniser has its last word."""

    def __init__(self) -> None:
        self._took_ms: deque[int] = deque(maxlen=_REMEMBERED_FINALS)

    def took(self, ms: int) -> None:
        self._took_ms.append(max(ms, 0))

    @property
    def usual_ms(self) -> int:
        """Nine of ten came within this; 0 while none is known."""
        if not self._took_ms:
            return 0
        ordered = sorted(self._took_ms)
        return ordered[len(ordered) * 9 // 10]


class Interruption:
    """Acts on the live reply, and on the open turn once the reply is over."""

    def __init__(self, situation: Situation, agent: AgentSide) -> None:
        self._s = situation
        self._agent = agent
        self.sounding = False
        """Sound or speech is going on now."""
        self.sound_silence_ms = 0
        """Silence since a sound that was no speech."""
        self.pace = RecogniserPace()

    @property
    def possible(self) -> bool:
        """Whether the caller may take the floor from the live reply. Nobody has heard a reply that is still being thought:
        then it is no interruption, the caller simply goes on."""
        reply = self._s.committed_reply
        if reply is None or not reply.interruptible or self._s.agent.state is Agent.HELD:
            return False
        return self._s.policy.barge_in.enabled or (reply.kind == "model" and not reply.voice_started)

    @property
    def decided(self) -> bool:
        """Whether an interruption is decided and only waits for the mouth's answer."""
        reply = self._s.committed_reply
        return reply is not None and reply.losing_floor

    def sound_began(self) -> None:
        """Something that may become speech: make room. Who has not been heard yet makes room by waiting."""
        softens = self._s.agent.state is Agent.SPEAKING and self._s.user.state is User.SILENT
        if self._s.agent.state is Agent.SOFTENED:
            return
        if softens and self._s.policy.barge_in.max_softened_ms > 0:
            if self._s.policy.barge_in.mode == "hold" and self.possible:
                self._agent.soften()
        else:
            self.hold_if_possible()

    def sound_faded(self) -> None:
        """It was no speech."""
        if self._s.agent.state is Agent.SOFTENED and not self.decided:
            self._agent.speak_up()

    def speak_up_if_due(self) -> None:
        """A sound that has gone on for so long and is no speech (music, a motor) need not be made room for."""
        reply = self._s.committed_reply
        if self._s.agent.state is Agent.SOFTENED and reply is not None and reply.softened_since_ms is not None:
            if self._s.now_ms - reply.softened_since_ms >= self._s.policy.barge_in.max_softened_ms:
                self._agent.speak_up()

    def hold_if_possible(self) -> None:
        """Speech, for sure: silence at once, decide later."""
        if self._s.policy.barge_in.mode == "hold" and self.possible:
            self.sound_silence_ms = 0
            self._agent.hold()

    def take_floor(self, status: Literal["interrupted", "cancelled"] = "interrupted") -> None:
        """End the live reply for certain. What was heard of it must be known first: so hold, and go on when the mouth has answered."""
        reply = self._s.committed_reply
        assert reply is not None
        if self._s.agent.state is not Agent.HELD:
            self._agent.hold()
        reply.loses_floor(status)

    def finish_if_known(self) -> None:
        """The mouth has answered: the reply ends, the turn is the caller's."""
        reply = self._s.committed_reply
        if reply is None or reply.lost_as is None:
            return
        assert reply.held_since_ms is not None
        # A mouth that does not answer cannot keep the caller waiting: then what it told last stands.
        if not reply.heard_known and self._s.now_ms - reply.held_since_ms < self._s.policy.barge_in.max_hold_ms:
            return
        turn = self._s.turn
        went_on = turn is not None and self._went_on(reply)
        reply.taken_back = went_on and reply.voice_started
        answered = turn is not None and turn.answers
        self._agent.interrupt(reply.lost_as, backs_off=not went_on and not answered)
        if turn is None:
            return
        turn.interrupting = not answered
        if went_on:
            before = self._s.history.take_back_turn(reply.turn)
            if before is not None:
                turn.carried = f"{before} {turn.carried}".strip()
                turn.interrupting = False

    def _went_on(self, reply: Reply) -> bool:
        """Whether the caller had not finished when the answer began, of which hardly anything was heard: then it is taken back whole."""
        if reply.kind != "model" or reply.asked_tools or reply.lost_as != "interrupted":
            return reply.kind == "model" and not reply.voice_started and not reply.asked_tools
        # Where the client plays, what was heard is not known yet; where it said that the turn was over, it was.
        ours = self._s.policy.playback_owner == "server" and self._s.policy.endpointing.mode != "manual"
        return not reply.voice_started or (ours and reply.heard_ms <= self._s.policy.barge_in.take_back_ms)

    def evidence(self) -> Evidence:
        """What is known of the sound the agent is held for."""
        turn, reply = self._s.turn, self._s.committed_reply
        assert reply is not None and reply.held_since_ms is not None
        held_ms = self._s.now_ms - reply.held_since_ms
        if turn is None:
            return Evidence("", True, False, self.sounding, 0, self.sound_silence_ms, held_ms)
        return self.evidence_of(turn, held_ms)

    def evidence_of(self, turn: Turn, held_ms: int = 0) -> Evidence:
        """What is known of a turn, open or dropped."""
        return Evidence(
            turn.text, turn.final, True, self.sounding, turn.longest_voice_ms, turn.silence_ms, held_ms,
            turn.confidence, self.pace.usual_ms, self._s.policy.partials, turn.speech_share, turn.settled, turn.far,
        )  # fmt: skip

    @property
    def over_question(self) -> bool:
        """Whether the held reply is a question of which hardly anything is left: who says "yes" to it answers, and does not listen on."""
        reply = self._s.committed_reply
        if reply is None or not reply.speech_ended or not reply.ledger.complete:
            return False
        left_ms = reply.ledger.duration_ms - reply.heard_ms
        return left_ms <= self._s.policy.barge_in.answer_overlap_ms and reply.ledger.asks
