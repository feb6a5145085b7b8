from __future__ import annotations

import pytest

from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.errors import ConfigurationError


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"public_url": "voice.example.com"}, "twilio.public_url"),
        ({"public_url": "https://h:port"}, "twilio.public_url"),
        ({"public_url": "https://h?x=1"}, "twilio.public_url"),
        ({"public_url": "https://h/#x"}, "twilio.public_url"),
        ({"public_url": "wss://h"}, "twilio.public_url"),
        ({"auth_token": ""}, "twilio.auth_token"),
        ({"auth_token": "", "verify_signatures": False}, "twilio.token_secret"),
        ({"media_path": "media"}, "twilio.media_path"),
        ({"media_path": "/media/"}, "twilio.media_path"),
        ({"media_path": "/media?x"}, "twilio.media_path"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        TwilioSettings(**{"public_url": "https://h", "auth_token": "a", **changes})  # type: ignore[arg-type]
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("public_url", "media_url"),
    [
        ("https://h", "wss://h/twilio/media"),
        ("https://h:8443/p/", "wss://h:8443/p/twilio/media"),
        ("http://127.0.0.1:1", "ws://127.0.0.1:1/twilio/media"),
    ],
)
def test_media_url(public_url: str, media_url: str) -> None:
    assert TwilioSettings(public_url, auth_token="a").media_url == media_url


def test_secrets_are_derived_per_purpose_and_never_shown() -> None:
    settings = TwilioSettings("https://h", auth_token="very-secret-token")
    assert settings.secret("a") != settings.secret("b")
    assert settings.secret("a") == TwilioSettings("https://other", auth_token="very-secret-token").secret("a")
    assert settings.secret("a") != TwilioSettings("https://h", auth_token="x", token_secret="y").secret("a")
    assert "very-secret-token" not in repr(settings)
