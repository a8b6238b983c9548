"""Simulated worlds to compare ways of learning on, and the interval of a difference over worlds.

A comparison on one world has one draw of the fraud, and one of the training's seed moves average precision by as much
as many improvements do. So differences are taken within a world, averaged over seeds of training, and their interval
is Student's t over worlds (e.g. Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 2006).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from features.contract import KEY
from features.ingestion.batches import ingest
from features.matrix import cache
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource
from features.store.store import Store
from models.policy import Policy
from models.training.splits import Split, accepted_between, split_by_time

CONFIDENCE = 0.95


@dataclass(frozen=True)
class World:
    """A world's rows, split by time, and the declarations of the test window with `is_hit`, the truth of each."""

    seed: int
    split: Split
    judged: pl.DataFrame


def world(seed: int, rows: int, folder: Path, policy: Policy) -> World:
    """Return the world of a seed. It is made in `folder` unless it is there; computing its features takes a minute."""
    delay, store = policy.features.label_delay_days, Store(folder / "data" / "simulator")
    if not store.days():
        ingest(SimulatorSource(Parameters(rows=rows, seed=seed), folder / "files"), store, policy.ingestion)
    dataset = cache.dataset(
        store, cache.build(store, delay, folder / "cache"), delay, cache.last_known_day(store, delay)
    )
    split = split_by_time(dataset, policy.training, delay)
    truth = store.scan("truth").select(*KEY, "scheme", is_hit="is_illicit").collect()
    rows_of_test = accepted_between(dataset, split.windows["test"])
    return World(seed, split, rows_of_test.join(truth, on=KEY, how="inner", maintain_order="left"))


def interval(differences: Sequence[float]) -> dict[str, float]:
    """Return the mean of differences, one a world, and the ends of its interval; ValueError with fewer than two.

    >>> found = interval([0.01, 0.02, 0.03])
    >>> round(found["mean"], 3), round(found["low"], 3), round(found["high"], 3)
    (0.02, -0.005, 0.045)
    """
    if len(differences) < 2:
        raise ValueError(f"an interval over {len(differences)} worlds; allowed: two or more")
    low, high = stats.t.interval(
        CONFIDENCE, len(differences) - 1, loc=np.mean(differences), scale=stats.sem(differences)
    )
    return {"mean": float(np.mean(differences)), "low": float(low), "high": float(high)}
