"""The other way: from a file, an outcome or a company to the decisions that it touched."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import msgspec
import polars as pl

from features.contract import KEY
from features.facts import asof
from models.decisions import DecisionLog
from models.trace.night import Night
from models.trace.tracing import NIGHT, WINDOW

PARTIES = ("importer_id", "seller_id", "declarant_id", "courier_id")
_PAGE = 1_000
# Says how an item, as it was declared, was touched by what is asked about on its day; empty if it was not.
_How = Callable[[Mapping[str, Any], date], str]


class Decided(msgspec.Struct, frozen=True):
    """A decision about an item; `how` names the table or column by which it was touched."""

    declaration_id: str
    item_number: int
    version: int
    by: str
    id: str
    decided_at: datetime
    lane: str
    how: str


def by_file(log: DecisionLog | None, night: Night, file: str) -> list[Decided]:
    """Return the decisions about declarations of which a delivered file told something, declared or found.

    LookupError if the store knows no file of that name.
    """
    names = {batch.file for batch in night.store.batches}
    wanted = [name for name in names if file in (name, name.rpartition("/")[2])]
    if not wanted:
        raise LookupError(f"{night.store.root} has nothing of a file {file!r}; allowed: the name of a delivered file")
    told: dict[str, str] = {}
    for table in ("outcomes", "outcomes_superseded", "declarations", "declarations_superseded"):
        rows = night.store.scan(table).filter(pl.col("source_file").is_in(wanted)).select("declaration_id")
        told |= dict.fromkeys(rows.unique().collect()["declaration_id"], table.removesuffix("_superseded"))
    is_told = pl.col("declaration_id").is_in(list(told))
    return _touched(log, night, lambda row, day: told.get(row["declaration_id"], ""), is_told)


def by_company(log: DecisionLog | None, night: Night, company: str) -> list[Decided]:
    """Return the decisions about items that name a company, as whatever party."""
    return _touched(log, night, lambda row, day: _named(row, {company}), _names([company]))


def by_outcome(log: DecisionLog | None, night: Night, declaration_id: str, label_delay_days: int) -> list[Decided]:
    """Return the decisions about a declaration with an outcome, and those that knew of it by a company.

    These are about items that name one of the companies of the declaration, and that were accepted after the day on
    which an outcome of it was first known. LookupError if none is stored.
    """
    is_own = pl.col("declaration_id") == declaration_id
    outcomes = [night.store.scan(table).filter(is_own) for table in ("outcomes", "outcomes_superseded")]
    known_on = asof.outcome_versions(*outcomes, label_delay_days).select(pl.col("known_on").min()).collect().item()
    if known_on is None:
        raise LookupError(f"{night.store.root} has no outcome of declaration {declaration_id!r}")
    companies = {company for row in night.declared(declaration_id).select(PARTIES).rows() for company in row if company}

    def how(row: Mapping[str, Any], day: date) -> str:
        if row["declaration_id"] == declaration_id:
            return "outcome"
        return _named(row, companies) if day > known_on else ""

    return _touched(log, night, how, is_own | _names(companies))


def _touched(log: DecisionLog | None, night: Night, how: _How, stored: pl.Expr) -> list[Decided]:
    """Return what was touched, oldest first; `stored` says which items of the store may have been."""
    found = list(_by_window(log, how)) if log else []
    declared = night.accepted(pl.lit(True)).filter(stored).select(*KEY, *PARTIES).collect()
    found += _by_night(log, night, how, declared)
    return sorted(found, key=lambda each: (each.decided_at, each.declaration_id, each.version, each.item_number))


def _by_window(log: DecisionLog, how: _How) -> Iterator[Decided]:
    last = 0
    while page := log.after(last, _PAGE):
        last = page[-1][0]
        for _, decision in page:
            for item, row in zip(decision.items, decision.declared, strict=True):
                if word := how(row, decision.day):
                    yield Decided(
                        decision.declaration_id,
                        item.item_number,
                        decision.version,
                        WINDOW,
                        decision.decision_id,
                        decision.received_at,
                        item.lane,
                        word,
                    )


def _by_night(log: DecisionLog | None, night: Night, how: _How, declared: pl.DataFrame) -> Iterator[Decided]:
    """Yield what the night has selected of the items; what the window had handed over to it is the window's."""
    for number, rows in night.selections.of(declared["declaration_id"].unique().to_list()):
        known = log.decided(rows["declaration_id"].unique().to_list()) if log else set()
        for row in rows.join(declared, on=KEY, maintain_order="left").iter_rows(named=True):
            if row["declaration_id"] not in known and (word := how(row, row["accepted_on"])):
                yield Decided(
                    row["declaration_id"],
                    row["item_number"],
                    1,
                    NIGHT,
                    str(number),
                    row["selected_at"],
                    row["lane"],
                    word,
                )


def _names(companies: Collection[str]) -> pl.Expr:
    return pl.any_horizontal(pl.col(party).is_in(list(companies)) for party in PARTIES)


def _named(row: Mapping[str, Any], companies: Collection[str]) -> str:
    """Return as which party an item names one of the companies; empty if it names none."""
    return next((party for party in PARTIES if row.get(party) in companies), "")
