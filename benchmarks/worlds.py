"""Simulated worlds to compare ways of learning on, and the interval of a difference over worlds.

A comparison on one world has one draw of the fraud, and one of the training's seed moves average precision by as much
as many improvements do. So differences are taken within a world, averaged over seeds of training, and their interval
is Student's t over worlds (e.g. Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 2006).
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from features.contract import KEY
from features.disk import PARTIAL
from features.ingestion.batches import ingest
from features.matrix import cache
from features.simulator import Parameters, Preset
from features.sources.simulator import SimulatorSource
from features.store.store import Store
from flows.settings import Settings
from models.policy import Policy
from models.training.splits import Split, accepted_between, split_by_time
from models.workspace import Workspace

WORLDS = (206, 207, 208, 209, 210)  # seeds, named before anybody looked at these worlds
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class World:
    """A simulated world or an ingested source, its rows split by time, and the declarations by which a model is judged.

    `judged` has `is_hit` and `revenue` (currency): where the truth is known, that of every declaration of the test
    window, with its `scheme` and what was evaded; otherwise what inspections of the test window found and recovered.
    """

    name: str
    store: Store
    dataset: pl.LazyFrame
    split: Split
    judged: pl.DataFrame


def world(seed: int, rows: int, folder: Path, policy: Policy, preset: Preset = Preset.PLAIN) -> World:
    """Return the world of a seed. It is made in `folder` unless it is there; computing its features takes a minute."""
    if not folder.exists():
        begun = folder.with_name(folder.name + PARTIAL)  # so that a world is there whole or not at all
        shutil.rmtree(begun, ignore_errors=True)
        source = SimulatorSource(Parameters(rows=rows, seed=seed, preset=preset), begun / "files")
        ingest(source, Store(begun / "data" / "simulator"), policy.ingestion)
        begun.rename(folder)
    delay, store = policy.features.label_delay_days, Store(folder / "data" / "simulator")
    dataset = cache.dataset(
        store, cache.build(store, delay, folder / "cache"), delay, cache.last_known_day(store, delay)
    )
    return _judged(str(seed), store, dataset, split_by_time(dataset, policy.training, delay))


def ingested(source: str, policy: Policy) -> World:
    """Return a source that `make run` has ingested."""
    workspace = Workspace(Settings().places, policy, source)
    dataset = workspace.dataset(workspace.features())
    split = split_by_time(dataset, policy.training, policy.features.label_delay_days)
    return _judged(source, workspace.store, dataset, split)


def _judged(name: str, store: Store, dataset: pl.LazyFrame, split: Split) -> World:
    truth = store.scan("truth").select(*KEY, "scheme", is_hit="is_illicit", revenue="evaded_revenue").collect()
    if truth.is_empty():
        judged = split.test.with_columns(is_hit="is_illicit", revenue=pl.col("recovered_revenue").fill_null(0.0))
    else:
        rows = accepted_between(dataset, split.windows["test"])
        judged = rows.join(truth, on=KEY, how="inner", maintain_order="left")
    return World(name, store, dataset, split, judged)


def interval(differences: Sequence[float]) -> dict[str, float]:
    """Return the mean of differences, one a world, and the ends of its interval; ValueError with fewer than two.

    >>> found = interval([0.01, 0.02, 0.03])
    >>> round(found["mean"], 3), round(found["low"], 3), round(found["high"], 3)
    (0.02, -0.005, 0.045)
    """
    if len(differences) < 2:
        raise ValueError(f"an interval over {len(differences)} worlds; allowed: two or more")
    mean = float(np.mean(differences))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1) * stats.sem(differences))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def between(low: float, high: float, form: str) -> str:
    """Return an interval as people read it; one without width says that nothing differed, which is not certainty.

    >>> between(-0.005, 0.045, "+.3f"), between(1.0, 1.0, ".3f")
    ('-0.005 to +0.045', 'no spread')
    """
    return "no spread" if low == high else f"{low:{form}} to {high:{form}}"
