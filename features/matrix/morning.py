"""The features of single declarations while their day goes on, bit for bit those that the night will compute of them.

A declaration sees what customs knew before its day, and nothing of the day itself: neither another declaration, however
much earlier it was accepted, nor a correction, nor an outcome. Of the network it sees that of the week's Monday. So all
that declarations of one day see is the same, and is made once, in the morning; what the store holds of that day or of
later ones plays no part in it, and two that are asked about together see nothing of each other.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from features.contract import schema
from features.facts.facts import DERIVED
from features.history.change_index import number
from features.history.history import History
from features.history.preaggregated import Settled
from features.history.standing import Standing
from features.matrix import cache
from features.matrix.matrix import TABLES, compute
from features.store.store import Store


@dataclass(frozen=True)
class Morning:
    """What was known before `day`. `digest` names it: the facts, what registers had told, and the features' code."""

    day: date
    digest: str
    standing: Standing

    @classmethod
    def of(cls, store: Store, label_delay_days: int, folder: Path, day: date) -> "Morning":
        """Make it from `store`, or find it in `folder`, which is that of the matrix (see cache.py).

        ValueError where nothing was ever declared.
        """
        before = cache.before(store, label_delay_days, folder, day)
        standing = Standing(number(day), Settled((before.settled,)), before.none, TABLES)
        morning = cls(day, before.digest, standing)
        nobody = pl.DataFrame(schema=schema("declarations")).clear(1)
        morning.features(nobody.with_columns(accepted_at=pl.lit(day, pl.Datetime("us"))))  # the first waits for nothing
        return morning

    def features(self, declarations: pl.DataFrame) -> pl.DataFrame:
        """Identity and all features of the catalogue, in their order, of contract rows accepted on the day, in theirs.

        What counts of a declaration is the version given. ValueError for one of another day.
        """
        return compute(self.history(declarations))

    def history(self, declarations: pl.DataFrame) -> History:
        """What such declarations see; see `features`."""
        rows = declarations.with_columns(**DERIVED, day=pl.lit(number(self.day), pl.Int64))
        others = rows.filter(pl.col("accepted_at").dt.date() != self.day)
        if not others.is_empty():
            raise ValueError(
                f"declaration {others['declaration_id'][0]} was accepted on {others['accepted_at'][0]:%Y-%m-%d}; this "
                f"morning is that of {self.day} and knows nothing of other days"
            )
        return self.standing.asked_by(rows)
