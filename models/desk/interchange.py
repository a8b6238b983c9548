"""Cases for another case system, as a file, and what is found there, read from a file into the desk.

A file of findings is CSV, JSON lines, Parquet or a workbook, with a column for each of COLUMNS that it has anything to
say of. `key` is the other system's own name of the finding; read again, the file changes nothing. Either all of a file
comes in, or nothing and every fault is named.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

import msgspec
import polars as pl
import sqlalchemy as sa

from features.presentation import spreadsheet
from features.reading import csv_dialect, files
from models.desk.desk import Desk
from models.desk.filing import items_of
from models.desk.record import Case, Filed, Finding, Officer, Refused, Wrong
from models.desk.shared import SECOND, require_supervisor
from models.desk.tables import cases

NEEDED = ("key", "declaration_id", "officer", "found_at")
COLUMNS = (*NEEDED, "item_number", "kind", "words", "is_critical", "value", "revenue", "net_mass_kg")
_TRUTHS = {"": False, "0": False, "false": False, "1": True, "true": True}
_SHOWN = 20


@dataclass(frozen=True)
class Fault:
    """Says what is wrong in a row of a file: the row's line, the column, what it holds and what is allowed."""

    line: int
    column: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.value!r}; allowed: {self.allowed}"


class FileRefused(Refused):
    """Nothing of a file comes in. `faults` has all that is wrong; the message names the first of them."""

    def __init__(self, name: str, faults: list[Fault]) -> None:
        more = f"\n... and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        super().__init__(f"{name}: " + "\n".join(map(str, faults[:_SHOWN])) + more)
        self.faults = faults


def write_cases(desk: Desk, officer: Officer, path: Path) -> int:
    """Write the open cases of a supervisor's offices, by time limit, and return how many.

    A name that ends with .jsonl gets JSON lines, and one with .csv a table, with items and lanes as "1 red; 2 blue".
    Nothing in it tells why a declaration was chosen. Refused where it ends otherwise.
    """
    require_supervisor(officer)
    with desk.shared.tables.reading() as connection:
        query = sa.select(cases.c.number).where(cases.c.closed_at.is_(None), cases.c.office.in_(officer.offices))
        count = len(connection.execute(query).all())
    every = desk.queue.page(officer, most=count)
    if path.suffix == ".jsonl":
        path.write_bytes(b"".join(msgspec.json.encode(case) + b"\n" for case in every))
    elif path.suffix == ".csv":
        spreadsheet.write(path, pl.DataFrame([_row(case) for case in every], schema=_SCHEMA))
    else:
        raise Refused(f"{path.name}: the name ends with {path.suffix!r}; allowed: .csv, .jsonl")
    return len(every)


def read_findings(desk: Desk, officer: Officer, path: Path) -> list[Filed]:
    """File what another case system found, and release the cases of which every inspected item is judged then.

    Whoever found it is as the file says, and needs not have taken the case here. A finding about a case that somebody
    here has in hand or has closed is kept as a conflict. FileRefused if anything in the file cannot be; ReadError if it
    is no such file.
    """
    require_supervisor(officer)
    faults: list[Fault] = []
    told: list[tuple[str, Finding]] = []
    for lines in files.read_any(path, NEEDED, csv_dialect.Dialect(), path.name):
        faults += [Fault(line, "", text, reason) for line, text, reason in lines.malformed.iter_rows()]
        if strange := [name for name in lines.frame.columns if name not in ("source_line", *COLUMNS)]:
            raise FileRefused(path.name, [Fault(1, strange[0], strange[0], f"the columns {', '.join(COLUMNS)}")])
        for row in lines.frame.iter_rows(named=True):
            try:
                told.append(_read(desk, officer, row))
            except Wrong as wrong:
                faults.append(Fault(row["source_line"], wrong.column, wrong.value, wrong.allowed))
    if faults:
        raise FileRefused(path.name, faults)
    filed = [desk.findings.bring_in(officer, name, finding) for name, finding in told]
    for each in filed:
        desk.endings.release_judged(officer, each.finding.case, each.officer)
    return filed


def _read(desk: Desk, officer: Officer, row: Mapping[str, object]) -> tuple[str, Finding]:
    """Return who found what; Wrong names the column that cannot be."""
    cell = {name: str(row.get(name) if row.get(name) is not None else "").strip() for name in COLUMNS}
    for name in NEEDED:
        if not cell[name]:
            raise Wrong(name, "", "a value")
    with desk.shared.tables.reading() as connection:
        query = sa.select(cases.c.number).where(
            cases.c.declaration_id == cell["declaration_id"],
            cases.c.look != SECOND,
            cases.c.office.in_(officer.offices),
        )
        number = connection.execute(query).scalar()
        if number is None:
            raise Wrong("declaration_id", cell["declaration_id"], "a declaration that has a case in your offices")
        item_numbers = [str(item.item_number) for item in items_of(connection, number)]
    if cell["item_number"] not in ("", *item_numbers):
        raise Wrong("item_number", cell["item_number"], f"{', '.join(item_numbers)}, or nothing for all inspected")
    if cell["is_critical"].lower() not in _TRUTHS:
        raise Wrong("is_critical", cell["is_critical"], "true, false")
    return cell["officer"], Finding(
        key=cell["key"],
        case=number,
        found_at=_instant(cell["found_at"], desk.shared.now().tzinfo),
        item_number=int(cell["item_number"]) if cell["item_number"] else None,
        kind=cell["kind"],
        words=cell["words"],
        is_critical=_TRUTHS[cell["is_critical"].lower()],
        value=_number("value", cell["value"]),
        revenue=_number("revenue", cell["revenue"]),
        net_mass_kg=_number("net_mass_kg", cell["net_mass_kg"]),
    )


def _instant(text: str, zone: tzinfo | None) -> datetime:
    """Return an instant; without a zone it is in legal time."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Wrong("found_at", text, "an instant as 2024-05-02T14:00, in legal time or with its zone") from None
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _number(column: str, text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise Wrong(column, text, "a number as 1234.5") from None


_SCHEMA = {
    "case": pl.Int64(),
    "declaration_id": pl.String(),
    "version": pl.Int64(),
    "office": pl.String(),
    "lane": pl.String(),
    "items": pl.String(),
    "accepted_at": pl.String(),
    "opened_at": pl.String(),
    "due_at": pl.String(),
    "holder": pl.String(),
}


def _row(case: Case) -> dict[str, object]:
    plain = json.loads(msgspec.json.encode(case))
    inspected = "; ".join(f"{item.item_number} {item.lane}" for item in case.items if item.is_inspected)
    return {name: plain.get(name) for name in _SCHEMA} | {"case": case.number, "items": inspected}
