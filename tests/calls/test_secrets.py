"""Secrets of documents: found by their names, sealed and opened again, masked and restored, left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from antiphon.calls.secrets import DocumentSecrets, mask, masked, restored, scrubbed, stripped
from antiphon.surfaces.sealed import Sealed

LONG = "a-secret-of-some-length-Zq81"
DOCUMENT: dict[str, Any] = {
    "name": "A",
    "server": {"url": "https://a.test", "secret": LONG, "headers": {"Authorization": "Bearer x1y2z3", "X-Team": "blue"}},
    "serverUrlSecret": "s3cret",
    "model": {
        "messages": [{"role": "system", "content": "keep the secret", "token": "no secret"}],
        "tools": [
            {"type": "function", "server": {"url": "https://t.test", "secret": "tool-s3cret"},
             "function": {"name": "f", "parameters": {"properties": {"password": {"type": "string"}}}}},
            {"type": "apiRequest", "headers": {"type": "object", "properties": {"x-api-key": {"type": "string", "value": "k3y"},
                                                                               "accept": {"value": "text/plain"}}}},
            {"type": "code", "environmentVariables": [{"name": "TOKEN", "value": "env-s3cret"}]},
        ],
    },
    "credentials": [{"provider": "openai", "name": "mine", "apiKey": "sk-1234", "authenticationPlan": {"type": "x", "odd": "plan-s3cret"}}],
    "metadata": {"token": "theirs"},
    "voice": {"provider": "custom-voice", "server": {"secretToken": "voice-s3cret"}},
}  # fmt: skip
SECRETS = (LONG, "x1y2z3", "s3cret", "tool-s3cret", "k3y", "env-s3cret", "sk-1234", "plan-s3cret", "voice-s3cret")


def text_of(document: Any) -> str:
    return orjson.dumps(document).decode()


def test_what_is_sealed_holds_no_secret_and_opens_to_what_it_was(tmp_path: Path) -> None:
    secrets = DocumentSecrets(Sealed(tmp_path / "key"))
    sealed = secrets.sealed(DOCUMENT)
    kept = text_of(sealed)
    assert [secret for secret in (*SECRETS, "theirs") if secret in kept] == []
    assert "keep the secret" in kept and "no secret" in kept, "words are no secrets"
    assert secrets.opened(sealed) == DOCUMENT
    assert secrets.opened(DOCUMENT) is DOCUMENT, "what was never sealed stays"
    assert secrets.sealed(sealed) is sealed
    with capture_logs() as logs:
        unread = DocumentSecrets(Sealed(tmp_path / "another")).opened(sealed)
    assert unread == sealed and {each["event"] for each in logs} == {"secret_unreadable"}


def test_what_is_shown_holds_no_secret_in_full() -> None:
    shown = masked(DOCUMENT)
    assert [secret for secret in SECRETS if secret in text_of(shown)] == []
    assert shown["server"]["secret"] == "********Zq81" and shown["serverUrlSecret"] == "********"
    assert shown["server"]["headers"]["X-Team"] == "blue" and shown["metadata"] == DOCUMENT["metadata"]
    assert shown["model"]["tools"][1]["headers"]["properties"]["accept"] == {"value": "text/plain"}


def test_what_comes_back_masked_is_what_was_there() -> None:
    shown = masked(DOCUMENT)
    assert restored(shown, DOCUMENT) == (DOCUMENT, [])
    moved = {"model": {"tools": [{"server": shown["server"]}]}}
    whole, unknown = restored(moved, {"server": DOCUMENT["server"]})
    assert (
        unknown == ["model.tools.0.server.headers.Authorization"]
        or whole["model"]["tools"][0]["server"]["secret"] == LONG
    )
    changed, unknown = restored({"server": {"secret": "new"}}, DOCUMENT)
    assert (changed["server"]["secret"], unknown) == ("new", [])
    assert restored({"server": {"secret": mask(LONG)}}, {})[1] == ["server.secret"]
    two = {"a": {"secret": "x"}, "b": {"secret": "y"}}
    assert restored({"c": {"secret": mask("x")}}, two)[1] == ["c.secret"], "it could be either"


def test_an_application_is_told_no_secret() -> None:
    told = text_of(stripped(DOCUMENT))
    assert [secret for secret in SECRETS if secret in told] == []
    assert "X-Team" not in told and "https://t.test" in told and '"parameters"' in told


def test_what_a_receiver_echoes_is_scrubbed() -> None:
    said = f"got {LONG} and Bearer x1y2z3, thanks"
    assert scrubbed(said, {"server": DOCUMENT["server"]}) == "got ******** and ********, thanks"


@pytest.mark.parametrize("depth", [50, 5000])
def test_documents_that_are_nested_deep_are_looked_at_to_a_bound(depth: int) -> None:
    document: Any = {"secret": "x"}
    for _ in range(depth):
        document = {"a": document}
    assert masked(document) is not None and stripped(document) is not None
