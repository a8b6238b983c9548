"""The challenger beside what is in force, over the days of the test part: the last rehearsal before anybody signs.

Each gives away the places of the policy that it is signed with, among all declarations of those days, inspected or not,
by exact chances: nothing is drawn, except for the lanes that officer hours rest on. The challenger's policy says what a
lane costs, for both. Neither learns in between; in the rehearsal of replay.py both do. What a selection would have
found is estimated from the inspections that were made, see off_policy.py; whose load changes needs no labels, and is
exact.
"""

from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np
import polars as pl

from features.arrays import Floats
from features.contract import KEY
from models.backtesting.replay import WEEK_DAYS, Chooser
from models.backtesting.result import LOADS
from models.document import Document
from models.metrics import Estimate, off_policy
from models.policy import LANES, Policy
from models.reasons import agreement

_NO_CHANGE = 1e-6  # inspections a week; smaller ones are rounding errors
_UNRECORDED = "the chances of the inspections that were made are not on record"


class Side(Document):
    """Tells what one of the two would have inspected: sums over the days, with hours by the lanes of one draw.

    `found` is by estimator; it is null where the chances of the inspections made are not on record. `illicit_in_truth`
    and `evaded_in_truth` are what was there to find among those of which a simulator tells; inspections miss a part.
    """

    name: str
    inspections: float
    officer_hours: float
    delay_hours: float
    found: off_policy.SelectionEstimates | None
    illicit_in_truth: float | None = None
    evaded_in_truth: float | None = None


class Load(Document):
    """An office's or a chapter's declarations a week, and how many of them would be inspected."""

    kind: Literal["office", "chapter"]
    code: str
    declarations_a_week: float
    inspections_a_week: float
    inspections_a_week_against: float


class SideBySide(Document):
    """The challenger and `against` on the same declarations.

    `in_common` is the share of inspections that both would make. `hits` and `revenue` are those of the challenger less
    those of the other, doubly robust: what only the challenger would have found less what only the other would. `loads`
    are the offices and HS chapters whose inspections change most. `reasons` says how far the other's reasons are kept,
    if the other is a model.
    """

    first_day: date
    last_day: date
    declarations: int
    confidence: float
    challenger: Side
    against: Side
    in_common: float
    hits: Estimate
    revenue: Estimate
    loads: tuple[Load, ...]
    reasons: agreement.Stability | None = None

    def metrics(self) -> dict[str, float]:
        """Return flat names to values for a metrics store; what is not defined is left out."""
        found: dict[str, float | None] = {"in_common": self.in_common}
        for side, name in ((self.challenger, "challenger"), (self.against, "against")):
            found |= {f"{name}.{key}": getattr(side, key) for key in ("inspections", "officer_hours", "delay_hours")}
        for name, one in (("hits", self.hits), ("revenue", self.revenue)):
            found |= {name: one.value, f"{name}.low": one.low, f"{name}.high": one.high}
        if self.reasons:
            found["reasons_kept"] = self.reasons.overlap.value
        return {f"rehearsal.{name}": value for name, value in found.items() if value is not None}


class NotRehearsed(Document):
    """Why there is nothing to set side by side."""

    why: str

    def metrics(self) -> dict[str, float]:
        return {}


def log_of(rows: pl.DataFrame) -> off_policy.Log | None:
    """Return the inspections made among `rows`; None where the chance of one of them is not on record.

    If everything was inspected, the chance was 1. Rows that were not inspected may have no chance on record; they get
    the least recorded one, which makes intervals wider and leaves estimates as they are.
    """
    found = rows.select(
        is_inspected=pl.col("is_illicit").is_not_null(),
        is_hit=pl.col("is_illicit").fill_null(value=False),
        probability=pl.col("selection_probability"),
        revenue=pl.when("is_illicit").then(pl.col("recovered_revenue").fill_null(0.0)).otherwise(0.0),
    )
    if found["is_inspected"].all():
        found = found.with_columns(probability=pl.lit(1.0))
    if found.filter("is_inspected")["probability"].null_count():
        return None
    return off_policy.Log(
        found["is_inspected"].to_numpy(),
        found["probability"].fill_null(found["probability"].min()).to_numpy(),
        found["is_hit"].to_numpy(),
        found["revenue"].to_numpy(),
    )


