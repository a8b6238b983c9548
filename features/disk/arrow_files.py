"""Tables in Arrow files that are mapped into memory: parts that nobody asks for are not read."""

from pathlib import Path

import polars as pl
import pyarrow as pa


def write(path: Path, frame: pl.DataFrame) -> None:
    """Write `frame` to `path` in one batch, so that columns can be read in place. The file is not flushed."""
    table = frame.rechunk().to_arrow()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read(path: Path) -> pl.DataFrame:
    """Return the table at `path`, mapped into memory."""
    with pa.memory_map(str(path)) as file:  # Polars would take a bracket in the path for a pattern
        return pl.DataFrame(pa.ipc.open_file(file).read_all())
