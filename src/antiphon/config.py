"""Typed settings, read once: ``ANTIPHON_*`` environment variables over those in ``.env`` over ``antiphon.toml`` over the defaults here.

A wrong value stops the start and names the field and what is allowed. Nested fields are written ``ANTIPHON_TWILIO__AUTH_TOKEN``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from antiphon.env_file import environment
from antiphon.errors import ConfigurationError
from antiphon.providers.credentials import WELL_KNOWN, vendor_named
from antiphon.providers.model_catalogue import default_folder
from antiphon.suggestions import unknown

_DEFAULT_FILE = "antiphon.toml"


class Twilio(BaseModel, extra="forbid"):
    """The Twilio account. Without one there are no phone calls; one without its auth token stops the start, unless signatures are off."""

    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    verify_signatures: bool = True
    """Off only for a demonstration on one machine: it stops the start where others could reach the server."""
    rest_base_url: str = "https://api.twilio.com"
    replay_window_days: Annotated[float, Field(ge=1, le=3650)] = 30.0
    """For so long a call that is over cannot be had again by what Twilio once signed for it."""
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
    greeting_wait_ms: Annotated[int, Field(ge=0, le=10_000)] = 500
    """How long an assistant's greeting waits for a client's first ``session.update``, which may still choose its voice. 0: not at all."""
    output_ahead_s: Annotated[int, Field(ge=1, le=3600)] = 10
    """Over WebSocket, how far ahead of its playing time a reply is handed over. What a client has is its own: with less, it learns of an
    interruption by ``response.done`` (cancelled); with more, it survives a longer stall of the network."""
    strict: bool = False
    """Whether fields of a client's events that we do not know are errors, as at OpenAI."""
    debug_order: bool = False
    """Whether every session's events are checked for their order; what is wrong is logged."""
    talk_page: Literal["auto", "off", "key", "local", "open"] = "auto"
    """The page ``/talk``: not there; for whoever types a private key; also for the browser on this machine that opens the address which
    is printed; for everybody. ``auto`` is ``local`` where only this machine reaches the server, else ``key``."""
    cors_origins: list[str] = ["*"]
    """Web pages that may use the API from a browser."""
    share_of_calls: Annotated[float, Field(gt=0, le=1)] = 0.75
    """How many of ``max_calls`` its sessions may be, where there is a telephone: the rest is left to that."""
    secret_max_sessions: Annotated[int, Field(ge=1, le=10_000)] = 4
    """Live sessions of one client secret that was made without a number of its own."""
    secret_max_connecting: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Calls over WebRTC of one client secret that are not connected yet."""
    key_max_sessions: Annotated[int, Field(ge=0, le=10_000)] = 200
    """Live sessions of one private key, those of its client secrets included. 0: no bound."""
    secret_idle_s: Annotated[int, Field(ge=0, le=86_400)] = 120
    """A session of a client secret ends after so long without audio, event or response. 0: never."""
    key_idle_s: Annotated[int, Field(ge=0, le=86_400)] = 900
    """The same, of a session that was opened with a private key."""
    session_max_kept_kib: Annotated[int, Field(ge=256, le=1_048_576)] = 16 * 1024
    """Items that a session's clients may make us keep."""
    secret_max_kept_kib: Annotated[int, Field(ge=256, le=1_048_576)] = 32 * 1024
    """The same, of all sessions of one client secret."""
    key_max_kept_kib: Annotated[int, Field(ge=256, le=67_108_864)] = 512 * 1024
    """The same, of all sessions of one private key and its client secrets."""
    input_ahead_s: Annotated[int, Field(ge=10, le=3600)] = 330
    """Audio that a session may be sent before its time; beyond that, four times as fast as it was spoken."""


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


