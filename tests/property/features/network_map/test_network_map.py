"""The network for people: it is the same whatever came later, and its sums equal brute force."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import networkx as nx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.history.change_index import EPOCH
from features.network import links, matching, measures
from features.network_map import files
from features.network_map.neighbourhood import around, ways_to_offenders
from features.network_map.queries import Graph
from tests.support.examples import examples
from tests.support.worlds import SPAN_DAYS, START, World, after, before, worlds

FIRST = (START.date() - EPOCH).days
MONDAYS = st.integers(0, SPAN_DAYS // 7).map(lambda week: int(links.last_monday(np.array([FIRST]))[0]) + 7 * week)
# What is not as of the Monday that is looked at: what a company is called.
NAMES = ("name", "text")


@contextmanager
def graph(world: World) -> Iterator[Graph]:
    known = world.known()
    with TemporaryDirectory() as folder:
        told = world.entries()
        matches = pl.DataFrame(schema=matching.MATCHES)
        files.write(Path(folder), links.parties(known), links.summed(known), told, matches)
        yield Graph.open(Path(folder))


@pytest.mark.parametrize("largest_hub", [1, measures.LARGEST_HUB])
@given(world=worlds(), other=worlds(), monday=MONDAYS, weeks=st.integers(1, 120), pick=st.integers(0, 1000))
@settings(max_examples=examples(12), deadline=None)
def test_what_became_known_later_changes_nothing(
    largest_hub: int, world: World, other: World, monday: int, weeks: int, pick: int
) -> None:
    """A node looks the same where nothing later happened, where all of it did, and where other things did."""
    cut = datetime.combine(EPOCH, datetime.min.time()) + timedelta(days=monday)
    stood = before(world, cut)
    since = monday - 7 * weeks
    later = stood.with_later(after(other, cut))
    with (
        patch.object(measures, "LARGEST_HUB", largest_hub),
        graph(world) as whole,
        graph(stood) as alone,
        graph(later) as elsewhere,
    ):
        if alone.nodes.is_empty():
            return
        node = alone.nodes["node"][pick % alone.nodes.height]
        expected, ways = (of(alone, node, since, monday, 20) for of in (around, ways_to_offenders))
        for seen in (whole, elsewhere):
            found = around(seen, node, since, monday, 20)
            assert_frame_equal(found.nodes.drop(NAMES), expected.nodes.drop(NAMES))
            assert_frame_equal(found.edges, expected.edges)
            assert (found.usual, found.not_shown) == (expected.usual, expected.not_shown)
            assert ways_to_offenders(seen, node, since, monday, 20) == ways


@given(world=worlds(), monday=MONDAYS, weeks=st.integers(1, 120))
@settings(max_examples=examples(12), deadline=None)
def test_sums_equal_brute_force(world: World, monday: int, weeks: int) -> None:
    known, since = world.known(), monday - 7 * weeks

    def within(frame: pl.DataFrame, after: int) -> list[dict]:
        week = pl.col("enter") + (4 - pl.col("enter")) % 7
        return frame.filter(week > after, week <= monday).rows(named=True)

    with graph(world) as found:
        every = found.nodes["node"].to_numpy()
        edges = found.edges(every, since, monday).filter(source="declarations")
        names = {row["node"]: (row["kind"], row["identity"]) for row in found.nodes.iter_rows(named=True)}
        declared = {(names[row["a"]][1], *names[row["b"]]): row for row in edges.iter_rows(named=True)}
        expected: dict[tuple[str, str, str], list[int]] = {}
        for frame, what in ((known.declared, "declared"), (known.found, "found")):
            for fact in within(frame, since):
                for role in links.TRADERS:
                    if fact[f"{role}_id"]:
                        sums = expected.setdefault((fact["importer_id"], role, fact[f"{role}_id"]), [0, 0, 0, 0])
                        value = round(fact["item_value"]) if what == "declared" else 0
                        added = (1, value, 0, 0) if what == "declared" else (0, 0, 1, bool(fact["is_illicit"]))
                        for place, each in enumerate(added):
                            sums[place] += each * fact["sign"]
        sums_of = ("declared", "value", "inspected", "hits")
        assert {key: [row[name] for name in sums_of] for key, row in declared.items()} == {
            key: sums for key, sums in expected.items() if sums[0] > 0
        }
        records = {row["node"]: row for row in found.records(every, since, monday).iter_rows(named=True)}
        for node, (kind, identity) in names.items():
            if kind == "importer" or kind in links.TRADERS:
                own = [
                    sums
                    for (importer, role, partner), sums in expected.items()
                    if (kind == "importer" and role == "declarant" and importer == identity)
                    or (role, partner) == (kind, identity)
                ]
                assert [records[node][name] or 0 for name in sums_of] == [
                    sum(each) for each in zip(*own, strict=True)
                ] or not own
                ever = {
                    (fact["importer_id"], role, fact[f"{role}_id"])
                    for frame in (known.declared, known.found)
                    for fact in within(frame, -(10**6))
                    for role in links.TRADERS
                    if fact[f"{role}_id"]
                    and (
                        (kind == "importer" and fact["importer_id"] == identity)
                        or (role, fact[f"{role}_id"]) == (kind, identity)
                    )
                }
                tied = found.ties.filter(
                    pl.col("node") == node,
                    pl.col("enter") <= monday,
                    pl.col("leave").is_null() | (pl.col("leave") > monday),
                )
                assert (records[node]["degree"] or 0) == len(ever) + tied.height
        share = [fact["sign"] * bool(fact["is_illicit"]) for fact in within(known.found, since)]
        inspected = sum(fact["sign"] for fact in within(known.found, since))
        assert found.usual(since, monday) == (sum(share) / inspected if inspected else None)


@given(world=worlds(), monday=MONDAYS, most=st.integers(1, 6), pick=st.integers(0, 1000))
@settings(max_examples=examples(12), deadline=None)
def test_ways_are_shortest_and_neighbourhoods_keep_to_their_size(
    world: World, monday: int, most: int, pick: int
) -> None:
    """Against networkx on the whole network, which here is without hubs."""
    with graph(world) as found:
        every = found.nodes["node"].to_numpy()
        edges = found.edges(every, monday - 728, monday)
        drawn = nx.Graph()
        drawn.add_edges_from(edges.select("a", "b").iter_rows())
        records = found.records(every, monday - 728, monday).join(found.nodes, on="node")
        caught = set(records.filter(pl.col("hits") > 0, pl.col("kind") == "importer")["node"])
        node = every.tolist()[pick % len(every)]
        near = nx.single_source_shortest_path_length(drawn, node) if node in drawn else {node: 0}
        distances = {near[each] for each in caught - {node} if near.get(each, 9) <= 4}
        ways = ways_to_offenders(found, node, monday - 728, monday, 3)
        assert {len(way.edges) for way in ways} == ({min(distances)} if distances else set())
        for way in ways:
            assert way.nodes[0] == node
            assert way.nodes[-1] in caught
            for start, end, edge in zip(way.nodes[:-1], way.nodes[1:], way.edges, strict=True):
                assert {start, end} == {edge["a"], edge["b"]}
        seen = around(found, node, monday - 728, monday, most)
        assert seen.nodes.height <= max(most, 2)
        for row in seen.nodes.iter_rows(named=True):
            assert near[row["node"]] == row["distance"]
