"""Seconds and peak memory of the network of companies at a country's size: a million nodes, ten million edges.

    python benchmarks/network_scale.py

Importers, sellers and declarants are drawn by a power law; an edge has declarations of one week, and one in twenty is a
hit. It measures what a night does: read the sums that are kept, add those of a new day, compute a Monday's network for
the model, and write the one for people. Then it measures what people wait for: who is around a company, the ways from
it to offenders, a search. Figures are of this machine and this moment.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import measuring
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from features import contract
from features.facts.kinds import TOLD
from features.history.history import PRIOR_WEIGHT
from features.network import entries, links, matching
from features.network.measures import DECLARANT, SELLER
from features.network.week import WINDOW_DAYS, Network
from features.network_map import files
from features.network_map.neighbourhood import around, ways_to_offenders
from features.network_map.queries import Graph

NODES, EDGES, DAY_EDGES = 1_000_000, 10_000_000, 100_000
ASKED, MOST = 200, 500
MONDAY, WEEKS = 19_723 - 19_723 % 7 + 4, 104


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=NODES)
    parser.add_argument("--edges", type=int, default=EDGES)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--people", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.model or given.people:
        print(json.dumps(_for_the_model(given.model) if given.model else _for_people(given.people, given.nodes)))
        return
    with tempfile.TemporaryDirectory(prefix="tidewaiter-bench-") as folder:
        links.joined([_links(given.nodes, given.edges, 1)]).write_ipc(Path(folder) / "kept.arrow")
        _links(given.nodes, DAY_EDGES, 2).with_columns(week=pl.lit(MONDAY, pl.Int32)).write_ipc(
            Path(folder) / "day.arrow"
        )
        model = measuring.apart(__file__, "--model", folder)
        people = measuring.apart(__file__, "--people", folder, "--nodes", given.nodes)
    for title, found in (("for the model", model), ("for people", people)):
        table = Table("step", "seconds", title=f"{title}: {found['nodes']:,} nodes, {found['edges']:,} edges")
        for step, seconds in found["seconds"].items():
            table.add_row(step, f"{seconds:.1f}")
        Console().print(table, f"peak {found['peak_mb']:,.0f} MB")
    table = Table("question", "asked", "median, ms", "95 %, ms", "slowest, ms")
    for question, ms in people["answers"].items():
        table.add_row(question, *(f"{each:,.0f}" for each in ms))
    Console().print(table)
    measuring.save("network-scale", ("polars", "numpy", "numba"), model=model, people=people)


def _links(nodes: int, edges: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    relation = random.choice([DECLARANT, SELLER], edges, p=[0.3, 0.7]).astype(np.int8)

    def drawn(first: int, count: int) -> np.ndarray:
        return first + (count * random.random(edges) ** 2).astype(np.int64)

    first = _first(nodes)
    importer = drawn(0, first["seller"])
    seller = drawn(first["seller"], first["declarant"] - first["seller"])
    declarant = drawn(first["declarant"], nodes - first["declarant"])
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
        "value": random.integers(100, 100_000, edges),
    }
    made = pl.DataFrame(columns).cast(dict(links.SCHEMA))
    return made.with_columns(last_hit=pl.when(pl.col("last_hit") >= 0).then("last_hit"))


def _for_the_model(folder: Path) -> dict:
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


def _first(nodes: int) -> dict[str, int]:
    """Return the first number of each role; numbers are identities, and their hashes are nodes."""
    return {"importer": 0, "seller": nodes * 6 // 10, "declarant": nodes * 99 // 100}


def _for_people(folder: Path, nodes: int) -> dict:
    numbers, first = np.arange(nodes), _first(nodes)
    role = np.select([numbers >= first[each] for each in ("declarant", "seller")], ["declarant", "seller"], "importer")
    parties = pl.DataFrame({"node": pl.Series(numbers).hash(1), "role": role, "identity": numbers.astype(str)})
    nothing_told = entries.read(*(pl.LazyFrame(schema=contract.schema("register")) for _ in range(2)))
    kept, day = (pl.read_ipc(folder / f"{name}.arrow") for name in ("kept", "day"))
    started = perf_counter()
    pairs = links.joined([kept, day])
    joined = perf_counter()
    files.write(folder, parties.sort("node"), pairs, nothing_told, pl.DataFrame(schema=matching.MATCHES))
    seconds = {"add a day": joined - started, "write": perf_counter() - joined}
    graph, random = Graph.open(folder), np.random.default_rng(3)
    busiest = int(graph.partners.group_by("partner").len().sort("len")["partner"][-1])
    asked = {each: parties.filter(role=each).sample(ASKED, seed=1)["node"].to_list() for each in first}
    asked["the busiest party"] = [busiest] * 10
    since = MONDAY - WINDOW_DAYS
    around(graph, busiest, since, MONDAY, MOST)  # compiles
    answers = {}
    for name, some in asked.items():
        answers[f"around, {MOST} nodes: {name}"] = _ms(lambda n: around(graph, n, since, MONDAY, MOST), some)
        answers[f"ways to offenders: {name}"] = _ms(lambda n: ways_to_offenders(graph, n, since, MONDAY, 3), some)
    texts = [str(each) for each in random.integers(0, nodes, ASKED)]
    answers["search"] = _ms(lambda text: graph.find(text, 20), texts)
    return {
        "nodes": nodes,
        "edges": pairs.select(links.KEY).n_unique(),
        "seconds": seconds,
        "answers": answers,
        "peak_mb": measuring.peak_mb(),
    }


def _ms(answer: Callable[[Any], object], questions: Sequence[object]) -> list[float]:
    """Return how many questions there were, and the median, 95th percentile and maximum of their milliseconds."""
    took = []
    for question in questions:
        started = perf_counter()
        answer(question)
        took.append(1000 * (perf_counter() - started))
    return [len(took), *np.percentile(took, [50, 95, 100]).tolist()]


if __name__ == "__main__":
    main()
