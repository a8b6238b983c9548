"""What is computed from a network as it stood on a Monday: totals, walks, communities. Arrays are by node or by edge.

An edge joins an importer and a party it was declared with (`relation`, see links.py), or a company and a value that a
register gives it (`TIE`). Edges are in one fixed order, so sums of floats come out the same to the last bit, whatever
else is known of other days.
"""

from dataclasses import dataclass

import numba
import numpy as np

from features.arrays import Flags, Floats, Ints

DECLARANT, SELLER, COURIER = range(3)
TIE = -1
NEVER = -(1 << 30)

NEW_DAYS = 91
SILENT_DAYS, GHOST_DAYS = 14, 365  # an offender that has been silent between so many days may be gone
HALF_LIFE_DAYS = 180
RESTART, STEPS = 0.15, 12
COMMUNITY_ROUNDS, LARGEST_HUB = 4, 200  # sharing a partner that deals with more does not show belonging together


@dataclass(frozen=True)
class Edges:
    """Arrays with one element an edge; `a` and `b` are nodes, days are `NEVER` for none. Ties have no days or sums."""

    relation: Ints
    a: Ints
    b: Ints
    inspected: Ints
    hits: Ints
    first: Ints
    last: Ints
    last_hit: Ints
    nodes: int


@dataclass(frozen=True)
class Totals:
    """Totals of each node. `partners` counts an importer's partners by relation: nodes x relations.

    An importer's own record is the one with its declarants, because every declaration names one. `is_caught` and
    `is_ghost` (an offender that fell silent) mark importers; `caught` and `ghosts` count such importers among a node's
    neighbours.
    """

    degree: Ints
    partners: Ints
    new_partners: Ints
    inspected: Ints
    hits: Ints
    first: Ints
    last_hit: Ints
    is_caught: Flags
    is_ghost: Flags
    caught: Ints
    ghosts: Ints


def totals(edges: Edges, day: int) -> Totals:
    """Return what the edges add up to on `day`."""
    a, b, n = edges.a, edges.b, edges.nodes
    traded, own = edges.relation != TIE, edges.relation == DECLARANT
    degree = np.bincount(a, minlength=n) + np.bincount(b, minlength=n)
    partners = [np.bincount(a[edges.relation == r], minlength=n) for r in (DECLARANT, SELLER, COURIER)]
    new_partners = np.bincount(a[traded & (edges.first >= day - NEW_DAYS)], minlength=n)

    def added(values: Ints) -> Ints:
        return (np.bincount(b, values, n) + np.bincount(a[own], values[own], n)).astype(np.int64)

    def latest(values: Ints) -> Ints:
        out = np.full(n, NEVER, np.int64)
        for nodes in (a, b):
            np.maximum.at(out, nodes[traded], values[traded])
        return out

    hits, last = added(edges.hits), latest(edges.last)
    is_caught = (partners[DECLARANT] > 0) & (hits > 0)
    is_ghost = is_caught & (last < day - SILENT_DAYS) & (last >= day - GHOST_DAYS)
    return Totals(
        degree=degree,
        partners=np.stack(partners, axis=1),
        new_partners=new_partners,
        inspected=added(edges.inspected),
        hits=hits,
        first=-latest(-edges.first),
        last_hit=latest(edges.last_hit),
        is_caught=is_caught,
        is_ghost=is_ghost,
        caught=np.bincount(b[is_caught[a]], minlength=n),
        ghosts=np.bincount(b[is_ghost[a]], minlength=n),
    )


