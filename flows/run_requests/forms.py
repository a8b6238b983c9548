"""What people may say about a run that they start in Prefect: the parameters of each flow, checked as the flow would.

The command line has the same parameters and reads as its own user; this module is for runs that read as the service.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from features.reading import files
from flows.parameters import (
    Authored,
    MonitorParameters,
    NetworkParameters,
    RehearseParameters,
    RetrainParameters,
    SelectParameters,
)
from flows.run_requests.places import Readable
from flows.settings import Settings

FORMS: Mapping[str, type[BaseModel] | None] = {
    "retrain": RetrainParameters,
    "select": SelectParameters,
    "monitor": MonitorParameters,
    "network": NetworkParameters,
    "rehearse": RehearseParameters,
    "promote": None,
    "quarter": None,
}
AUTHOR = "requested_by"


@dataclass(frozen=True)
class Forms:
    """The forms of a project folder, which models/runs/rules.py asks."""

    places: Readable
    ray_address: str | None = None

    def fill(self, entrypoint: str, given: Mapping[str, Any], actor: str) -> dict[str, Any]:
        """Return the parameters that the run is to have; ValueError if the flow does not take these from people.

        >>> forms = Forms(Readable(Path("/srv"), Path("/srv/.tidewaiter")))
        >>> forms.fill("flows/retrain.py:retrain", {"parameters": {"requested_by": "bob"}}, "ann")["parameters"][AUTHOR]
        'ann'
        """
        form = _form(entrypoint)
        if unknown := sorted(set(given) - ({"parameters"} if form else set())):
            raise ValueError(f"parameter {unknown[0]!r} does not exist; allowed: {'parameters' if form else 'none'}")
        if form is None:
            return {}
        typed = given.get("parameters") or {}
        if not isinstance(typed, dict):
            raise ValueError("parameters: allowed is an object with a field for each")
        own = {AUTHOR: actor} if issubclass(form, Authored) else {}
        filled = form.model_validate({**typed, **own})
        judge(filled, self.places, self.ray_address)
        return {"parameters": filled.model_dump(mode="json")}

    def is_authored(self, entrypoint: str) -> bool:
        """Whether the flow makes something that the person who asked for it must not sign."""
        form = _form(entrypoint)
        return form is not None and issubclass(form, Authored)


def of(settings: Settings, working: Path) -> Forms:
    """Return the forms of a project folder."""
    return Forms(places(settings, working), settings.ray_address)


def places(settings: Settings, working: Path) -> Readable:
    """Return the places that runs of a project folder may read from."""
    return Readable(working.absolute(), settings.state_folder.absolute(), settings.input_folders)


def judge_run(parameters: BaseModel, settings: Settings, working: Path) -> None:
    """Judge as `judge` does, in the run itself, where patterns have found their files: none may link elsewhere."""
    allowed = places(settings, working)
    judge(parameters, allowed, settings.ray_address)
    local = [pattern for pattern in parameters.model_dump().get("input") or () if "://" not in pattern]
    allowed.refuse_links("input", files.expand(local))


def judge(parameters: BaseModel, places: Readable, ray_address: str | None) -> None:
    """Raise ValueError if a run would read, write or reach what is not for its starter to name."""
    said = parameters.model_dump()
    places.refuse("input", said.get("input") or ())
    if said.get("mapping"):
        places.refuse_mapping(Path(said["mapping"]))
    if said.get("out"):
        raise ValueError("out is for the command line; a run writes to reports/rehearsal of the state folder")
    if said.get("address") and said["address"] != ray_address:
        # The program that answers at an address decides what the run does.
        raise ValueError(
            f"address {said['address']!r} is not the cluster of the settings; allowed: {ray_address}, or none"
        )


def _form(entrypoint: str) -> type[BaseModel] | None:
    name = entrypoint.rpartition(":")[2]
    if name not in FORMS:
        raise ValueError(f"flow {name!r} is not one that people start; allowed: {', '.join(sorted(FORMS))}")
    return FORMS[name]
