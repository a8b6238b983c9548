"""Items that two people judged, neither of whom knew of the other: what a desk hands over, and data/ keeps.

    second_looks/<source>/000001.parquet     what was new at one time, numbered without a gap

Rows are added and never changed. A supervisor's ruling on a disagreement is a later row about the same item.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from features.contract import KEY
from features.disk import write_atomically
from models.policy import LANES

# `first_kinds` and `second_kinds` are the kinds of infringement found (models/desk/record.py), separated by blanks, and
# empty where nothing was found. `counts` is the look that a supervisor has ruled to count, 1 or 2, and null without a
# ruling. `known_at` is legal time.
SCHEMA = pl.Schema(
    {
        "declaration_id": pl.String(),
        "item_number": pl.Int32(),
        "office": pl.String(),
        "lane": pl.Enum(LANES),
        "first_kinds": pl.String(),
        "second_kinds": pl.String(),
        "counts": pl.Int8(),
        "known_at": pl.Datetime("us"),
    }
)
_VERSION = (*KEY, "known_at")
HANDED_OVER = "second-looks-"  # begins the names of the desk's files, see models/desk/exports.py


@dataclass(frozen=True)
class LookLog:
    """The second looks at declarations of one source, in folder `root`. One process writes at a time."""

    root: Path

    def read(self) -> pl.DataFrame:
        """Return every row (SCHEMA), in the order in which they came."""
        return _read(self.root, "*.parquet")

    def append(self, rows: pl.DataFrame) -> None:
        """Keep the rows (SCHEMA) that are not kept yet, in a file of their own."""
        new = others(rows, self.read())
        if not new.is_empty():
            self.root.mkdir(parents=True, exist_ok=True)
            number = len(list(self.root.glob("*.parquet"))) + 1
            write_atomically(self.root / f"{number:06}.parquet", new.write_parquet)


def handed_over(folder: Path) -> pl.DataFrame:
    """Return every row (SCHEMA) that a desk has handed over, in order."""
    return _read(folder, f"{HANDED_OVER}*.parquet")


def others(rows: pl.DataFrame, than: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that are not among others, in their order."""
    return rows.join(than, on=_VERSION, how="anti", maintain_order="left")


def known(rows: pl.DataFrame, before: date) -> pl.DataFrame:
    """Return the last word on each item of what was known before a day, by KEY; later rows change nothing."""
    so_far = rows.filter(pl.col("known_at") < pl.lit(before).cast(pl.Datetime("us")))
    return so_far.sort(_VERSION).unique(KEY, keep="last", maintain_order=True)


def _read(folder: Path, names: str) -> pl.DataFrame:
    found = (pl.read_parquet(file).select(SCHEMA.names()).cast(SCHEMA) for file in sorted(folder.glob(names)))
    return pl.concat([pl.DataFrame(schema=SCHEMA), *found])
