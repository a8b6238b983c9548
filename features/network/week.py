"""The network on a Monday: what was known then of the two years before, and what is computed from it."""

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import polars as pl

from features.arrays import Flags, Floats, Ints
from features.facts import entity_codes
from features.network import links, measures, ties
from features.network.measures import NEVER, Edges, Totals

WINDOW_DAYS = 2 * 52 * 7  # whole weeks, and well within the look-back
DECLARED, INSPECTED, HITS, FIRST, LAST, LAST_HIT = range(6)
_NOTHING = (0, 0, 0, -NEVER, NEVER, NEVER)


@dataclass(frozen=True)
class Network:
    """Links (see links.py), those of a pair next to each other, and what registers told (see ties.py)."""

    links: pl.DataFrame
    told: pl.DataFrame

    @cached_property
    def nodes(self) -> entity_codes.Numbering:
        """Return importers, their partners, companies of registers and what ties them."""
        columns = [self.links["importer"], self.links["partner"], self.told["company"], self.told["value"]]
        hashes = np.concatenate([column.to_numpy() for column in columns])
        return entity_codes.Numbering.of(hashes, np.ones(len(hashes), np.bool_))

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """Return the distinct pairs in the order of links, with `row`, the place of the first link of each."""
        return self.links.with_row_index("row").group_by(links.KEY, maintain_order=True).agg(pl.col("row").first())

    @cached_property
    def _pair_places(self) -> tuple[entity_codes.Numbering, Ints]:
        keys = _pair_keys(self.pairs["importer"].to_numpy(), self.pairs["partner"].to_numpy())
        return entity_codes.Numbering.of(keys, np.ones(len(keys), np.bool_)), np.append(np.argsort(keys), -1)

    def pair_places(self, importer: entity_codes.Hashes, partner: entity_codes.Hashes, named: Flags) -> Ints:
        """Return the place of each row's pair in `pairs`; -1 where there is none."""
        numbering, places = self._pair_places
        found = numbering.codes(_pair_keys(importer, partner), named)
        return places[found]

    def on(self, monday: int) -> "Week":
        """Return what was known on the morning of `monday`, a day since 1970-01-01."""
        start = np.append(self.pairs["row"].to_numpy(), self.links.height).astype(np.int64)
        columns = [
            self.links[name].fill_null(empty).to_numpy()
            for name, empty in zip(
                ("declared", "inspected", "hits", "first", "last", "last_hit"), _NOTHING, strict=True
            )
        ]
        sums = np.tile(np.array(_NOTHING, np.int64), (len(start), 1))
        _sum(start, self.links["week"].to_numpy(), np.stack(columns, axis=1), monday - WINDOW_DAYS, monday, sums)
        return Week(self, monday, sums)


@dataclass(frozen=True)
class Week:
    """The network as known on a Monday.

    `sums` has a row for each of the network's pairs with what the window holds of it, and a last row for no pair; its
    columns are `DECLARED` etc.
    """

    network: Network
    monday: int
    sums: Ints

    @cached_property
    def edges(self) -> Edges:
        active = self.sums[:, DECLARED] > 0
        pairs, sums = self.network.pairs.filter(pl.Series(active[:-1])), self.sums[active]
        tied = ties.ties(self.network.told, self.monday)
        none = np.zeros(tied.height, np.int64)

        def joined(of_pairs: Ints, of_ties: Ints) -> Ints:
            return np.concatenate([of_pairs, of_ties])

        def codes(column: pl.Series) -> Ints:
            return self.network.nodes.codes(column.to_numpy(), np.ones(len(column), np.bool_))

        return Edges(
            relation=joined(pairs["relation"].cast(pl.Int64).to_numpy(), none + measures.TIE),
            a=joined(codes(pairs["importer"]), codes(tied["company"])),
            b=joined(codes(pairs["partner"]), codes(tied["value"])),
            inspected=joined(sums[:, INSPECTED], none),
            hits=joined(sums[:, HITS], none),
            first=joined(sums[:, FIRST], none),
            last=joined(sums[:, LAST], none),
            last_hit=joined(sums[:, LAST_HIT], none),
            nodes=len(self.network.nodes.hashes),
        )

    @cached_property
    def totals(self) -> Totals:
        return measures.totals(self.edges, self.monday)

    @cached_property
    def exposure(self) -> Floats:
        return measures.exposure(self.edges, self.totals, self.monday)

    def across(self, relation: int) -> tuple[Floats, Floats, Floats]:
        return measures.across(self.edges, self.totals, relation)

    def community_hit_rate(self, prior_weight: float) -> Floats:
        """Return hits over inspections of the others in each node's community, smoothed towards everyone's rate.

        The rate is NaN for a node without a community.
        """
        label, found = measures.communities(self.edges, self.totals), self.totals
        is_importer = found.partners[:, measures.DECLARANT] > 0
        inspected, hits = (np.where(is_importer, each, 0) for each in (found.inspected, found.hits))
        usual = hits.sum() / max(int(inspected.sum()), 1)
        own = np.maximum(label, 0)
        all_inspected, all_hits = (
            np.bincount(own[label >= 0], each[label >= 0], len(label))[own] for each in (inspected, hits)
        )
        rate = (all_hits - hits + prior_weight * usual) / (all_inspected - inspected + prior_weight)
        return np.where(label >= 0, rate, np.nan)


def _pair_keys(importer: entity_codes.Hashes, partner: entity_codes.Hashes) -> entity_codes.Hashes:
    return entity_codes.mixed([importer, partner], len(importer))


@numba.njit(cache=True, nogil=True)
def _sum(start: Ints, week: Ints, values: Ints, after: int, until: int, out: Ints) -> None:
    for pair in range(len(start) - 1):
        for row in range(start[pair], start[pair + 1]):
            if after < week[row] <= until:
                for k in range(3):
                    out[pair, k] += values[row, k]
                out[pair, 3] = min(out[pair, 3], values[row, 3])
                for k in range(4, 6):
                    out[pair, k] = max(out[pair, k], values[row, k])
