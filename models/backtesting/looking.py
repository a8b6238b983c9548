"""Ways to look where nobody looks, for a rehearsal to try beside the product's own exploration.

Each way gives weights to a week's declarations, and a fixed share of the places goes by them; everything else is the
product's. Every row has some weight, so its chance to be inspected is known and never 0, which honest estimates need.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.arrays import Floats
from features.contract import KEY
from features.families import Feature
from features.matrix import CATALOGUE
from models.backtesting.replay import Chooser
from models.backtesting.strategies import Product
from models.policy import Policy
from models.risk import Matrix, RiskModel, boosting
from models.targeting import exploration, lanes

Rng = np.random.Generator
# How much each row of a week (a matrix once encoded) is wanted, from 0; only proportions count.
Wanted = Callable[[pl.DataFrame, Matrix, Rng], Floats]
# What a way wants as of today: it is told of the model, and of the inspected rows with labels and `reason`.
Way = Callable[[RiskModel, pl.DataFrame], Wanted]

# Another prior than one hit in ten looks would make groups in which nobody looked more or less attractive.
_PRIOR_HITS, _PRIOR_MISSES = 1, 9
_MEMBERS, _MEMBER_ROUNDS = 4, 50
# Patterns whose share of another pattern's declarations may jump, as in features/families/entities.py.
_WITHIN = {
    "importer_hs6": "importer",
    "importer_origin": "importer",
    "seller_origin": "seller",
    "hs6_origin": "hs6",
    "route": "office",
}


@dataclass(frozen=True)
class Looking:
    """A strategy: the product, with `share` of its places for a way to look."""

    policy: Policy
    way: Way
    share: float = 0.1
    features: tuple[Feature, ...] = CATALOGUE
    reads_outcomes: bool = True

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        model = Product(self.policy, explores=False, features=self.features).model(known)
        return _Looker(self.policy, model, self.way(model, known), self.share)


@dataclass(frozen=True)
class _Looker:
    policy: Policy
    model: RiskModel
    wanted: Wanted
    share: float

    def choose(self, week: pl.DataFrame, rng: Rng) -> pl.DataFrame:
        model, targeting = self.model, self.policy.targeting
        matrix = model.encoder.encode(week)
        predicted = model.predict(week, matrix)
        frame = week.select(*KEY, "office", "accepted_on").with_columns(
            *(predicted[name] for name in ("score", "critical", "revenue_if_illicit")), hit_value=model.hit_value
        )
        # Not drawn from `rng` itself: its state must stay, so that places are rounded as for all other strategies.
        weights = exploration.partly_blind(self.wanted(week, matrix, rng.spawn(1)[0]))
        explore = lanes.to_explore(frame, weights, self.share, targeting)
        return lanes.assign(frame.with_columns(explore=explore), targeting, rng)


def floor(model: RiskModel, known: pl.DataFrame) -> Wanted:
    """Want all alike, with a floor for each chapter at each office: a small one gets as much as one of mean size."""

    def wanted(week: pl.DataFrame, matrix: Matrix, rng: Rng) -> Floats:
        mean = pl.len() / pl.struct("office", "hs2").n_unique()
        return week.select(pl.max_horizontal(mean / pl.len().over("office", "hs2"), 1.0)).to_series().to_numpy()

    return wanted


def thompson(model: RiskModel, known: pl.DataFrame) -> Wanted:
    """Want a row as much as a hit rate drawn for its group (Thompson, Biometrika 1933).

    A group is a leaf of the model's first tree, at an office. Its rate is drawn from what chance and exploration found
    there, beginning with `_PRIOR_HITS`, so a group in which nobody looked is drawn high now and then. Selection
    probabilities are those given the draw, which rests on nothing of the week.
    """

    def grouped(rows: pl.DataFrame, matrix: Matrix) -> pl.DataFrame:
        return rows.select("office", leaf=pl.Series(boosting.leaves(model.illicit, matrix)[:, 0]))

    found = grouped(known, model.encoder.encode(known)).with_columns(known["is_illicit"])
    by_chance = found.filter(known["reason"].is_in(["random", "exploration"]))
    looked = by_chance.group_by("office", "leaf").agg(hits=pl.col("is_illicit").sum(), looks=pl.len())

    def wanted(week: pl.DataFrame, matrix: Matrix, rng: Rng) -> Floats:
        groups = grouped(week, matrix)
        each = groups.unique().sort("office", "leaf").join(looked, on=["office", "leaf"], how="left").fill_null(0)
        hits, looks = each["hits"].to_numpy(), each["looks"].to_numpy()
        rates = each.with_columns(rate=pl.Series(rng.beta(_PRIOR_HITS + hits, _PRIOR_MISSES + looks - hits)))
        return groups.join(rates, on=["office", "leaf"], how="left", maintain_order="left")["rate"].to_numpy()

    return wanted


def disagreement(model: RiskModel, known: pl.DataFrame) -> Wanted:
    """Want a row as much as models disagree of it that each learned from a resample of the same rows.

    The measure is the variance of the members' scores (query by bagging: Abe and Mamitsuka, ICML 1998).
    """
    matrix, target = model.encoder.encode(known), known["is_illicit"].cast(pl.Float64).to_numpy()
    members = []
    for member in range(_MEMBERS):
        seed = model.training.seed + member
        drawn = np.random.default_rng(seed).integers(0, len(target), len(target))
        rows = boosting.Rows(matrix[drawn], target[drawn])
        members.append(
            boosting.fit_rounds(boosting.ILLICIT, model.training.parameters, seed, model.encoder, rows, _MEMBER_ROUNDS)
        )

    def wanted(week: pl.DataFrame, matrix: Matrix, rng: Rng) -> Floats:
        return np.var([boosting.predict(each, matrix) for each in members], axis=0)

    return wanted


def alarms(model: RiskModel, known: pl.DataFrame) -> Wanted:
    """Want a row as much as one of its patterns jumped: an importer's new goods, a route that an office seldom had.

    For each pattern, the declarations of 30 days are held against its share of the 60 days before. The measure is the
    Poisson log-likelihood ratio of a jump (Kulldorff's scan statistic, Communications in Statistics 1997), the largest
    over the patterns.
    """

    def wanted(week: pl.DataFrame, matrix: Matrix, rng: Rng) -> Floats:
        return week.select(pl.max_horizontal(_jump(*pair) for pair in _WITHIN.items())).to_series().to_numpy()

    return wanted


def _jump(pattern: str, within: str) -> pl.Expr:
    """Return how surely a pattern's share of the declarations `within` something grew; 0 where one is not named."""

    def counts(entity: str) -> tuple[pl.Expr, pl.Expr]:
        late, all_days = (pl.col(f"{entity}_declarations_{days}d").cast(pl.Float64) for days in (30, 90))
        return late + 1, all_days - late  # with the row itself

    (late, before), (late_of_all, before_of_all) = counts(pattern), counts(within)
    expected = late_of_all * (before + 0.5) / (before_of_all + 1)
    ratio = late * (late / expected).log() - (late - expected)
    return pl.when(late > expected).then(ratio).otherwise(0.0).fill_null(0.0)


WAYS: Mapping[str, Way] = {"floor": floor, "thompson": thompson, "disagreement": disagreement, "alarms": alarms}
