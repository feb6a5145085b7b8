"""All documents of the REST API, and their routes. Other parts of the server read an organisation's documents here."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import Route

from antiphon.assistants.loader import AssistantLibrary
from antiphon.calls.stores import ResourceStore
from antiphon.clock import Clock
from antiphon.surfaces.sealed import Sealed
from antiphon.surfaces.vapi import assistants as assistant_routes
from antiphon.surfaces.vapi import files as file_routes
from antiphon.surfaces.vapi import kinds
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.assistants import Assistants
from antiphon.surfaces.vapi.crud import Crud
from antiphon.surfaces.vapi.documents import Documents, Kind
from antiphon.surfaces.vapi.files import Files
from antiphon.surfaces.vapi.repeats import Repeats
from antiphon.surfaces.vapi.signed_urls import SignedUrls

_IDS = {"assistantId": "assistant_id", "squadId": "squad_id"}


class Resources:
    """One ``Documents`` for each kind."""

    def __init__(
        self,
        store: ResourceStore,
        clock: Clock,
        library: AssistantLibrary,
        sealed: Sealed,
        urls: SignedUrls,
        folder: Path,
        *,
        strict: bool = False,
        max_file_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        """``folder``: where uploaded files are."""

        def documents(kind: Kind) -> Documents:
            return Documents(store, clock, kind)

        def plain(name: str, form: str) -> Documents:
            return documents(Kind(name, check=kinds.formed(form, strict=strict)))

        self.assistants = Assistants(store, clock, library, strict=strict)
        self.tools = documents(kinds.tools(store, strict=strict))
        self.squads = documents(kinds.squads(store, strict=strict))
        self.phone_numbers = documents(kinds.phone_numbers(store, sealed, strict=strict))
        self.credentials = documents(kinds.credentials(sealed, strict=strict))
        self.structured_outputs = plain("structured-output", "CreateStructuredOutputDTO")
        self.evals = plain("eval", "CreateEvalDTO")
        self.workflows = plain("workflow", "CreateWorkflowDTO")
        self.files = Files(store, clock, folder, urls, max_file_bytes, strict=strict)
        self.repeats = Repeats(clock.now_ms)

    def routes(self, access: Access) -> list[Route]:
        numbers = Crud(self.phone_numbers, ("/phone-number", "/phone-numbers"), equal={**_IDS, "number": "number"})
        pages = Crud(self.phone_numbers, ("/v2/phone-number",), shape="paginated", equal={**_IDS, "search": "number"})
        named = {"name": "name"}
        made = [
            *assistant_routes.routes(self.assistants, access, self.repeats),
            *file_routes.routes(self.files, access, self.repeats),
            Route("/v2/phone-number", access.private(pages.list), methods=["GET"]),
        ]
        cruds = [
            numbers,
            Crud(self.tools, ("/tool", "/tools")),
            Crud(self.squads, ("/squad", "/squads")),
            Crud(self.credentials, ("/credential",)),
            Crud(self.structured_outputs, ("/structured-output",), shape="paginated", equal=named),
            Crud(self.evals, ("/eval",), shape="paginated"),
            Crud(self.workflows, ("/workflow", "/workflows")),
        ]
        for crud in cruds:
            made += crud.routes(access, self.repeats)
        return made
