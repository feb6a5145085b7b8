"""``If-Match``: a change that is made only to the version its sender has seen (RFC 9110, 13.1.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")


@dataclass(frozen=True, slots=True)
class IfMatch:
    """What a request demands of the version that is there."""

    tags: frozenset[str] | None = None
    """Entity tags, of which it must be one; None: any version will do."""

    def met_by(self, version: int) -> bool:
        """``version``: of the document that is there, counted from 1."""
        return self.tags is None or etag(version) in self.tags


ANY_VERSION = IfMatch()


def etag(version: int) -> str:
    """The entity tag of a version: ``"v3"``, with its quotes."""
    return f'"v{version}"'


def if_match_of(headers: Mapping[str, str]) -> IfMatch:
    """What the header says; without one, any version will do. A weak tag (``W/"…"``) is none that is ever met. Raises ValueError for what
    is neither ``*`` nor a list of entity tags."""
    given = headers.get("if-match")
    if given is None or given.strip() == "*":
        return ANY_VERSION
    if not _LIST.fullmatch(given):
        raise ValueError('If-Match must be * or a list of entity tags such as "v3", with the quotes')
    return IfMatch(frozenset(re.findall(_TAG, given)))
