"""The REST API on a real database, without the rest of the server: requests go straight to the application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from antiphon.api import Api
from antiphon.assistants.loader import AssistantLibrary
from antiphon.clock import ManualClock
from antiphon.config import Settings
from antiphon.surfaces.http.application import application
from antiphon.surfaces.keys import ApiKeys


@dataclass
class Desk:
    """``client`` has a private key."""

    api: Api
    keys: ApiKeys
    clock: ManualClock
    client: httpx.AsyncClient
    folder: Path

    def with_key(self, secret: str, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=self.client._transport,
            base_url=str(self.client.base_url),
            headers={"Authorization": f"Bearer {secret}", **headers},
        )

    async def make(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


@asynccontextmanager
async def desk_of(folder: Path, database_url: str, **api: Any) -> AsyncIterator[Desk]:
    settings = Settings(
        data_dir=folder / "data",
        database_url=database_url,
        public_url="http://desk.test",
        assistants_dir=folder,
        api=api,
    )
    clock = ManualClock()
    keys = ApiKeys(settings.data_dir / "keys.json")
    _, secret = keys.create("test", clock.wall_ms())
    made = Api(settings, clock, keys, AssistantLibrary([folder]))
    await made.start()
    transport = httpx.ASGITransport(application(made.routes(), [made.cors()]))
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", headers=headers) as client:
        yield Desk(made, keys, clock, client, folder)
    await made.close()
