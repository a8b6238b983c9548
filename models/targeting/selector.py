"""This product's way of choosing: a model's predictions, the policy's places, and a share of them that explores.

flows/select.py uses it night after night, and a rehearsal week by week. lanes.py gives places away, and exploration.py
says what is worth exploring; this module gives both what they need to know of a model and of what has been inspected.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import polars as pl
from scipy.stats import ks_2samp

from features.arrays import Floats, Ints
from features.contract import KEY
from models.policy import Policy
from models.risk import Matrix, RiskModel, boosting
from models.targeting import by_criteria, exploration, lanes
from models.targeting.by_criteria import Met, Used
from models.targeting.exploration import Share

_CODES = ("importer_id", "hs4", "origin_country")  # a tree sends a code that it has never seen down a familiar branch


@dataclass(frozen=True)
class Exploring:
    """The share that explores, and what is familiar: keys of the rows learned from, their leaves, and their codes."""

    share: Share
    known: pl.DataFrame
    leaves: Ints
    codes: dict[str, pl.Enum]

    @classmethod
    def of(cls, share: Share, model: RiskModel, known: pl.DataFrame) -> "Exploring":
        codes = {name: pl.Enum(known[name].unique().sort()) for name in _CODES}
        leaves = _leaves(model, _numbers(codes), known, model.encoder.encode(known))
        return cls(share, known.select(KEY), leaves, codes)

    def rarity(self, model: RiskModel, week: pl.DataFrame, matrix: Matrix) -> Floats:
        """Return how unlike the rows learned from each row is; `matrix` is `week`, encoded."""
        return self._familiarity.rarity(_leaves(model, self._numbers, week, matrix))

    @cached_property
    def _numbers(self) -> list[pl.Expr]:
        return _numbers(self.codes)

    @cached_property
    def _familiarity(self) -> exploration.Familiarity:
        return exploration.Familiarity.of(self.leaves)


@dataclass(frozen=True)
class Selector:
    """A model that gives away the places of the policy; without `exploring`, none of them explores."""

    policy: Policy
    model: RiskModel
    exploring: Exploring | None = None

    def choose(
        self, declarations: pl.DataFrame, rng: np.random.Generator, met: Met = (), used: Used = MappingProxyType({})
    ) -> pl.DataFrame:
        """Return each row's key, `lane`, `reason`, `selection_probability`, `criterion` and the model's outputs.

        `declarations`: identity and features, all that each office accepted on each of their days; of one day alone
        where criteria are `met`, one list for each row. `criterion` names the one that gave a row its place.
        """
        predicted = self.model.predict(declarations)
        frame = declarations.select(*KEY, "office", "accepted_on").with_columns(
            *(predicted[name] for name in ("score", "critical", "revenue_if_illicit")),
            hit_value=pl.lit(self.model.hit_value),
        )
        if any(met):
            timed = frame.with_columns(declarations["accepted_at"])
            given = by_criteria.give(timed, met, self.policy.targeting, used)
            assigned = self._assign_after(given, declarations, frame, rng)
        else:
            assigned = self._assign(declarations, frame, rng)
        return pl.concat([assigned, predicted.drop(KEY)], how="horizontal")

    def _assign_after(
        self, given: by_criteria.Given, declarations: pl.DataFrame, frame: pl.DataFrame, rng: np.random.Generator
    ) -> pl.DataFrame:
        """Return what criteria have `given`, and how the rest of the day is assigned to the places that are left."""
        rows = frame.select(
            *KEY,
            lane=pl.Series(given.lane, dtype=pl.String()),
            reason=pl.lit("criterion"),
            selection_probability=pl.lit(1.0),
            criterion=pl.Series(given.criterion, dtype=pl.String()),
        )
        is_rest = rows["lane"].is_null()
        if not is_rest.any():
            return rows
        rest = self._assign(declarations.filter(is_rest), frame.filter(is_rest), rng, given.places)
        placed = pl.concat([rows.filter(~is_rest), rest])
        return rows.select(KEY).join(placed, on=KEY, how="left", maintain_order="left")

    def _assign(
        self,
        declarations: pl.DataFrame,
        frame: pl.DataFrame,
        rng: np.random.Generator,
        given: Mapping[str, lanes.Capacity] = MappingProxyType({}),
    ) -> pl.DataFrame:
        """Assign lanes, where so many places at each office are `given` to others of the same day."""
        if self.exploring:
            rare = self.exploring.rarity(self.model, declarations, self.model.encoder.encode(declarations))
            frame = frame.with_columns(explore=self._explore(frame, rare, self.exploring.share, given))
        assigned = lanes.assign(frame, self.policy.targeting, rng, given)
        return assigned.with_columns(criterion=pl.lit(None, pl.String()))

    def next_share(self, known: pl.DataFrame, recent: pl.DataFrame) -> Share:
        """Return the share of the next period, from the results that have become known since this one began."""
        if self.exploring is None:
            return Share(self.policy.exploration.initial_share)
        fresh = known.join(self.exploring.known, on=KEY, how="anti").with_columns(hit_value=self.model.hit_value)
        # One model scores all of these declarations, and it has learned from none of them.
        score = self.model.predict(recent)["score"].to_numpy()
        return adapted(self.exploring.share, fresh, score, self.policy)

    def _explore(
        self,
        frame: pl.DataFrame,
        rare: Floats,
        share: Share,
        given: Mapping[str, lanes.Capacity] = MappingProxyType({}),
    ) -> pl.Series:
        """Return each row's chance to be explored: `share` of the places of its office and day, by weight."""
        score, revenue = (frame[name].to_numpy() for name in ("score", "revenue_if_illicit"))
        weights = exploration.weights(self.policy.exploration.strategy, score, revenue, rare)
        return lanes.to_explore(frame, weights, share.value, self.policy.targeting, given)


