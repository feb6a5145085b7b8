"""What ``make demo`` installs is enough for the server: nothing that an extra brings is asked for before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.serving import write_assistant

ROOT = Path(__file__).resolve().parents[1]
SERVER = """
import re, sys
from importlib.abc import MetaPathFinder
from importlib.metadata import packages_distributions

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

kept = {plain(re.split(r"[=<>;\\[ @]", line, maxsplit=1)[0]) for path in sys.argv[1:3] for line in open(path) if line.strip()}
there = {module: {plain(name) for name in names} for module, names in packages_distributions().items()}
missing = {module for module, names in there.items() if not names & (kept | {"antiphon", "setuptools", "pip"})}
assert {"liquid", "sqlalchemy", "redis", "aiortc"} <= missing and "httpx" not in missing, sorted(missing)

class Bare(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Bare())
import antiphon.cli.call, antiphon.cli.demo, antiphon.cli.serve, antiphon.server
from antiphon.composition.process import Antiphon
from antiphon.config import Settings, Twilio

twilio = Twilio(auth_token="a-token")
Antiphon(Settings(assistant="scripted", assistants_dir=sys.argv[3], data_dir=sys.argv[4], twilio=twilio))
print("there")
"""


def test_a_server_is_made_without_the_extras(tmp_path: Path) -> None:
    locks = [str(ROOT / name) for name in ("requirements.lock", "requirements-models.lock")]
    folders = [str(write_assistant(tmp_path / "assistants")), str(tmp_path / "data")]
    ran = subprocess.run(
        [sys.executable, "-c", SERVER, *locks, *folders], capture_output=True, text=True, check=False, timeout=120
    )
    assert (ran.stdout.splitlines()[-1:], ran.returncode) == (["there"], 0), ran.stderr[-3000:]
