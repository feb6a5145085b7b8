"""An assistant in Vapi's shape: camelCase on the wire, every field optional, unknown and legacy fields kept as they came.

Ranges and defaults are those of Vapi's CreateAssistantDTO (reference/vapi.md §3). A field left out stays ``None`` here, so that what was
said and what is merely the default can be told apart; ``policy`` knows the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator

from antiphon.assistants.endpointing_spec import MAX_RULES, EndpointingRule, SmartEndpointingPlan
from antiphon.assistants.hook_spec import Hook
from antiphon.assistants.legacy import with_successors
from antiphon.assistants.output_conditions import conditions_of
from antiphon.assistants.texts import Message1000, Phrase, PromptMessage
from antiphon.assistants.tool_definition import ServerSpec, ToolDefinition
from antiphon.errors import ConfigurationError
from antiphon.vocabulary import AnsweredBy, Message
from antiphon.wire_model import WireModel, parse
from antiphon.workflow.graph import compile_workflow

_HTTP_URL = r"^$|^https?://[^/]"
FirstMessageMode = Literal[
    "assistant-speaks-first", "assistant-speaks-first-with-model-generated-message", "assistant-waits-for-user"
]


class FallbackModel(WireModel):
    """A model that stands in."""

    provider: str = Field(min_length=1)
    model: str = ""
    url: str = Field(default="", pattern=_HTTP_URL)
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=50, le=10_000)
    workflow: dict[str, Any] | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("workflow")
    @classmethod
    def _workflow_holds_together(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            compile_workflow(value, "workflow")
        return value


class OwnKnowledge(WireModel):
    """An application's server that is asked what is known of each question."""

    provider: str = "custom-knowledge-base"
    server: ServerSpec | None = None


class ModelSpec(WireModel):
    """Which language model, and what it is told. ``provider`` is a name of the registry."""

    provider: str = Field(min_length=1)
    model: str = ""
    url: str = Field(default="", pattern=_HTTP_URL)
    """Where the provider is called: for ``custom-llm`` and other servers of one's own."""
    messages: tuple[PromptMessage, ...] = ()
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=50, le=10_000)
    workflow: dict[str, Any] | None = None
    """The workflow of provider ``workflow``."""
    tools: tuple[ToolDefinition, ...] = ()
    tool_ids: tuple[str, ...] = ()
    knowledge_base: OwnKnowledge | None = None
    system_prompt: str = ""
    """Legacy: the system message as a plain field."""
    fallback_models: tuple[FallbackModel | Annotated[str, Field(min_length=1)], ...] = Field(default=(), max_length=5)
    """Who answers where the model does not, in this order: other models of the same provider by their names, or of another."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Ours: whatever else the provider takes."""

    @field_validator("workflow")
    @classmethod
    def _workflow_holds_together(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            compile_workflow(value, "model.workflow")
        return value


class VoiceSpec(WireModel):
    provider: str = Field(min_length=1)
    server: ServerSpec | None = None
    """Of ``custom-voice``."""
    voice_id: str = ""
    model: str = ""
    speed: float | None = Field(default=None, ge=0.25, le=2)
    language: str = Field(default="", pattern=r"^[A-Za-z]{0,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}$")
    """Ours: in which language figures, dates and amounts are said, e.g. ``en`` or ``ko-KR``. Empty: the voice's, else the transcriber's,
    else English."""
    pronunciations: dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[str, Field(max_length=200)]] = (
        Field(default_factory=dict, max_length=1000)
    )
    """Ours: how words of this assistant are said, e.g. ``{Nguyen: win}``. One that holds a capital matches in that case only; up to four
    words."""
    options: dict[str, Any] = Field(default_factory=dict)
    fallback_plan: VoiceFallbackPlan | None = None


class VoiceFallbackPlan(WireModel):
    """Who speaks where the voice does not, in this order. A plan within the plan does nothing."""

    voices: tuple[VoiceSpec, ...] = Field(default=(), max_length=5)


class SocketServer(ServerSpec):
    """Where an application's own recogniser listens: a WebSocket."""

    url: str = Field(pattern=r"^(https?|wss?)://[^/]")


class TranscriberSpec(WireModel):
    provider: str = Field(min_length=1)
    server: SocketServer | None = None
    """Of ``custom-transcriber``."""
    model: str = ""
    language: str = ""
    endpointing: int | None = Field(default=None, ge=10, le=500)
    """Milliseconds of silence after which the *transcriber* calls a transcript final. When a turn is over, ``startSpeakingPlan`` says."""
    keywords: tuple[str, ...] = ()
    """Words that are likely to be said, as the provider writes them."""
    options: dict[str, Any] = Field(default_factory=dict)
    fallback_plan: TranscriberFallbackPlan | None = None