def adapted(share: Share, results: pl.DataFrame, score: Floats, policy: Policy) -> Share:
    """Return the share of the next period, from what places of either kind brought in during this one, and from drift.

    `results` has `reason`, `is_illicit`, `recovered_revenue` and `hit_value` of the inspections whose result has become
    known. `score` has one model's scores of the period's declarations, in order of acceptance. Where one kind had no
    place, or has no result yet, there is nothing to compare, and the share stays.
    """
    worth = pl.col("recovered_revenue").fill_null(0.0) + pl.col("is_illicit") * pl.col("hit_value")
    gains = [
        results.filter(pl.col("reason") == reason).select(worth.mean()).item() for reason in ("exploration", "value")
    ]
    if None in gains:
        return share
    return share.updated(policy.exploration, *gains, drift=_drift(score, 1 - policy.evaluation.confidence))


def _drift(score: Floats, significance: float) -> float:
    """Return how far scores moved within a period: the Kolmogorov-Smirnov distance between its halves.

    It is 0 where chance alone may explain the distance.
    """
    middle = len(score) // 2
    if not middle:
        return 0.0
    moved = ks_2samp(score[:middle], score[middle:])
    return float(moved.statistic) if moved.pvalue < significance else 0.0


def _numbers(codes: dict[str, pl.Enum]) -> list[pl.Expr]:
    """Return the expressions that number a row's codes; all new codes of a column get the same number."""
    return [
        pl.col(name).cast(known, strict=False).to_physical().fill_null(len(known.categories)).cast(pl.Int64)
        for name, known in codes.items()
    ]


def _leaves(model: RiskModel, numbers: list[pl.Expr], frame: pl.DataFrame, matrix: Matrix) -> Ints:
    """Return the leaf of each row in each tree, with the numbers of the row's codes beside them."""
    return np.column_stack([boosting.leaves(model.illicit, matrix), frame.select(numbers).to_numpy()])
