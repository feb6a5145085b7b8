"""Addresses, e-mail and web, as they are dictated."""

from __future__ import annotations

import re

from antiphon.spoken.english_numbers import digits
from antiphon.spoken.english_tables import DOMAINS, WORDS_OF_DOMAINS
from antiphon.spoken.rules import Rule, rule

_PIECES = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
_SAID = {
    ".": "dot",
    "-": "dash",
    "_": "underscore",
    "+": "plus",
    "/": "slash",
    "@": "at",
    "~": "tilde",
    "#": "hash",
    "=": "equals",
}
_TRAILING = ".,;:!?)'\"*"


def rules() -> tuple[Rule, ...]:
    known = "|".join(sorted(DOMAINS, key=len, reverse=True))
    return (
        rule(r"(?:mailto:)?(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}", _email),
        rule(r"(?<![\w])(?:https?://|www\.)[^\s<>()\[\]\"]{1,500}", _url, flags=re.IGNORECASE),
        rule(
            rf"(?<![\w.@-])[A-Za-z0-9][A-Za-z0-9-]{{0,62}}(?:\.[A-Za-z0-9-]{{1,63}}){{0,4}}\.(?:{known})(?![\w-])(?:/[^\s<>()\[\]\"]{{0,300}})?",
            _bare_domain,
        ),
    )


def _email(found: re.Match[str]) -> str:
    address = found[0].removeprefix("mailto:")
    local, _, domain = address.partition("@")
    return f"{_dictated(local)} at {_domain(domain)}"


def _url(found: re.Match[str]) -> str:
    written = found[0]
    whole = written.rstrip(_TRAILING)
    rest = re.sub(r"^https?://", "", whole, flags=re.IGNORECASE)
    return _address(rest) + written[len(whole) :].strip("*")


def _bare_domain(found: re.Match[str]) -> str | None:
    written = found[0]
    whole = written.rstrip(_TRAILING)
    host, _, _ = whole.partition("/")
    last = host.rpartition(".")[2]
    if last != last.lower() and last != last.upper():
        return None  # "end.In the" is two sentences
    if (
        last in ("no", "at", "in", "it", "me", "us", "be", "name", "pro", "int")
        and "/" not in whole
        and host.count(".") < 2
    ):
        return None  # "ask him.no way"
    if host.replace(".", "").isdigit():
        return None
    return _address(whole) + written[len(whole) :]


def _address(address: str) -> str:
    """Without its query: nobody can take that down by ear."""
    address = re.split(r"[?#]", address, maxsplit=1)[0].rstrip("/")
    host, slash, path = address.partition("/")
    host, _, port = host.partition(":")
    said = _domain(host)
    if port.isdigit():
        said += f" port {digits(port)}"
    return f"{said} slash {_dictated(path)}" if slash and path else said


def _domain(domain: str) -> str:
    labels = domain.split(".")
    said = [_label(label, last=at > 0 and label.lower() in DOMAINS) for at, label in enumerate(labels)]
    return " dot ".join(said)


def _label(label: str, *, last: bool) -> str:
    if label.lower() == "www":
        return "w w w"
    if last and label.lower() not in WORDS_OF_DOMAINS:
        return " ".join(label.lower())
    return _dictated(label)


def _dictated(text: str) -> str:
    """Words as words, figures one by one, signs by their names."""
    said: list[str] = []
    for piece in _PIECES.findall(text):
        if piece.isdecimal() and piece.isascii():
            said.append(digits(piece))
        elif piece[0].isalpha():
            said.append(" ".join(piece) if len(piece) == 1 or _unspeakable(piece) else piece)
        else:
            said.append(_SAID.get(piece, ""))
    return " ".join(filter(None, said))


def _unspeakable(word: str) -> bool:
    return (len(word) <= 4 and not re.search(r"[aeiouyAEIOUY]", word)) or (len(word) <= 3 and word.isupper())
