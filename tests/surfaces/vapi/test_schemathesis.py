"""Schemathesis makes requests of the published shapes, right ones and wrong ones, and the server never fails.

``SCHEMATHESIS_EXAMPLES=200`` makes so many of each kind for each operation, for a longer run by hand.
"""

from __future__ import annotations

import asyncio
import os
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from tests.serving import settings_for
from tests.surfaces.vapi.openapi import WRONG_TOO, document

from antiphon.config import Api
from antiphon.server import serving

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "1"))
_BUSY = "The server takes no new call now"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server, in a thread of its own: the client blocks the one it is called from."""
    api = Api(requests_per_minute=1_000_000, call_waits_s=5)
    given_settings = settings_for(tmp_path_factory.mktemp("served"), open_api=True, api=api, max_calls=10_000)
    started, stop = threading.Event(), asyncio.Event()
    found: list[Any] = []

    async def run() -> None:
        async with serving(given_settings) as antiphon:
            found.extend([antiphon.settings.base_url, asyncio.get_running_loop()])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="served")
    thread.start()
    assert started.wait(30), "the server did not start"
    yield found[0]
    found[1].call_soon_threadsafe(stop.set)
    thread.join(30)


def test_no_request_makes_the_server_fail(url: str) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed (requirements-dev.lock)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about what it cannot make
        statuses, failed = run(url)
    assert failed == []
    assert statuses[400] > 5 and statuses[404] > 5, "wrong ones, and ids of nothing, are among them"
    assert statuses[200] + statuses[201] > 5, "and right ones"


def run(url: str) -> tuple[Counter[int], list[str]]:
    """How often each status was answered, and which requests made the server fail."""
    import requests
    import schemathesis
    from schemathesis import GenerationMode

    statuses: Counter[int] = Counter()
    failed: list[str] = []
    bounded = settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with requests.Session() as session:
        made = document()
        for operation in (each.ok() for each in schemathesis.openapi.from_dict(made).get_all_operations()):
            wrong_too = made["paths"][operation.path][operation.method][WRONG_TOO]
            for mode in GenerationMode if wrong_too else (GenerationMode.POSITIVE,):

                @bounded
                @given(case=operation.as_strategy(generation_mode=mode))
                def ask(case: Any) -> None:
                    answer = case.call(base_url=url, session=session, timeout=30)
                    statuses[answer.status_code] += 1
                    if answer.status_code >= 500 and _BUSY not in answer.text:
                        failed.append(f"{case.as_curl_command()[:2000]} -> {answer.status_code} {answer.text[:300]}")

                ask()
    return statuses, failed


def main() -> None:
    """By hand, against a server that runs: ``python -m tests.surfaces.vapi.test_schemathesis URL``."""
    import sys

    statuses, failed = run(sys.argv[1])
    print(dict(statuses), *failed, sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
