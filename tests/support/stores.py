"""Rows put into a store without an ingestion."""

from typing import Any

import polars as pl

from features.contract import FILING
from features.store import parquet
from features.store.store import BatchRecord, Store
from tests.support.declarations import frame


def put(store: Store, table: str, rows: list[dict[str, Any]]) -> None:
    """Replace the days of `rows` by these rows, in one commit."""
    base = table.removesuffix("_superseded")
    stored = frame(base, rows)
    stored = stored.with_columns(source_file=pl.lit("test"), source_line=pl.int_range(pl.len(), dtype=pl.Int64))
    changed = {
        (table, day): store.write_day(table, day, [part.select(parquet.schema(table).names()).to_arrow()])
        for (day,), part in stored.group_by(pl.col(FILING[base].placed_by).dt.date(), maintain_order=True)
    }
    store.commit(changed, [BatchRecord("test", f"{len(store.batches):064d}", len(rows), len(rows), 0, 0, 0, {})])
