"""Reads the platform's published OpenAPI document and writes what the REST API checks: names of fields, their types and ranges.

    python tools/api_fields.py openapi.json > src/antiphon/surfaces/vapi/fields.json

Run it when the platform publishes a new document. Descriptions, examples and long lists of models and voices are left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LONGEST_LIST = 40
"""Values of a field. A longer list names a vendor's models, voices or languages, of which there are new ones each week."""
OTHERS = [
    "AssistantOverrides",
    "UpdateFileDTO",
    "UpdateCallDTO",
    "UpdateSessionDTO",
    "AnalyticsQueryDTO",
    "OpenAIResponsesRequest",
]
NOT_OURS = ("Insight", "Template", "Board", "Campaign", "Scorecard", "Org", "KnowledgeBaseV2")
NEW_EACH_WEEK = frozenset(["model", "voiceId", "language", "languages", "fallbackModels"])
"""Fields whose values are not checked, however few there are."""
_RANGES = {"minimum": "min", "maximum": "max", "minLength": "least", "maxLength": "most"}


def main() -> None:
    schemas = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["components"]["schemas"]
    created = [name for name in schemas if name.startswith("Create") and name.endswith("DTO")]
    wanted = [name for name in created if not any(part in name for part in NOT_OURS)] + OTHERS
    found: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name in found or name not in schemas:
            continue
        references: list[str] = []
        found[name] = node(schemas[name], references)
        wanted += references
    lines = [f"{json.dumps(name)}: {json.dumps(found[name], separators=(',', ':'))}" for name in sorted(found)]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


def node(schema: dict[str, Any], references: list[str]) -> dict[str, Any]:
    """One schema in our short form (``surfaces/vapi/fields.py`` says what it means)."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        references.append(name)
        return {"ref": name}
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return {"any": [node(each, references) for each in schema[several]]}
    if len(schema.get("allOf", ())) == 1:
        return node(schema["allOf"][0], references)
    made: dict[str, Any] = {"type": kind} if (kind := _type_of(schema)) else {}
    made |= {short: schema[name] for name, short in _RANGES.items() if name in schema}
    if schema.get("type") != "array" and made.get("type", "") and 0 < len(schema.get("enum", ())) <= LONGEST_LIST:
        made["enum"] = schema["enum"]
    if schema.get("nullable"):
        made["null"] = True
    if schema.get("format") == "date-time":
        made["date"] = True
    if "items" in schema:
        examples = schema.get("example")
        made["items"] = node(schema["items"], references)
        if isinstance(examples, list) and _is_no_object(schema["items"], examples):
            made["items"] = {}
    if schema.get("properties"):
        made["fields"] = {name: node(each, references) for name, each in schema["properties"].items()}
        for name in NEW_EACH_WEEK & made["fields"].keys():
            made["fields"][name].pop("enum", None)
            made["fields"][name].get("items", {}).pop("enum", None)
        if schema.get("required"):
            made["required"] = schema["required"]
    return made


def _type_of(schema: dict[str, Any]) -> str:
    """Empty for any. Where the platform's source has a type that its generator does not see through, the document says ``object``, and
    means what the values and the example are."""
    kind: str = schema.get("type", "")
    if kind == "string" and isinstance(schema.get("example"), list):
        return ""
    if kind != "object" or schema.get("properties"):
        return kind
    if "enum" in schema and all(isinstance(value, str) for value in schema["enum"]):
        return "string"
    return "" if "example" in schema and not isinstance(schema["example"], dict) else kind


def _is_no_object(schema: dict[str, Any], examples: list[Any]) -> bool:
    said = schema.get("type") == "object" and not schema.get("properties")
    return said and not any(isinstance(example, dict) for example in examples)


if __name__ == "__main__":
    main()