class Http(BaseModel, extra="forbid"):
    """What strangers may cost at the door."""

    max_connections: Annotated[int, Field(ge=16, le=65_536)] = 256
    """HTTP connections at once; media sockets are not counted. Beyond, the one that has waited longest makes room, and a quarter of
    them is the telephone's."""
    idle_s: Annotated[float, Field(ge=1, le=3600)] = 75.0
    """How long a connection may wait for its next request: longer than a load balancer in front keeps one, or it answers 502 at times."""
    large_messages_mib: Annotated[int, Field(ge=32, le=65_536)] = 256
    """What all WebSockets together may take for messages over 256 KiB."""
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Where ``/metrics``, ``/healthz`` and ``/readyz`` are answered as well, and ``/metrics`` only there. 0: on the server's own port."""


class Api(BaseModel, extra="forbid"):
    """The REST API, and what is kept for it."""

    enabled: bool = True
    """Where the extra ``api`` is not installed there is none, whatever this says."""
    concurrent_calls: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Calls of one organisation at once, planned ones included; more are refused. 0: as many as ``max_calls``."""
    call_waits_s: Annotated[int, Field(ge=5, le=3600)] = 60
    """So long a call that was asked for waits for its media."""
    strict: bool = False
    """Whether fields that are not known are refused. Else they are kept, and named in the answer's ``X-Antiphon-Warnings``."""
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 6000
    """For each key, a sixth of them at once."""
    cors_origins: list[str] = ["*"]
    """Web pages of these origins may use the API. ``*``: all, with a key; with ``open_api`` it stands for none."""
    max_file_mib: Annotated[int, Field(ge=1, le=1024)] = 32
    """The largest file that can be uploaded."""
    log_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    """Entries of ``/logs``, and messages that were delivered, are kept so long."""
    simulations: Annotated[int, Field(ge=1, le=1000)] = 4
    """Simulated conversations at once, in each process. One in voice has the place of two calls."""
    simulation_max_s: Annotated[int, Field(ge=1, le=3600)] = 600
    """The longest conversation of a simulation."""
    reading_model: dict[str, Any] = {}
    """The model that judges evaluations and reads data out of transcripts where they name none, as an assistant's ``model``:
    ``{"provider": "openai", "model": "gpt-4.1-mini"}``. Empty: such work is refused, or skipped with that reason."""


class Costs(BaseModel, extra="forbid"):
    """What calls cost, and may cost, in US dollars."""

    prices_file: Path | None = None
    """Prices that win over ours: a TOML file like ``antiphon/providers/prices.toml``."""
    max_usd_per_call: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """A call that costs so much is ended, with a goodbye. 0: no cap."""
    max_usd_per_day: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """Of all calls together since midnight UTC: when it is reached, live calls are ended, and new ones at once. 0: no cap."""


class AfterCall(BaseModel, extra="forbid"):
    """Work after calls, and how long what was said is kept. Needs the extra ``api``."""

    retention_days: Annotated[float, Field(ge=0, le=36_500)] = 0.0
    """Recording, event log, transcript and analysis of a call are erased after so long. 0: never. An assistant's
    ``artifactPlan.retentionDays`` wins. Counted from the call's end when its report is made."""
    zero_retention: bool = False
    """Nothing of what is said is written to the data folder. An assistant's ``compliancePlan.hipaaEnabled`` does it for its own calls."""
    file_links_hours: Annotated[float, Field(gt=0, le=8760)] = 168.0
    """So long the addresses of recordings and logs open without a key."""
    lease_s: Annotated[float, Field(ge=0.5, le=600)] = 15.0
    """The work of a process that died is taken over after so long."""


class Console(BaseModel, extra="forbid"):
    """The pages at ``/``."""

    enabled: bool = True
    """Where the REST API is off or not installed there is none, whatever this says: its people are in the same database."""


class Webhooks(BaseModel, extra="forbid"):
    """Requests to applications' servers: tools, and what they are told of calls."""

    private_addresses: bool = False
    """Whether they may go to private addresses (10.0.0.0/8, 192.168.0.0/16 …) and to this machine: an assistant's author then reaches
    what the server reaches. This machine alone is allowed where only this machine reaches the server."""


