"""JSGF, the grammar format small recognisers read: the spoken forms of dates, times, numbers and names, and one document of rules.

A subset of what ``dates``, ``times``, ``numbers`` and ``names`` understand, the common forms only: each form more is one more chance to
mishear. Words are spelled as CMUdict spells them ("p.m.").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from antiphon.workflow.dates import MONTHS, WEEKDAYS
from antiphon.workflow.schema import SlotKind
from antiphon.workflow.slots import Slot

_SPOKEN = re.compile(r"[a-z]+(?:'[a-z]+)*(?: [a-z]+(?:'[a-z]+)*)*")
_REFERENCE = re.compile(r"<([\w-]+)>")

_UNITS = "one | two | three | four | five | six | seven | eight | nine"
_TEENS = "ten | eleven | twelve | thirteen | fourteen | fifteen | sixteen | seventeen | eighteen | nineteen"
_TENS = "twenty | thirty | forty | fifty | sixty | seventy | eighty | ninety"
_ORDINAL_UNITS = "first | second | third | fourth | fifth | sixth | seventh | eighth | ninth"
_ORDINAL_TEENS = "tenth | eleventh | twelfth | thirteenth | fourteenth | fifteenth | sixteenth | seventeenth | eighteenth | nineteenth"

COMMON_RULES: dict[str, str] = {
    "weekday": " | ".join(WEEKDAYS),
    "month": " | ".join(MONTHS),
    "ordinal": f"{_ORDINAL_UNITS} | {_ORDINAL_TEENS} | twentieth | twenty ( {_ORDINAL_UNITS} ) | thirtieth | thirty first",
    "near-day": "[ on | for | this | next ] <weekday> | [ for ] ( today | tomorrow | the day after tomorrow )",
    "date": "<near-day> | [ on | for ] <weekday> the <ordinal> [ of <month> ] | [ on | for ] the <ordinal> [ of <month> ] | "
    "[ on | for ] <month> [ the ] <ordinal>",
    "hour": f"{_UNITS} | ten | eleven | twelve",
    "minute": "oh five | ten | fifteen | twenty | twenty five | thirty | thirty five | forty | forty five | fifty | fifty five",
    "half-of-day": "a.m. | p.m. | o'clock | in the morning | in the afternoon | in the evening",
    "time": "[ at | for ] ( <hour> [ <minute> ] [ <half-of-day> ] | ( half | [ a ] quarter | ten | twenty ) past <hour> | "
    "( [ a ] quarter | ten | twenty ) to <hour> | noon | midday )",
    "digit": f"zero | oh | {_UNITS}",
    "digits": "( [ double ] <digit> )+",
    "number": f"zero | {_UNITS} | {_TEENS} | ( {_TENS} ) [ {_UNITS} ]",
    "opening": "yes | no | wait | actually | sorry | well | um | uh | okay | oh | hi | hello",
    "leading": "i would like | i'd like | i want | i need | make it | let's make it | can we make it | could we make it | "
    "can you make it | change it to | i said | i meant | how about | what about | let's say | it's | that's | can we do",
    "closing": "please | instead | thanks | thank you | if possible | would be great",
}

_RULE_OF_KIND: dict[SlotKind, str] = {
    "date": "date",
    "time": "time",
    "digits": "digits",
    "phone": "digits",
    "number": "number",
}


def speakable(phrases: Iterable[str]) -> list[str]:
    """Those a grammar can hold: words in letters and apostrophes only. Each once, in order."""
    return list(dict.fromkeys(phrase for phrase in phrases if _SPOKEN.fullmatch(phrase)))


def alternatives(phrases: Iterable[str]) -> str:
    """A rule's body: one of these."""
    return " | ".join(speakable(phrases))


def value_rule(slot: Slot, *, asked: bool) -> tuple[str, str]:
    """The rule a slot's values are said by: its name, and its body where it is the slot's own ("" where it is a common one).

    What was not asked for is expected in its plainest forms only: a weekday, a name introduced as one. Measured with a synthetic caller at
    the front desk: with every "eighth" and "august" allowed everywhere, one answer in ten was misheard as one of them.
    ``("", "")`` where no rule can tell what will be said.
    """
    if slot.kind == "date" and not asked:
        return "near-day", ""
    if slot.kind in _RULE_OF_KIND:
        return _RULE_OF_KIND[slot.kind], ""
    if slot.kind == "choice":
        ways = [way for choice in slot.choices for way in (choice, *slot.options.synonyms.get(choice, ()))]
        body = alternatives(way.lower() for way in ways)
        return (f"choice-{_identifier(slot.name)}", body) if body else ("", "")
    given = alternatives(name.lower() for name in slot.options.given)
    if slot.kind != "name" or not given:
        return "", ""
    family = alternatives(name.lower() for name in slot.options.family)
    name = f"( {given} )" + (f" [ {family} ]" if family else "")
    introduction = "my name is | my name's | the name is | it's | this is | i'm | i am"
    introduced = f"[ {introduction} ] {name}" if asked else f"( {introduction} ) {name}"
    return f"{'asked' if asked else 'introduced'}-{_identifier(slot.name)}", introduced


def document(rules: Mapping[str, str], public: Sequence[str]) -> str:
    """A JSGF grammar whose public rule is one of ``public``; of ``rules`` and the common ones only those needed are written."""
    known = {**COMMON_RULES, **rules}
    needed: dict[str, None] = {}
    waiting = list(public)
    while waiting:
        for name in _REFERENCE.findall(waiting.pop()):
            if name not in needed:
                needed[name] = None
                waiting.append(known[name])
    lines = ["#JSGF V1.0;", "grammar answers;", f"public <answers> = {' | '.join(public)};"]
    lines += [f"<{name}> = {known[name]};" for name in needed]
    return "\n".join(lines) + "\n"


def _identifier(name: str) -> str:
    return re.sub(r"[^a-z0-9-]", "-", name.lower())