def across(edges: Edges, found: Totals, relation: int) -> tuple[Floats, Floats, Floats]:
    """Return three figures for each company over its edges of a relation; on the other side it does not count itself.

    The first is the share of edges on whose other side somebody was caught. The second is the share of the others there
    that were caught, averaged over the edges that have others. Both are NaN where there is no such edge. The third sums
    over edges the number of others there that fell silent as offenders, divided by the logarithm of how many companies
    are there.
    """
    chosen, n = edges.relation == relation, edges.nodes
    a, b = edges.a[chosen], edges.b[chosen]
    others = found.degree[b] - 1
    caught, ghosts = found.caught[b] - found.is_caught[a], found.ghosts[b] - found.is_ghost[a]
    some = others > 0
    a_some, others = a[some], others[some]

    def mean(nodes: Ints, values: Floats | Flags) -> Floats:
        count = np.bincount(nodes, minlength=n)
        return np.divide(np.bincount(nodes, values, n), count, out=np.full(n, np.nan), where=count > 0)

    exposed, neighbours = mean(a, caught > 0), mean(a_some, caught[some] / others)
    silent = np.bincount(a_some, ghosts[some] / np.log2(1.0 + others), n).astype(np.float64)
    return exposed, neighbours, silent


def exposure(edges: Edges, found: Totals, day: int) -> Floats:
    """Return personalised PageRank from known offenders, by node, over the mean, without what a node has by itself.

    Walks begin at importers with hits, in proportion to their number, halved for each `HALF_LIFE_DAYS` since the last
    (Haveliwala, 2002). There are `STEPS` steps; what would come later is under a seventh of the whole.
    """
    age = np.where(found.is_caught, day - found.last_hit, 0)
    begin = np.where(found.is_caught, found.hits * 0.5 ** (age / HALF_LIFE_DAYS), 0.0)
    if not begin.any():
        return begin
    begin /= begin.sum()
    at = _walk(edges.a, edges.b, found.degree, begin)
    return (at - RESTART * begin) * np.count_nonzero(found.degree)


def communities(edges: Edges, found: Totals) -> Ints:
    """Return a label for each node, by propagation of labels over sellers and what registers tell; -1 for no tie.

    Each side in turn takes the label that most nodes on the other side have, and among equally frequent ones the lowest
    (Raghavan et al., 2007, in rounds, so that the order does not matter).
    """
    tying = ((edges.relation == TIE) | (edges.relation == SELLER)) & (found.degree[edges.b] <= LARGEST_HUB)
    a, b = edges.a[tying], edges.b[tying]
    label = np.full(edges.nodes, -1, np.int64)
    label[a] = a
    sides = (_neighbours(b, a, edges.nodes), _neighbours(a, b, edges.nodes))
    for _ in range(COMMUNITY_ROUNDS):
        for start, others in sides:
            _take_labels(start, others, label)
    return label


def _neighbours(of: Ints, others: Ints, nodes: int) -> tuple[Ints, Ints]:
    """Return where each node's neighbours start, with one more element at the end, and all the neighbours."""
    start = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=nodes))])
    return start, others[np.argsort(of, kind="stable")]


@numba.njit(cache=True, nogil=True)
def _walk(a: Ints, b: Ints, degree: Ints, begin: Floats) -> Floats:
    at = begin.copy()
    for _ in range(STEPS):
        to = RESTART * begin
        for e in range(len(a)):
            to[b[e]] += (1 - RESTART) * at[a[e]] / degree[a[e]]
            to[a[e]] += (1 - RESTART) * at[b[e]] / degree[b[e]]
        at = to
    return at


@numba.njit(cache=True, nogil=True)
def _take_labels(start: Ints, others: Ints, label: Ints) -> None:
    seen = np.empty(np.diff(start).max(), np.int64)
    for node in range(len(start) - 1):
        count = start[node + 1] - start[node]
        for k in range(count):  # there are mostly few, so they are sorted by insertion
            new, place = label[others[start[node] + k]], k
            while place > 0 and seen[place - 1] > new:
                seen[place] = seen[place - 1]
                place -= 1
            seen[place] = new
        best, most, k = label[node], 0, 0
        while k < count:
            same = k
            while same < count and seen[same] == seen[k]:
                same += 1
            if same - k > most:
                best, most = seen[k], same - k
            k = same
        label[node] = best
