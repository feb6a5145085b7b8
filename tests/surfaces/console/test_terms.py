"""What the API and the server say in words of their own has words in both of the page's languages: the page's own modules are asked."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tests.programs import missing

from antiphon import alerting, errors
from antiphon.assistants import ignored
from antiphon.assistants.spec import parse_assistant
from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.jobs import scheduled
from antiphon.surfaces.vapi import call_deletions, ended_reasons, fields, references, server_messages, text_events
from antiphon.vocabulary import EndReason

SOURCE = Path(str(files("antiphon")))
HANGUL = re.compile("[가-힣]")
LOAD = """
const { readFileSync } = await import("node:fs");
const [folder, given] = process.argv.slice(1);
const load = (name) => import(`data:text/javascript,${encodeURIComponent(readFileSync(`${folder}/${name}`, "utf8"))}`);
const { wordsFor, wordsOf } = await load("terms.js");
const { inLanguage } = await load("problems.js");
const asked = JSON.parse(given);
"""
TERMS = (
    LOAD
    + "console.log(JSON.stringify(asked.map(([kind, word]) => ['en', 'ko'].map((to) => wordsFor(kind, word, to)))));"
)
TEXTS = LOAD + "console.log(JSON.stringify(asked.map((text) => ['en', 'ko'].map((to) => inLanguage(text, to)))));"


def page(program: str, asked: Sequence[Any]) -> list[tuple[str, str]]:
    """English and Korean of each."""
    node = shutil.which("node")
    if node is None:
        missing("Node.js")
    folder = str(SOURCE / "surfaces" / "console" / "page")
    command = [node, "--input-type=module", "-e", program, folder, json.dumps(list(asked))]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    return [(english, korean) for english, korean in told]


def without_words(kind: str, words: Sequence[str]) -> list[str]:
    found = page(TERMS, [(kind, word) for word in words])
    return [
        word
        for word, (en, ko) in zip(words, found, strict=True)
        if en == word or HANGUL.search(en) or not HANGUL.search(ko)
    ]


def every_end_reason() -> set[str]:
    """That a call of this server can end with: our own, and as the API calls them."""
    mapped = {ended_reasons.in_words(reason, type) for reason in EndReason for type in ("webCall", "inboundPhoneCall")}
    dialled = {
        ended_reasons.of_dial(status) for status in ("busy", "no-answer", "canceled", "failed", "completed", "else")
    }
    failures = (CapacityError("full"), ProviderError("p", "x"), ConfigurationError("f", "x"), OSError())
    named = {value for name, value in vars(ended_reasons).items() if name.isupper() and isinstance(value, str)}
    late = {scheduled.NOT_MADE, scheduled.NOT_VALID}
    return {
        *map(str, EndReason),
        *mapped,
        *dialled,
        *map(ended_reasons.of_failure, failures),
        *named,
        *late,
        *written_reasons(),
    }


def written_reasons() -> Iterator[str]:
    """Those that stand in the code where a call is ended, and not in ``ended_reasons``."""
    for path in SOURCE.rglob("*.py"):
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                if re.fullmatch(r"(?:call\.(?:in-progress|start)\.|pipeline-)error-[\w-]+", each.value):
                    yield each.value
            elif isinstance(each, ast.keyword) and each.arg == "ended_reason" and isinstance(each.value, ast.Constant):
                yield str(each.value.value)


def test_every_end_reason_has_words_in_both_languages() -> None:
    reasons = sorted(every_end_reason() - {""})
    assert len(reasons) > 25 and {"customer-ended-call", "voicemail", "worker-died"} <= set(reasons)
    assert without_words("reason", reasons) == []


def test_every_message_to_an_application_has_words() -> None:
    assert (
        without_words(
            "event",
            sorted(
                {*server_messages.SENT, *text_events.SENT, *call_deletions.SENT, alerting.TYPE, "assistant-request"}
                - ignored.UNSENT
            ),
        )
        == []
    )


def test_why_a_message_did_not_arrive_has_words() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (SOURCE / "webhooks").glob("*.py"))
    reasons = sorted(set(re.findall(r'RequestFailed\("(\w+)"', code)) | {"configuration", "store_unavailable"})
    assert len(reasons) > 8
    assert without_words("attempt", reasons) == []


def test_codes_of_what_fails_in_a_call_have_words() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ProviderError)]
    assert without_words("code", sorted({each.code for each in kinds} | {"configuration", "process_gone"})) == []


def test_a_word_that_nobody_knows_is_shown_as_it_came() -> None:
    odd = ["customer-flew-away", "constructor", ""]
    assert page(TERMS, [("reason", word) for word in odd]) == [(word, word) for word in odd]
    assert page(TEXTS, ["The moon is full."]) == [("The moon is full.", "The moon is full.")]


# ---------------------------------------------------------------------------------------------- texts


def texts_of(node: ast.AST) -> Iterator[str]:
    """What stands in the code as text, some value in each of its places."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "x1" for part in node.values)
    elif isinstance(node, ast.List | ast.Tuple):
        for each in node.elts:
            yield from texts_of(each)
    elif isinstance(node, ast.IfExp):
        yield from [*texts_of(node.body), *texts_of(node.orelse)]
    elif isinstance(node, ast.ListComp | ast.GeneratorExp):
        yield from texts_of(node.elt)


def given_to(names: set[str], at: int, paths: Iterator[Path]) -> set[str]:
    """Of calls by one of these names, the texts of the argument that stands there."""
    found: set[str] = set()
    for path in paths:
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(each, ast.Call) and len(each.args) > at:
                called = each.func.id if isinstance(each.func, ast.Name) else getattr(each.func, "attr", "")
                if called in names:
                    found.update(texts_of(each.args[at]))
    return found


