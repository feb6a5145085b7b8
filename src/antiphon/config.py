"""Typed settings, read once: ``ANTIPHON_*`` environment variables over ``antiphon.toml`` over the defaults here.

A wrong value stops the start and names the field and what is allowed. Nested fields are written ``ANTIPHON_TWILIO__AUTH_TOKEN``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from antiphon.errors import ConfigurationError

_DEFAULT_FILE = "antiphon.toml"


class Twilio(BaseModel, extra="forbid"):
    """The Twilio account. Without one there are no phone calls; one without its auth token stops the start, unless signatures are off."""

    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    verify_signatures: bool = True
    """Off only for a demonstration on one machine."""
    rest_base_url: str = "https://api.twilio.com"
    machine_detection_timeout_s: Annotated[int | None, Field(ge=3, le=59)] = None
    """Answering-machine detection, for assistants that say nothing else. None: Twilio's own default (30, 2400, 1200, 5000)."""
    machine_detection_speech_ms: Annotated[int | None, Field(ge=1000, le=6000)] = None
    machine_detection_speech_end_ms: Annotated[int | None, Field(ge=500, le=5000)] = None
    machine_detection_silence_ms: Annotated[int | None, Field(ge=2000, le=10_000)] = None


class Hearing(BaseModel, extra="forbid"):
    """Voice activity for calls whose assistant says nothing else."""

    sound_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Probability at which the agent is held. Lower is quicker, and holds for more noises."""
    speech_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability that counts as speech."""


class Realtime(BaseModel, extra="forbid"):
    """The OpenAI Realtime API."""

    enabled: bool = True
    assistant: str = ""
    """The assistant whose engines serve sessions that name a plain model; its prompt, tools and greeting do not count. Empty: the
    default assistant."""
    default_model: str = "gpt-realtime"
    """What a session is called that names no model. ``assistant:front-desk`` makes it that assistant."""
    default_voice: str = "marin"
    voices: dict[str, str] = {}
    """The engine's own voice for a name that clients use, e.g. {"cedar": "joe-2"}. Every other name gets the assistant's voice."""
    session_max_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    strict: bool = False
    """Whether fields of a client's events that we do not know are errors, as at OpenAI."""
    debug_order: bool = False
    """Whether every session's events are checked for their order; what is wrong is logged."""
    talk_page: Literal["off", "key", "local", "open"] = "local"
    """The page ``/talk``: not there; for whoever types a private key; also for browsers on this machine; for everybody."""
    cors_origins: list[str] = ["*"]
    """Web pages that may use the API from a browser."""


class Overload(BaseModel, extra="forbid"):
    """When new calls are refused so that live ones do not suffer, whatever ``max_calls`` says."""

    busy_share: Annotated[float, Field(gt=0, le=1)] = 0.85
    """How busy the event loop may be, calls that were let in and have not come yet included. From there on everything waits: at 0.85
    the answer of a benchmark call comes a few tens of milliseconds later than on an idle server, at 0.98 ten times that. 1: lateness
    alone refuses calls."""
    late_ms: Annotated[float, Field(ge=1, le=1000)] = 20.0
    """How late the beat may come (90th percentile of a second). One beat more, and telephones run dry."""
    always_calls: Annotated[int, Field(ge=0, le=10_000)] = 8
    """With fewer calls live nobody is refused for the load: it is not they who make it."""


class WebRtc(BaseModel, extra="forbid"):
    """Calls from browsers. Where clients reach this machine by its own addresses, nothing need be set."""

    addresses: list[str] = []
    """Addresses of this machine to listen on. Empty: all but loopback."""
    public_address: str = ""
    """The IPv4 address that clients are told instead: for a machine or a container behind a one-to-one NAT."""
    port_min: Annotated[int, Field(ge=0, le=65535)] = 0
    """First UDP port for media; with ``port_max``, what a firewall must let through. 0: the system chooses."""
    port_max: Annotated[int, Field(ge=0, le=65535)] = 0
    stun_url: str = ""
    """A server that tells our address outside a NAT, e.g. stun:stun.example.com:3478."""
    turn_url: str = ""
    """A relay to be reached through where this machine cannot be, e.g. turn:turn.example.com:3478?transport=tcp. It lets nobody in
    whose address it was not told, so it is of use to clients whose offers carry candidates; those of the stock SDKs do not."""
    turn_username: str = ""
    turn_credential: SecretStr = SecretStr("")
    max_legs: Annotated[int, Field(ge=0, le=10_000)] = 64
    """Browsers at once in this process; more are refused. One costs about four times what a phone call does."""

    @model_validator(mode="after")
    def _ports_in_order(self) -> Self:
        if (self.port_min == 0) != (self.port_max == 0) or self.port_max < self.port_min:
            raise ValueError("port_min and port_max are given together, the smaller one first")
        return self


