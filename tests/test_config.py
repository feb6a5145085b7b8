"""Settings: where they come from, what is refused, and that no secret shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from antiphon.config import Settings, read_settings
from antiphon.errors import ConfigurationError


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables, no file."""
    for name in [name for name in os.environ if name.upper().startswith("ANTIPHON_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "antiphon.toml") -> Path:
    path = Path(name).absolute()
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults_are_those_of_one_machine_with_everything_shut() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.assistant) == ("127.0.0.1", 8080, "front-desk")
    assert settings.twilio.verify_signatures
    assert not settings.open_api
    assert settings.base_url == "http://127.0.0.1:8080"


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write('port = 1001\nhost = "10.0.0.1"\nassistant = "from-file"\nmax_calls = 7\n')
    monkeypatch.setenv("ANTIPHON_PORT", "1002")
    monkeypatch.setenv("ANTIPHON_HOST", "10.0.0.2")
    settings = read_settings(port=1003)
    assert (settings.port, settings.host, settings.assistant, settings.max_calls) == (1003, "10.0.0.2", "from-file", 7)
    assert settings.drain_s == 30


def test_groups_are_merged_field_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    write('[twilio]\naccount_sid = "AC1"\nauth_token = "from-file"\n[hearing]\nsound_threshold = 0.2\n')
    monkeypatch.setenv("ANTIPHON_TWILIO__AUTH_TOKEN", "from-environment")
    settings = read_settings()
    assert settings.twilio.account_sid == "AC1"
    assert settings.twilio.auth_token.get_secret_value() == "from-environment"
    assert settings.hearing.sound_threshold == 0.2
    assert settings.hearing.speech_threshold == 0.5


def test_the_file_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_CONFIG", str(write("port = 1234", "other.toml")))
    assert read_settings().port == 1234


def test_a_named_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_CONFIG", "nowhere.toml")
    with pytest.raises(ConfigurationError, match=r"ANTIPHON_CONFIG: there is no file nowhere\.toml"):
        read_settings()


@pytest.mark.parametrize(
    ("name", "value", "field", "says"),
    [
        ("PORT", "99999", "port", "65535"),
        ("PORT", "http", "port", "integer"),
        ("LOG_LEVEL", "loud", "log_level", "'debug', 'info', 'warning' or 'error'"),
        ("RECORD_CALLS", "perhaps", "record_calls", "boolean"),
        ("MAX_CALLS", "0", "max_calls", "greater than or equal to 1"),
        ("DRAIN_S", "-1", "drain_s", "greater than or equal to 0"),
        ("PUBLIC_URL", "voice.example.com", "public_url", "must begin with http:// or https://"),
        ("HEARING__SOUND_THRESHOLD", "1.5", "hearing.sound_threshold", "less than 1"),
        ("TWILIO__VERIFY_SIGNATURES", "perhaps", "twilio.verify_signatures", "boolean"),
        ("TWILIO__AUTH_TOKN", "x", "twilio.auth_tokn", "there are account_sid, auth_token, machine_detection"),
        ("TWILIO__MACHINE_DETECTION_TIMEOUT_S", "60", "twilio.machine_detection_timeout_s", "less than or equal to 59"),
        ("TWILIO", "not json", "ANTIPHON_TWILIO", "must be JSON, or be written field by field (ANTIPHON_TWILIO__…)"),
        ("ASSISTANT_VARIABLES", "not json", "ANTIPHON_ASSISTANT_VARIABLES", "must be JSON"),
        ("AUTH_TOKEN", "x", "ANTIPHON_AUTH_TOKEN", "there is no such setting; there are ANTIPHON_AFTER_CALL, ANTIPHON_ALERTS,"),
        ("PROT", "80", "ANTIPHON_PROT", "did you mean ANTIPHON_PORT?"),
        ("HOST", "", "host", "must be an address or a name"),
        ("HOST", "http://[::1]", "host", "must be an address or a name"),
        ("DRAIN_S", "nan", "drain_s", "less than or equal to 3600"),
        ("DRAIN_S", "1e9", "drain_s", "less than or equal to 3600"),
        ("TWILIO__REPLAY_WINDOW_DAYS", "nan", "twilio.replay_window_days", "less than or equal to 3650"),
        ("DATA_DIR", "~nobody-of-this-name/x", "data_dir", "there is no home folder for ~nobody-of-this-name"),
    ],
)  # fmt: skip
def test_a_wrong_variable_names_the_field_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, says: str
) -> None:
    monkeypatch.setenv(f"ANTIPHON_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    assert caught.value.field == field
    assert says in caught.value.problem


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        (
            "prot = 80",
            "prot",
            "there is no such setting; did you mean port?",
        ),
        ("[twilio]\nsid = 'AC'", "twilio.sid", "there are account_sid"),
        ("[twilio]\nauth-tokn = 'AC'", "twilio.auth-tokn", "did you mean auth_token?"),
        ("port = 'http'", "port", "integer"),
        ("twilio = 3", "twilio", "must be a group of settings: [twilio], or twilio.account_sid = …"),
        ("port = ", "antiphon.toml", "Invalid value"),
    ],
)
def test_a_wrong_file_names_the_field_and_what_is_allowed(text: str, field: str, says: str) -> None:
    write(text)
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    assert caught.value.field == field
    assert says in caught.value.problem


def test_variables_of_the_command_line_are_no_settings_and_no_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_API_KEY", "sk_antiphon_x")
    assert "sk_antiphon_x" not in repr(read_settings())


