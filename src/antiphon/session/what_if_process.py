"""``python -m antiphon.session.what_if_process LOG``: another policy tried on a call, in a process of its own, so that no live call waits.

Reads ``{"endpointing.wait_ms": "300"}`` from its input. Writes ``{"was": […], "would": […]}``, a ``TurnOutcome`` each, or
``{"problem": …, "field": …}``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from antiphon.errors import ConfigurationError, MalformedMessage
from antiphon.session.event_log import decode, encode, read_event_log
from antiphon.session.replay import changed_policy
from antiphon.session.what_if import compared, outcomes


def answer(path: Path, question: bytes) -> bytes:
    """The answer, for one log and one question."""
    try:
        log = read_event_log(path)
        policy = changed_policy(log.header.policy, {str(name): str(value) for name, value in decode(question).items()})
        return encode({"was": outcomes(log), "would": compared(log, policy)})
    except ConfigurationError as error:
        return encode({"problem": str(error), "field": error.field})
    except (MalformedMessage, OSError) as error:
        return encode({"problem": str(error), "field": ""})


if __name__ == "__main__":
    os.nice(10)  # whoever waits for this can; callers cannot
    sys.stdout.buffer.write(answer(Path(sys.argv[1]), sys.stdin.buffer.read()))