class Alerts(BaseModel, extra="forbid"):
    """A webhook that is told when something is wrong, and when it is right again: each once. Needs the extra ``api``."""

    url: Annotated[str, Field(pattern=r"^$|^https?://[^/]")] = ""
    """Empty: nobody is told."""
    secret: SecretStr = SecretStr("")
    """Signs the messages: one that begins with ``whsec_`` as Standard Webhooks has it, any other by HMAC-SHA256 (``x-signature`` over
    ``x-timestamp``, a dot and the body). Empty: they are not signed."""
    error_rate_percent: Annotated[float, Field(ge=0, le=100)] = 5.0
    """Calls that ended by a fault, of those that ended within the window. 0: never told, as the next three."""
    latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 3000
    """From a caller's last sound to the first of the answer, 95th percentile of the window's turns."""
    spend_usd_per_day: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """What calls have cost that ended since midnight UTC, all processes together."""
    capacity_percent: Annotated[float, Field(ge=0, le=100)] = 90.0
    """Live calls, of ``max_calls``; in each process."""
    clears_at_percent: Annotated[float, Field(gt=0, le=100)] = 80.0
    """Of a threshold: below that it is over."""
    window_s: Annotated[int, Field(ge=10, le=86_400)] = 300
    """For error rate and latency."""
    at_least: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Calls, or turns, in the window: with fewer, error rate and latency are not judged."""
    look_every_s: Annotated[float, Field(ge=0.05, le=3600)] = 5.0


class EngineLimits(BaseModel, extra="forbid"):
    """Engines that run on this machine, in processes of their own."""

    hung_after_s: Annotated[float, Field(ge=1, le=600)] = 4.0
    """An engine's process that gives no sign of life for this long is killed and replaced."""
    idle_s: Annotated[float, Field(ge=0, le=86_400)] = 10.0
    """An engine that no assistant names and no call uses is closed after this."""
    most: Annotated[int, Field(ge=3, le=1000)] = 32
    """Different engines with processes of their own (each combination of options is one)."""


class Models(BaseModel, extra="forbid"):
    """Models that are fetched for engines on this machine (``antiphon models``)."""

    folder: Path | None = None
    """Where they are kept. None: ``antiphon/models`` in the user's cache folder."""
    table_file: Path | None = None
    """Models that win over ours: a TOML file like ``antiphon/providers/models.toml``."""

    @field_validator("folder", "table_file")
    @classmethod
    def _at_home(cls, value: Path | None) -> Path | None:
        return None if value is None else _expanded(value)

    @property
    def place(self) -> Path:
        """The folder in effect."""
        return self.folder or default_folder()


class Vendor(BaseModel, extra="forbid"):
    """An account with a vendor of models, recognisers or voices."""

    api_key: SecretStr = SecretStr("")
    """Empty: what the vendor's own variable holds, e.g. OPENAI_API_KEY."""
    base_url: Annotated[str, Field(pattern=r"^$|^(https?|wss?)://[^/]")] = ""
    """Where the vendor is called. Empty: its own address."""


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