class Settings(BaseSettings):
    """Everything the server can be told."""

    model_config = SettingsConfigDict(env_prefix="ANTIPHON_", env_nested_delimiter="__", extra="forbid")

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0 lets the system choose."""
    public_url: str = ""
    """Where carriers reach us, e.g. https://voice.example.com. Empty: http://host:port, for local use only."""
    assistant: str = "front-desk"
    """The assistant that answers when the call names none."""
    assistants_dir: Path | None = None
    """A folder of assistant files (YAML or JSON), looked into before those that come with Antiphon."""
    assistant_variables: dict[str, str] = {}
    """Values for ``${NAME}`` in assistant files, as JSON in the environment, e.g. {"RECEPTION_NUMBER": "+15550100"}."""
    data_dir: Path = Path("var")
    """Recordings, event logs, bookings and keys."""
    record_calls: bool = True
    keep_event_logs: bool = True
    max_calls: Annotated[int, Field(ge=1, le=10_000)] = 400
    """Calls at once in this process; more are refused politely."""
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """On shutdown, live calls are given this long to end."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    open_api: bool = False
    """Whether the API answers without a key. Only for a demonstration on one machine."""
    stt_workers: Annotated[int, Field(ge=1, le=64)] = 1
    tts_workers: Annotated[int, Field(ge=1, le=64)] = 1
    token_secret: SecretStr = SecretStr("")
    """Signs media URLs. Made and kept in data_dir where empty; must be the same on every node."""
    twilio: Twilio = Twilio()
    hearing: Hearing = Hearing()
    realtime: Realtime = Realtime()
    webrtc: WebRtc = WebRtc()
    overload: Overload = Overload()

    @field_validator("public_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = Path(os.environ.get("ANTIPHON_CONFIG", _DEFAULT_FILE))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)

    @property
    def base_url(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"


def read_settings(**overrides: object) -> Settings:
    """The settings. Raises ConfigurationError naming the field and what is allowed."""
    _refuse_unknown_variables()
    named = os.environ.get("ANTIPHON_CONFIG")
    if named is not None and not Path(named).is_file():
        raise ConfigurationError("ANTIPHON_CONFIG", f"there is no file {named}")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "settings"
        raise ConfigurationError(field, _problem(first["type"], first["msg"], first["loc"])) from None
    except SettingsError as error:
        raise ConfigurationError(
            "ANTIPHON_*", f"{error}; write JSON, or one field of a group as in ANTIPHON_TWILIO__AUTH_TOKEN"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(os.environ.get("ANTIPHON_CONFIG", _DEFAULT_FILE), str(error)) from None


def _problem(kind: str, message: str, place: tuple[int | str, ...]) -> str:
    """What is wrong, and what is allowed. Never the value: it may be a secret."""
    if kind != "extra_forbidden":
        return message.removeprefix("Value error, ")
    model = Settings.model_fields[str(place[0])].annotation if len(place) > 1 else Settings
    assert isinstance(model, type) and issubclass(model, BaseModel), "only groups have fields of their own"
    return f"there is no such setting; there are {', '.join(sorted(model.model_fields))}"


def _refuse_unknown_variables() -> None:
    """A misspelt variable must not be silently ignored."""
    known = {"CONFIG", *(name.upper() for name in Settings.model_fields)}
    # Read by the command line, not by the server.
    known |= {"API_KEY"}
    for name in os.environ:
        if name.startswith("ANTIPHON_"):
            field = name.removeprefix("ANTIPHON_").split("__")[0].upper()
            if field not in known:
                allowed = ", ".join(f"ANTIPHON_{other}" for other in sorted(known))
                raise ConfigurationError(name, f"there is no such setting; there are {allowed}")
