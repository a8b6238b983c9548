"""Seconds and peak memory of the network of companies at a country's size: a million nodes, ten million edges.

    python benchmarks/network_scale.py

Importers, sellers and declarants are drawn by a power law; an edge has declarations of one week, one in twenty a hit.
What is measured is what a night does: read the sums that are kept, add those of a new day, and compute a Monday's
network. Figures are of this machine and this moment.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter

import measuring
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from features.facts import TOLD
from features.history import PRIOR_WEIGHT
from features.network import links
from features.network.measures import DECLARANT, SELLER
from features.network.week import Network

NODES, EDGES, DAY_EDGES = 1_000_000, 10_000_000, 100_000
MONDAY, WEEKS = 19_723 - 19_723 % 7 + 4, 104


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--edges", type=int, default=EDGES)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        print(json.dumps(_run(given.folder)))
        return
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder:
        links.joined([_links(given.nodes, given.edges, 1)]).write_ipc(Path(folder) / "kept.arrow")
        _links(given.nodes, DAY_EDGES, 2).with_columns(week=pl.lit(MONDAY, pl.Int32)).write_ipc(
            Path(folder) / "day.arrow"
        )
        found = measuring.apart(__file__, "--folder", folder)
    table = Table("step", "seconds", title=f"{found['nodes']:,} nodes, {found['edges']:,} edges")
    for step, seconds in found["seconds"].items():
        table.add_row(step, f"{seconds:.1f}")
    Console().print(table)
    print(f"peak {found['peak_mb']:,.0f} MB")
    measuring.save("network-scale", ("polars", "numpy", "numba"), **found)


def _links(nodes: int, edges: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    relation = random.choice([DECLARANT, SELLER], edges, p=[0.3, 0.7]).astype(np.int8)

    def drawn(first: int, count: int) -> np.ndarray:
        return first + (count * random.random(edges) ** 2).astype(np.int64)

    importer = drawn(0, nodes * 6 // 10)
    seller, declarant = drawn(nodes * 6 // 10, nodes * 39 // 100), drawn(nodes * 99 // 100, nodes // 100)
    week = MONDAY - 7 * random.integers(0, WEEKS, edges)
    inspected = (random.random(edges) < 0.2).astype(np.int64)
    hits = inspected * (random.random(edges) < 0.25)
    columns = {
        "relation": relation,
        "importer": pl.Series(importer).hash(1),
        "partner": pl.Series(np.where(relation == SELLER, seller, declarant)).hash(1),
        "week": week,
        "declared": np.ones(edges, np.int64),
        "inspected": inspected,
        "hits": hits,
        "first": week - 3,
        "last": week - 3,
        "last_hit": np.where(hits > 0, week - 1, -1),
    }
    made = pl.DataFrame(columns).cast(dict(links.SCHEMA))
    return made.with_columns(last_hit=pl.when(pl.col("last_hit") >= 0).then("last_hit"))


def _run(folder: Path) -> dict:
    seconds: dict[str, float] = {}
    started = perf_counter()

    def done(step: str, *_computed: object) -> None:
        nonlocal started
        seconds[step] = perf_counter() - started
        started = perf_counter()

    first = Network(pl.read_ipc(folder / "day.arrow").sort(links.KEY), pl.DataFrame(schema=TOLD)).on(MONDAY)
    done("compile", first.across(SELLER), first.exposure, first.community_hit_rate(PRIOR_WEIGHT))
    kept, day = pl.read_ipc(folder / "kept.arrow"), pl.read_ipc(folder / "day.arrow")
    done("read what is kept")
    network = Network(pl.concat([kept, day]).sort(links.KEY), pl.DataFrame(schema=TOLD))
    done("add a day")
    week = network.on(MONDAY)
    done("sum up two years by pair")
    edges = week.edges
    done("number nodes, make edges")
    done("totals", week.totals)
    done("neighbours of two relations", week.across(SELLER), week.across(DECLARANT))
    done("walks from offenders", week.exposure)
    done("communities", week.community_hit_rate(PRIOR_WEIGHT))
    seconds["all, without compiling"] = sum(seconds.values()) - seconds["compile"]
    nodes = int(np.count_nonzero(week.totals.degree))
    return {"nodes": nodes, "edges": len(edges.a), "seconds": seconds, "peak_mb": measuring.peak_mb()}


if __name__ == "__main__":
    main()
