"""The presets of the simulation: what each of them does at the steps of a week. The plain one does nothing.

What the unkind one does is in the modules that it calls, one for each kind of trouble. It draws from streams of its
own, so the traders and what they mean to bring in are the plain world's of the same seed as long as nothing that
happens to them differs.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property

import numpy as np

from features.arrays import Floats
from features.simulator import (
    disputes,
    mistakes,
    nomenclature,
    origins,
    records,
    seasons,
    shocks,
    tariff_changes,
)
from features.simulator.draws import stream
from features.simulator.entities import Lanes
from features.simulator.inspection import Results
from features.simulator.schemes import Declared
from features.simulator.traffic import Traffic


class Preset(StrEnum):
    """Which kind of world is simulated."""

    PLAIN = "plain"
    UNKIND = "unkind"


@dataclass(frozen=True)
class Plain:
    """The plain world of `seed`, which begins on `start` and spans so many days."""

    seed: int
    start: date
    span: int

    def volumes(self, days: int) -> Floats:
        """Return the factor on the usual volume of each of the first `days` days."""
        return np.ones(days)

    def turns(self) -> list[int]:
        """Return the days within the span on which something changes for everybody, so that a week ends before them."""
        return []

    def tariff_changes(self, today: int) -> int:
        """Return how many times the tariff has been changed by `today`."""
        return 0

    def lanes(self, lanes: Lanes, today: int) -> Lanes:
        """Return the lanes as goods travel by them on `today`."""
        return lanes

    def declared(self, traffic: Traffic, declared: Declared, today: int) -> Declared:
        """Return what is declared in the week that begins `today`, after all that befalls it."""
        return declared

    def found(self, traffic: Traffic, declared: Declared, results: Results, today: int) -> Results:
        """Return the results of that week's inspections, after all that befalls them."""
        return results


@dataclass(frozen=True)
class Unkind(Plain):
    """A world of mistakes, disputes, changes and shocks."""

    @cached_property
    def _shocks(self) -> shocks.Shocks:
        return shocks.drawn(self.seed, self.span)

    def volumes(self, days: int) -> Floats:
        return seasons.volumes(self.start, days)

    def turns(self) -> list[int]:
        return [day for day in tariff_changes.days(self.start, self.span) if day < self.span]

    def tariff_changes(self, today: int) -> int:
        return len(tariff_changes.days(self.start, today))

    def lanes(self, lanes: Lanes, today: int) -> Lanes:
        return self._shocks.travelled(seasons.busy(lanes, self.start + timedelta(days=today)), today)

    def declared(self, traffic: Traffic, declared: Declared, today: int) -> Declared:
        declared = origins.blended(stream(self.seed, 61, today), traffic, declared)
        declared = mistakes.made(stream(self.seed, 62, today), traffic, declared, self.tariff_changes(today))
        return nomenclature.coded(self.seed, traffic, declared, self.start)

    def found(self, traffic: Traffic, declared: Declared, results: Results, today: int) -> Results:
        return records.kept(disputes.settled(stream(self.seed, 63, today), declared, results))


def conditions(preset: Preset, seed: int, start: date, span: int) -> Plain:
    """Return what `preset` does in the world of `seed`."""
    return (Unkind if preset is Preset.UNKIND else Plain)(seed, start, span)