def test_no_secret_shows_in_text_or_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_TWILIO__AUTH_TOKEN", "swordfish")
    monkeypatch.setenv("ANTIPHON_TOKEN_SECRET", "marlin")
    settings = read_settings()
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert "swordfish" not in shown
    assert "marlin" not in shown
    monkeypatch.setenv("ANTIPHON_TWILIO__TOKEN", "hammerhead")
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    assert "hammerhead" not in str(caught.value)
    monkeypatch.delenv("ANTIPHON_TWILIO__TOKEN")
    monkeypatch.setenv("ANTIPHON_TWILIO", "hammerhead")
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    assert "hammerhead" not in str(caught.value)


@pytest.mark.parametrize(
    ("public_url", "base_url"),
    [("", "http://127.0.0.1:8080"), ("https://voice.example.com/", "https://voice.example.com")],
)
def test_where_carriers_reach_us(public_url: str, base_url: str) -> None:
    assert Settings(public_url=public_url).base_url == base_url


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_as_editors_of_other_systems_write_it(encoding: str, end: str) -> None:
    Path("antiphon.toml").write_bytes(f"port = 1001{end}[twilio]{end}account_sid = 'Jörg'{end}".encode(encoding))
    settings = read_settings()
    assert (settings.port, settings.twilio.account_sid) == (1001, "Jörg")


def test_a_file_in_another_encoding_is_named() -> None:
    Path("antiphon.toml").write_bytes("port = 1001".encode("utf-16"))
    with pytest.raises(ConfigurationError, match=r"antiphon\.toml: is not UTF-8 text"):
        read_settings()


def test_the_home_folder_is_known_in_every_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine.toml").write_text('assistants_dir = "~/assistants"')
    monkeypatch.setenv("ANTIPHON_CONFIG", "~/mine.toml")
    monkeypatch.setenv("ANTIPHON_DATA_DIR", "~/data")
    settings = read_settings()
    assert settings.data_dir == tmp_path / "home" / "data"
    assert settings.assistants_dir == tmp_path / "home" / "assistants"


@pytest.mark.parametrize(
    ("host", "own_url"),
    [
        ("::1", "http://[::1]:8080"),
        ("[::1]", "http://[::1]:8080"),
        ("::", "http://[::]:8080"),
        ("fe80::1%eth0", "http://[fe80::1%25eth0]:8080"),
        ("0.0.0.0", "http://0.0.0.0:8080"),
        ("localhost", "http://localhost:8080"),
    ],
)
def test_an_address_stands_in_brackets_where_it_must(host: str, own_url: str) -> None:
    settings = Settings(host=host)
    assert settings.own_url == settings.base_url == own_url
    assert "[" not in settings.host


# ------------------------------------------------------------------------------------------------ trust


OPEN: list[tuple[dict[str, Any], str]] = [
    ({"open_api": True}, "open_api"),
    ({"twilio": {"verify_signatures": False}}, "twilio.verify_signatures"),
    ({"realtime": {"talk_page": "local"}}, "realtime.talk_page"),
]
REACHED = [
    {"public_url": "https://voice.example.com"},
    {"public_url": "http://192.168.1.4:8080"},
    {"host": "0.0.0.0"},
    {"host": "::"},
    {"host": "192.168.1.4"},
    {"host": "voice.example.com"},
]


@pytest.mark.parametrize("reached", REACHED, ids=str)
@pytest.mark.parametrize(("given", "field"), OPEN)
def test_what_trusts_everybody_does_not_start_where_everybody_comes(
    given: dict[str, Any], field: str, reached: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{field}: .*strangers.*expose_without_protection") as refused:
        Settings(**given, **reached).refuse_to_be_open()
    assert refused.value.field == field
    Settings(**given, **reached, expose_without_protection=True).refuse_to_be_open()


@pytest.mark.parametrize(
    "local", [{}, {"host": "localhost"}, {"host": "::1"}, {"public_url": "http://127.0.0.1:9000"}], ids=str
)
@pytest.mark.parametrize(("given", "field"), OPEN)
def test_it_does_on_one_machine(given: dict[str, Any], field: str, local: dict[str, Any]) -> None:
    Settings(**given, **local).refuse_to_be_open()


def test_who_may_use_the_talk_page_follows_from_who_can_come() -> None:
    assert Settings().talk_access == "local"
    for reached in REACHED:
        settings = Settings(**reached)  # type: ignore[arg-type]
        settings.refuse_to_be_open()
        assert settings.talk_access == "key"
        open_page = Settings(**reached, realtime={"talk_page": "open"})  # type: ignore[arg-type]
        open_page.refuse_to_be_open()
        assert open_page.talk_access == "open"
    assert Settings(realtime={"enabled": False}).talk_access == "off"  # type: ignore[arg-type]
    assert Settings(open_api=True).talk_access == "open"


def test_vendors_have_accounts_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_VENDORS__OPENAI__API_KEY", "sk-secret")
    monkeypatch.setenv("ANTIPHON_VENDORS__CUSTOM_LLM__BASE_URL", "https://models.example.com/v1")
    vendors = read_settings().vendors
    assert set(vendors) == {"openai", "custom-llm"}
    assert vendors["openai"].api_key.get_secret_value() == "sk-secret"
    assert "sk-secret" not in repr(vendors)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("OPENIA__API_KEY", "x", "openai"), ("OPENAI__KEY", "x", "vendors.openai.key"), ("OPENAI__BASE_URL", "ftp://x", "base_url")],
)  # fmt: skip
def test_a_wrong_account_is_told(monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    monkeypatch.setenv(f"ANTIPHON_VENDORS__{name}", value)
    with pytest.raises(ConfigurationError, match=told):
        read_settings()
