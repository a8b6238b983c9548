"""What the night has selected of a source: its log, and the store that has what was declared.

Not here: how cases come of it (cases.py), and how the night selects (targeting).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

import polars as pl

from features.contract import KEY
from features.store import Store
from models.desk.record import GREEN, rank
from models.places import Places
from models.targeting import selection_log


@dataclass(frozen=True)
class Selected:
    """A declaration that the night has put into a lane; `items` are its rows in the log of selections."""

    declaration_id: str
    office: str
    lane: str
    accepted_at: datetime
    selected_at: datetime
    items: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Night:
    """Holds the selections of a source, and the store of its declarations."""

    selections: selection_log.SelectionLog
    store: Store

    @classmethod
    def of(cls, places: Places, source: str) -> Self:
        """Return what is selected of a source in an installation."""
        return cls(selection_log.SelectionLog(places.selections(source)), Store(places.store(source)))

    def selected(self, rows: pl.DataFrame) -> list[Selected]:
        """Return the declarations in rows of the log of selections, by their items, in order.

        ValueError names an item that is not stored.
        """
        if rows.is_empty():
            return []
        # All days are read: a correction may have moved a declaration to another one.
        stored = self.store.scan("declarations").select(*KEY, "accepted_at")
        found = rows.lazy().join(stored, on=KEY, how="left", maintain_order="left").collect()
        for name, item in found.filter(pl.col("accepted_at").is_null()).select(KEY).iter_rows():
            raise ValueError(f"declaration {name} item {item} was selected and is not in {self.store.root}")
        return [
            _of(own.rename({"selection_probability": "probability"}).to_dicts())
            for own in found.partition_by("declaration_id", maintain_order=True)
        ]

    def declared(self, declaration_id: str, day: date) -> list[dict[str, Any]]:
        """Return the items of a declaration accepted on `day`, as rows of the contract; none if it is not stored."""
        rows = self.store.scan("declarations", day, day).filter(pl.col("declaration_id") == declaration_id)
        return rows.sort("item_number").collect().to_dicts()


def in_a_lane(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of declarations of which some item is not green."""
    return rows.filter((pl.col("lane") != GREEN).any().over("declaration_id"))


def _of(items: list[dict[str, Any]]) -> Selected:
    first, lane = items[0], min((item["lane"] for item in items), key=rank)
    return Selected(first["declaration_id"], first["office"], lane, first["accepted_at"], first["selected_at"], items)
