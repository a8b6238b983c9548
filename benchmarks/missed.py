"""What a loss is worth that allows for what inspections miss, with the detection that second looks tell.

    python benchmarks/missed.py --worlds 201 202 203 204 205

Second looks are simulated: chance brings the policy's share of what was inspected before the test window back, and a
second officer finds each scheme as often as first looks in that lane did. It prints a Markdown table (comparing.py says
how figures are compared). An ingested source has no truth, and so no second looks can be simulated for it.
"""

import numpy as np
import polars as pl

from benchmarks import comparing
from benchmarks.comparing import Comparison, Way
from benchmarks.worlds import World
from features.contract import KEY
from features.matrix.matrix import CATALOGUE
from models.detection import looks, required
from models.metrics import Scores
from models.policy import LANES, Policy, load
from models.training.fitting import train

BASE, KNOWING = "not found is licit", "loss for missed detections"


def losses(policy: Policy) -> Comparison:
    return Comparison(
        "missed", {BASE: comparing.trees(CATALOGUE, policy), KNOWING: _knowing(policy)}, BASE, comparing.FIGURES
    )


def _knowing(policy: Policy) -> Way:
    def scores(world: World, seed: int) -> Scores:
        first_day = world.split.windows["test"][0]
        inspected, twice = audited(world, policy.desk.second_look_share)
        detects = required(twice, first_day)
        there = inspected.filter("is_there")
        print(f"detects {detects:.3f}, in truth {there['is_illicit'].mean():.3f}, {twice.height} second looks")
        training = policy.training.model_copy(update={"seed": seed})
        parts = world.split.train, world.split.validation, CATALOGUE, training, policy.targeting
        found = train(*parts, final_frame=world.split.before_test, detects=detects).predict(world.judged)
        return Scores(found["score"].to_numpy(), found["priority"].to_numpy())

    return scores


def audited(world: World, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return what was inspected before the test window, and the second looks (looks.SCHEMA) at a share of it.

    The first has `is_there`, whether there was an infringement, and `is_illicit`, whether one was found.
    """
    first_day = world.split.windows["test"][0]
    truth = world.store.scan("truth").select(*KEY, "scheme", is_there="is_illicit").collect()
    offices = world.store.scan("declarations").select(*KEY, "office").collect()
    is_known = pl.col("is_illicit").is_not_null() & (pl.col("known_at").dt.date() < first_day)
    inspected = (
        world.store.scan("outcomes")
        .filter(is_known & pl.col("inspection_channel").is_in(LANES))
        .collect()
        .join(truth, on=KEY, how="inner", maintain_order="left")
        .join(offices, on=KEY, how="inner", maintain_order="left")
        .with_columns(finds=pl.col("is_illicit").mean().over("scheme", "inspection_channel"))
    )
    rng = np.random.default_rng(int(world.name))
    drawn = inspected.filter(pl.Series(rng.random(inspected.height) < share))
    finds_again = pl.Series(rng.random(drawn.height)) < drawn["finds"]
    twice = drawn.select(
        *KEY,
        "office",
        lane="inspection_channel",
        first_kinds=pl.when("is_illicit").then(pl.col("scheme")).otherwise(pl.lit("")),
        second_kinds=pl.when(finds_again & pl.col("is_there")).then(pl.col("scheme")).otherwise(pl.lit("")),
        counts=pl.lit(None),
        known_at="known_at",
    )
    return inspected, twice.cast(dict(looks.SCHEMA))


if __name__ == "__main__":
    comparing.main(__doc__, losses(load()))
