"""What an assistant does when nobody but a machine answers its call."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.assistants.spec import AssistantSpec, VoicemailDetectionPlan
from antiphon.vocabulary import AnsweredBy

MACHINES = frozenset(AnsweredBy) - {AnsweredBy.HUMAN, AnsweredBy.UNKNOWN}
"""Vapi's default is the beep and the silence alone. But whoever asked to be told of a machine does not want to talk to one."""


@dataclass(frozen=True, slots=True)
class VoicemailPlan:
    """Ends the call where one of ``machines`` has answered, after leaving a message."""

    machines: frozenset[AnsweredBy] = MACHINES
    message: str = ""
    """Empty: hang up at once."""

    def message_for(self, by: AnsweredBy) -> str:
        """What is said to this machine; empty for nothing. A fax takes no message."""
        return "" if by is AnsweredBy.FAX else self.message


def voicemail_of(spec: AssistantSpec) -> VoicemailPlan:
    """The plan of a call that this assistant leads. An assistant that says nothing of detection never asks for it, but heeds a result
    that somebody else asked for; one that says ``off`` heeds none."""
    plan = spec.voicemail_detection
    message = (spec.voicemail_message or "").strip()
    if plan == "off" or (isinstance(plan, VoicemailDetectionPlan) and not plan.enabled):
        return VoicemailPlan(frozenset(), message)
    if isinstance(plan, VoicemailDetectionPlan) and plan.voicemail_detection_types is not None:
        return VoicemailPlan(frozenset(plan.voicemail_detection_types), message)
    return VoicemailPlan(message=message)
