from __future__ import annotations

import pytest

from antiphon.workflow.templates import check, render

VALUES = {"name": "Ann", "data.id": "7"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hello {{ name }}!", "Hello Ann!"),
        ("{{name}} {{ missing }} {{ data.id }}", "Ann 7"),
        ("{{ $.data.id }}", "7"),
        ("plain", "plain"),
        ("{{- name -}}", "Ann"),
    ],
)
def test_variables_are_filled_in(template: str, text: str) -> None:
    assert render(template, lambda name: VALUES.get(name, "")) == text


def test_what_was_filled_in_is_not_read_again() -> None:
    assert render("{{ name }}", lambda name: "{{ secret }}" if name == "name" else "leaked") == "{{ secret }}"


@pytest.mark.parametrize("template", ["{{ name | upcase }}", "{{ 1 + 1 }}", "{{ }}"])
def test_more_than_a_variable_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="only variables"):
        check(template)
