"""What people see of the network: the nodes around a company, and the shortest ways from it to known offenders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from features.facts import entity_codes
from features.history import PRIOR_WEIGHT
from features.network import measures
from features.network_map.queries import EDGES, Graph

_NEAR_SHARE = 2 / 3  # the share of near nodes in all that is shown; the rest is one step further
_CONSIGNMENTS = ("container", "transport_document")
_STEPS, _MOST_OF_A_STEP = 4, 1_000


@dataclass(frozen=True)
class Neighbourhood:
    """The nodes around a node on a Monday.

    `nodes` has files.NODES with `distance` in steps, queries.RECORD, and `risk`: hits over inspections, smoothed
    towards everyone's share, which is `usual`; null for nodes that are not declared. Both are null where nothing was
    inspected. `edges` has queries.EDGES. `not_shown` counts neighbours that are left out.
    """

    nodes: pl.DataFrame
    edges: pl.DataFrame
    usual: float | None
    not_shown: int


def around(graph: Graph, node: int, since: int, until: int, most: int) -> Neighbourhood:
    """Return at most `most` nodes: the neighbours first, then the nodes behind them.

    Nodes through which something was found come first, then those that are not only declared, then by value. A
    container or document counts if two importers shared it. Behind a party that deals with very many, only those are
    looked for on whose declarations something was found.
    """
    asked = np.array([node], np.uint64)
    near = _ranked(_shared(graph, _others(graph.edges(asked, since, until), asked), until))
    shown = near["other"].to_numpy()[: max(1, int((most - 1) * _NEAR_SHARE))]
    behind = _others(graph.near_edges(shown, since, until), shown)
    is_near = pl.col("other").is_in(near["other"].implode()) | (pl.col("other") == node)
    further = _ranked(_shared(graph, behind.filter(is_near.not_()), until))
    nodes = np.concatenate([asked, shown, further["other"].to_numpy()[: max(0, most - 1 - len(shown))]])
    distance = pl.Series("distance", np.minimum(np.arange(len(nodes)), 1) + (np.arange(len(nodes)) > len(shown)))
    return Neighbourhood(
        details(graph, nodes, since, until).with_columns(distance),
        graph.edges_among(nodes, since, until),
        graph.usual(since, until),
        near.height - len(shown),
    )


def details(graph: Graph, nodes: entity_codes.Hashes, since: int, until: int) -> pl.DataFrame:
    """Return files.NODES of `nodes`, queries.RECORD and `risk`, see `Neighbourhood`; in the order of `nodes`."""
    usual = pl.lit(graph.usual(since, until), pl.Float64)
    risk = (pl.col("hits") + PRIOR_WEIGHT * usual) / (pl.col("inspected") + PRIOR_WEIGHT)
    records = graph.records(nodes, since, until)
    return graph.named(nodes).join(records, on="node", how="left", maintain_order="left").with_columns(risk=risk)


@dataclass(frozen=True)
class Way:
    """A way from a node to an importer that was caught: the nodes on it, with both ends, and the edges between them."""

    nodes: tuple[int, ...]
    edges: tuple[Mapping[str, Any], ...]


def ways_to_offenders(graph: Graph, node: int, since: int, until: int, most: int) -> list[Way]:
    """Return the shortest ways from `node` to importers that were caught, by what was known on Monday `until`.

    Among ways of equal length, those come first that lead over parties with the fewest partners, since they say most.
    Nothing is looked for behind a party with more than `LARGEST_HUB` others, unless the node itself deals with it.
    """
    at = pl.DataFrame({"node": [node], "cost": [0.0]}, schema={"node": pl.UInt64, "cost": pl.Float64})
    seen, steps = at["node"], []
    for step in range(_STEPS):
        frontier = at["node"].to_numpy()
        edges = graph.near_edges(frontier, since, until) if step else graph.edges(frontier, since, until)
        reached = (
            _others(edges, frontier)
            .filter(pl.col("other").is_in(seen.implode()).not_())
            .join(at, on="node")
            .sort("cost", "node", "other", "kind")
            .unique("other", keep="first", maintain_order=True)
        )
        steps.append(reached)
        others = reached["other"].to_numpy()
        found = reached.select("other", "cost").join(
            details(graph, others, since, until), left_on="other", right_on="node"
        )
        caught = found.filter((pl.col("kind") == "importer") & (pl.col("hits") > 0))
        if not caught.is_empty():
            first = caught.sort("cost", -pl.col("last_hit"), "other").head(most)
            return [_way_back(steps, offender) for offender in first["other"]]
        seen = pl.concat([seen, reached["other"]])
        at = (
            found.filter((pl.col("degree") <= measures.LARGEST_HUB) | (step == 0))
            .select(node="other", cost=pl.col("cost") + (1 + pl.col("degree")).log(2))
            .sort("cost", "node")
            .head(_MOST_OF_A_STEP)
        )
    return []


def _way_back(steps: list[pl.DataFrame], offender: int) -> Way:
    nodes, edges = [offender], []
    for reached in reversed(steps):
        edge = reached.row(by_predicate=pl.col("other") == nodes[0], named=True)
        nodes.insert(0, edge["node"])
        edges.insert(0, {name: edge[name] for name in EDGES})
    return Way(tuple(nodes), tuple(edges))


def _others(edges: pl.DataFrame, nodes: entity_codes.Hashes) -> pl.DataFrame:
    """Return edges as seen from each of `nodes` that is an end: `node`, `other` and `EDGES`."""
    ends = pl.Series(nodes).implode()
    return pl.concat(
        edges.filter(pl.col(end).is_in(ends)).with_columns(node=end, other=other)
        for end, other in (("a", "b"), ("b", "a"))
    )


def _ranked(others: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each other node, in the order in which they are shown."""
    return (
        others.group_by("other")
        .agg(
            (pl.col("hits") > 0).any().alias("found"),
            (pl.col("source") != "declarations").any().alias("told"),
            pl.col("node").n_unique().alias("ways"),
            pl.col("value").sum(),
        )
        .sort("found", "told", "ways", "value", "other", descending=[True, True, True, True, False])
    )


def _shared(graph: Graph, others: pl.DataFrame, until: int) -> pl.DataFrame:
    """Return `others` without containers and documents that only one importer had."""
    is_consignment = pl.col("kind").is_in(_CONSIGNMENTS) & (pl.col("other") == pl.col("b"))
    consigned = others.filter(is_consignment)["other"].unique().to_numpy()
    record = graph.records(consigned, until, until)
    alone = record.filter(pl.col("degree") < 2)["node"]
    return others.filter(pl.col("other").is_in(alone.implode()).not_())
