"""Typed settings, read once: ``ANTIPHON_*`` environment variables over ``antiphon.toml`` over the defaults here.

A wrong value stops the start and names the field and what is allowed. Nested fields are written ``ANTIPHON_TWILIO__AUTH_TOKEN``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
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
    """The Twilio account. Without an auth token the server does not start, unless signatures are off."""

    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    verify_signatures: bool = True
    """Off only for a demonstration on one machine."""
    rest_base_url: str = "https://api.twilio.com"


class Hearing(BaseModel, extra="forbid"):
    """Voice activity for calls whose assistant says nothing else."""

    sound_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Probability at which the agent is held. Lower is quicker, and holds for more noises."""
    speech_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability that counts as speech."""


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
