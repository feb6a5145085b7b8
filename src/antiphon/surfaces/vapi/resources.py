"""All documents of the REST API, and their routes. Other parts of the server read an organisation's documents here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from starlette.routing import Route

from antiphon.assistants.loader import AssistantLibrary
from antiphon.calls.stores import ResourceStore
from antiphon.clock import Clock
from antiphon.surfaces.sealed import Sealed
from antiphon.surfaces.vapi import assistants as assistant_routes
from antiphon.surfaces.vapi import document_warnings, fields, kinds, simulation_kinds
from antiphon.surfaces.vapi import files as file_routes
from antiphon.surfaces.vapi.access import Access
from antiphon.surfaces.vapi.assistant_warnings import EngineProblems, no_problems
from antiphon.surfaces.vapi.assistants import Assistants
from antiphon.surfaces.vapi.crud import Crud, Warned
from antiphon.surfaces.vapi.documents import Documents, Kind
from antiphon.surfaces.vapi.files import Files
from antiphon.surfaces.vapi.references import References
from antiphon.surfaces.vapi.repeats import Repeats
from antiphon.surfaces.vapi.signed_urls import SignedUrls

_SIMULATION = "/eval/simulation"
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
        engine_problems: EngineProblems = no_problems,
        strict: bool = False,
        max_file_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        """``folder``: where uploaded files are. ``engine_problems``: why engines that an assistant names cannot be had here."""

        def documents(kind: Kind) -> Documents:
            return Documents(store, clock, kind)

        def plain(name: str, form: str) -> Documents:
            return documents(Kind(name, check=kinds.formed(form, strict=strict)))

        self.assistants = Assistants(store, clock, library, strict=strict)
        self.tools = documents(kinds.tools(store, strict=strict))
        self.squads = documents(kinds.squads(store, strict=strict))
        self.phone_numbers = documents(kinds.phone_numbers(store, sealed, strict=strict))
        self.credentials = documents(kinds.credentials(sealed, strict=strict))
        self.structured_outputs = documents(kinds.structured_outputs(strict=strict))
        self.evals = plain("eval", "CreateEvalDTO")
        self.workflows = plain("workflow", "CreateWorkflowDTO")
        self.personalities = documents(simulation_kinds.personalities(strict=strict))
        self.scenarios = documents(simulation_kinds.scenarios(store, strict=strict))
        self.simulations = documents(simulation_kinds.simulations(store, strict=strict))
        self.suites = documents(simulation_kinds.suites(store, strict=strict))
        self.files = Files(store, clock, folder, urls, max_file_bytes, strict=strict)
        self.repeats = Repeats(clock.now_ms)
        self._engine_problems = engine_problems
        self.references = References(store, self.assistants.has_file)

    def routes(self, access: Access) -> list[Route]:
        def by_form(form: str) -> Warned:
            return lambda body: fields.unknown_lines(form, body)

        number_paths = ("/phone-number", "/phone-numbers")
        numbers = Crud(
            self.phone_numbers, number_paths, equal={**_IDS, "number": "number"}, warned=document_warnings.of_numbers
        )
        pages = Crud(
            self.phone_numbers, ("/v2/phone-number",), shape="paginated", equal=_IDS, searched=("name", "number", "sipUri"),
        )  # fmt: skip
        named = {"name": "name"}
        made = [
            *assistant_routes.routes(self.assistants, access, self.repeats, self.references, self._engine_problems),
            *file_routes.routes(self.files, access, self.repeats),
            Route("/v2/phone-number", access.private(pages.list), methods=["GET"]),
        ]
        cruds = [
            numbers,
            Crud(self.tools, ("/tool", "/tools"), warned=document_warnings.of_tools),
            Crud(self.squads, ("/squad", "/squads"), warned=by_form("CreateSquadDTO")),
            Crud(self.credentials, ("/credential",), warned=document_warnings.of_credentials),
            Crud(
                self.structured_outputs,
                ("/structured-output",),
                shape="paginated",
                equal=named,
                warned=document_warnings.of_structured_outputs,
            ),
            Crud(self.personalities, (f"{_SIMULATION}/personality",), warned=by_form("CreatePersonalityDTO")),
            Crud(self.scenarios, (f"{_SIMULATION}/scenario",), equal=named, warned=document_warnings.of_scenarios),
            Crud(self.suites, (f"{_SIMULATION}/suite",), equal=named, warned=simulation_kinds.suite_warnings),
            Crud(self.simulations, (_SIMULATION,), warned=by_form("CreateSimulationDTO")),
            Crud(self.evals, ("/eval",), shape="paginated", warned=document_warnings.of_evals),
            Crud(self.workflows, ("/workflow", "/workflows"), warned=document_warnings.of_workflows),
        ]
        for crud in cruds:
            made += replace(crud, references=self.references).routes(access, self.repeats)
        return made