def rehearse(
    rows: pl.DataFrame,
    expected: off_policy.Expected,
    challenger: Chooser,
    against: tuple[str, Chooser],
    truth: pl.DataFrame,
    policy: Policy,
) -> SideBySide | NotRehearsed:
    """Set both choosers side by side on `rows`: identity, features and labels of all declarations of some days.

    `expected` is the challenger's expectation of each row, for both sides' estimates. `truth` may have no rows.
    """
    if rows.is_empty():
        return NotRehearsed(why="no declarations after the last day that both have learned from")
    log, seed = log_of(rows), policy.training.seed
    name, other = against
    chosen = [each.choose(rows, np.random.default_rng(seed)) for each in (challenger, other)]
    mine, theirs = (each["selection_probability"].to_numpy() for each in chosen)
    confidence = policy.evaluation.confidence
    planted = rows.select(KEY).join(truth, on=KEY, how="left", maintain_order="left") if truth.height else None

    def found_by(chance: Floats) -> off_policy.SelectionEstimates | None:
        return off_policy.estimate(log, chance, expected, confidence) if log else None

    def side(title: str, selection: pl.DataFrame, chance: Floats) -> Side:
        hours = {
            kind: sum(
                (selection["lane"] == lane).sum() * getattr(getattr(policy.targeting.lanes, lane), kind)
                for lane in LANES
            )
            for kind in ("officer_hours", "delay_hours")
        }
        return Side(
            name=title,
            inspections=float(chance.sum()),
            found=found_by(chance),
            illicit_in_truth=_in_truth(planted, chance, "is_illicit"),
            evaded_in_truth=_in_truth(planted, chance, "evaded_revenue"),
            **hours,
        )

    only_mine, only_theirs = (found_by(np.maximum(a - b, 0.0)) for a, b in ((mine, theirs), (theirs, mine)))
    days = rows["accepted_on"]
    first, last = rows.select(first=pl.col("accepted_on").min(), last=pl.col("accepted_on").max()).row(0)
    weeks = ((last - first).days + 1) / WEEK_DAYS
    return SideBySide(
        first_day=first,
        last_day=last,
        declarations=len(days),
        confidence=confidence,
        challenger=side("challenger", chosen[0], mine),
        against=side(name, chosen[1], theirs),
        in_common=float(np.minimum(mine, theirs).sum() / mine.sum()),
        hits=_difference(_hits(only_mine), _hits(only_theirs)),
        revenue=_difference(_revenue(only_mine), _revenue(only_theirs)),
        loads=_loads(rows.select("office", "hs2"), mine, theirs, weeks),
    )


def _in_truth(planted: pl.DataFrame | None, chance: Floats, column: str) -> float | None:
    if planted is None:
        return None
    return float((planted[column].fill_null(0).cast(pl.Float64).to_numpy() * chance).sum())


def _hits(found: off_policy.SelectionEstimates | None) -> Estimate:
    """Return the hits, doubly robust: the precision of the chosen rows times their number."""
    if found is None:
        return Estimate(value=None, reason=_UNRECORDED)
    precision = found.dr.precision
    if precision.value is None:  # nothing is chosen
        return Estimate(value=0.0, low=0.0, high=0.0)
    return precision.times(found.chosen)


def _revenue(found: off_policy.SelectionEstimates | None) -> Estimate:
    return Estimate(value=None, reason=_UNRECORDED) if found is None else found.dr.revenue


def _difference(a: Estimate, b: Estimate) -> Estimate:
    """Return a - b of two figures on different rows, with bounds (Zou and Donner, Statistics in Medicine 2008)."""
    if a.value is None or a.low is None or a.high is None or b.value is None or b.low is None or b.high is None:
        return Estimate(value=None, reason=a.reason or b.reason)
    value = a.value - b.value
    below, above = np.hypot(a.value - a.low, b.high - b.value), np.hypot(a.high - a.value, b.value - b.low)
    return Estimate(value=value, low=float(value - below), high=float(value + above))


def _loads(rows: pl.DataFrame, mine: Floats, theirs: Floats, weeks: float) -> tuple[Load, ...]:
    """Return offices and chapters by how much their inspections change; those without change are left out."""
    chances = rows.with_columns(mine=pl.Series(mine), theirs=pl.Series(theirs))
    loads: list[Load] = []
    kinds: Sequence[tuple[Literal["office", "chapter"], str]] = (("office", "office"), ("chapter", "hs2"))
    for kind, column in kinds:
        changes = (pl.col("inspections_a_week") - pl.col("inspections_a_week_against")).abs()
        by_code = (
            chances.group_by(code=column)
            .agg(
                declarations_a_week=pl.len() / weeks,
                inspections_a_week=pl.col("mine").sum() / weeks,
                inspections_a_week_against=pl.col("theirs").sum() / weeks,
            )
            .filter(changes > _NO_CHANGE)
            .sort(changes.round(9), "code", descending=[True, False])
        )
        loads += [Load(kind=kind, **row) for row in by_code.head(LOADS).to_dicts()]
    return tuple(loads)
