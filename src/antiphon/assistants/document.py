"""One YAML or JSON file as a document that knows on which line each field stands; bounded in size, depth and what its aliases stand for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from antiphon.errors import ConfigurationError
from antiphon.files import reason

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
"""Values in a document, those that aliases repeat counted each time: the largest file without aliases that makes sense has a tenth. A file
of one kilobyte can stand for a gigabyte."""
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where."""

    path: Path
    fields: dict[str, Any]
    root: yaml.Node

    def line_of(self, field: str) -> int:
        """The line on which a dotted field stands, or, if it is not there, the last part of its way that is. Counted from 1."""
        node, line = self.root, self.root.start_mark.line
        for part in field.split("."):
            found = _child(node, part)
            if found is None:
                break
            line, node = found
        return int(line) + 1


def read_document(path: Path) -> Document:
    """Raises ConfigurationError naming the file and, where the text itself is wrong, the line."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(path.name, f"larger than {MAX_BYTES} bytes", file=path.name)
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(path.name, f"cannot be read ({reason(error)})", file=path.name) from None
    except UnicodeDecodeError:
        raise ConfigurationError(path.name, "is not UTF-8 text", file=path.name) from None
    loader = None
    try:
        loader = yaml.SafeLoader(text)  # every JSON document is YAML, too
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise ConfigurationError(path.name, "must hold one object", file=path.name)
        _check_size(root, path.name)
        _take_keys_as_text(root)
        fields = loader.construct_document(root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else 0
        where = f" at line {line}" if line else ""
        raise ConfigurationError(path.name, f"is not YAML or JSON{where}", file=path.name, line=line) from None
    except RecursionError:
        raise ConfigurationError(path.name, f"is nested more than {MAX_DEPTH} deep", file=path.name) from None
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        # A date that there is none of, a number of five thousand digits, a list as a key: PyYAML lets Python's own errors out.
        raise ConfigurationError(
            path.name, f"holds a value that cannot be read ({error})"[:200], file=path.name
        ) from None
    finally:
        if loader is not None:
            loader.dispose()
    return Document(path, fields, root)


def _check_size(root: yaml.Node, name: str) -> None:
    """Raises ConfigurationError for a document that is too large once its aliases are followed, too deep, or in a circle."""
    sizes: dict[int, int] = {}
    inside: set[int] = set()

    def size_of(node: yaml.Node, depth: int) -> int:
        if (known := sizes.get(id(node))) is not None:
            return known
        line = node.start_mark.line + 1
        if id(node) in inside:
            raise ConfigurationError(name, f"holds itself, at line {line}", file=name, line=line)
        if depth > MAX_DEPTH:
            raise ConfigurationError(
                name, f"is nested more than {MAX_DEPTH} deep, at line {line}", file=name, line=line
            )
        inside.add(id(node))
        size = 1
        if isinstance(node, yaml.MappingNode):
            size += sum(size_of(key, depth + 1) + size_of(value, depth + 1) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            size += sum(size_of(item, depth + 1) for item in node.value)
        inside.discard(id(node))
        if size > MAX_NODES:
            problem = f"stands for more than {MAX_NODES} values, at line {line} (aliases count each time)"
            raise ConfigurationError(name, problem, file=name, line=line)
        sizes[id(node)] = size
        return size

    size_of(root, 0)


def _take_keys_as_text(root: yaml.Node) -> None:
    """``on`` is what a hook is on, and no truth value (as YAML 1.2 has it, too)."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
            for key, _ in node.value:
                if key.tag == "tag:yaml.org,2002:bool":
                    key.tag = "tag:yaml.org,2002:str"
        else:
            children = node.value if isinstance(node, yaml.SequenceNode) else []
        for child in children:
            if id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)


def _child(node: yaml.Node, part: str) -> tuple[int, yaml.Node] | None:
    """The line of the child that a part of a dotted field names, and the child. Keys have been flattened where a merge was."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == part:
                return key.start_mark.line, value
    elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        child = node.value[int(part)]
        return child.start_mark.line, child
    return None
