"""What an engine on this machine says where its package or its model is missing: the command that brings it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from antiphon.errors import ProviderUnavailable
from antiphon.providers.local_models import one_of
from antiphon.providers.stt.pocketsphinx import PocketsphinxSpeechToText


@pytest.mark.parametrize(("folder", "name"), [("kokoro-v1.0-int8", "kokoro-v1.0-int8"), ("my-own", "NAME")])
def test_the_model_to_pull_is_named_where_it_can_be_pulled(tmp_path: Path, folder: str, name: str) -> None:
    with pytest.raises(ProviderUnavailable, match=f"`antiphon models pull {name}` fetches it"):
        one_of("kokoro", tmp_path / folder, "tokens.txt")


async def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ProviderUnavailable, match=r"pip install 'antiphon\[pocketsphinx\]'"):
        await PocketsphinxSpeechToText().start()
