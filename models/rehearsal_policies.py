"""Ways of choosing that a rehearsal sets side by side: chance, the risk profile, BACUDA's recipe, and this product's.

All of them fill the places that the targeting policy gives to each office on each day. What is random, explored or
critical is this product's alone; the others give every place to their highest score.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from scipy.stats import ks_2samp

from features.catalogue import Feature
from features.contract import KEY
from features.matrix import CATALOGUE
from models import baselines, boosting, exploration, policy, targeting
from models.boosting import Parameters, Rows
from models.encoding import Encoder, Matrix
from models.exploration import Share
from models.metrics import Floats, Ints
from models.policy import LANES, Policy
from models.rehearsal import Chooser
from models.risk_model import RiskModel
from models.split import labelled, split_off
from models.train import train

Rng = np.random.Generator


def best_first(week: pl.DataFrame, score: Floats, selection: policy.Targeting, rng: Rng) -> pl.DataFrame:
    """Every place to the highest `score` (above 0, up to 1) of its office and day; ties by chance of their keys."""
    frame = week.select(*KEY, "office", "accepted_on", critical=0.0, revenue_if_illicit=0.0, hit_value=1.0)
    alone = selection.model_copy(update={"random_share": 0.0})
    return targeting.assign(frame.with_columns(score=pl.Series(score)), alone, rng)


@dataclass(frozen=True)
class Random:
    """Everybody has the same chance."""

    selection: policy.Targeting
    reads_outcomes: bool = False

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        return self

    def choose(self, week: pl.DataFrame, rng: Rng) -> pl.DataFrame:
        # Not from `rng` itself: with it in the same state, places are rounded as they are for all others.
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
# the highest tenth by hits / (inspections + 10). The trees are XGBoost's there, 100 of depth 4, and LightGBM's here,
# with XGBoost's defaults for what both have.
RISKY_SHARE, PRIOR_INSPECTIONS = 0.1, 10
BACUDA_ROUNDS = 100
BACUDA_PARAMETERS: Parameters = {
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

    Flags of the training rows rest on their own labels too, as in the published code. What its data has and ours has
    not (FOB beside CIF value) is left out.
    """

    selection: policy.Targeting
    seed: int
    reads_outcomes: bool = False

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        risky = {by: _risky(known, by) for by in PROFILES}
        names = (*_BACUDA_COLUMNS, *("risky_" + "_x_".join(by) for by in PROFILES))
        rows = Rows(_bacuda_matrix(known, risky), known["is_illicit"].cast(pl.Float64).to_numpy())
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
    """Profiles in the highest tenth by smoothed share of hits: their columns, one row each."""
    groups = known.group_by(by).agg(rate=pl.col("is_illicit").sum() / (pl.len() + PRIOR_INSPECTIONS))
    count = int(RISKY_SHARE * groups.height) + 1
    return groups.sort("rate", *by, descending=[True, *(False for _ in by)]).head(count).select(by)


def _bacuda_matrix(frame: pl.DataFrame, risky: dict[tuple[str, ...], pl.DataFrame]) -> Matrix:
    """Rows x features; 0 where unknown or infinite, as in the published code."""
    columns = frame.select(expression.cast(pl.Float64).alias(name) for name, expression in _BACUDA_COLUMNS.items())
    flags = [
        frame.select(by).join(profiles.with_columns(is_risky=1.0), on=by, how="left", maintain_order="left")["is_risky"]
        for by, profiles in risky.items()
    ]
    matrix = np.column_stack([columns.to_numpy(), *(flag.fill_null(0.0).to_numpy() for flag in flags)])
    return np.nan_to_num(matrix, nan=0.0, posinf=0.0, neginf=0.0).astype(np.float32)


@dataclass(frozen=True)
class Product:
    """This product: its model of `features`, retrained, its targeting, and its exploration where `explores`."""

    policy: Policy
    explores: bool
    features: tuple[Feature, ...] = CATALOGUE
    reads_outcomes: bool = True

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        training = self.policy.training
        rows = labelled(known)
        # The latest share of rows, not of time: a warm-up may have been inspected more densely than what follows.
        begins, ends = rows["accepted_on"][int(rows.height * (1 - training.validation_share))], rows["accepted_on"][-1]
        parts = split_off(rows, (ends - begins).days + 1, self.policy.features.label_delay_days)
        model = train(*parts, self.features, training, self.policy.targeting, final_frame=rows)
        if not self.explores:
            return _ProductChooser(self.policy, model)
        share = Share(self.policy.exploration.initial_share)
        if isinstance(before, _ProductChooser):
            share = before.next_share(known, recent)
        return _ProductChooser(self.policy, model, _Exploring.of(share, model, known))


