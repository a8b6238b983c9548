"""Ways of choosing that a rehearsal sets side by side: chance, the risk profile, BACUDA's recipe, and this product's.

All of them fill the places that the targeting policy gives to each office on each day. Only this product has random,
explored and critical places; the others give every place to their highest score.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.arrays import Floats
from features.contract import KEY
from features.families import Feature
from features.matrix import CATALOGUE
from models import policy
from models.backtesting.replay import Chooser
from models.evaluation import baselines
from models.policy import Policy
from models.risk import Encoder, Matrix, RiskModel, boosting
from models.targeting import Exploring, Selector, exploration, lanes
from models.training import splits, train

Rng = np.random.Generator


def best_first(week: pl.DataFrame, score: Floats, selection: policy.Targeting, rng: Rng) -> pl.DataFrame:
    """Give every place to the highest `score` (above 0, up to 1) of its office and day; ties go by key."""
    frame = week.select(*KEY, "office", "accepted_on", critical=0.0, revenue_if_illicit=0.0, hit_value=1.0)
    alone = selection.model_copy(update={"random_share": 0.0})
    return lanes.assign(frame.with_columns(score=pl.Series(score)), alone, rng)


@dataclass(frozen=True)
class Random:
    """A strategy that gives everybody the same chance."""

    selection: policy.Targeting
    reads_outcomes: bool = False

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        return self

    def choose(self, week: pl.DataFrame, rng: Rng) -> pl.DataFrame:
        # Not drawn from `rng` itself: its state must stay, so that places are rounded as for all other strategies.
        return best_first(week, 1 - rng.spawn(1)[0].random(week.height), self.selection, rng)


@dataclass(frozen=True)
class RiskProfile:
    """The rule that officers use today: the past hit rates of importer and HS code, see baselines.py."""

    selection: policy.Targeting
    base_rate: float = 0.0
    reads_outcomes: bool = True

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        return RiskProfile(self.selection, float(known["is_illicit"].to_numpy().mean()))

    def choose(self, week: pl.DataFrame, rng: Rng) -> pl.DataFrame:
        rate = baselines.risk_profile(week, self.base_rate)
        return best_first(week, np.maximum(rate, np.finfo(float).tiny), self.selection, rng)


# After DATE's public code (Kim, Tsai et al., KDD 2020), which BACUDA's notebooks share: a profile is risky if it is in
# the highest tenth by hits / (inspections + 10). The published code grows 100 trees of depth 4 with XGBoost; here they
# are LightGBM's, with XGBoost's defaults for what both have.
RISKY_SHARE, PRIOR_INSPECTIONS = 0.1, 10
BACUDA_ROUNDS = 100
BACUDA_PARAMETERS: boosting.Parameters = {
    "learning_rate": 0.1,
    "max_depth": 4,
    "num_leaves": 16,
    "min_data_in_leaf": 1,
    "min_sum_hessian_in_leaf": 1.0,
    "lambda_l2": 1.0,
    "feature_fraction": 1.0,
    "bagging_fraction": 1.0,
}
PROFILES: tuple[tuple[str, ...], ...] = (
    ("importer_id",),
    ("declarant_id",),
    ("hs6", "origin_country"),
    ("hs_code",),
    ("quantity",),
    ("hs6",),
    ("hs4",),
    ("hs2",),
    ("office",),
    ("office", "importer_id"),
    ("office", "hs6"),
    ("office", "origin_country"),
)
_TAXES = pl.col("item_value") * pl.col("tax_rate_pct") / 100
_BACUDA_COLUMNS: dict[str, pl.Expr] = {
    "value": pl.col("item_value"),
    "taxes": _TAXES,
    "mass": pl.coalesce("gross_mass_kg", "net_mass_kg"),
    "quantity": pl.col("quantity"),
    "value_per_unit": pl.col("item_value") / pl.col("quantity"),
    "value_per_kg": pl.col("item_value") / pl.coalesce("gross_mass_kg", "net_mass_kg"),
    "tax_ratio": pl.col("tax_rate_pct") / 100,
    "taxes_per_unit": _TAXES / pl.col("quantity"),
    **{name: pl.col(name).cast(pl.Float64) for name in ("hs_code", "hs6", "hs4", "hs2")},
    "day_of_year": pl.col("accepted_on").dt.ordinal_day(),
    "week_of_year": pl.col("accepted_on").dt.week(),
    "month": pl.col("accepted_on").dt.month(),
}


@dataclass(frozen=True)
class Bacuda:
    """Risk profiles and boosted trees, ranked by probability.

    The flags of the training rows rest on their own labels too, as in the published code. What its data has and ours
    does not have (FOB beside CIF value) is left out.
    """

    selection: policy.Targeting
    seed: int
    reads_outcomes: bool = False

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        risky = {by: _risky(known, by) for by in PROFILES}
        names = (*_BACUDA_COLUMNS, *("risky_" + "_x_".join(by) for by in PROFILES))
        rows = boosting.Rows(_bacuda_matrix(known, risky), known["is_illicit"].cast(pl.Float64).to_numpy())
        booster = boosting.fit_rounds(
            boosting.ILLICIT, BACUDA_PARAMETERS, self.seed, Encoder(names, {}), rows, BACUDA_ROUNDS
        )
        return _BacudaChooser(self.selection, risky, booster)


@dataclass(frozen=True)
class _BacudaChooser:
    selection: policy.Targeting
    risky: dict[tuple[str, ...], pl.DataFrame]
    booster: boosting.lgb.Booster

    def choose(self, week: pl.DataFrame, rng: Rng) -> pl.DataFrame:
        score = boosting.predict(self.booster, _bacuda_matrix(week, self.risky))
        return best_first(week, score, self.selection, rng)


def _risky(known: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Return the profiles in the highest tenth by smoothed share of hits: their columns, one row each."""
    groups = known.group_by(by).agg(rate=pl.col("is_illicit").sum() / (pl.len() + PRIOR_INSPECTIONS))
    count = int(RISKY_SHARE * groups.height) + 1
    return groups.sort("rate", *by, descending=[True, *(False for _ in by)]).head(count).select(by)


