from __future__ import annotations

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from antiphon.assistants.document import MAX_BYTES, MAX_NODES, read_document
from antiphon.assistants.loader import AssistantLibrary, build, load
from antiphon.assistants.spec import AssistantSpec
from antiphon.errors import ConfigurationError


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_and_json_are_read_alike(tmp_path: Path) -> None:
    yaml = write(tmp_path, "a.yaml", "name: Ann\nmodel: {provider: openai, maxTokens: 100}\n")
    as_json = write(tmp_path, "a.json", json.dumps({"name": "Ann", "model": {"provider": "openai", "maxTokens": 100}}))
    assert load(yaml) == load(as_json)


def test_variables_are_filled_in_from_those_given_and_from_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "from the environment")
    spec = build({"name": "${NAME} ${GREETING:-hello}", "endCallPhrases": ["${NAME}"]}, {"NAME": "Ann"})
    assert spec.name == "Ann hello"
    assert spec.end_call_phrases == ("Ann",)
    with pytest.raises(ConfigurationError) as raised:
        build({"endCallPhrases": ["x", "${SECRET}"]}, {})
    assert raised.value.field == "endCallPhrases.1"
    assert "SECRET is not set" in raised.value.problem


def test_what_was_filled_in_is_not_filled_in_again() -> None:
    assert build({"name": "${A}"}, {"A": "${B}", "B": "no"}).name == "${B}"


def test_a_workflow_may_lie_in_its_own_file(tmp_path: Path) -> None:
    write(tmp_path, "flow.yaml", "nodes: [{type: conversation, name: a}]\n")
    spec = load(write(tmp_path, "a.yaml", "model: {provider: workflow, workflow: flow.yaml}\n"))
    assert spec.model is not None
    assert spec.model.workflow == {"nodes": [{"type": "conversation", "name": "a"}]}


@pytest.mark.parametrize(
    ("order", "kept"),
    [(2**64 - 1, 2**64 - 1), (-(2**63), -(2**63)), ("half \ud83d a character", "half \ufffd a character")],
)
def test_a_document_says_what_its_file_says_whatever_that_is(tmp_path: Path, order: object, kept: object) -> None:
    """But for half a character, which nothing that keeps or sends documents can write."""
    write(tmp_path, "a.json", json.dumps({"name": "Ann", "metadata": {"order": order}}))
    loaded = AssistantLibrary([tmp_path]).find("a")
    assert loaded.document() == {"name": "Ann", "metadata": {"order": kept}}
    loaded.document()["metadata"].clear()
    assert loaded.document()["metadata"], "it is the caller's own"


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1])
def test_a_number_of_more_than_64_bits_is_refused_with_its_place(tmp_path: Path, number: int) -> None:
    write(tmp_path, "a.yaml", f"name: Ann\nmetadata:\n  orders:\n  - 1\n  - {number}\n")
    with pytest.raises(ConfigurationError) as refused:
        AssistantLibrary([tmp_path]).find("a")
    wrong = refused.value
    assert (wrong.file, wrong.line, wrong.field) == ("a.yaml", 5, "metadata.orders.1") and "64 bits" in wrong.problem


@pytest.mark.parametrize("name", ["../flow.yaml", "/etc/hostname", "sub/../../flow.yaml"])
def test_a_workflow_outside_the_assistants_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "assistants"
    folder.mkdir()
    write(tmp_path, "flow.yaml", "nodes: [{type: conversation, name: a}]\n")
    with pytest.raises(ConfigurationError, match=r"model\.workflow"):
        load(write(folder, "a.yaml", f"model: {{provider: workflow, workflow: {name}}}\n"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not YAML or JSON at line"),
        ("- 1", "must hold one object"),
        ("", "must hold one object"),
        ("a: !!python/object:os.x {}", "not YAML"),
    ],
)
def test_files_that_are_no_assistant(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"bad\.yaml: .*{says}"):
        load(write(tmp_path, "bad.yaml", text))


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path / "missing.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load(tmp_path / "bytes.yaml")
    with pytest.raises(ConfigurationError, match="larger than"):
        load(write(tmp_path, "big.yaml", "# " + "x" * MAX_BYTES))


