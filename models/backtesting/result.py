"""What a rehearsal showed, as one document: weeks and totals with bands, new schemes, one strategy less another.

With several seeds, a band is Student's interval of the mean over them. With one seed, weeks are resampled, which tells
how even the weeks were and nothing of another world. What a strategy does and finds is decided elsewhere.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

import numpy as np
import polars as pl
from scipy.stats import t as student

from features.arrays import Floats
from models.backtesting.replay import GREEN, Setting
from models.document import Document
from models.evaluation import schemes
from models.metrics import Estimate, bootstrap
from models.policy import LANES, Lanes

Logs = Mapping[int, Mapping[str, pl.DataFrame]]  # seed -> strategy -> log as from rehearsal.replay

SEVERAL_FOUND = 5  # after so many hits a new scheme counts as known and not as found by chance
LOADS = 10  # so many offices are listed, and so many chapters

# Each figure is one sum divided by another, or a sum by itself.
FIGURES: dict[str, tuple[str, str | None]] = {
    "inspected": ("inspected", None),
    "hits": ("hits", None),
    "revenue": ("revenue", None),
    "precision": ("hits", "inspected"),
    "hit_share": ("hits", "illicit"),
    "revenue_share": ("revenue", "evaded_revenue"),
    "officer_hours": ("officer_hours", None),
    "delay_hours": ("delay_hours", None),
    "moved": ("moved", None),
    "moved_hit_share": ("moved_hits", "moved"),
}
# Of what traders moved to where little is looked at; told only where traders answer.
OF_ANSWERS = ("moved", "moved_hit_share")
_SUMS = (
    *("declarations", "inspected", "illicit", "hits", "evaded_revenue", "revenue", "officer_hours", "delay_hours"),
    *("moved", "moved_hits"),
)


class Week(Document):
    """One replayed week; `revenue` is in currency, and the last two are sums from the first week to this one.

    `first_day` is that of the first seed; another seed's may be a day or two apart.
    """

    first_day: date
    declarations: Estimate
    inspected: Estimate
    hits: Estimate
    revenue: Estimate
    precision: Estimate
    officer_hours: Estimate
    delay_hours: Estimate
    hits_so_far: Estimate
    revenue_so_far: Estimate


class Novelty(Document):
    """A scheme of which the warm-up found nothing, and when a strategy found it in one seed's world.

    Weeks are counted from that of the scheme's first declaration, which is 1; they are null where it was not found.
    `found_for` is the reason for which the first hit was inspected.
    """

    scheme: str
    seed: int
    occurred: int
    found: int
    weeks_until_first: int | None
    weeks_until_several: int | None
    found_for: str | None


class Replayed(Document):
    """One strategy. `totals` are over all weeks, by the names of FIGURES; shares are of all there was to find.

    Those named in OF_ANSWERS are there only if traders answer.
    """

    name: str
    totals: dict[str, Estimate]
    weeks: tuple[Week, ...]
    novelties: tuple[Novelty, ...]


class Load(Document):
    """An office's or a chapter's declarations a week, and how many were inspected and hit; means over seeds.

    An office's places are a share of its declarations, or places of its own, so what changes there is mostly the hits.
    """

    kind: Literal["office", "chapter"]
    code: str
    declarations_a_week: float
    inspected_a_week: float
    inspected_a_week_against: float
    hits_a_week: float
    hits_a_week_against: float


class Difference(Document):
    """Strategy `of` less `against`, on the same declarations with the same luck; loads are sorted by their change."""

    of: str
    against: str
    totals: dict[str, Estimate]
    loads: tuple[Load, ...]


class Rehearsal(Document):
    """Everything a rehearsal showed. `declarations` says which were replayed: their source, and how they were made."""

    declarations: dict[str, str | int]
    setting: Setting
    seeds: tuple[int, ...]
    confidence: float
    resamples: int
    strategies: tuple[Replayed, ...]
    differences: tuple[Difference, ...]

    def strategy(self, name: str) -> Replayed:
        """Return one strategy's figures; KeyError where it was not rehearsed."""
        for replayed in self.strategies:
            if replayed.name == name:
                return replayed
        raise KeyError(f"strategy {name!r} was not rehearsed; there are {[one.name for one in self.strategies]}")