@dataclass(frozen=True)
class Fixed:
    """A trained model that stays as it is, with this product's targeting: champion or challenger.

    What it finds in weeks that it has learned from shows nothing, so those are refused with ValueError.
    """

    policy: Policy
    model: RiskModel
    reads_outcomes: bool = True

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        return self

    def choose(self, week: pl.DataFrame, rng: Rng) -> pl.DataFrame:
        learned_until = date.fromisoformat(self.model.training["parts"]["final"]["last_day"])
        seen = week.filter(pl.col("accepted_on") <= learned_until)
        if seen.height:
            raise ValueError(
                f"a week begins on {seen['accepted_on'].min()}, and the model has learned from declarations until "
                f"{learned_until}; allowed: weeks after that"
            )
        return _ProductChooser(self.policy, self.model).choose(week, rng)


@dataclass(frozen=True)
class _ProductChooser:
    policy: Policy
    model: RiskModel
    exploring: "_Exploring | None" = None

    def choose(self, week: pl.DataFrame, rng: Rng) -> pl.DataFrame:
        predicted = self.model.predict(week)
        frame = week.select(*KEY, "office", "accepted_on").with_columns(
            *(predicted[name] for name in ("score", "critical", "revenue_if_illicit")),
            hit_value=pl.lit(self.model.hit_value),
        )
        if self.exploring:
            rare = self.exploring.rarity(self.model, week)
            frame = frame.with_columns(explore=self._explore(frame, rare, self.exploring.share))
        return targeting.assign(frame, self.policy.targeting, rng)

    def next_share(self, known: pl.DataFrame, recent: pl.DataFrame) -> Share:
        """The share of the next period, from the results that have become known since this one began."""
        if self.exploring is None:
            return Share(self.policy.exploration.initial_share)
        fresh = known.join(self.exploring.known, on=KEY, how="anti")
        worth = pl.col("recovered_revenue") + pl.col("is_illicit") * self.model.hit_value
        gains = [
            fresh.filter(pl.col("reason") == reason).select(worth.mean()).item() for reason in ("exploration", "value")
        ]
        if None in gains:  # one kind had no place, or has no result yet: nothing to compare
            return self.exploring.share
        return self.exploring.share.updated(self.policy.exploration, *gains, drift=self._drift(recent))

    def _drift(self, recent: pl.DataFrame) -> float:
        """How far scores moved within the last period: the Kolmogorov-Smirnov distance of its halves.

        One model scores both, and it has learned from neither. 0 where chance alone may explain the distance.
        """
        score = self.model.predict(recent)["score"].to_numpy()
        middle = len(score) // 2
        if not middle:
            return 0.0
        moved = ks_2samp(score[:middle], score[middle:])
        return float(moved.statistic) if moved.pvalue < 1 - self.policy.evaluation.confidence else 0.0

    def _explore(self, frame: pl.DataFrame, rare: Floats, share: Share) -> pl.Series:
        """Chance of each row to be explored: `share` of the places of its office and day, by weight."""
        score, revenue = (frame[name].to_numpy() for name in ("score", "revenue_if_illicit"))
        weights = exploration.weights(self.policy.exploration.strategy, score, revenue, rare)
        chances = np.zeros(frame.height)
        queues = frame.with_row_index("row").group_by("accepted_on", "office").agg("row")
        for office, rows in queues.select("office", "row").iter_rows():
            own = targeting.capacity(office, len(rows), self.policy.targeting)
            places = share.value * sum(getattr(own, lane) for lane in LANES)
            chances[rows] = exploration.inclusion(weights[rows], places)
        return pl.Series(chances)


_CODES = ("importer_id", "hs4", "origin_country")  # a tree sends a code that it has never seen down a familiar branch


@dataclass(frozen=True)
class _Exploring:
    """The share that explores, and what is familiar: the rows learned from (keys), their leaves, and their codes."""

    share: Share
    known: pl.DataFrame
    leaves: Ints
    codes: dict[str, pl.Enum]

    @classmethod
    def of(cls, share: Share, model: RiskModel, known: pl.DataFrame) -> "_Exploring":
        codes = {name: pl.Enum(known[name].unique().sort()) for name in _CODES}
        return cls(share, known.select(KEY), _leaves(model, codes, known), codes)

    def rarity(self, model: RiskModel, week: pl.DataFrame) -> Floats:
        """How unlike the rows learned from each row is."""
        return exploration.rarity(_leaves(model, self.codes, week), self.leaves)


def _leaves(model: RiskModel, codes: dict[str, pl.Enum], frame: pl.DataFrame) -> Ints:
    """Leaf of each row in each tree, and its codes beside them, one number for all that are new."""
    matrix = model.encoder.encode(frame)
    leaves = np.asarray(model.illicit.predict(matrix, pred_leaf=True, num_threads=boosting.THREADS), np.int64)
    numbers = [
        frame[name].cast(known, strict=False).to_physical().fill_null(len(known.categories)).cast(pl.Int64).to_numpy()
        for name, known in codes.items()
    ]
    return np.column_stack([leaves.reshape(frame.height, -1), *numbers])
