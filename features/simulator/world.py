"""The simulation: week by week, traffic is drawn, declared and inspected, and what is found changes the next week.

Weeks matter because people react: customs reacts to the hits that it knows of, and companies to being caught. Within a
week everything is drawn at once.
"""

from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from features.arrays import Ints
from features.progress import Progress
from features.simulator import days, entities, inspection, phoenix, prices, schemes, traffic
from features.simulator.days import SECONDS
from features.simulator.draws import pick, stream
from features.simulator.entities import Importers, Lanes
from features.simulator.inspection import NEVER, STANDS, Knowledge, Results
from features.simulator.phoenix import Register
from features.simulator.presets import Preset, conditions
from features.simulator.schemes import Declared
from features.simulator.traffic import Setting, Traffic

_WEEK = 7
_ITEMS = (0.76, 0.12, 0.055, 0.03, 0.015, 0.01, 0.005, 0.005)  # share of declarations with 1, 2, ... items
_NOTHING, _HIT, _OVERTURNED = range(3)  # what customs learns of an inspection
_LATER_SHARE = 0.5  # the share of the time span before the later trade defence begins


class Parameters(BaseModel):
    """The parameters that decide the simulated data, to the byte. `start` counts from the first of its month."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(200_000, ge=1_000, le=10_000_000, description="Declaration items")
    start: date = Field(date(2023, 1, 1), description="First day; the month counts from its first")
    months: int = Field(18, ge=1, le=120, description="Months")
    seed: int = Field(20240229, ge=0, description="Same seed, same data")
    # The plain world is named by the other parameters alone, as it was before there were presets.
    preset: Preset = Field(
        Preset.PLAIN, exclude_if=lambda preset: preset is Preset.PLAIN, description="plain, or a world less kind"
    )

    def first_days(self) -> list[date]:
        """Return the first day of each month and of the one after the last."""
        return days.month_starts(self.start, self.months)

    def month_names(self) -> list[str]:
        """Return the months in order, as '2023-01'."""
        return [first.strftime("%Y-%m") for first in self.first_days()[:-1]]


@dataclass(frozen=True)
class World:
    """All that happened: items as they are and as declared, results (by item position), importers, risen companies."""

    start: date
    month_starts: Ints  # the day of each month's first, and of the end
    traffic: Traffic
    declared: Declared
    results: Results
    importers: Importers
    register: Register


@dataclass
class _State:
    """The state that changes from week to week."""

    importers: Importers
    lanes: Lanes
    known: Knowledge
    caught: Ints  # second at which each importer's last hit was known


def simulate(parameters: Parameters, on_progress: Progress | None = None, days_after: int = 0) -> World:
    """Run the whole simulation; `on_progress(done, all)` counts weeks.

    With `days_after` it goes on so many days after its end, each by itself; what happens until the end stays the same.
    """
    seed, rows = parameters.seed, parameters.rows
    firsts = parameters.first_days()
    starts = np.array([(first - firsts[0]).days for first in firsts], np.int64)
    span = int(starts[-1])
    items = _items(seed, rows)
    befalls = conditions(parameters.preset, seed, firsts[0], span)
    volumes = befalls.volumes(span + days_after)
    seconds = days.instants(seed, firsts[0], span, len(items), volumes[:span])
    if days_after:
        later = days.instants_after(seed, firsts[0], span, len(items), days_after, volumes)
        items = np.concatenate([items, 1 + pick(stream(seed, 41), np.array(_ITEMS), len(later))])
        seconds = np.concatenate([seconds, later])

    importers = entities.found_importers(stream(seed, 6), rows, span, len(schemes.DUTY_SCHEMES))
    lanes = entities.lay_lanes(stream(seed, 7), importers, rows, span)
    setting = Setting(
        seller_quality=traffic.seller_quality(stream(seed, 8), lanes),
        drift=prices.drift(seed, parameters.months),
        later_from=int(span * _LATER_SHARE),
        month_of_day=np.pad(traffic.months_of_days(starts), (0, days_after), "edge"),
    )
    state = _begin(importers, lanes)
    moved: list[Traffic] = []
    said: list[Declared] = []
    found: list[Results] = []
    risen = [phoenix.nobody()]
    pending = np.empty((0, 3), np.int64)  # importer, second at which it is known, and what
    position = 0
    weeks = [*sorted({*range(0, span, _WEEK), *befalls.turns()}), *range(span, span + days_after)]
    for week, (today, end) in enumerate(pairwise([*weeks, span + days_after])):
        rng = stream(seed, 9, week)
        is_known = pending[:, 1] < today * SECONDS
        risen.append(_learn(rng, state, pending[is_known], today, rows))
        pending = pending[~is_known]
        first, last = np.searchsorted(seconds, [today * SECONDS, end * SECONDS]).tolist()
        if last > first:
            lanes, changes = befalls.lanes(state.lanes, today), befalls.tariff_changes(today)
            drawn = traffic.draw(rng, lanes, setting, changes, first, seconds[first:last], items[first:last])
            declared = schemes.plant(rng, drawn, state.importers, today / span, changes)
            declared = befalls.declared(drawn, declared, today)
            results = inspection.inspect(rng, drawn, declared, state.known, today)
            results = befalls.found(drawn, declared, results, today)
            pending = np.concatenate([pending, _to_learn(drawn, results)])
            np.minimum.at(state.known.first_seen, drawn.importer, drawn.second // SECONDS)
            results.position[:] += position
            position += drawn.count
            moved.append(drawn)
            said.append(declared)
            found.append(results)
        if on_progress:
            on_progress(week + 1, len(weeks))
    return World(
        start=firsts[0],
        month_starts=starts,
        traffic=traffic.concatenated(moved),
        declared=schemes.concatenated(said),
        results=inspection.concatenated(found),
        importers=state.importers,
        register=phoenix.joined(risen),
    )


def _items(seed: int, rows: int) -> Ints:
    """Draw the number of items of each declaration; they add up to `rows`."""
    items = 1 + pick(stream(seed, 1), np.array(_ITEMS), rows)
    total = np.cumsum(items)
    last = int(np.searchsorted(total, rows))
    items = items[: last + 1]
    items[-1] -= int(total[last]) - rows
    return items


def _begin(importers: Importers, lanes: Lanes) -> _State:
    n = len(importers.weight)
    return _State(
        importers=importers,
        lanes=lanes,
        # Customs knows the importers from before the start.
        known=replace(inspection.unknown(n), first_seen=np.where(importers.birth < 0, importers.birth, NEVER)),
        caught=np.zeros(n, np.int64),
    )


def _to_learn(traffic: Traffic, results: Results) -> Ints:
    """Return what there will be to learn: importer, second at which it is known, and what it is, one row each."""
    importer = traffic.importer[results.position]
    found = np.stack([importer, results.known, np.where(results.is_illicit, _HIT, _NOTHING)], axis=1)
    won = np.stack([importer, results.overturned, np.full(len(importer), _OVERTURNED)], axis=1)
    return np.concatenate([found, won[results.overturned != STANDS]])


def _learn(rng: np.random.Generator, state: _State, results: Ints, today: int, rows: int) -> Register:
    """Take in the results known before `today`, and return companies that closed after a hit and rose again."""
    np.add.at(state.known.concluded, results[results[:, 2] != _OVERTURNED, 0], 1)
    np.subtract.at(state.known.hits, results[results[:, 2] == _OVERTURNED, 0], 1)
    importer, second = results[results[:, 2] == _HIT, :2].T
    np.add.at(state.known.hits, importer, 1)
    np.maximum.at(state.known.last_hit, importer, second // SECONDS)
    np.maximum.at(state.caught, importer, second)
    marks = phoenix.marked(state.importers, state.known.hits, importer)
    if len(marks) == 0:
        return phoenix.nobody()
    state.importers, state.lanes, register = phoenix.rise(
        rng, state.importers, state.lanes, marks, state.caught[marks], today, rows
    )
    risen = inspection.unknown(len(register.importer))
    state.known = inspection.joined(state.known, risen)
    state.caught = np.concatenate([state.caught, np.zeros(len(register.importer), np.int64)])
    return register
