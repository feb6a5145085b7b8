from __future__ import annotations

import json
from pathlib import Path

import pytest

from antiphon.assistants.loader import MAX_BYTES, AssistantLibrary, build, load
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
    with pytest.raises(ConfigurationError, match="no assistant of this name"):
        AssistantLibrary([folder]).load(name)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "assistants"
    folder.mkdir()
    (folder / "linked.yaml").symlink_to(write(tmp_path, "secret.yaml", "name: secret"))
    with pytest.raises(ConfigurationError, match="no assistant of this name"):
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
