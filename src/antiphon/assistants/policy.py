"""An assistant's plans as the numbers the conversation decides by: seconds become milliseconds, what was not said keeps its default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from antiphon.assistants.endpointing_spec import SmartEndpointingPlan
from antiphon.assistants.spec import AssistantSpec
from antiphon.assistants.wait_function import wait_curve
from antiphon.conversation.policy import BargeIn, Endpointing, Greeting, Keypad, Policy, Silence, Speaking
from antiphon.conversation.ranges import check_ranges
from antiphon.errors import ConfigurationError
from antiphon.providers import registry
from antiphon.suggestions import unknown

PartT = TypeVar("PartT", Endpointing, BargeIn, Speaking, Silence, Greeting, Keypad)

_SLOW_SPEECH_MS = 100
"""A character of slow speech: two words a second."""
_SPEECH_START_MS = 5000
"""What may pass before the voice begins, and until its last sound is known to be heard."""

_POLICY: TypeAdapter[Policy] = TypeAdapter(Policy)


def policy_of(spec: AssistantSpec) -> Policy:
    """The policy of a call that this assistant takes. Raises ConfigurationError naming the field of ``policy`` that is wrong."""
    planned = Policy(
        endpointing=_endpointing(spec),
        barge_in=_barge_in(spec),
        speaking=_with(Speaking(), end_call_phrases=_lower(spec.end_call_phrases)),
        silence=_silence(spec),
        greeting=_greeting(spec),
        keypad=_with(
            Keypad(),
            enabled=spec.keypad_input_plan.enabled,
            timeout_ms=_ms(spec.keypad_input_plan.timeout_seconds),
            delimiters=spec.keypad_input_plan.delimiters,
        ),
    )
    return _overridden(planned, spec.policy) if spec.policy else planned


def _overridden(planned: Policy, said: Mapping[str, Any]) -> Policy:
    document = asdict(planned)
    for name, value in said.items():
        if name not in document:
            raise ConfigurationError(f"policy.{name}", unknown(name, document, "policy"))
        if isinstance(value, Mapping) and isinstance(document[name], dict):
            for inner in value:
                if inner not in document[name]:
                    raise ConfigurationError(f"policy.{name}.{inner}", unknown(str(inner), document[name], "policy"))
            document[name] |= value
        else:
            document[name] = value
    try:
        policy = _POLICY.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(".".join(("policy", *map(str, first["loc"]))), first["msg"]) from None
    check_ranges(policy)
    return policy


def _endpointing(spec: AssistantSpec) -> Endpointing:
    plan = spec.start_speaking_plan
    waits = plan.transcription_endpointing_plan
    wait_seconds = plan.wait_seconds if plan.wait_seconds is not None else spec.response_delay_seconds
    return _with(
        Endpointing(),
        wait_ms=_ms(wait_seconds),
        on_punctuation_ms=_ms(waits.on_punctuation_seconds),
        on_no_punctuation_ms=_ms(waits.on_no_punctuation_seconds),
        on_number_ms=_ms(waits.on_number_seconds),
        wait_curve=_wait_curve(plan.smart_endpointing_plan),
        # A wait longer than the ceiling would be cut by it: whoever asks for five seconds gets them.
        max_wait_ms=max(
            Endpointing().max_wait_ms,
            *(_ms(said) or 0 for said in (wait_seconds, waits.on_no_punctuation_seconds, waits.on_number_seconds)),
        ),
    )


def _wait_curve(plan: SmartEndpointingPlan) -> tuple[int, ...] | None:
    """None where the assistant has none, or one that is not understood, which its warnings tell (``ignored``)."""
    if not plan.wait_function or plan.asks_a_server:
        return None
    try:
        return wait_curve(plan.wait_function)
    except ConfigurationError:
        return None


def _barge_in(spec: AssistantSpec) -> BargeIn:
    plan = spec.stop_speaking_plan
    return _with(
        BargeIn(),
        num_words=plan.num_words if plan.num_words is not None else spec.num_words_to_interrupt_assistant,
        voice_ms=_ms(plan.voice_seconds),
        backoff_ms=_ms(plan.backoff_seconds),
        acknowledgement_phrases=_lower(plan.acknowledgement_phrases),
        interruption_phrases=_lower(plan.interruption_phrases),
    )


def _silence(spec: AssistantSpec) -> Silence:
    plan = spec.message_plan
    return _with(
        Silence(),
        idle_after_ms=_ms(plan.idle_timeout_seconds),
        idle_messages=plan.idle_messages,
        idle_max_count=plan.idle_message_max_spoken_count,
        idle_count_resets_on_speech=plan.idle_message_reset_count_on_user_speech_enabled,
        silence_timeout_ms=_ms(spec.silence_timeout_seconds),
        silence_timeout_message=plan.silence_timeout_message,
        max_duration_ms=_ms(spec.max_duration_seconds),
        end_call_message=spec.end_call_message,
        goodbye_timeout_ms=_goodbye_timeout_ms(spec),
    )


def _goodbye_timeout_ms(spec: AssistantSpec) -> int:
    """Long enough for the longest message that may end a call: it must not be cut for being long."""
    messages = (spec.end_call_message, spec.message_plan.silence_timeout_message, spec.voicemail_message)
    longest = max(len(message or "") for message in messages)
    return max(Silence().goodbye_timeout_ms, _SPEECH_START_MS + longest * _SLOW_SPEECH_MS)


def _greeting(spec: AssistantSpec) -> Greeting:
    mode, model = spec.first_message_mode, spec.model
    if model is not None and not spec.first_message and mode == "assistant-speaks-first":
        if registry.has_own_assistant(registry.in_one(model.provider, model.model)):
            mode = "assistant-speaks-first-with-model-generated-message"  # it has a first message of its own
    return _with(
        Greeting(),
        mode=mode,
        message=spec.first_message,
        interruptible=spec.first_message_interruptions_enabled,
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _lower(phrases: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if phrases is None else tuple(phrase.lower() for phrase in phrases)


def _with(part: PartT, **said: Any) -> PartT:
    """The part with what was said; ``None`` keeps the default."""
    return replace(part, **{name: value for name, value in said.items() if value is not None})
