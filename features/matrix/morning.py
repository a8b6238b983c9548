"""The features of single declarations while their day goes on, bit for bit those that the night will compute for them.

A declaration sees what customs knew before its day, and nothing of the day itself: no other declaration, however much
earlier it was accepted, no correction and no outcome. Of the network it sees the state on the week's Monday. So all
declarations of one day see the same, and it is made once, in the morning. What the store holds of that day or of later
ones does not matter, and declarations that are asked about together see nothing of each other.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from features.contract import schema
from features.facts import kinds
from features.history import History, Standing, change_index, preaggregated
from features.matrix import cache
from features.matrix.matrix import TABLES, compute
from features.store import Store


@dataclass(frozen=True)
class Morning:
    """Holds what was known before `day`; `digest` covers the facts, what registers had told, and the features' code."""

    day: date
    digest: str
    standing: Standing

    @classmethod
    def of(cls, store: Store, label_delay_days: int, folder: Path, day: date) -> "Morning":
        """Make the morning from `store`, or find it in `folder`, which is that of the matrix (see cache.py).

        ValueError where nothing was ever declared.
        """
        before = cache.before(store, label_delay_days, folder, day)
        standing = Standing(change_index.number(day), preaggregated.Settled((before.settled,)), before.none, TABLES)
        morning = cls(day, before.digest, standing)
        nobody = pl.DataFrame(schema=schema("declarations")).clear(1)
        # Everything is computed now, so that the first request need not wait for it.
        morning.features(nobody.with_columns(accepted_at=pl.lit(day, pl.Datetime("us"))))
        return morning

    def features(self, declarations: pl.DataFrame) -> pl.DataFrame:
        """Return the identity and all features of the catalogue for contract rows accepted on the day.

        Features are in the order of the catalogue, and rows in that of `declarations`. The version given is the one
        that counts. ValueError for a declaration of another day.
        """
        return compute(self.history(declarations))

    def history(self, declarations: pl.DataFrame) -> History:
        """Return what such declarations see; see `features`."""
        # Polars keeps a column whose rows were put together and are all equal as one value, and divides by such a one
        # by multiplying by its inverse: another last bit. As series, columns are what they are in the night.
        rows = pl.DataFrame(declarations.get_columns()).with_columns(
            **kinds.DERIVED, day=pl.lit(change_index.number(self.day), pl.Int64)
        )
        others = rows.filter(pl.col("accepted_at").dt.date() != self.day)
        if not others.is_empty():
            raise ValueError(
                f"declaration {others['declaration_id'][0]} was accepted on {others['accepted_at'][0]:%Y-%m-%d}; this "
                f"morning is that of {self.day} and knows nothing of other days"
            )
        return self.standing.asked_by(rows)