def summarise(
    logs: Logs,
    found_before: Mapping[int, frozenset[str]],
    declarations: Mapping[str, str | int],
    setting: Setting,
    lanes: Lanes,
    pairs: Sequence[tuple[str, str]],
    confidence: float,
    resamples: int,
) -> Rehearsal:
    """Return the document of some seeds' logs. `found_before` has the schemes that the warm-up found, by seed.

    `pairs` are the strategies to compare. A world begins with its first declaration, so one may have a week more than
    another; only weeks that all worlds have count. Raises ValueError where seeds differ in strategies.
    """
    seeds, names = tuple(logs), tuple(next(iter(logs.values())))
    for seed, one in logs.items():
        if tuple(one) != names:
            raise ValueError(
                f"seed {seed} has strategies {', '.join(one)}; allowed: the same for all: {', '.join(names)}"
            )
    # A week may have no declaration, so weeks are not counted by their rows.
    weeks: int = min(log.select(pl.col("week").max() + 1).item() for one in logs.values() for log in one.values())
    logs = {seed: {name: log.filter(pl.col("week") < weeks) for name, log in one.items()} for seed, one in logs.items()}
    week, begins = logs[seeds[0]][names[0]].select("week", "week_begins").row(0)
    days = [begins + timedelta(weeks=number - week) for number in range(weeks)]
    weekly = {name: np.stack([_weekly(logs[seed][name], lanes, weeks) for seed in seeds]) for name in names}
    told = [name for name in FIGURES if setting.answers or name not in OF_ANSWERS]
    bands = _Bands(confidence, resamples, seeds[0], told)
    strategies = tuple(
        Replayed(
            name=name,
            totals=bands.totals(weekly[name]),
            weeks=_weeks(weekly[name], days, bands),
            novelties=tuple(
                novelty for seed in seeds for novelty in _novelties(logs[seed][name], found_before[seed], seed)
            ),
        )
        for name in names
    )
    differences = tuple(
        Difference(
            of=of,
            against=against,
            totals=bands.totals(weekly[of], weekly[against]),
            loads=_loads(
                *(pl.concat([logs[seed][name] for seed in seeds]) for name in (of, against)), weeks * len(seeds)
            ),
        )
        for of, against in pairs
    )
    return Rehearsal(
        declarations=dict(declarations),
        setting=setting,
        seeds=seeds,
        confidence=confidence,
        resamples=resamples,
        strategies=strategies,
        differences=differences,
    )


class _Bands:
    """Turns sums, seeds x weeks x `_SUMS`, into figures with their intervals."""

    def __init__(self, confidence: float, resamples: int, seed: int, told: Sequence[str]) -> None:
        self._confidence, self._resamples, self._seed, self._told = confidence, resamples, seed, told

    def totals(self, sums: Floats, against: Floats | None = None) -> dict[str, Estimate]:
        """Return each of FIGURES that is told, over all weeks, or its difference from that of `against`."""
        every = self._every_total(sums, against)
        return {name: every[name] for name in self._told}

    def _every_total(self, sums: Floats, against: Floats | None) -> dict[str, Estimate]:
        if len(sums) > 1:
            figures = _figures(sums.sum(axis=1)) - (0.0 if against is None else _figures(against.sum(axis=1)))
            return {name: self.of_seeds(values) for name, values in zip(FIGURES, figures.T, strict=True)}
        drawn = np.concatenate(list(bootstrap.counts(sums.shape[1], self._resamples, self._seed)))
        value, draws = _figures(sums[0].sum(axis=0)), _figures(drawn @ sums[0])
        if against is not None:
            value, draws = value - _figures(against[0].sum(axis=0)), draws - _figures(drawn @ against[0])
        tails = [(1 - self._confidence) / 2, (1 + self._confidence) / 2]
        return {
            name: _estimate(float(v), *np.nanquantile(d, tails)) if not np.isnan(v) else _undefined()
            for name, v, d in zip(FIGURES, value, draws.T, strict=True)
        }

    def of_seeds(self, values: Floats) -> Estimate:
        """Return the mean over seeds with Student's interval; without an interval if there is one seed."""
        if np.isnan(values).any():
            return _undefined()
        mean, n = float(values.mean()), len(values)
        if n == 1:
            return Estimate(value=mean, reason="one seed")
        half = float(student.ppf((1 + self._confidence) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))
        return _estimate(mean, mean - half, mean + half)


def _estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=float(low), high=float(high))


def _undefined() -> Estimate:
    return Estimate(value=None, reason="nothing to divide by in some seed")


