"""Features and trees of the same store by this process and on Ray clusters of 1, 2 and 4 nodes, all on this machine.

Run by `make bench-large`. Each node has one processor. More nodes than cores gain nothing here: the benchmark shows
what handing out work costs, and that the features are the same. Compare figures only within one run.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter

import measuring
from rich.console import Console
from rich.table import Table

ROWS, NODES = 1_000_000, (0, 1, 2, 4)  # 0: embedded
STORE_BYTES = 500 * 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--nodes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.nodes is not None:
        print(json.dumps(_run(given.folder, given.nodes)))
        return
    console, results = Console(), {}
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder:
        _prepare(Path(folder), given.rows)
        for nodes in NODES:
            results[nodes] = measuring.apart(__file__, "--folder", folder, "--nodes", nodes)
            console.print(f"{nodes} nodes: {results[nodes]}")
        _check(Path(folder))
    table = Table(
        "nodes", "features, s", "of embedded", "trees, s", "of embedded", "ROC-AUC", title=f"{given.rows:,} rows"
    )
    for nodes, found in results.items():
        for what in ("features", "trees"):
            found[f"{what}_ratio"] = results[0][f"{what}_seconds"] / found[f"{what}_seconds"]
        table.add_row(
            str(nodes or "embedded"),
            f"{found['features_seconds']:.1f}",
            f"{found['features_ratio']:.2f}",
            f"{found['trees_seconds']:.1f}",
            f"{found['trees_ratio']:.2f}",
            f"{found['roc_auc']:.4f}",
        )
    console.print(table)
    measuring.save("cluster", (*measuring.LIBRARIES, "ray"), rows=given.rows, nodes=results)


def _prepare(folder: Path, rows: int) -> None:
    from features.ingestion.batches import ingest
    from features.simulator import Parameters
    from features.sources.simulator import SimulatorSource
    from models.policy import load

    source = SimulatorSource(Parameters(rows=rows), folder / "simulated")
    ingest(source, _store(folder), load().ingestion)


def _run(folder: Path, nodes: int) -> dict[str, float]:
    import ray
    from ray.cluster_utils import Cluster

    from flows.compute.engine import Workforce, workforce
    from flows.settings import Engine, Settings

    if not nodes:
        return _measure(folder, "0", Workforce())
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": False},
    )
    for _ in range(nodes):
        cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    here = Settings(state_folder=folder / "state", data_folder=folder / "data")
    with workforce(Engine.RAY, cluster.address, here) as workers:
        assert len(ray.nodes()) == nodes + 1
        found = _measure(folder, str(nodes), workers)
    cluster.shutdown()
    return found


def _measure(folder: Path, name: str, workers) -> dict[str, float]:
    from functools import partial

    import numpy as np
    import polars as pl
    from sklearn.metrics import roc_auc_score

    from features.matrix import cache
    from features.matrix.matrix import CATALOGUE
    from models.policy import load
    from models.risk import boosting
    from models.risk.boosting import Rows
    from models.risk.encoder import Encoder
    from models.training.splits import split_by_time

    store, policy = _store(folder), load()
    delay = policy.features.label_delay_days
    began = perf_counter()
    built = cache.build(store, delay, folder / "cache" / name, run=workers.run)
    computed = perf_counter()
    dataset = cache.dataset(store, built, delay, cache.last_known_day(store, delay))
    split = split_by_time(dataset, policy.training, delay)
    encoder = Encoder.fit(split.train, CATALOGUE)
    rows, judge = (
        Rows(encode(part), part["is_illicit"].cast(pl.Float64).to_numpy())
        for encode, part in ((encoder.table, split.train), (encoder.encode, split.validation))
    )
    fit = partial(
        boosting.fit_until_best,
        boosting.ILLICIT,
        boosting.PARAMETERS,
        policy.training.seed,
        encoder,
        validation=judge,
        max_rounds=policy.training.max_rounds,
        patience=policy.training.early_stopping_rounds,
    )
    ready = perf_counter()
    booster = workers.grow(fit, rows, None).booster
    grown = perf_counter()
    scores = boosting.predict(booster, encoder.encode(split.test))
    is_hit = split.test["is_illicit"].to_numpy().astype(np.bool_)
    return {
        "features_seconds": computed - began,
        "trees_seconds": grown - ready,
        "roc_auc": float(roc_auc_score(is_hit, scores)),
    }


def _check(folder: Path) -> None:
    """Raise AssertionError unless every cluster's features are the embedded ones."""
    for expected in (folder / "cache" / "0").glob("*.parquet"):
        for nodes in NODES[1:]:
            if (folder / "cache" / str(nodes) / expected.name).read_bytes() != expected.read_bytes():
                raise AssertionError(f"{nodes} nodes give other features of {expected.name}")


def _store(folder: Path):
    from features.store.store import Store

    return Store(folder / "data" / "simulator")


if __name__ == "__main__":
    main()