def _bacuda_matrix(frame: pl.DataFrame, risky: dict[tuple[str, ...], pl.DataFrame]) -> Matrix:
    """Return rows x features; 0 where unknown or infinite, as in the published code."""
    columns = frame.select(expression.cast(pl.Float64).alias(name) for name, expression in _BACUDA_COLUMNS.items())
    flags = [
        frame.select(by).join(profiles.with_columns(is_risky=1.0), on=by, how="left", maintain_order="left")["is_risky"]
        for by, profiles in risky.items()
    ]
    matrix = np.column_stack([columns.to_numpy(), *(flag.fill_null(0.0).to_numpy() for flag in flags)])
    return np.nan_to_num(matrix, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)


@dataclass(frozen=True)
class Product:
    """This product: its model of `features`, retrained each time, its targeting, and exploration if `explores`."""

    policy: Policy
    explores: bool
    features: tuple[Feature, ...] = CATALOGUE
    reads_outcomes: bool = True

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        model = self.model(known)
        if not self.explores:
            return Selector(self.policy, model)
        share = exploration.Share(self.policy.exploration.initial_share)
        if isinstance(before, Selector):
            share = before.next_share(known, recent)
        return Selector(self.policy, model, Exploring.of(share, model, known))

    def model(self, known: pl.DataFrame) -> RiskModel:
        """Return the model that learns from `known`."""
        training = self.policy.training
        rows = splits.labelled(known)
        # The latest share of rows, not of time, validates: a warm-up may have been inspected more densely than later.
        begins, ends = rows["accepted_on"][int(rows.height * (1 - training.validation_share))], rows["accepted_on"][-1]
        parts = splits.split_off(rows, (ends - begins).days + 1, self.policy.features.label_delay_days)
        return train(*parts, self.features, training, self.policy.targeting, final_frame=rows)
