"""The platform's Python SDK of before 3.0.0 (1.11.1) against our server, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.conformance.vapi import older_sdk_program
from tests.conformance.vapi.conftest import Served
from tests.programs import missing

OLDER = Path(sys.prefix) / "older-clients"
"""Where ``tools/install.sh`` has put it."""


async def answers(served: Served) -> dict[str, Any]:
    if not (OLDER / "vapi").is_dir():
        missing("vapi_server_sdk 1.11.1 (requirements-clients-older.lock)")
    # Bytecode is kept: to compile thousands of models takes longer than all else.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, older_sdk_program.__file__, served.url, served.key,
        env={**inherited, "PYTHONPATH": str(OLDER)}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, errors.decode()[-3000:]
    found: dict[str, Any] = json.loads(out)
    return found


async def test_the_main_calls(served: Served) -> None:
    found = await answers(served)
    assert Path(found["sdk"]).is_relative_to(OLDER)
    assert found["assistant"] == ["Old", "Hi", "AssistantModel_CustomLlm", "http://m.test", "http://w.test"]
    assert found["changed"] == ["Yo", "Yo", "Old", "x"]
    assert found["listed"] and found["deleted"] and found["created_at"] == "datetime"
    (gone, _), wrong = found["refusals"]
    assert gone == 404
    assert wrong == [400, ["name must be shorter than or equal to 40 characters"]]
    assert found["call"] == ["vapi.websocketCall", "queued", "old call", "renamed", True, True, True]
    assert found["socket"] and found["control"]
    assert found["refused"] == [400, "list"]
    assert found["chat"] == ["assistant", "It costs eleven crowns."]
    assert found["session"] == [True, "completed", True]
    assert found["tool"][1:] == ["f", False] and found["tool"][0].endswith("_Function")
    assert found["squad"] == ["S", "scripted"]
    assert found["number"][1] == "scripted" and found["number"][0].endswith("_Vapi")
    assert found["file"] == ["a.txt", 3, True]
    assert found["analytics"] == ["n", True]
