"""Days that are over, handed over to the night: what was declared and how it was chosen, as files that runs ingest.

    declarations-2024-05-02.parquet   every version that was decided on that day, as rows of the contract
    selections-2024-05-02.parquet     how each declaration that first came on that day was chosen in the end
    outcomes-000000123.parquet        what officers found of items, see models/desk/exports.py
    second-looks-2024-05-03.parquet   what two of them found of the same items

So training and the nightly selection read `data/` alone, where these files go by ordinary ingestion. A file is written
once; one of a day, when its day is over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from features.contract import schema
from features.disk import write_atomically
from features.reading import Batch, Chunk, files
from models.decisions.log import DecisionLog
from models.decisions.record import Decision
from models.live import Plan
from models.targeting import selection_log

OUTCOMES = "outcomes-"
_DECLARATIONS, _SELECTIONS = "declarations-", "selections-"


def rows_of(decision: Decision) -> pl.DataFrame:
    """Return what a decision's version declares, as rows of the contract."""
    columns = schema("declarations")
    instants = [name for name, dtype in columns.items() if dtype == pl.Datetime("us")]
    text = {name: pl.String() if name in instants else dtype for name, dtype in columns.items()}
    rows = pl.DataFrame(list(decision.declared), schema=text)
    return rows.with_columns(pl.col(name).str.to_datetime(time_unit="us") for name in instants)


def declarations_file(day: date) -> str:
    """Return the name of the file with a day's declarations, which comes last of what is handed over of it."""
    return f"{_DECLARATIONS}{day}.parquet"


def hand_over(log: DecisionLog, folder: Path, before: date) -> list[Path]:
    """Write the files of each day before `before` that has decisions and no files yet; return them, oldest first.

    Unavailable if the log does not answer, OSError if a file cannot be written.
    """
    written = []
    for day, commitment, _ in log.days():
        paths = [folder / f"{kind}{day}.parquet" for kind in (_SELECTIONS, _DECLARATIONS)]
        if day >= before or paths[-1].exists():
            continue
        decisions = list(log.of_day(day))
        if decisions:
            folder.mkdir(parents=True, exist_ok=True)
            for path, rows in zip(
                paths, (_selections(log, decisions, commitment), _declarations(log, decisions)), strict=True
            ):
                write_atomically(path, rows.write_parquet)
            written += paths
    return written


def selections(folder: Path) -> pl.DataFrame:
    """Return all selections that were handed over (selection_log.SCHEMA), in the order of their days."""
    found = sorted(folder.glob(f"{_SELECTIONS}*.parquet"))
    return selection_log.read_files(found)


@dataclass(frozen=True)
class Told(files.InputFile):
    """One file of rows of a contract table, as a batch of a source."""

    table: str

    def chunks(self) -> Iterator[Chunk]:
        rows = pl.read_parquet(self.path).with_row_index("source_line", offset=1)
        rows = rows.with_columns(pl.col("source_line").cast(pl.Int64), unreadable=pl.lit(None, pl.String()))
        raw = rows.drop("unreadable").cast({name: pl.String() for name in schema(self.table)})
        yield Chunk(raw, {self.table: rows})


@dataclass(frozen=True)
class HandedOver:
    """The source of what the window and the desk have handed over."""

    folder: Path
    name: str = "window"

    def batches(self) -> Iterator[Batch]:
        for begins, table in ((_DECLARATIONS, "declarations"), (OUTCOMES, "outcomes")):
            for path in sorted(self.folder.glob(f"{begins}*.parquet")):
                yield Told(path, table)


def _declarations(log: DecisionLog, decisions: list[Decision]) -> pl.DataFrame:
    """Return every version as rows; a later one is a correction of what was accepted when the first one came."""
    found = []
    for decision in decisions:
        rows = rows_of(decision)
        if decision.version > 1:
            first = rows_of(log.versions(decision.declaration_id)[0])["accepted_at"][0]
            rows = rows.with_columns(recorded_at="accepted_at", accepted_at=pl.lit(first, pl.Datetime("us")))
        found.append(rows)
    return pl.concat(found)


def _selections(log: DecisionLog, decisions: list[Decision], commitment: str) -> pl.DataFrame:
    """Return how the declarations were chosen that first came on this day, by their last version of the day."""
    first = {each.declaration_id for each in decisions if each.version == 1}
    last = {each.declaration_id: each for each in decisions if each.declaration_id in first}
    worth: dict[str, float] = {}
    rows = []
    for decision in last.values():
        for item in decision.items:
            if item.plan not in worth:
                document = log.document(item.plan)
                worth[item.plan] = Plan.from_json(document.content).hit_value if document else 0.0
            rows.append(
                {
                    "declaration_id": decision.declaration_id,
                    "item_number": item.item_number,
                    "accepted_on": decision.day,
                    "office": decision.office,
                    "lane": item.lane,
                    "reason": item.reason,
                    "selection_probability": item.probability,
                    "score": item.score,
                    "critical": item.critical,
                    "expected_revenue": item.expected_revenue,
                    "priority": item.priority,
                    "hit_value": worth[item.plan],
                    "exploring_share": None,
                    "model_version": decision.model_version,
                    "model_digest": decision.model_digest,
                    "policy_digest": decision.policy_digest,
                    "draw_seed": commitment,
                    "selected_at": decision.received_at,
                    "criterion": item.criterion or None,
                }
            )
    return pl.DataFrame(rows, schema=selection_log.SCHEMA)
