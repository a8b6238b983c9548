"""A small world to rehearse in, and the settings to do it with."""

import polars as pl

from features import simulator
from features.contract import KEY
from features.facts import kinds
from models import policy
from models.backtesting.replay import ReplayedWorld, Setting

POLICY = policy.load()
TARGETING = POLICY.targeting
LANES = TARGETING.lanes
SETTING = Setting(warm_up_weeks=13, retrain_weeks=4, max_rounds=20, early_stopping_rounds=5)
QUICK = SETTING.shortened(POLICY)


def world(setting: Setting = SETTING, rows: int = 3000, months: int = 6, seed: int = 3) -> ReplayedWorld:
    """Return a simulated world whose warm-up was all inspected, so that there is enough to learn from."""
    parameters = simulator.Parameters(rows=rows, months=months, seed=seed)
    tables = simulator.build(simulator.simulate(parameters), seed)
    declarations, truth = tables.declarations.drop("arrives"), tables.truth.drop("arrives")
    outcomes = (
        declarations.select(*KEY, "accepted_at")
        .join(truth.drop("accepted_at"), on=KEY, maintain_order="left")
        .select(
            *KEY,
            "accepted_at",
            "is_illicit",
            "is_critical",
            is_inspected=True,
            recovered_revenue="evaded_revenue",
            inspection_channel=pl.lit(None, pl.String),
            selection_probability=pl.lit(None, pl.Float64),
            known_at=pl.lit(None, pl.Datetime("us")),
        )
        .lazy()
    )
    past = kinds.build(declarations.lazy(), declarations.clear().lazy(), outcomes, outcomes.clear(), 7)
    return ReplayedWorld.of(past, truth, 7, setting, seed)
