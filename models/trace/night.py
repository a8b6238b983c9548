"""What the night has kept of a source: whom it selected, the reasons on its work lists, and what was declared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from features.contract import KEY
from features.store import Store
from models.places import Places
from models.targeting import selection_log


@dataclass(frozen=True)
class Night:
    """Holds what the night keeps of a source: its selections, their work lists, and the store of declarations."""

    selections: selection_log.SelectionLog
    work_lists: Path
    store: Store

    @classmethod
    def of(cls, places: Places, source: str) -> Self:
        """Return what is kept of a source in an installation."""
        selections = selection_log.SelectionLog(places.selections(source))
        return cls(selections, places.work_lists(source), Store(places.store(source).absolute()))

    def declared(self, declaration_id: str) -> pl.DataFrame:
        """Return the items of a declaration by number, each as it was accepted, whatever has corrected it since."""
        return self.accepted(pl.col("declaration_id") == declaration_id).collect().sort("item_number")

    def accepted(self, which: pl.Expr) -> pl.LazyFrame:
        """Scan the items of the declarations for which `which` is true, each as it was accepted."""
        tables = [self.store.scan(table).filter(which) for table in ("declarations", "declarations_superseded")]
        known_at = pl.coalesce("recorded_at", "accepted_at")
        return pl.concat(tables).filter(known_at == known_at.min().over(KEY))