def yielded(path: Path) -> set[str]:
    """The reasons of pairs ``field, reason`` that a module yields."""
    return {
        text
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(each, ast.Yield) and isinstance(each.value, ast.Tuple)
        for text in texts_of(each.value.elts[-1])
    }


def refused_by(folder: str) -> set[str]:
    return given_to({"HTTPException", "ApiError"}, 1, (SOURCE / folder).rglob("*.py"))


def told(*paths: str, names: set[str], at: int) -> set[str]:
    return given_to(names, at, (SOURCE / path for path in paths))


CONSOLE_ASKS = (
    "access",
    "assistants",
    "bodies",
    "controls",
    "conversations",
    "crud",
    "documents",
    "e164",
    "errors",
    "eval_runs",
    "kinds",
    "paging",
)
"""Modules of the REST API that answer the console (``rest.OPEN``)."""
SOURCES = {
    "the console": lambda: refused_by("surfaces/console"),
    "the REST API": lambda: told(*(f"surfaces/vapi/{name}.py" for name in CONSOLE_ASKS), names={"ApiError"}, at=1),
    "forms": lambda: {
        *(each for each in told("surfaces/vapi/fields.py", names={"append"}, at=0) if each != "x1 must be x1"),
        *(f"x1 must be {words}" for _, words in fields._TYPES.values()),
    },
    "fields without effect": lambda: {
        *ignored.IGNORED.values(),
        *ignored._TOOL_FIELDS.values(),
        *(why for _, _, why in ignored.UNLESS_TAKEN.values()),
        ignored._NOTHING,
        "no field of an assistant; kept, and has no effect",
        "no field of an assistant; did you mean name? kept, and has no effect",
        "x1: no such field is known; kept, and has no effect",
        *yielded(SOURCE / "assistants" / "ignored.py"),
        *yielded(SOURCE / "surfaces" / "vapi" / "assistant_warnings.py"),
        *references.WORDS.values(),
    },
    "workflows": lambda: {
        *yielded(SOURCE / "workflow" / "checks.py"),
        *told("workflow/checks.py", names={"ConfigurationError"}, at=1),
        *told("workflow/spec.py", "workflow/schema.py", "workflow/logic.py", names={"ValueError"}, at=0),
    },
    "assistants": lambda: {
        *told("assistants/spec.py", "assistants/templates.py", names={"ValueError"}, at=0),
        *told("assistants/spec.py", "assistants/templates.py", "engine_choice.py", names={"ConfigurationError"}, at=1),
    },
    "numbers": lambda: {
        *yielded(SOURCE / "surfaces" / "vapi" / "document_warnings.py"),
        *told("calls/number_hooks.py", names={"ConfigurationError"}, at=1),
    },
    "squads": lambda: told(
        "calls/squads.py",
        "calls/destinations.py",
        "calls/handoffs.py",
        "calls/directory.py",
        names={"ConfigurationError"},
        at=1,
    ),
    "text": lambda: told(
        *(f"chat/{name}.py" for name in ("evaluation", "history", "patterns", "reading", "schemas", "judging")),
        names={"ConfigurationError"},
        at=1,
    ),
    "judging": lambda: {
        text
        for name in ("chat/judging.py", "jobs/analysis.py", "assistants/output_conditions.py")
        for each in ast.walk(ast.parse((SOURCE / name).read_text(encoding="utf-8")))
        if isinstance(each, ast.Return) and each.value is not None
        for text in texts_of(each.value)
        if " " in text
    },
}
PLACES = re.compile(r"[\w.]*x1")
UNSHOWN = (
    "its form says so",
    "needs the extra api",
    " at the end",
    " instead of",
    '{"endpointing.wait_ms"',
    "no field of an assistant; x1kept",
)
"""What is logged, a part of another text, or has texts in its places: those are asked by themselves."""


def is_shown(text: str) -> bool:
    return bool(re.search(r"[a-z]{3}", PLACES.sub("", text))) and " " in text.strip() and not text.startswith(UNSHOWN)


@pytest.mark.parametrize("source", SOURCES)
def test_what_the_server_says_is_said_in_korean(source: str) -> None:
    asked = sorted(filter(is_shown, SOURCES[source]()))
    assert len(asked) > 3
    found = page(TEXTS, asked)
    assert [english for english, _ in found] == asked, "in English as it came"
    assert [text for text, (_, korean) in zip(asked, found, strict=True) if not HANGUL.search(korean)] == []


FORMS = [
    ({"name": "x" * 41}, "40"),
    ({"model": {}}, "model.provider"),
    ({"maxDurationSeconds": 1, "voice": {"provider": "x", "speed": 9}}, "maxDurationSeconds"),
    ({"artifactPlan": {"recordingEnabled": "maybe"}}, "true"),
    ({"server": {"url": "ftp://x"}}, "server.url"),
    ({"voicemailDetection": "on"}, "'off'"),
    ({"metadata": 3}, "metadata"),
    ({"model": {"provider": "workflow", "workflow": {"nodes": []}}}, "nodes"),
    ({"artifactPlan": {"structuredOutputs": [{"conditions": [{"type": "x"}]}]}}, "'minMessages'"),
]


def test_what_is_wrong_in_an_assistant_is_said_in_korean_with_its_field() -> None:
    asked = []
    for document, _ in FORMS:
        with pytest.raises(ConfigurationError) as raised:
            parse_assistant(document)
        asked.append(f"{raised.value.field}: {raised.value.problem}")
    for (_, kept), (_, korean) in zip(FORMS, page(TEXTS, asked), strict=True):
        assert HANGUL.search(korean) and kept in korean, korean
        assert "input should" not in korean and "string should" not in korean