class TranscriberFallbackPlan(WireModel):
    """Who listens where the transcriber does not, in this order. A plan within the plan does nothing."""

    transcribers: tuple[TranscriberSpec, ...] = Field(default=(), max_length=5)


class TranscriptionEndpointingPlan(WireModel):
    on_punctuation_seconds: float | None = Field(default=None, ge=0, le=3)
    on_no_punctuation_seconds: float | None = Field(default=None, ge=0, le=3)
    on_number_seconds: float | None = Field(default=None, ge=0, le=3)


class StartSpeakingPlan(WireModel):
    wait_seconds: float | None = Field(default=None, ge=0, le=5)
    transcription_endpointing_plan: TranscriptionEndpointingPlan = Field(default_factory=TranscriptionEndpointingPlan)
    smart_endpointing_plan: SmartEndpointingPlan = Field(default_factory=SmartEndpointingPlan)
    smart_endpointing_enabled: bool | str | None = None
    """Legacy: the model is ours in any case."""
    custom_endpointing_rules: tuple[EndpointingRule, ...] = Field(default=(), max_length=MAX_RULES)


class StopSpeakingPlan(WireModel):
    num_words: int | None = Field(default=None, ge=0, le=10)
    voice_seconds: float | None = Field(default=None, ge=0, le=0.5)
    backoff_seconds: float | None = Field(default=None, ge=0, le=10)
    acknowledgement_phrases: tuple[Phrase, ...] | None = None
    interruption_phrases: tuple[Phrase, ...] | None = None


class MessagePlan(WireModel):
    """Legacy at Vapi, still sent by many configurations."""

    idle_messages: tuple[Message1000, ...] | None = None
    idle_timeout_seconds: float | None = Field(default=None, ge=5, le=60)
    idle_message_max_spoken_count: int | None = Field(default=None, ge=1, le=10)
    idle_message_reset_count_on_user_speech_enabled: bool | None = None
    silence_timeout_message: Message1000 | None = None


class KeypadInputPlan(WireModel):
    enabled: bool | None = None
    timeout_seconds: float | None = Field(default=None, ge=0, le=10)
    delimiters: Literal["#", "*", ""] | None = None


class VoicemailDetectionPlan(WireModel):
    """What to do when a machine answers. Detection is the carrier's, whichever provider is named: what belongs to Vapi's other
    providers (``beepMaxAwaitSeconds``, ``backoffPlan``, ``type``) is kept and does nothing."""

    provider: Literal["vapi", "google", "openai", "twilio"]
    enabled: bool = True
    voicemail_detection_types: tuple[AnsweredBy, ...] | None = None
    """Answers that count as a machine."""
    machine_detection_timeout: float | None = Field(default=None, ge=3, le=59)
    """Seconds; the other three are milliseconds."""
    machine_detection_speech_threshold: float | None = Field(default=None, ge=1000, le=6000)
    machine_detection_speech_end_threshold: float | None = Field(default=None, ge=500, le=5000)
    machine_detection_silence_timeout: float | None = Field(default=None, ge=2000, le=10_000)


def _word_or_plan(value: object) -> str:
    """So that a wrong plan is told what is wrong in it, not that it is no word."""
    return "plan" if isinstance(value, Mapping | VoicemailDetectionPlan) else "word"


VoicemailDetection = Annotated[
    Annotated[Literal["off"], Tag("word")] | Annotated[VoicemailDetectionPlan, Tag("plan")],
    Discriminator(_word_or_plan),
]


class TranscriptPlan(WireModel):
    enabled: bool = True
    assistant_name: str = Field(default="", max_length=80)
    user_name: str = Field(default="", max_length=80)


def _sound(value: str) -> str:
    """What is heard behind an assistant. Raises ValueError."""
    if value in ("off", "office") or value.lower().startswith(("http://", "https://")):
        return value
    raise ValueError("must be off, office or the http(s) URL of a sound file")


def _with_right_conditions(output: dict[str, Any]) -> dict[str, Any]:
    try:
        conditions_of(output)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None
    return output


class ArtifactPlan(WireModel):
    """What is left of a call."""

    recording_enabled: bool | None = None
    logging_enabled: bool = True
    """Whether the event log is kept when what is made of it has been made."""
    transcript_plan: TranscriptPlan = Field(default_factory=TranscriptPlan)
    structured_output_ids: tuple[str, ...] = Field(default=(), max_length=50)
    structured_outputs: tuple[Annotated[dict[str, Any], AfterValidator(_with_right_conditions)], ...] = Field(
        default=(), max_length=50
    )
    """Written out, instead of by the ids of stored ones."""
    full_message_history_enabled: bool | None = None
    """False: of a call that was handed over, the messages are those that the last assistant's model was shown. Else all are there."""
    retention_days: float | None = Field(default=None, ge=0, le=36_500)
    """Ours: what was said is erased after so long; 0: never. The setting ``after_call.retention_days`` where it is not given."""


