"""What a person may choose about a run. Prefect's run form and the command line are both made of these.

Not here: thresholds and seeds of training, which are policy (models/policy.toml), and places and times (settings).
The classes' docstrings are shown in the run form, so their examples are here.

>>> RetrainParameters(source="kcs", input=("2024-*.csv",)).input
('2024-*.csv',)
>>> RetrainParameters(source="files", input=("2024-*.csv",))
Traceback (most recent call last):
...
pydantic_core._pydantic_core.ValidationError: 1 validation error for RetrainParameters
  Value error, source 'files' needs mapping with input, the file that says which column is which [...]
...
"""

import operator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from features.simulator import Preset
from features.sources import names
from flows.settings import Engine

# Where declarations come from: one name for each module of features/sources.
SourceName = StrEnum("SourceName", {name.upper(): name for name in sorted(names(), reverse=True)})

LARGEST_SEED = 2**53 - 1  # above it a browser, where forms are filled in, sends another number than was typed


class Language(StrEnum):
    """What reasons are written in."""

    EN = "en"
    FR = "fr"
    ZH = "zh"


class Search(StrEnum):
    """How long to look for better parameters: see [training.search] in models/policy.toml."""

    USUAL = "usual"
    FULL = "full"


WORLD = ("rows", "months", "seed", "preset")  # these tell one simulated world from another
# The form has no bounds: for a number or none, Prefect's page would only say that it fits neither.
OfTheWorld = Annotated[int | None, WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "null"}]})]
# The form has no pattern: a form that has one is not checked, see models/runs/form_schemas.py.
Scheme = Annotated[str | None, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})]


class Authored(BaseModel):
    """Holds the author of a run, who is signed in: Prefect's guard sets `requested_by`, and no form asks for it."""

    # Prefect holds the parameters that the guard has set against the form's schema, which does not name this one.
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"additionalProperties": True})

    requested_by: SkipJsonSchema[str] = Field("", exclude_if=operator.not_)  # and the form does not begin with it


class RetrainParameters(Authored):
    """One retraining: its declarations. Without input, kcs and files retrain on what is stored. Simulated declarations
    are one world: other rows, months, seed or preset than those stored are refused."""

    source: SourceName = Field(SourceName.SIMULATOR, description="Where the declarations come from")
    input: tuple[str, ...] = Field(
        (), description="Files or glob patterns to ingest, for kcs and files; none: retrain on what is stored"
    )
    mapping: Path | None = Field(
        None, description="Column mapping file (TOML), for files; without input, it names the files"
    )
    rows: OfTheWorld = Field(
        None, ge=1_000, le=10_000_000, description="Declarations to simulate; none: as stored, or 200000"
    )
    months: OfTheWorld = Field(None, ge=6, le=120, description="Months they spread over; none: as stored, or 18")
    seed: OfTheWorld = Field(
        None, ge=0, le=LARGEST_SEED, description="Same seed, same declarations; none: as stored, or 20240229"
    )
    preset: Preset | None = Field(
        None, description="plain, or a world with mistakes, appeals and shocks; none: as stored, or plain"
    )

    search: Search = Field(
        Search.USUAL, description="Trials of other parameters: few, beginning with the last best, or many"
    )
    again: bool = Field(default=False, description="Train although the same was trained before")
    engine: Engine | None = Field(None, description="What computes features and grows trees; none: as in the settings")
    address: str | None = Field(None, description="The Ray cluster's, for engine ray; none: as in the settings")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return what the source reads: the mapping file, if there is one, then files and patterns."""
        return (*((str(self.mapping),) if self.mapping else ()), *self.input)

    @model_validator(mode="after")
    def _belongs_to_the_source(self) -> Self:
        source = self.source.value
        if self.source is SourceName.SIMULATOR:
            given = [name for name in ("input", "mapping") if getattr(self, name)]
            if given:
                raise ValueError(f"{given[0]} is not for source 'simulator'; allowed with it: {', '.join(WORLD)}")
            return self
        for name in WORLD:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is for source 'simulator' only, not for {source!r}")
        if self.source is SourceName.KCS and self.mapping:
            raise ValueError("source 'kcs' takes no mapping; its columns are known")
        if self.source is SourceName.FILES and self.input and not self.mapping:
            raise ValueError("source 'files' needs mapping with input, the file that says which column is which")
        return self


class MonitorParameters(Authored):
    """One look at drift and quality."""

    source: SourceName = Field(SourceName.SIMULATOR, description="Whose stored declarations to look at")


class SelectParameters(BaseModel):
    """One selection: of the declarations that no run has selected yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceName = Field(SourceName.SIMULATOR, description="Whose stored declarations to select among")
    language: Language = Field(Language.EN, description="Language of the reasons on the work list")


class NetworkParameters(BaseModel):
    """One build of the network of companies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceName = Field(SourceName.SIMULATOR, description="Whose stored declarations and register it is of")


class RehearseParameters(BaseModel):
    """One rehearsal: its declarations, and how the weeks are replayed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceName = Field(SourceName.SIMULATOR, description="simulator, or kcs, all of whose goods were inspected")
    input: tuple[str, ...] = Field((), description="Files or glob patterns of kcs")
    rows: int = Field(40_000, ge=1_000, le=1_000_000, description="Declarations to simulate, for each seed")
    months: int = Field(18, ge=6, le=120, description="Months they spread over")
    seed: int = Field(
        20240229, ge=0, le=LARGEST_SEED, description="The first seed, of the simulation and of what is left to chance"
    )
    preset: Preset = Field(Preset.PLAIN, description="plain, or worlds with mistakes, appeals and shocks")
    seeds: int = Field(1, ge=1, le=50, description="Worlds to simulate, with seeds that follow one another")
    warm_up_weeks: int = Field(26, ge=4, le=520, description="Weeks that stay as they were, for the first training")
    retrain_weeks: int = Field(4, ge=1, le=520, description="Weeks from one training to the next")
    new_scheme: Scheme = Field(
        None,
        max_length=100,
        pattern=r"^[\x20-\x7e]*$",
        description="Scheme of the simulator that begins only after the warm-up",
    )
    new_from_week: int = Field(8, ge=0, le=520, description="Replayed week in which it begins")
    answers: bool = Field(
        default=False, description="Let traders who cheat answer: move, stop, come back; simulator only"
    )
    out: Path | None = Field(None, description="Folder of the result; none: reports/rehearsal of the state folder")

    @model_validator(mode="after")
    def _has_truth(self) -> Self:
        if self.source is SourceName.FILES:
            raise ValueError("source 'files' tells nothing of what was not inspected; allowed: simulator, kcs")
        if self.source is SourceName.KCS and self.new_scheme:
            raise ValueError("new_scheme is for source 'simulator' only: nobody knows the schemes of 'kcs'")
        if self.source is SourceName.KCS and self.preset is not Preset.PLAIN:
            raise ValueError("preset is for source 'simulator' only: 'kcs' is no simulated world")
        if self.source is SourceName.KCS and self.answers:
            raise ValueError("answers is for source 'simulator' only: declarations of 'kcs' are as they were made")
        if self.source is SourceName.KCS and not self.input:
            raise ValueError("source 'kcs' needs input: its files")
        if self.source is SourceName.SIMULATOR and self.input:
            raise ValueError("input is for source 'kcs' only: 'simulator' makes its declarations")
        return self