def _figures(sums: Floats) -> Floats:
    """Return FIGURES from `_SUMS` (in the last axis); NaN where there is nothing to divide by."""
    column = dict(zip(_SUMS, np.moveaxis(sums, -1, 0), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [
            column[of] if over is None else np.where(column[over] > 0, column[of] / column[over], np.nan)
            for of, over in FIGURES.values()
        ]
    return np.stack(parts, axis=-1)


def _weekly(log: pl.DataFrame, lanes: Lanes, weeks: int) -> Floats:
    """Return weeks x `_SUMS`."""
    hours = {
        name: pl.col("lane").replace_strict(
            {lane: getattr(getattr(lanes, lane), name) for lane in LANES} | {GREEN: 0.0}, return_dtype=pl.Float64
        )
        for name in ("officer_hours", "delay_hours")
    }
    is_moved = pl.col("is_moved") if "is_moved" in log.columns else pl.lit(value=False)
    sums = log.group_by("week").agg(
        declarations=pl.len(),
        inspected=(pl.col("lane") != GREEN).sum(),
        illicit=pl.col("is_illicit").sum(),
        hits=pl.col("is_hit").sum(),
        evaded_revenue=pl.col("evaded_revenue").sum(),
        revenue=pl.col("revenue").sum(),
        moved=is_moved.sum(),
        moved_hits=(is_moved & pl.col("is_hit")).sum(),
        **{name: expression.sum() for name, expression in hours.items()},
    )
    every = pl.DataFrame({"week": range(weeks)}, schema={"week": log.schema["week"]})
    found = every.join(sums, on="week", how="left", maintain_order="left").fill_null(0)
    return found.select(pl.col(_SUMS).cast(pl.Float64)).to_numpy()


def _weeks(sums: Floats, days: Sequence[date], bands: _Bands) -> tuple[Week, ...]:
    places = {name: place for place, name in enumerate(_SUMS)}
    figures = _figures(sums)
    so_far = sums.cumsum(axis=1)

    def sum_of(name: str, week: int, of: Floats = sums) -> Estimate:
        return bands.of_seeds(of[:, week, places[name]])

    return tuple(
        Week(
            first_day=day,
            precision=bands.of_seeds(figures[:, week, list(FIGURES).index("precision")]),
            hits_so_far=sum_of("hits", week, so_far),
            revenue_so_far=sum_of("revenue", week, so_far),
            **{
                name: sum_of(name, week)
                for name in ("declarations", "inspected", "hits", "revenue", "officer_hours", "delay_hours")
            },
        )
        for week, day in enumerate(days)
    )


def _novelties(log: pl.DataFrame, found_before: frozenset[str], seed: int) -> list[Novelty]:
    new = log.filter(~pl.col("scheme").is_in([*found_before, schemes.NONE])).sort(
        "week", "accepted_on", maintain_order=True
    )
    novelties = []
    for (scheme,), rows in new.group_by("scheme", maintain_order=True):
        hits = rows.filter("is_hit")
        weeks = (hits["week"] - rows["week"][0] + 1).to_list()
        novelties.append(
            Novelty(
                scheme=str(scheme),
                seed=seed,
                occurred=rows.height,
                found=hits.height,
                weeks_until_first=weeks[0] if weeks else None,
                weeks_until_several=weeks[SEVERAL_FOUND - 1] if len(weeks) >= SEVERAL_FOUND else None,
                found_for=hits["reason"][0] if weeks else None,
            )
        )
    return sorted(novelties, key=lambda one: one.scheme)


def _loads(of: pl.DataFrame, against: pl.DataFrame, weeks: int) -> tuple[Load, ...]:
    """Return the offices and chapters that change, by how much their inspections do, then by how much their hits do.

    `weeks` are those of all seeds together.
    """
    loads: list[Load] = []
    kinds: tuple[tuple[Literal["office", "chapter"], str], ...] = (("office", "office"), ("chapter", "hs2"))
    inspected, hits = (pl.col("lane") != GREEN).sum() / weeks, pl.col("is_hit").sum() / weeks
    for kind, column in kinds:
        mine = of.group_by(code=column).agg(
            declarations_a_week=pl.len() / weeks, inspected_a_week=inspected, hits_a_week=hits
        )
        theirs = against.group_by(code=column).agg(inspected_a_week_against=inspected, hits_a_week_against=hits)
        changes = [(pl.col(name) - pl.col(f"{name}_against")).abs() for name in ("inspected_a_week", "hits_a_week")]
        changed = (
            # Traders who answer may use an office under one strategy that they leave alone under the other.
            mine.join(theirs, on="code", how="full", coalesce=True, validate="1:1")
            .fill_null(0)
            .filter(pl.sum_horizontal(changes) > 0)
            .sort(*changes, "code", descending=[True, True, False])
        )
        loads += [Load(kind=kind, **row) for row in changed.head(LOADS).to_dicts()]
    return tuple(loads)
