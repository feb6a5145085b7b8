"""Who answered a call we placed, and what its assistant wants done about it: answering-machine detection, end to end.

The carrier finds out in the background and tells late: the agent has greeted by then, and may be talking to a recorded voice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import structlog

from antiphon.assistants.spec import AssistantSpec, VoicemailDetectionPlan
from antiphon.assistants.voicemail import VoicemailPlan, voicemail_of
from antiphon.carriers.base import CallAnswered, DetectionTuning, MachineDetection
from antiphon.conversation import events as ev
from antiphon.conversation.state import Agent, Call
from antiphon.errors import ConfigurationError
from antiphon.session.manager import SessionManager
from antiphon.session.session import Session
from antiphon.vocabulary import AnsweredBy, EndReason

log = structlog.get_logger(__name__)

Outcome = Literal["gone", "went_on", "message", "hung_up"]
"""``gone``: the call is over, or led by another process. ``went_on``: a person, or nothing is to be done."""


def detection_of(spec: AssistantSpec) -> MachineDetection | None:
    """What to ask the carrier for when this assistant's call is placed; None for nothing. To leave a message, the end of the
    machine's greeting must be waited for; to hang up, the sooner the better."""
    plan = spec.voicemail_detection
    if not isinstance(plan, VoicemailDetectionPlan) or not plan.enabled:
        return None
    tuning = DetectionTuning(
        timeout_s=_whole(plan.machine_detection_timeout),
        speech_ms=_whole(plan.machine_detection_speech_threshold),
        speech_end_ms=_whole(plan.machine_detection_speech_end_threshold),
        silence_ms=_whole(plan.machine_detection_silence_timeout),
    )
    return MachineDetection(greeting_end=bool(voicemail_of(spec).message), tuning=tuning)


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


class AnsweringMachines:
    """Carries out what assistants want when a machine answers. One per process."""

    def __init__(
        self,
        sessions: SessionManager,
        find_assistant: Callable[[Session], AssistantSpec],
        count: Callable[[AnsweredBy, str], None],
    ) -> None:
        """``find_assistant`` raises ConfigurationError. ``count`` is told who answered, and the ``Outcome``."""
        self._sessions = sessions
        self._find_assistant = find_assistant
        self._count = count

    def answered(self, answered: CallAnswered) -> None:
        """A carrier has found out who answered (``carriers.base.OnCallAnswered``)."""
        session = self._session_of(answered.provider_call_id)
        outcome: Outcome = "gone" if session is None else self._act(session, answered.by)
        self._count(answered.by, outcome)
        log.info(
            "call_answered", provider_call_id=answered.provider_call_id[:64], answered_by=str(answered.by), outcome=outcome,
            detection_ms=answered.detection_ms,
        )  # fmt: skip

    def _session_of(self, provider_call_id: str) -> Session | None:
        """The call, where anything can still be said on it. There is one result a call: a walk through the live ones costs less than
        an index."""
        for session in self._sessions.sessions():
            if session.call.provider_call_id == provider_call_id and session.conversation.call is Call.LIVE:
                return session
        return None

    def _act(self, session: Session, by: AnsweredBy) -> Outcome:
        plan = self._plan(session)
        if by not in plan.machines:
            return "went_on"
        message = plan.message_for(by)
        if not message:
            # Not ``EndRequested``, which would say the assistant's goodbye to a machine.
            session.drop(EndReason.VOICEMAIL)
            return "hung_up"
        if session.conversation.agent is not Agent.IDLE:
            # What was being said to nobody shall not stand before the message.
            session.feed(ev.ReplyCancelled())
        session.feed(ev.EndRequested(EndReason.VOICEMAIL, message))
        return "message"

    def _plan(self, session: Session) -> VoicemailPlan:
        try:
            return voicemail_of(self._find_assistant(session))
        except ConfigurationError as error:
            # Its file was spoilt while it talked. Whether to hang up on somebody is not to be guessed.
            log.warning("voicemail_plan_unreadable", call_id=session.call.call_id, problem=str(error))
            return VoicemailPlan(frozenset())
