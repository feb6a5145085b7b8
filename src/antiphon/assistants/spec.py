"""An assistant in Vapi's shape: camelCase on the wire, every field optional, unknown and legacy fields kept as they came.

Ranges and defaults are those of Vapi's CreateAssistantDTO (reference/vapi.md §3). A field left out stays ``None`` here, so that what was
said and what is merely the default can be told apart; ``policy`` knows the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from antiphon.assistants.output_conditions import conditions_of
from antiphon.assistants.tool_plans import KnowledgeBase, RejectionPlan, VariableExtractionPlan
from antiphon.errors import ConfigurationError
from antiphon.vocabulary import AnsweredBy, Message
from antiphon.wire_model import WireModel, parse
from antiphon.workflow.graph import compile_workflow

Message1000 = Annotated[str, Field(max_length=1000)]
Phrase = Annotated[str, Field(max_length=240)]
_HTTP_URL = r"^$|^https?://[^/]"
FirstMessageMode = Literal[
    "assistant-speaks-first", "assistant-speaks-first-with-model-generated-message", "assistant-waits-for-user"
]


class ServerSpec(WireModel):
    """Where an application's webhook listens."""

    url: str = Field(pattern=r"^https?://")
    timeout_seconds: float = Field(default=20, ge=1, le=300)
    secret: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    credential_id: str = ""
    backoff_plan: dict[str, Any] | None = None


class FunctionSpec(WireModel):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str = Field(default="", max_length=1000)
    parameters: dict[str, Any] = Field(default_factory=dict)


class MessageContent(WireModel):
    type: str = "text"
    text: str = ""
    language: str = ""


class ToolMessage(WireModel):
    """What is said while a tool works."""

    type: str
    content: str = ""
    contents: tuple[MessageContent, ...] = ()
    """The same in several languages: the first is said."""
    role: Literal["assistant", "system"] = "assistant"
    """``system``: told to the model, not spoken."""
    end_call_after_spoken_enabled: bool = False
    timing_milliseconds: int | None = Field(default=None, ge=100, le=120_000)


class StaticParameter(WireModel):
    """An argument that the model neither sees nor chooses; texts in it are templates."""

    key: str = Field(min_length=1, max_length=128)
    value: Any = None


class TransferDestination(WireModel):
    """Where a call may be handed over to."""

    type: str
    number: str = ""
    sip_uri: str = ""
    message: str | dict[str, Any] = ""
    description: str = ""

    @property
    def address(self) -> str:
        """Empty where it is neither a number nor a SIP address."""
        return {"number": self.number, "sip": self.sip_uri}.get(self.type, "")


class McpToolMessages(WireModel):
    """What is said around one tool of an MCP server, in the place of what is said around all of them."""

    name: str = Field(min_length=1, max_length=128)
    messages: tuple[ToolMessage, ...] | None = None


