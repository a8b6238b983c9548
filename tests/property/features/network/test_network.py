"""The network's measures against networkx and brute force, on random networks."""

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.network import measures
from features.network.measures import DECLARANT, NEVER, RESTART, SELLER, TIE, Edges
from tests.support.examples import examples

DAY, NODES = 1000, 14
_IMPORTERS, _PARTNERS = range(6), {DECLARANT: range(6, 9), SELLER: range(9, 12), TIE: range(12, 14)}


@st.composite
def networks(draw: st.DrawFn) -> Edges:
    """Importers 0 to 5, declarants, sellers and values; every importer that trades has a declarant."""
    pairs = set()
    for importer in draw(st.sets(st.sampled_from(_IMPORTERS), min_size=1)):
        pairs |= {(DECLARANT, importer, b) for b in draw(st.sets(st.sampled_from(_PARTNERS[DECLARANT]), min_size=1))}
        pairs |= {(SELLER, importer, b) for b in draw(st.sets(st.sampled_from(_PARTNERS[SELLER])))}
    for company in draw(st.sets(st.sampled_from(_IMPORTERS))):
        pairs |= {(TIE, company, b) for b in draw(st.sets(st.sampled_from(_PARTNERS[TIE]), min_size=1))}
    rows = []
    for relation, a, b in sorted(pairs):
        inspected = 0 if relation == TIE else draw(st.integers(0, 3))
        hits = draw(st.integers(0, inspected))
        first = draw(st.integers(DAY - 700, DAY - 1))
        last_hit = draw(st.integers(DAY - 400, DAY)) if hits else NEVER
        rows.append((relation, a, b, inspected, hits, first, draw(st.integers(first, DAY - 1)), last_hit))
    return Edges(*(np.array(column, np.int64) for column in zip(*rows, strict=True)), nodes=NODES)


def _graph(edges: Edges) -> nx.Graph:
    graph = nx.Graph()
    graph.add_edges_from(zip(edges.a.tolist(), edges.b.tolist(), strict=True))
    return graph


@given(edges=networks())
@settings(max_examples=examples(80), deadline=None)
def test_totals_and_what_is_across_equal_brute_force(edges: Edges) -> None:
    found, graph = measures.totals(edges, DAY), _graph(edges)
    names = ("relation", "a", "b", "inspected", "hits", "first", "last", "last_hit")
    columns = [getattr(edges, name) for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    hits = {n: sum(r["hits"] for r in rows if r["a"] == n and r["relation"] == DECLARANT) for n in _IMPORTERS}
    trades = {r["a"] for r in rows if r["relation"] == DECLARANT}
    caught = {n for n in trades if hits[n]}
    last = {n: max(r["last"] for r in rows if r["a"] == n and r["relation"] >= 0) for n in trades}
    silent = {n for n in caught if DAY - 365 <= last[n] < DAY - 14}
    for node in range(NODES):
        neighbours = set(graph[node]) if node in graph else set()
        assert found.degree[node] == len(neighbours)
        if node in _IMPORTERS:
            assert found.hits[node] == hits[node]
            assert found.is_ghost[node] == (node in silent)
        else:
            assert found.caught[node] == len(neighbours & caught)
            assert found.ghosts[node] == len(neighbours & silent)
    for relation in _PARTNERS:
        exposed, share, ghosts = measures.across(edges, found, relation)
        for node in _IMPORTERS:
            partners = [r["b"] for r in rows if r["a"] == node and r["relation"] == relation]
            others = {b: set(graph[b]) - {node} for b in partners}
            expected = [len(each & caught) / len(each) for each in others.values() if each]
            weighed = sum(len(each & silent) / np.log2(1 + len(each)) for each in others.values() if each)
            np.testing.assert_allclose(share[node], np.mean(expected) if expected else np.nan)
            np.testing.assert_allclose(ghosts[node], weighed)
            any_caught = [bool(each & caught) for each in others.values()]
            np.testing.assert_allclose(exposed[node], np.mean(any_caught) if partners else np.nan)


@given(edges=networks())
@settings(max_examples=examples(40), deadline=None)
def test_exposure_is_personalised_pagerank(edges: Edges) -> None:
    found, graph = measures.totals(edges, DAY), _graph(edges)
    got = measures.exposure(edges, found, DAY)
    weights = {
        n: float(found.hits[n] * 0.5 ** ((DAY - found.last_hit[n]) / measures.HALF_LIFE_DAYS))
        for n in _IMPORTERS
        if found.hits[n] and n in graph
    }
    if not weights:
        assert not got.any()
        return
    total = sum(weights.values())
    expected = nx.pagerank(graph, alpha=1 - RESTART, personalization=weights, max_iter=1000, tol=1e-12)
    for node in graph:
        own = RESTART * weights.get(node, 0.0) / total
        # What walks still do after the last step is all that may be missing, anywhere.
        left = (1 - RESTART) ** measures.STEPS * len(graph)
        assert abs(got[node] - (expected[node] - own) * len(graph)) <= left


@given(edges=networks())
@settings(max_examples=examples(40), deadline=None)
def test_a_community_is_connected_and_alone_stays_alone(edges: Edges) -> None:
    found = measures.totals(edges, DAY)
    label = measures.communities(edges, found)
    tying = edges.relation != DECLARANT
    graph = nx.Graph()
    graph.add_edges_from(zip(edges.a[tying].tolist(), edges.b[tying].tolist(), strict=True))
    component = {node: min(part) for part in nx.connected_components(graph) for node in part}
    for node in range(NODES):
        assert (label[node] < 0) == (node not in graph)
        if node in graph:
            assert component[label[node]] == component[node]
