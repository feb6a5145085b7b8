"""What is written and never said, in any language: Markdown, HTML, emoji, and line ends that stand for a pause."""

from __future__ import annotations

import re
from functools import lru_cache

from antiphon.spoken.rules import Rule, rule

_EMOJI = (
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff\ufe0e\ufe0f\u200b-\u200d\u2060\ufeff\u20e3"
    "\U000e0000-\U000e01ef\u25a0-\u25ff\u00ae\u00a9\u2122\u00ad\x00-\x08\x0b\x0c\x0e-\x1f\x7f]{1,64}"
)
_ENTITIES = {
    "lt": " less than ",
    "gt": " greater than ",
    "quot": "",
    "apos": "'",
    "nbsp": " ",
    "copy": "",
    "reg": "",
    "hellip": "… ",
    "mdash": " — ",
    "ndash": " – ",
    "rsquo": "'",
    "lsquo": "'",
    "#39": "'",
}
_BULLET = r"(?:^|\n)[ \t]{0,16}(?:[-*+•‣◦·▪]|\#{1,6}|>{1,8})[ \t]{1,16}"


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Code first: what stands in it is no markup, and its marks are none of ours."""
    return (
        rule(r"```[\w+-]{0,20}", ""),
        rule(r"<!--[^<>]{0,500}-->", ""),
        rule(r"</?[A-Za-z][A-Za-z0-9:_-]{0,30}(\s[^<>]{0,300})?/?>", _tag),
        rule(r"&(#?\w{1,8});", lambda found: _ENTITIES.get(found[1])),
        # An image's or a link's text is said, its target is not.
        rule(r"(!?\[)[^\[\]\n]{1,300}\]\([^()\s]{0,500}\)", "", group=1),
        rule(r"\](?:\([^()\s]{0,500}\))", "", group=0),
        rule(r"(?:^|\n)[ \t]{0,8}\|?[ \t]{0,4}:?-{2,40}:?[-| :\t]{0,200}(?=\n|$)", "."),
        rule(r"(?:^|\n)[ \t]{0,8}[-*_=]{3,200}[ \t]{0,8}(?=\n|$)", "."),
        rule(_BULLET, _line_end),
        rule(r"(?<!\*)\*{1,3}(?=[^\s*])|(?<=[^\s*])\*{1,3}(?!\*)", _asterisks),
        rule(r"(?<![^\W_])_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?![^\W_])", _underscores),
        rule(r"~~|`{1,3}", ""),
        rule(_EMOJI, " "),
        rule(r"[ \t]{0,16}\r?\n[\s]{0,64}", _line_end),
        rule(r"\*{1,64}", " "),
        rule(r"\s\|\s|^\|\s|\s\|$", " , "),
    )


def _tag(found: re.Match[str]) -> str | None:
    """ "a <b and c> d" is no tag: attributes have an equals sign."""
    inside = found[1] or ""
    if inside.strip(" /") and "=" not in inside:
        return None
    name = found[0].strip("</>").split()[0].lower() if found[0].strip("</>").split() else ""
    return " , " if name in ("br", "p", "li", "div", "tr", "td", "h1", "h2", "h3", "break") else ""


def _asterisks(found: re.Match[str]) -> str | None:
    """Those between figures multiply, a language's rules say how."""
    before = found.string[found.start() - 1 : found.start()]
    after = found.string[found.end() : found.end() + 1]
    return None if before.isdigit() and after.isdigit() else ""


def _underscores(found: re.Match[str]) -> str | None:
    """Emphasis, not a part of an address or of a name in code."""
    text = found.string
    start, end = found.span()
    left = text[max(0, start - 1) : start]
    right = text[end : end + 1]
    return None if left in ("@", ".", "/", "-") or right in ("@", "/") else ""


def _line_end(found: re.Match[str]) -> str:
    """A line that ends without a mark ends a sentence, unless the text was only broken to fit a page."""
    text = found.string
    start = found.start()
    before = text[max(0, start - 64) : start].rstrip()[-1:]
    after = text[found.end() : found.end() + 1]
    if not before or before in ".,;:!?…。！？、":
        return " "
    return " " if after.islower() and text.count("\n", start, found.end()) == 1 and found[0].strip() == "" else " . "