class _Environment(EnvSettingsSource):
    """The process's variables, and those of ``.env``."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in environment().items()}


class _TomlFile(TomlConfigSettingsSource):
    """TOML as editors write it: some begin the file with a byte order mark."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        try:
            return tomllib.loads(file_path.read_bytes().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ValueError("is not UTF-8 text") from None


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
    tools_file: Path | None = None
    """A Python file whose functions marked with ``@tool`` assistants may call by name. It is run when the server starts."""
    data_dir: Path = Path("var")
    """Recordings, event logs, bookings and keys."""
    database_url: str = ""
    """``sqlite:///path`` or ``postgresql://user:password@host/name``. Empty: ``antiphon.db`` in data_dir."""
    record_calls: bool = True
    keep_event_logs: bool = True
    max_calls: Annotated[int, Field(ge=1, le=10_000)] = 400
    """Calls at once in this process; more are refused politely."""
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """On shutdown, live calls are given this long to end."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    open_api: bool = False
    """Whether the API answers programs on this machine without a key. It stops the start where others could reach the server."""
    expose_without_protection: bool = False
    """Start all the same where ``open_api``, ``verify_signatures`` or ``talk_page`` leave the server open to strangers."""
    stt_workers: Annotated[int, Field(ge=1, le=64)] = 1
    tts_workers: Annotated[int, Field(ge=1, le=64)] = 1
    turn_detector: Literal["auto", "smart-turn", "off"] = "auto"
    """Who judges by the sound of it whether a caller has finished. ``auto``: Smart Turn where it is installed. Without one, words and
    silence decide alone."""
    turn_workers: Annotated[int, Field(ge=1, le=64)] = 1
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that answer on one port, one for each core; more than one need a Redis. Needs the extra ``cluster``."""
    redis_url: SecretStr = SecretStr("")
    """``redis://host:6379/0``: where workers find calls, limits and spent tokens."""
    redis_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "antiphon"
    """Begins every key there: servers that share a Redis need different ones."""
    token_secret: SecretStr = SecretStr("")
    """Signs media URLs. Made and kept in data_dir where empty; must be the same on every node."""
    twilio: Twilio = Twilio()
    hearing: Hearing = Hearing()
    realtime: Realtime = Realtime()
    webrtc: WebRtc = WebRtc()
    overload: Overload = Overload()
    http: Http = Http()
    api: Api = Api()
    costs: Costs = Costs()
    after_call: AfterCall = AfterCall()
    console: Console = Console()
    webhooks: Webhooks = Webhooks()
    alerts: Alerts = Alerts()
    engines: EngineLimits = EngineLimits()
    models: Models = Models()
    vendors: dict[str, Vendor] = {}
    """By name, e.g. openai."""

    @field_validator("host")
    @classmethod
    def _bare_host(cls, value: str) -> str:
        """An IPv6 address may come in its brackets."""
        host = value.strip().removeprefix("[").removesuffix("]")
        if not host or any(sign in host for sign in "/@ []"):
            raise ValueError("must be an address or a name, e.g. 127.0.0.1, ::1 or 0.0.0.0")
        return host

    @field_validator("vendors")
    @classmethod
    def _known_vendors(cls, value: dict[str, Vendor]) -> dict[str, Vendor]:
        """By their own names, however they were written."""
        found: dict[str, Vendor] = {}
        for name, vendor in value.items():
            known = vendor_named(name)
            if not known:
                raise ValueError(unknown(name, sorted(WELL_KNOWN), "vendor"))
            if known in found:
                raise ValueError(f"{known} is given twice")
            found[known] = vendor
        return found

    @field_validator("data_dir", "assistants_dir", "tools_file")
    @classmethod
    def _at_home(cls, value: Path | None) -> Path | None:
        """``~`` in a file or a unit is nobody's to expand but ours."""
        return None if value is None else _expanded(value)

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
        return init_settings, _Environment(settings_cls), _TomlFile(settings_cls, _file())

    @property
    def own_url(self) -> str:
        """Where this process listens."""
        host = self.host.replace("%", "%25")  # an IPv6 zone, as RFC 6874 has it
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def base_url(self) -> str:
        return self.public_url or self.own_url

    @property
    def is_local(self) -> bool:
        """Whether, as far as can be known here, nobody but this machine reaches the server."""
        return _is_loopback(self.host) and (not self.public_url or _is_loopback(urlsplit(self.public_url).hostname))

    @property
    def talk_access(self) -> Literal["off", "key", "local", "open"]:
        """Who may use the talk page."""
        page = self.realtime.talk_page
        if not self.realtime.enabled or page == "off":
            return "off"
        if self.open_api:
            return "open"
        if page == "auto":
            return "local" if self.is_local else "key"
        return page

    def refuse_to_be_open(self) -> None:
        """Settings that trust whoever comes are for a server that nobody else reaches. Raises ConfigurationError naming the first."""
        if self.is_local or self.expose_without_protection:
            return
        reach = f"public_url is {self.public_url}" if self.public_url else f"the server listens on {self.host}"
        trusting = {
            "open_api": (self.open_api, "make keys with 'antiphon keys create' and turn it off"),
            "twilio.verify_signatures": (not self.twilio.verify_signatures, "set twilio.auth_token and turn it on"),
            "realtime.talk_page": (
                self.realtime.enabled and self.realtime.talk_page == "local",
                "choose key, or open where everybody may talk",
            ),
        }
        for field, (trusts, way_out) in trusting.items():
            if trusts:
                raise ConfigurationError(
                    field,
                    f"it would let strangers in, as {reach}: {way_out}; or listen on 127.0.0.1 without a public_url; or, where "
                    "something else keeps strangers out, set expose_without_protection",
                )


def _file() -> Path:
    return _expanded(Path(os.environ.get("ANTIPHON_CONFIG", _DEFAULT_FILE)))


def _expanded(path: Path) -> Path:
    """With the home folder for ``~``. Raises ValueError where there is none of that name."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home folder for {path.parts[0]}") from None


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or (host is not None and ip_address(host).is_loopback)
    except ValueError:
        return False


def read_settings(**overrides: object) -> Settings:
    """The settings. Raises ConfigurationError naming the field and what is allowed."""
    _refuse_unknown_variables()
    named = os.environ.get("ANTIPHON_CONFIG")
    try:
        if named is not None and not _file().is_file():
            raise ConfigurationError("ANTIPHON_CONFIG", f"there is no file {named}")
    except ValueError as error:
        raise ConfigurationError("ANTIPHON_CONFIG", str(error)) from None
    if _file().is_dir():
        raise ConfigurationError(str(_file()), "is a folder, not a file")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "settings"
        raise ConfigurationError(field, _problem(first["type"], first["msg"], first["loc"])) from None
    except SettingsError as error:
        name = _variable_of(error)
        one = "" if "__" in name else f", or be written field by field ({name}__…)"
        raise ConfigurationError(name, f"must be JSON{one}") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(os.environ.get("ANTIPHON_CONFIG", _DEFAULT_FILE), str(error)) from None


def _variable_of(error: SettingsError) -> str:
    """Whose value could not be read as JSON: the error itself names no more than a group."""
    text = getattr(error.__cause__, "doc", None)
    found = (name for name, value in environment().items() if name.startswith("ANTIPHON_") and value == text)
    return next(found, "ANTIPHON_*")


def _problem(kind: str, message: str, place: tuple[int | str, ...]) -> str:
    """What is wrong, and what is allowed. Never the value: it may be a secret."""
    if kind == "model_type" and len(place) == 1:
        group = Settings.model_fields[str(place[0])].annotation
        assert isinstance(group, type) and issubclass(group, BaseModel), "only groups are models"
        return f"must be a group of settings: [{place[0]}], or {place[0]}.{next(iter(group.model_fields))} = …"
    if kind != "extra_forbidden":
        return message.removeprefix("Value error, ")
    model = Settings.model_fields[str(place[0])].annotation if len(place) > 1 else Settings
    if place[0] == "vendors" and len(place) > 2:
        model = Vendor
    assert isinstance(model, type) and issubclass(model, BaseModel), "only groups have fields of their own"
    return unknown(str(place[-1]), sorted(model.model_fields), "setting")


def _refuse_unknown_variables() -> None:
    """A misspelt variable must not be silently ignored."""
    known = {"CONFIG", *(name.upper() for name in Settings.model_fields)}
    # Read by the command line, not by the server.
    known |= {"API_KEY"}
    for name in environment():
        if name.startswith("ANTIPHON_"):
            field = name.removeprefix("ANTIPHON_").split("__")[0].upper()
            if field not in known:
                allowed = [f"ANTIPHON_{other}" for other in sorted(known)]
                raise ConfigurationError(name, unknown(f"ANTIPHON_{field}", allowed, "setting"))
