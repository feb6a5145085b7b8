"""What an assistant says reaches the vendor, with the operator's account; who stands in is named the same way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from antiphon.assistants.spec import parse_assistant
from antiphon.engine_choice import choices
from antiphon.errors import ConfigurationError
from antiphon.providers import registry
from antiphon.providers.credentials import Credential, Credentials, same_origin, vendor_named, vendor_of

KEYS = Credentials({}, {"DEEPGRAM_API_KEY": " k-deepgram\n", "GOOGLE_API_KEY": "k-google", "UNRELATED": "no"})


class Vendor:
    """An engine of a vendor's, as the registry sees it."""

    per_request = frozenset({"voice_model"})

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = "wss://vendor.example.com",
        model: str = "",
        language: str = "",
        endpointing: int = 10,
        keywords: tuple[str, ...] = (),
        smart_format: bool = False,
        voice_model: str = "",
    ) -> None:
        self.given = locals()


@pytest.fixture(autouse=True)
def _vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module = ModuleType("a_vendor_of_tests")
    module.Vendor = Vendor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for kind in ("stt", "tts"):
        monkeypatch.setitem(registry._PROVIDERS[kind], "deepgram", f"{module.__name__}:Vendor")  # type: ignore[index]
    registry.options.cache_clear()
    yield
    registry.options.cache_clear()


def stt(credentials: Credentials = KEYS, **transcriber: Any) -> list[tuple[str, dict[str, Any]]]:
    spec = parse_assistant({"transcriber": {"provider": "deepgram", **transcriber}})
    return [(choice.provider, dict(choice.options)) for choice in choices(spec, "stt", credentials)]


def test_fields_of_the_assistant_reach_the_engine_that_takes_them() -> None:
    said = {"model": "nova-3", "language": "de", "endpointing": 30, "keywords": ["Antiphon"], "smartFormat": True}
    assert stt(**said, somethingElse=1) == [
        ("deepgram", {"api_key": "k-deepgram", "model": "nova-3", "language": "de", "endpointing": 30,
                      "keywords": ("Antiphon",), "smart_format": True})
    ]  # fmt: skip


def test_what_is_not_said_is_left_to_the_engine() -> None:
    assert stt() == [("deepgram", {"api_key": "k-deepgram"})]


def test_options_win_over_fields_and_reach_the_engine_unseen() -> None:
    assert stt(model="a", options={"model": "b"}) == [("deepgram", {"api_key": "k-deepgram", "model": "b"})]


def test_an_own_recogniser_is_told_its_server_and_without_one_this_machine_hears() -> None:
    server = {"url": "wss://a.test/listen", "secret": "s", "headers": {"X-A": "b"}}
    plan = {"transcribers": [{"provider": "custom-transcriber", "server": {"url": "wss://b.test"}}]}
    assert stt(provider="custom-transcriber", server=server, fallbackPlan=plan) == [
        ("custom-transcriber", {"server": server}),
        ("custom-transcriber", {"server": {"url": "wss://b.test"}}),
    ]
    assert stt(provider="custom-transcriber") == [("moonshine", {})]


def test_an_engine_of_this_machine_gets_no_account() -> None:
    spec = parse_assistant({"transcriber": {"provider": "moonshine", "model": "tiny", "language": "en"}})
    assert [dict(choice.options) for choice in choices(spec, "stt", KEYS)] == [{}]


def test_those_who_stand_in_follow_in_their_order() -> None:
    plan = {"transcribers": [{"provider": "moonshine"}, {"provider": "deepgram", "model": "second"}]}
    assert stt(model="first", fallbackPlan=plan) == [
        ("deepgram", {"api_key": "k-deepgram", "model": "first"}),
        ("moonshine", {}),
        ("deepgram", {"api_key": "k-deepgram", "model": "second"}),
    ]


def test_what_is_told_with_each_request_makes_no_engine_of_its_own() -> None:
    spec = parse_assistant({"voice": {"provider": "deepgram", "voiceModel": "x", "model": "y"}})
    (choice,) = choices(spec, "tts", KEYS)
    assert dict(choice.request) == {"voice_model": "x"}
    assert dict(choice.options) == {"api_key": "k-deepgram", "model": "y"}


def test_a_key_that_is_missing_is_told_with_the_field_and_every_variable_that_would_do() -> None:
    with pytest.raises(ConfigurationError) as told:
        stt(Credentials({}, {}))
    assert told.value.field == "transcriber.provider"
    assert "ANTIPHON_VENDORS__DEEPGRAM__API_KEY or DEEPGRAM_API_KEY" in told.value.problem


def test_an_unknown_name_among_those_who_stand_in_is_told_with_its_place() -> None:
    with pytest.raises(ConfigurationError) as told:
        stt(fallbackPlan={"transcribers": [{"provider": "deepgrom"}]})
    assert told.value.field == "transcriber.fallbackPlan.transcribers.0.provider"


def test_settings_win_over_the_vendors_own_variables() -> None:
    own = Credentials({"deepgram": Credential("k-mine", "wss://eu.example.com")}, {"DEEPGRAM_API_KEY": "k-other"})
    assert stt(own) == [("deepgram", {"api_key": "k-mine", "base_url": "wss://eu.example.com"})]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://models.example.com/v2", "secret"),
        ("https://models.example.com:443", "secret"),
        ("https://models.example.com.evil.example/v1", ""),
        ("https://evil.example/v1", ""),
        ("http://models.example.com/v1", ""),
        ("https://models.example.com:8443/v1", ""),
        ("https://models.example.com@evil.example/v1", ""),
    ],
)
def test_the_operators_key_goes_to_the_operators_server_alone(url: str, key: str) -> None:
    credentials = Credentials({"custom-llm": Credential("secret", "https://models.example.com/v1")}, {})
    assert credentials.of("custom-llm", url) == Credential(key, url)


def test_a_vendors_own_key_is_not_sent_to_an_assistants_address() -> None:
    assert Credentials({}, {"OPENAI_API_KEY": "secret"}).of("openai", "https://evil.example").api_key == ""


def test_a_key_is_not_in_what_is_printed() -> None:
    spec = parse_assistant({"transcriber": {"provider": "deepgram"}})
    assert "k-deepgram" not in repr(choices(spec, "stt", KEYS))
    assert "secret" not in repr(Credential("secret"))


@pytest.mark.parametrize(
    ("provider", "vendor"),
    [("deepgram", "deepgram"), ("deepgram-flux", "deepgram"), ("11labs", "elevenlabs"), ("openai-chat", "openai"),
     ("moonshine", ""), ("deep-seek", "deepseek"), ("custom-llm", "custom-llm"), ("", "")],
)  # fmt: skip
def test_a_provider_has_a_vendor(provider: str, vendor: str) -> None:
    assert vendor_of(provider) == vendor


def test_vendors_are_known_however_they_are_written() -> None:
    assert [vendor_named(name) for name in ("OPENAI", "CUSTOM_LLM", "11LABS", "nobody")] == [
        "openai", "custom-llm", "elevenlabs", "",
    ]  # fmt: skip
    assert same_origin("wss://a.example", "https://a.example/x")
    assert not same_origin("", "")