def test_the_first_folder_that_has_a_name_wins_and_the_package_comes_last(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        write(folder, "a.yaml", f"name: from {folder.name}")
    library = AssistantLibrary([tmp_path / "missing", first, second])
    assert library.load("a").name == "from 1"
    assert library.load("front-desk").name == "Front desk"
    assert library.names() == ["a", "front-desk"]
    write(first, "front-desk.json", '{"name": "mine"}')
    assert library.load("front-desk").name == "mine"


@pytest.mark.parametrize("name", ["", "nobody", "../secret", "..", "a/b", "a\\b", ".hidden", "a.yaml", "a\0", "x" * 65])
def test_names_that_are_no_assistant(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "assistants"
    folder.mkdir()
    write(tmp_path, "secret.yaml", "name: secret")
    with pytest.raises(ConfigurationError, match="there is no assistant"):
        AssistantLibrary([folder]).load(name)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "assistants"
    folder.mkdir()
    (folder / "linked.yaml").symlink_to(write(tmp_path, "secret.yaml", "name: secret"))
    with pytest.raises(ConfigurationError, match="there is no assistant"):
        AssistantLibrary([folder]).load("linked")


def test_an_edited_file_counts_from_the_next_call_on_and_only_that_is_read_again(tmp_path: Path) -> None:
    library = AssistantLibrary([tmp_path])
    write(tmp_path, "flow.yaml", "nodes: [{type: conversation, name: before}]\n")
    write(tmp_path, "a.yaml", "model: {provider: workflow, workflow: flow.yaml}\n")
    first = library.load("a")
    assert library.load("a") is first
    write(tmp_path, "flow.yaml", "nodes: [{type: conversation, name: afterwards}]\n")
    changed = library.load("a").model
    assert changed is not None and changed.workflow is not None
    assert changed.workflow["nodes"][0]["name"] == "afterwards"
    write(tmp_path, "a.yaml", "name: no workflow now")
    assert library.load("a").name == "no workflow now"


# ------------------------------------------------------------------------------------------------ where a mistake is


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name: a\nmodel:\n  provider: scripted\n  temperature: hot\n", "a.yaml:4: model.temperature: "),
        ("name: a\nmodel: {\n  provider: scripted,\n  messages: [{role: nobody}] }\n", "a.yaml:4: model.messages.0.role: "),
        ("name: a\nmodel:\n  temperature: 1\n", "a.yaml:2: model.provider: "),
        ("name: a\npolicy:\n  endpointing:\n    wait_ms: -5\n", "a.yaml:4: policy.endpointing.wait_ms: must be from 0 to 30000, and is -5"),
        ("policy:\n  endpointing: {wait_ms: 1000000000}\n", "a.yaml:2: policy.endpointing.wait_ms: must be from"),
        ("policy:\n  endpointing: {wait_ms: .nan}\n", "a.yaml:2: policy.endpointing.wait_ms: "),
        ("policy:\n\n  endpoint: {}\n", "a.yaml:3: policy.endpoint: there is no such policy; did you mean endpointing?"),
        ("policy:\n  barge_in:\n    voicems: 1\n", "a.yaml:3: policy.barge_in.voicems: there is no such policy; did you mean voice_ms?"),
        ("\nname: '${NOBODY}'\n", "a.yaml:2: name: variable NOBODY is not set"),
        ("name: a\n  b: c\n", "a.yaml: is not YAML or JSON at line 2"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_line_and_field(tmp_path: Path, text: str, place: str) -> None:
    write(tmp_path, "a.yaml", text)
    with pytest.raises(ConfigurationError) as caught:
        AssistantLibrary([tmp_path]).find("a")
    assert str(caught.value).startswith(place)
    assert caught.value.file == "a.yaml"


def test_a_mistake_in_a_workflow_s_own_file_is_told_there(tmp_path: Path) -> None:
    write(tmp_path, "flow.yaml", "nodes:\n- type: conversation\n  name: a\nedges:\n- {from: a, to: nowhere}\n")
    path = write(tmp_path, "a.yaml", "model: {provider: workflow, workflow: flow.yaml}\n")
    with pytest.raises(ConfigurationError, match=r"^flow\.yaml:5: model\.workflow\.edges\.0"):
        load(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("ending", "text"),
    [("yaml", "name: Jörg\nvoicemailMessage: 김"), ("json", '{"name": "Jörg",\n "voicemailMessage": "김"}')],
)
def test_windows_editors_write_assistants_too(tmp_path: Path, encoding: str, end: str, ending: str, text: str) -> None:
    (tmp_path / f"a.{ending}").write_bytes(text.replace("\n", end).encode(encoding))
    spec = load(tmp_path / f"a.{ending}")
    assert (spec.name, spec.voicemail_message) == ("Jörg", "김")


def _bomb(levels: int) -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for level in range(levels):
        this, above = chr(ord("b") + level), chr(ord("a") + level)
        lines.append(f"{this}: &{this} [{', '.join([f'*{above}'] * 9)}]")
    return "metadata:\n" + "".join(f"  {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_bomb(6), f"stands for more than {MAX_NODES} values"),
        (_bomb(22), f"stands for more than {MAX_NODES} values"),
        ("x: &x {b: 1}\ny:\n" + "".join(f"  k{n}: &k{n} {{<<: [{', '.join(['*x'] * 999)}]}}\n" for n in range(60)), "stands for more"),
        ("metadata: &a\n  b: *a\n", "holds itself"),
        ("&a\nname: *a\n", "holds itself"),
        ("[" * 50_000, "nested more than"),
        ('{"a":' * 50_000, "nested more than"),
        ("metadata: " + "[" * 90 + "]" * 90, "nested more than"),
        ("maxDurationSeconds: " + "9" * 5000, "value that cannot be read"),
        ("name: 2026-02-30", "value that cannot be read"),
        ("name: \0", "is not YAML or JSON"),
        ("---\na: 1\n---\nb: 2\n", "is not YAML or JSON at line"),
        ("? [a, b]\n: c\n", "is not YAML or JSON at line"),
        ("name: !!python/object/apply:os.system ['true']", "is not YAML or JSON at line"),
    ],
)  # fmt: skip
def test_files_that_would_cost_too_much_or_hold_what_is_no_document(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        load(write(tmp_path, "a.yaml", text))


def test_aliases_within_reason_are_followed(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "metadata:\n  one: &one {b: 1}\n  two: [*one, *one]\n  three: {<<: *one, c: 2}\n")
    assert read_document(path).fields["metadata"] == {
        "one": {"b": 1}, "two": [{"b": 1}, {"b": 1}], "three": {"b": 1, "c": 2},
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------ edits and slips


def test_an_edit_with_a_mistake_is_told_once_and_the_last_good_version_serves(tmp_path: Path) -> None:
    library = AssistantLibrary([tmp_path])
    write(tmp_path, "a.yaml", "name: good\n")
    good = library.find("a")
    with capture_logs() as logs:
        for text in ("name: good\n  oops: [\n", "name: better\npolicy: {endpointing: {wait_ms: -5}}\n"):
            write(tmp_path, "a.yaml", text)
            assert all(library.find("a") is good for _ in range(20))
    assert [(entry["event"], entry["assistant"], entry["file"], entry["line"]) for entry in logs] == [
        ("assistant_edit_unusable", "a", "a.yaml", 2),
        ("assistant_edit_unusable", "a", "a.yaml", 2),
    ]
    assert "from 0 to 30000" in logs[1]["problem"]
    write(tmp_path, "a.yaml", "name: mended\n")
    assert library.find("a").spec.name == "mended"
    (tmp_path / "a.yaml").unlink()
    with pytest.raises(ConfigurationError, match="there is no assistant"):
        library.find("a")


def test_an_edit_that_no_engine_can_serve_is_a_mistake_too(tmp_path: Path) -> None:
    def check(spec: AssistantSpec) -> None:
        if spec.voice is not None:
            raise ConfigurationError("voice.provider", "there is no such engine")

    library = AssistantLibrary([tmp_path], check=check)
    write(tmp_path, "a.yaml", "name: good\n")
    good = library.find("a")
    write(tmp_path, "a.yaml", "name: bad\nvoice: {provider: x}\n")
    with capture_logs() as logs:
        assert library.find("a") is good
    assert (logs[0]["line"], logs[0]["field"]) == (2, "voice.provider")
    write(tmp_path, "b.yaml", "voice: {provider: x}\n")
    with pytest.raises(ConfigurationError, match=r"^b\.yaml:1: voice\.provider: there is no such engine"):
        library.find("b")


def test_a_spoilt_workflow_file_is_noticed_when_it_is_mended(tmp_path: Path) -> None:
    library = AssistantLibrary([tmp_path])
    write(tmp_path, "a.yaml", "model: {provider: workflow, workflow: flow.yaml}\n")
    for text in ("nodes: [", "nodes: 7"):
        write(tmp_path, "flow.yaml", text)
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"flow\.yaml"):
                library.find("a")
    write(tmp_path, "flow.yaml", "nodes: [{type: conversation, name: a}]\n")
    assert library.find("a").spec.model is not None


def test_fields_that_look_misspelt_are_told_with_what_was_meant(tmp_path: Path) -> None:
    text = """
firstMesage: Hello
first-message-mode: assistant-waits-for-user
model:
  provider: workflow
  temprature: 1
  workflow:
    nodes:
    - type: conversation
      name: a
      promt: Hi
voice: { provider: espeak, voiceid: en }
analysisPlan: { summaryPlan: {} }
monitorPlans: { a: 1 }
"""
    write(tmp_path, "a.yaml", text)
    library = AssistantLibrary([tmp_path])
    with capture_logs() as logs:
        library.find("a")
        library.find("a")
    *misspelt, others = logs
    assert (others["event"], others["fields"]) == ("assistant_fields_unknown", "monitorPlans")
    assert [(entry["file"], entry["line"], entry["field"], entry["did_you_mean"]) for entry in misspelt] == [
        ("a.yaml", 2, "firstMesage", "firstMessage"),
        ("a.yaml", 3, "first-message-mode", "firstMessageMode"),
        ("a.yaml", 6, "model.temprature", "temperature"),
        ("a.yaml", 12, "voice.voiceid", "voiceId"),
        ("a.yaml", 11, "model.workflow.nodes.0.promt", "prompt"),
    ]


def test_the_name_that_was_meant_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"did you mean front-desk\?"):
        AssistantLibrary([tmp_path]).find("frontdesk")


def test_fields_of_a_voice_that_do_nothing_here_are_told_by_their_names(tmp_path: Path) -> None:
    text = """
model: { provider: workflow, workflow: { nodes: [ { type: conversation, name: a, prompt: Hi } ] } }
voice:
  provider: piper
  cachingEnabled: false
  chunkPlan:
    minCharacters: 30
    formatPlan: { enabled: true, replacements: [] }
"""
    write(tmp_path, "a.yaml", text)
    with capture_logs() as logs:
        AssistantLibrary([tmp_path]).find("a")
    assert [(entry["event"], entry["line"], entry["field"]) for entry in logs] == [
        ("assistant_field_ignored", 5, "voice.cachingEnabled"),
        ("assistant_field_ignored", 7, "voice.chunkPlan.minCharacters"),
        ("assistant_field_ignored", 8, "voice.chunkPlan.formatPlan.enabled"),
        ("assistant_field_ignored", 8, "voice.chunkPlan.formatPlan.replacements"),
    ]


def test_on_is_a_key_like_others(tmp_path: Path) -> None:
    """To YAML 1.1 it is a truth value."""
    write(tmp_path, "a.yaml", "name: A\nhooks:\n- on: call.ending\n  do: []\nmetadata: { off: 1, yes: on }\n")
    spec = AssistantLibrary([tmp_path]).find("a").spec
    assert spec.hooks[0].on == "call.ending" and spec.metadata == {"off": 1, "yes": True}
