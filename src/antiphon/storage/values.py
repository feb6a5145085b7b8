"""Columns of text, whatever text it is: what no database keeps is written as ``json_values`` says, and what is compared with it, too."""

from __future__ import annotations

from sqlalchemy import String, Text, TypeDecorator

from antiphon.json_values import kept_text


class KeptText(TypeDecorator[str]):
    """A column of text, whatever text it is."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:
        return value if value is None else kept_text(value)


class LongText(KeptText):
    """Likewise, as long as it may be."""

    impl = Text
    cache_ok = True