class CompliancePlan(WireModel):
    hipaa_enabled: bool | None = None
    """Nothing of what is said is written down: no recording, no event log, no transcript."""
    pci_enabled: bool | None = None
    """The same."""

    @property
    def keeps_nothing(self) -> bool:
        return bool(self.hipaa_enabled or self.pci_enabled)


class CostPlan(WireModel):
    """Ours: what a call may cost."""

    max_usd_per_call: float | None = Field(default=None, gt=0, le=10_000)
    """Below the setting ``costs.max_usd_per_call``, where there is one: the lower one counts."""
    message: Message1000 | None = None
    """Said before the call ends for it."""


class AssistantSpec(WireModel):
    """The whole of it."""

    name: str = Field(default="", max_length=40)
    first_message: str | None = None
    first_message_mode: FirstMessageMode = "assistant-speaks-first"
    first_message_interruptions_enabled: bool | None = None
    model: ModelSpec | None = None
    voice: VoiceSpec | None = None
    transcriber: TranscriberSpec | None = None
    start_speaking_plan: StartSpeakingPlan = Field(default_factory=StartSpeakingPlan)
    stop_speaking_plan: StopSpeakingPlan = Field(default_factory=StopSpeakingPlan)
    message_plan: MessagePlan = Field(default_factory=MessagePlan)
    keypad_input_plan: KeypadInputPlan = Field(default_factory=KeypadInputPlan)
    silence_timeout_seconds: float | None = Field(default=None, ge=10, le=3600)
    max_duration_seconds: float | None = Field(default=None, ge=10, le=43_200)
    end_call_message: Message1000 | None = None
    end_call_phrases: tuple[Phrase, ...] | None = None
    voicemail_detection: VoicemailDetection | None = None
    voicemail_message: Message1000 | None = None
    artifact_plan: ArtifactPlan = Field(default_factory=ArtifactPlan)
    analysis_plan: dict[str, Any] = Field(default_factory=dict)
    """What a model is asked about the call when it is over: read by ``jobs.analysis``."""
    compliance_plan: CompliancePlan = Field(default_factory=CompliancePlan)
    cost_plan: CostPlan = Field(default_factory=CostPlan)
    background_sound: Annotated[str, AfterValidator(_sound)] | None = Field(default=None, max_length=8192)
    """``office``, the URL of a sound file, or ``off``, which is also what it is where nothing is said."""
    hooks: tuple[Hook, ...] = Field(default=(), max_length=50)
    server: ServerSpec | None = None
    server_messages: str | tuple[str, ...] | None = None
    """Which messages the server is sent; left out: the usual ones."""
    customer_join_timeout_seconds: float | None = Field(default=None, ge=1, le=60)
    """How long a web call waits for its caller; left out: as long as any call does here."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    policy: dict[str, Any] = Field(default_factory=dict)
    """Ours: numbers of the conversation's policy that the plans above have no field for, e.g. ``{endpointing: {mode: fixed,
    silence_ms: 200}}``. They win over the plans."""

    # Legacy fields that still come in: mapped (``legacy``), never refused.
    hipaa_enabled: bool | None = None
    end_call_function_enabled: bool | None = None
    dial_keypad_function_enabled: bool | None = None
    forwarding_phone_number: str = Field(default="", max_length=256)
    recording_enabled: bool | None = None
    num_words_to_interrupt_assistant: int | None = Field(default=None, ge=0, le=10)
    response_delay_seconds: float | None = Field(default=None, ge=0, le=5)
    server_url: str = ""
    server_url_secret: str = ""

    @property
    def records(self) -> bool:
        """Whether the call is recorded: by default yes, as at Vapi."""
        if self.artifact_plan.recording_enabled is not None:
            return self.artifact_plan.recording_enabled
        return self.recording_enabled is not False

    def messages(self) -> tuple[Message, ...]:
        """What the history begins with: the model's messages, or the legacy system prompt."""
        if self.model is None:
            return ()
        written = tuple(Message(message.role, message.content) for message in self.model.messages if message.content)
        return written or ((Message("system", self.model.system_prompt),) if self.model.system_prompt else ())

    @property
    def webhook(self) -> ServerSpec | None:
        """Where events go, the legacy fields included."""
        if self.server is not None or not self.server_url:
            return self.server
        return ServerSpec(url=self.server_url, secret=self.server_url_secret)


def parse_assistant(data: Mapping[str, Any], path: str = "") -> AssistantSpec:
    """Read an assistant. ``path`` is where it stands in a larger document. Raises ConfigurationError naming the wrong field."""
    if not isinstance(data, Mapping):
        raise ConfigurationError(path or "document", "an assistant must be an object")
    return parse(AssistantSpec, with_successors(data), path)