class ToolDefinition(WireModel):
    """A tool in Vapi's shape. A function is run by its server; without one it is run here, if it is registered here, or else by the
    assistant's server."""

    type: str
    function: FunctionSpec | None = None
    server: ServerSpec | None = None
    asynchronous: bool = Field(default=False, alias="async")
    messages: tuple[ToolMessage, ...] = ()
    parameters: tuple[StaticParameter, ...] = Field(default=(), max_length=64)
    name: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$")
    """Of ``apiRequest``, as the next seven."""
    description: str = Field(default="", max_length=1000)
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: str = Field(default="", max_length=8192)
    headers: dict[str, Any] | None = None
    """A JSON Schema whose properties have a ``value``, or a name and a text for each."""
    body: dict[str, Any] | None = None
    """A JSON Schema of what the model fills in."""
    timeout_seconds: float | None = Field(default=None, ge=1, le=300)
    credential_id: str = Field(default="", max_length=255)
    """Of a stored credential that says how the request is authenticated."""
    destinations: tuple[TransferDestination, ...] = Field(default=(), max_length=64)
    """Of ``transferCall``."""
    knowledge_bases: tuple[KnowledgeBase, ...] = Field(default=(), max_length=20)
    """Of ``query``."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    """Of ``mcp``, as the next one: ``protocol`` is ``shttp`` or ``sse``."""
    tool_messages: tuple[McpToolMessages, ...] = Field(default=(), max_length=200)
    rejection_plan: RejectionPlan | None = None
    variable_extraction_plan: VariableExtractionPlan | None = None

    @model_validator(mode="after")
    def _functions_are_described(self) -> ToolDefinition:
        if self.type == "function" and self.function is None:
            raise ValueError("a tool of type function needs function.name")
        if self.type == "apiRequest" and not self.url:
            raise ValueError("a tool of type apiRequest needs a url")
        if self.type == "mcp" and self.server is None:
            raise ValueError("a tool of type mcp needs server.url")
        if self.type == "mcp" and self.metadata.get("protocol", "shttp") not in ("shttp", "sse"):
            raise ValueError("metadata.protocol of a tool of type mcp must be shttp or sse")
        return self


class PromptMessage(WireModel):
    role: Literal["system", "user", "assistant"]
    content: str = ""


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


class TranscriberSpec(WireModel):
    provider: str = Field(min_length=1)
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
    smart_endpointing_plan: dict[str, Any] | None = None
    custom_endpointing_rules: tuple[dict[str, Any], ...] = ()


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


class SayHookAction(WireModel):
    """Words: these (of several, one by chance), or what the model makes of a prompt."""

    type: Literal["say"]
    exact: Message1000 | Annotated[tuple[Message1000, ...], Field(min_length=1, max_length=20)] | None = None
    prompt: (
        Annotated[str, Field(max_length=10_000)] | Annotated[tuple[PromptMessage, ...], Field(max_length=20)] | None
    ) = None

    @model_validator(mode="after")
    def _one_of_both(self) -> SayHookAction:
        if bool(self.exact) == bool(self.prompt):
            raise ValueError("an action of type say needs either exact or prompt")
        return self


class MessageHookAction(WireModel):
    type: Literal["message.add"]
    message: PromptMessage
    trigger_response_enabled: bool = True


class ToolHookAction(WireModel):
    """``tool``, or a stored one by its id: ``calls.finder`` puts it there."""

    type: Literal["tool"]
    tool: ToolDefinition | None = None
    tool_id: str = Field(default="", max_length=64)

    @model_validator(mode="after")
    def _names_one(self) -> ToolHookAction:
        if self.tool is None and not self.tool_id:
            raise ValueError("an action of type tool needs tool or toolId")
        return self


HookAction = Annotated[SayHookAction | MessageHookAction | ToolHookAction, Discriminator("type")]


class HookFilter(WireModel):
    type: Literal["oneOf"]
    key: str = Field(max_length=1000)
    one_of: tuple[str, ...] = Field(max_length=100)


class HookOptions(WireModel):
    timeout_seconds: float = Field(default=7.5, ge=1, le=1000)
    trigger_max_count: int = Field(default=3, ge=1, le=10)
    trigger_reset_mode: Literal["onUserSpeech", "never"] = "never"
    seconds: float | None = Field(default=None, ge=1, le=3600)
    """Of ``call.timeElapsed``."""


class Hook(WireModel):
    """What an assistant does when something happens in its call (``calls.hook_rules``)."""

    on: str = Field(min_length=1, max_length=1000)
    do: tuple[HookAction, ...] = Field(max_length=20)
    filters: tuple[HookFilter, ...] = Field(default=(), max_length=20)
    options: HookOptions = Field(default_factory=HookOptions)
    name: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def _has_its_time(self) -> Hook:
        if self.on == "call.timeElapsed" and self.options.seconds is None:
            raise ValueError("a hook on call.timeElapsed needs options.seconds")
        return self


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
    hooks: tuple[Hook, ...] = Field(default=(), max_length=50)
    server: ServerSpec | None = None
    server_messages: str | tuple[str, ...] | None = None
    """Which messages the server is sent; left out: the usual ones."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    policy: dict[str, Any] = Field(default_factory=dict)
    """Ours: numbers of the conversation's policy that the plans above have no field for, e.g. ``{endpointing: {mode: fixed,
    silence_ms: 200}}``. They win over the plans."""

    # Legacy fields that still come in: mapped, never refused.
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
    return parse(AssistantSpec, data, path)
