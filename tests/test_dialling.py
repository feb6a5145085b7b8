"""What a carrier can be asked to call."""

from __future__ import annotations

import pytest

from antiphon.dialling import kind_of


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("+15550100", "number"),
        ("112", "number"),
        ("sip:desk@example.test", "sip"),
        ("sips:desk@example.test:5061;transport=tls", "sip"),
        ("", None),
        ("12", None),
        ("+1 555 0100", None),
        ("front", None),
        ("sip:desk", None),
        ('sip:a@b"><Say', None),
        ("+15550100\n", None),
    ],
)
def test_numbers_and_sip_uris_are_called_and_nothing_else(address: str, kind: str | None) -> None:
    assert kind_of(address) == kind
