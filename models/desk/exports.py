"""What officers found, handed over to the night as rows of the contract, which the night's run ingests as any others.

    outcomes-000000123.parquet        all results up to number 123 that no file before it has

The files lie beside those that the window hands over (models/decisions/exports.py). A result that replaces another one
is a later row about the same item, and so a correction. Not here: what counts as a result (findings.py).
"""

from datetime import datetime
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from features.contract import schema
from features.disk import write_atomically
from models.database import Tables
from models.decisions import exports
from models.desk.desk import tables
from models.desk.tables import results


def opened(database_uri: str) -> Tables:
    """Return the desk's tables in a database, which are made if they are not there; Unavailable as `hand_over`."""
    found = tables(database_uri)
    found.migrate()
    return found


def hand_over(desk: Tables, folder: Path, before: datetime) -> Path | None:
    """Write what came to be known before an instant and is in no file yet; return the file, or None if it is nothing.

    `before` is in legal time. Unavailable if the database does not answer, OSError if the file cannot be written.
    """
    last = max((int(path.stem.removeprefix(exports.OUTCOMES)) for path in _files(folder)), default=0)
    legal = before.replace(tzinfo=None)
    with desk.reading() as connection:
        # Numbers are in the order of commits, which is not quite that of the clock: what follows on a later one waits.
        later = sa.select(sa.func.min(results.c.number)).where(results.c.number > last, results.c.known_at >= legal)
        end = connection.execute(later).scalar()
        query = sa.select(results).where(results.c.number > last)
        rows = connection.execute((query if end is None else query.where(results.c.number < end)).order_by("number"))
        told = [dict(row) | {"is_inspected": True} for row in rows.mappings()]
    if not told:
        return None
    path = folder / f"{exports.OUTCOMES}{told[-1]['number']:09}.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    columns = schema("outcomes")
    frame = pl.DataFrame([{name: row[name] for name in columns} for row in told], schema=columns)
    write_atomically(path, frame.write_parquet)
    return path


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{exports.OUTCOMES}*.parquet"))
