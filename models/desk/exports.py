"""What officers found, handed over to the night as rows of the contract, which the night's run ingests as any others.

    outcomes-000000123.parquet        all results up to number 123 that no file before it has
    second-looks-2024-05-03.parquet   items that were judged twice before this day, and that no file before it has

The files lie beside those that the window hands over (models/decisions/exports.py). A result that replaces another one
is a later row about the same item, and so a correction. Second looks are no outcomes: what they tell is how much the
first ones find (detection). Not here: what counts as a result (findings.py).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from features.contract import schema
from features.disk import write_atomically
from models.database import Tables
from models.decisions import exports
from models.desk import second_look
from models.desk.desk import tables
from models.desk.filing import Numbers, given_of
from models.desk.record import GREEN, Filed
from models.desk.tables import items, results, rulings
from models.detection import looks

_FIRST, _SECOND = 1, 2  # which look a ruling has count
_SLOWEST = timedelta(days=2)  # between the instant that a row names and its commit, at the most


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


def hand_over_second_looks(desk: Tables, folder: Path, before: datetime) -> Path | None:
    """Write the items that two people had judged before a midnight, and that are in no file yet; return the file.

    It is written once for a day, and is empty where there was nothing; None if it is there. `before` has the zone of
    legal time. Errors are those of `hand_over`.
    """
    path = folder / f"{looks.HANDED_OVER}{before.date()}.parquet"
    if path.exists():
        return None
    earlier = looks.handed_over(folder)
    last: datetime | None = earlier["known_at"].max()  # ty: ignore[invalid-assignment]
    since = last.replace(tzinfo=before.tzinfo) - _SLOWEST if last else None
    rows = pl.DataFrame(list(_judged_twice(desk, since, before)), schema=looks.SCHEMA)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, looks.others(rows, earlier).write_parquet)
    return path


def _judged_twice(desk: Tables, since: datetime | None, before: datetime) -> Iterator[dict[str, object]]:
    """Yield a row (looks.SCHEMA) for each item of a pair of looks, and one more for each ruling on the pair.

    The pairs are those that were completed or ruled on from `since`, or ever, up to `before`.
    """
    pairs, first, again = second_look.pairs(), second_look.FIRST.c.number, second_look.AGAIN.c.number
    is_ruling = sa.and_(rulings.c.counts.is_not(None), rulings.c.at < before)
    pairs = pairs.where(second_look.AGAIN.c.closed_at < before)
    if since is not None:
        lately = sa.select(rulings.c.case_number).where(is_ruling, rulings.c.at >= since)
        pairs = pairs.where(sa.or_(second_look.AGAIN.c.closed_at >= since, first.in_(lately)))
    numbers, others = (pairs.order_by(None).with_only_columns(number) for number in (first, again))
    with desk.reading() as connection:
        found = connection.execute(pairs).all()
        given = given_of(connection, numbers) | given_of(connection, others)
        inspected = _inspected(connection, numbers) | _inspected(connection, others)
        of_pairs = sa.select(rulings).where(is_ruling, rulings.c.case_number.in_(numbers)).order_by(rulings.c.number)
        ruled = connection.execute(of_pairs).all()
    for pair in found:
        versions: dict[datetime, int | None] = {pair.again_at: None}
        for ruling in ruled:
            if ruling.case_number == pair.number:
                versions[max(ruling.at, pair.again_at)] = _SECOND if ruling.counts == pair.again else _FIRST
        for item_number, lane in inspected.get(pair.number, {}).items():
            if item_number not in inspected.get(pair.again, {}):
                continue
            told = {
                "declaration_id": pair.declaration_id,
                "item_number": item_number,
                "office": pair.office,
                "lane": lane,
                "first_kinds": _kinds(given.get(pair.number, ()), item_number),
                "second_kinds": _kinds(given.get(pair.again, ()), item_number),
            }
            for at, counts in versions.items():
                yield told | {"counts": counts, "known_at": at.astimezone(before.tzinfo).replace(tzinfo=None)}


def _inspected(connection: sa.Connection, wanted: Numbers) -> dict[int, dict[int, str]]:
    """Return the lanes of the inspected items of each of the cases that a query numbers, by their numbers."""
    query = sa.select(items).where(items.c.case_number.in_(wanted), items.c.lane != GREEN)
    found: dict[int, dict[int, str]] = {}
    for row in connection.execute(query.order_by(items.c.item_number)):
        found.setdefault(row.case_number, {})[row.item_number] = row.lane
    return found


def _kinds(given: Iterable[Filed], item_number: int) -> str:
    """Return the kinds of infringement found in an item, each once."""
    return " ".join(sorted({each.finding.kind for each in given if each.finding.item_number == item_number} - {""}))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{exports.OUTCOMES}*.parquet"))
