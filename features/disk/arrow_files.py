"""Tables in Arrow files that are mapped into memory: what nobody asks about is not read."""

from pathlib import Path

import polars as pl
import pyarrow as pa


def write(path: Path, frame: pl.DataFrame) -> None:
    """Write `frame` in one batch, so that its columns are arrays where they lie. Not flushed to the disk."""
    table = frame.rechunk().to_arrow()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read(path: Path) -> pl.DataFrame:
    """The table at `path`."""
    with pa.memory_map(str(path)) as file:  # Polars would take a bracket in the path for a pattern
        return pl.DataFrame(pa.ipc.open_file(file).read_all())
