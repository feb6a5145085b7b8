"""The connection to a vendor: waits, errors, and what a vendor may say in them. Its conversation is tested with every recogniser."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.providers.socket import SocketLimits
from antiphon.providers.vendor_settings import tls_context
from antiphon.providers.websocket import presentable, refusal


def test_failures_wait_longer_each_time_up_to_a_limit_and_never_all_the_same() -> None:
    limits = SocketLimits(first_wait_s=0.1, max_wait_s=1.0)
    assert [limits.wait_s(failures, 0.0) for failures in range(6)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.0]
    assert limits.wait_s(3, 1.0) == 0.2
    assert limits.wait_s(10_000, 0.0) == 1.0


@pytest.mark.parametrize(
    ("status", "permanent", "names"),
    [
        (400, True, "model"), (401, True, "api_key"), (402, True, "account"), (403, True, "api_key"), (404, True, "model"),
        (429, False, "account"), (500, False, "vendor"), (503, False, "vendor"), (418, False, "refused"),
    ],
)  # fmt: skip
def test_a_refusal_names_what_to_look_at(status: int, permanent: bool, names: str) -> None:
    failure = refusal("acme", status)
    assert failure.permanent is permanent
    assert names in failure.error.problem and str(status) in failure.error.problem
    assert isinstance(failure.error, ProviderUnavailable) is (status in (429, 500, 503))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain words", "plain words"),
        ("key sk-123 is wrong", "key … is wrong"),
        ("two\nlines\x1b[31m\x00", "two lines [31m"),
        ("", ""),
    ],
)
def test_a_vendors_words_are_one_printable_line_without_the_key(said: str, shown: str) -> None:
    assert presentable(said, "sk-123") == shown


def test_a_long_reason_is_cut() -> None:
    assert len(presentable("x" * 10_000)) == 160


def test_authorities_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    for path in ("absent.pem", "no.pem"):
        with pytest.raises(ConfigurationError) as error:
            tls_context(str(tmp_path / path))
        assert error.value.field == "ca_file"
