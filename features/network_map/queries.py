"""The network for people, on any Monday: what is at a node, and what it adds up to.

It holds what the model's network holds (week.py), and names, values, containers and transport documents besides.
links.py and ties.py say what is known on a day. Its files, see files.py, are mapped into memory.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numba
import numpy as np
import polars as pl

from features.arrays import Ints
from features.disk import arrow_files, checksums
from features.facts import entity_codes
from features.network import links, measures
from features.network_map.files import DAYS, FILES, PARTNERS, SUMS, plain

# For a party with more rows, only those of the latest weeks are looked at.
MOST_ROWS = 200_000
MOST_FOUND = 1_000

# What is known of an edge: `a` was declared with, has, followed or probably is `b`. Days are since 1970-01-01.
EDGES = pl.Schema(
    {
        "a": pl.UInt64(),
        "b": pl.UInt64(),
        "kind": pl.String(),
        "source": pl.String(),
        "declared": pl.Int64(),
        "value": pl.Int64(),
        "inspected": pl.Int64(),
        "hits": pl.Int64(),
        "weight": pl.Float64(),
        "first": pl.Int64(),
        "last": pl.Int64(),
    }
)
# What is known of a node; null if it was not declared. `degree` counts the nodes that it was ever declared with, and
# its ties.
RECORD = pl.Schema(
    {
        "node": pl.UInt64(),
        "declared": pl.Int64(),
        "value": pl.Int64(),
        "inspected": pl.Int64(),
        "hits": pl.Int64(),
        "first": pl.Int64(),
        "last": pl.Int64(),
        "last_hit": pl.Int64(),
        "degree": pl.Int64(),
    }
)


@dataclass(frozen=True)
class Graph:
    """The tables of files.py; nodes are hashes, as links.node makes them, and Mondays are days since 1970-01-01."""

    nodes: pl.DataFrame
    links: pl.DataFrame
    partners: pl.DataFrame
    weeks: pl.DataFrame
    ties: pl.DataFrame

    @classmethod
    def open(cls, folder: Path) -> "Graph":
        """Open the network in `folder`, which may be removed while it is in use; SpoiltError if a file is spoilt."""
        checksums.check(folder)
        return cls(*(arrow_files.read(folder / f"{name}.arrow") for name in FILES))

    def usual(self, since: int, until: int) -> float | None:
        """Return everyone's hits over inspections that became known after Monday `since` and by Monday `until`.

        None if none did.
        """
        known = self.weeks.filter(pl.col("week") > since, pl.col("week") <= until).sum()
        inspected = known["inspected"].item()
        return known["hits"].item() / inspected if inspected else None

    def named(self, nodes: entity_codes.Hashes) -> pl.DataFrame:
        """Return `NODES` of those of `nodes` that exist, in their order."""
        every = self._columns["nodes"]["node"]
        place = np.minimum(np.searchsorted(every, nodes), len(every) - 1)
        return self.nodes[place[every[place] == nodes]] if len(every) else self.nodes

    def find(self, text: str, most: int) -> pl.DataFrame:
        """Return nodes whose identity or name holds `text`: exact ones first, then those that begin with it."""
        wanted = pl.select(plain(pl.lit(text.strip()))).item()
        rank = (
            pl.when(pl.col("identity").pipe(plain) == wanted)
            .then(0)
            .when(pl.col("text").str.starts_with(wanted))
            .then(1)
            .otherwise(2)
        )
        holding = self.nodes.filter(pl.col("text").str.contains(wanted, literal=True))
        return holding.sort(rank, pl.col("text").str.len_chars(), "text", "kind").head(most)

    def edges(self, nodes: entity_codes.Hashes, since: int, until: int) -> pl.DataFrame:
        """Return `EDGES` at any of `nodes`, as known on Monday `until`, of what became known after Monday `since`."""
        start, end = self._span(nodes, until)
        at_partners = self._rows(np.maximum(start, end - MOST_ROWS), end)
        return self._at(nodes, at_partners, since, until)

    def near_edges(self, nodes: entity_codes.Hashes, since: int, until: int) -> pl.DataFrame:
        """Return what `edges` does, but at a hub only edges of importers with a find on a declaration with it.

        A hub is a party that deals with more than `LARGEST_HUB`. Only its latest `MOST_FOUND` finds count.
        """
        start, end = self._span(nodes, until)
        is_hub = self._until(start, end, "importers") > measures.LARGEST_HUB
        links_of = self._columns["links"]
        many = self._rows(start[is_hub], end[is_hub])
        found = many[(links_of["hits"][many] > 0) & (links_of["week"][many] > since)]
        latest = found[np.argsort(links_of["week"][found], kind="stable")[-MOST_FOUND:]]
        theirs = self._rows_of_importers(np.unique(links_of["importer"][latest]))
        at_hubs = theirs[np.isin(links_of["partner"][theirs], nodes[is_hub])]
        return self._at(nodes, np.concatenate([self._rows(start[~is_hub], end[~is_hub]), at_hubs]), since, until)

    def edges_among(self, nodes: entity_codes.Hashes, since: int, until: int) -> pl.DataFrame:
        """Return `EDGES` both of whose ends are among `nodes`."""
        found = self._at(nodes, np.zeros(0, np.int64), since, until)
        ends = pl.Series(nodes).implode()
        return found.filter(pl.col("a").is_in(ends) & pl.col("b").is_in(ends))

    def records(self, nodes: entity_codes.Hashes, since: int, until: int) -> pl.DataFrame:
        """Return `RECORD` of each of `nodes`, by Monday `until`; sums are of what became known after Monday `since`."""
        importers, partners = (of(nodes, since, until) for of in (self._of_importers, self._of_partners))
        declared = pl.concat([importers, partners])
        ties = self._in_force(nodes, until).group_by("node").agg(ties=pl.len().cast(pl.Int64))
        return (
            pl.DataFrame({"node": nodes})
            .join(declared, on="node", how="left", maintain_order="left")
            .join(ties, on="node", how="left", maintain_order="left")
            .with_columns(degree=pl.sum_horizontal("degree", "ties"))
            .drop("ties")
        )

    def _at(self, nodes: entity_codes.Hashes, at_partners: Ints, since: int, until: int) -> pl.DataFrame:
        rows = np.concatenate([self._rows_of_importers(nodes), at_partners])
        return pl.concat([self._declared(np.unique(rows), since, until), self._tied(nodes, until)])

    def _declared(self, rows: Ints, since: int, until: int) -> pl.DataFrame:
        found = self._links_at(rows, since, until)
        days_of = pl.col("first").min(), pl.col("last").max()
        relation = pl.col("relation").replace_strict(dict(enumerate(links.RELATIONS)), return_dtype=pl.String)
        summed = found.group_by(links.KEY, maintain_order=True).agg(pl.col(SUMS).sum(), *days_of)
        return (
            summed.filter(pl.col("declared") > 0)
            .rename({"importer": "a", "partner": "b"})
            .with_columns(kind=relation, source=pl.lit("declarations"), weight=None)
            .select(EDGES.names())
            .cast(dict(EDGES))
        )

    def _links_at(self, rows: Ints, since: int, until: int) -> pl.DataFrame:
        week = self._columns["links"]["week"][rows]
        within = rows[(since < week) & (week <= until)]
        return pl.DataFrame({name: column[within] for name, column in self._columns["links"].items()})

    def _tied(self, nodes: entity_codes.Hashes, until: int) -> pl.DataFrame:
        is_first = pl.col("is_first")
        return (
            self._in_force(nodes, until)
            .with_columns(
                a=pl.when(is_first).then("node").otherwise("other"),
                b=pl.when(is_first).then("other").otherwise("node"),
                source=pl.when(pl.col("kind") == "same").then(pl.lit("matching")).otherwise(pl.lit("register")),
                first="since",
            )
            .unique(["a", "b", "kind"], keep="first", maintain_order=True)
            .with_columns(pl.lit(None).alias(name) for name in (*SUMS, "last"))
            .select(EDGES.names())
            .cast(dict(EDGES))
        )

    def _in_force(self, nodes: entity_codes.Hashes, until: int) -> pl.DataFrame:
        """Return ties at `nodes`; a tie between two of them appears from both ends."""
        rows = _ranges(*_equal(self._columns["ties"]["node"], nodes))
        return self.ties[rows].filter(pl.col("enter") <= until, pl.col("leave").is_null() | (pl.col("leave") > until))

    def _of_importers(self, nodes: entity_codes.Hashes, since: int, until: int) -> pl.DataFrame:
        found = self._links_at(self._rows_of_importers(nodes), measures.NEVER, until)
        own, late = pl.col("relation") == measures.DECLARANT, pl.col("week") > since
        return (
            found.group_by("importer", maintain_order=True)
            .agg(
                pl.col(SUMS).filter(own & late).sum(),
                pl.col("first").min(),
                pl.col("last", "last_hit").max(),
                degree=pl.struct("relation", "partner").n_unique(),
            )
            .rename({"importer": "node"})
            .select(RECORD.names())
            .cast(dict(RECORD))
        )

    def _of_partners(self, nodes: entity_codes.Hashes, since: int, until: int) -> pl.DataFrame:
        start, end = self._span(nodes, until)
        is_there = start < end
        nodes, start, end = nodes[is_there], start[is_there], end[is_there]
        before = _first_after(self._columns["partners"]["week"], start, end, since)
        sums = {name: self._until(start, end, name) - self._until(start, before, name) for name in SUMS}
        days_of = {name: self._columns["partners"][name][end - 1] for name in DAYS}
        found = pl.DataFrame({"node": nodes, **sums, **days_of, "degree": self._until(start, end, "importers")})
        return found.select(RECORD.names()).cast(dict(RECORD))

    @cached_property
    def _columns(self) -> dict[str, dict[str, np.ndarray]]:
        """Return the columns as arrays that are not copied out of the files."""
        wanted = {"nodes": ["node"], "ties": ["node"], "links": list(links.SCHEMA), "partners": list(PARTNERS)}
        return {
            table: {name: getattr(self, table)[name].to_numpy(allow_copy=False) for name in names}
            for table, names in wanted.items()
        }

    @cached_property
    def _relations(self) -> list[int]:
        """Return where each relation's rows of links begin, and the end of the last."""
        relation = self._columns["links"]["relation"]
        return np.searchsorted(relation, np.arange(len(links.RELATIONS) + 1, dtype=relation.dtype)).tolist()

    def _rows_of_importers(self, nodes: entity_codes.Hashes) -> Ints:
        """Return the rows of links that have `nodes` as importers."""
        importers, found = self._columns["links"]["importer"], []
        for start, end in itertools.pairwise(self._relations):
            low, high = _equal(importers[start:end], nodes)
            found.append(start + _ranges(low, high))
        return np.concatenate(found)

    def _span(self, nodes: entity_codes.Hashes, until: int) -> tuple[Ints, Ints]:
        """Return, for each node, its first row of partners and the row after its last one until a Monday."""
        columns = self._columns["partners"]
        start, end = _equal(columns["partner"], nodes)
        return start, _first_after(columns["week"], start, end, until)

    def _rows(self, start: Ints, end: Ints) -> Ints:
        """Return the row in links of every row of partners in the spans."""
        return self._columns["partners"]["row"][_ranges(start, end)].astype(np.int64)

    def _until(self, start: Ints, end: Ints, name: str) -> Ints:
        """Return, for each span of rows of a partner that begins with its first row, the running total at its end."""
        column = self._columns["partners"][name]
        return np.where(end > start, column[np.maximum(end, 1) - 1], 0) if len(column) else np.zeros(len(end), np.int64)


def _equal(ordered: entity_codes.Hashes, wanted: entity_codes.Hashes) -> tuple[Ints, Ints]:
    """Return, for each wanted value, its first row and the row after its last."""
    start, end = (np.asarray(np.searchsorted(ordered, wanted, side), np.int64) for side in ("left", "right"))
    return start, end


def _ranges(start: Ints, end: Ints) -> Ints:
    """Return all rows of spans, one after the other.

    >>> _ranges(np.array([3, 7]), np.array([5, 8])).tolist()
    [3, 4, 7]
    """
    count = np.maximum(end - start, 0)
    return np.repeat(start - np.cumsum(count) + count, count) + np.arange(count.sum())


@numba.njit(cache=True, nogil=True)
def _first_after(week: Ints, start: Ints, end: Ints, monday: int) -> Ints:
    """Return, for each span, whose weeks are in order, the first row after a Monday."""
    found = np.empty(len(start), np.int64)
    for k in range(len(start)):
        low, high = start[k], end[k]
        while low < high:
            middle = (low + high) // 2
            if week[middle] <= monday:
                low = middle + 1
            else:
                high = middle
        found[k] = low
    return found
