"""Run a back-test from files: read, validate, compute features, then call models.backtesting.backtests.

It needs no server and leaves no store behind.

Lines of the training files that validation refuses are left out, as they are in a nightly retraining. Lines of the test
files are scored even if validation refuses them: an officer has to decide about a declaration however poor its data is.
Lines that cannot be scored at all (no key, no day of acceptance) are listed. The outcomes of the test files reach
neither the features nor the model.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from features import contract
from features.contract import KEY
from features.facts import asof, kinds
from features.history import History
from features.ingestion import IngestReport, ingest
from features.matrix import CATALOGUE, compute, with_labels
from features.network import ties
from features.sources import open_source
from features.store import Store, parquet
from features.validation import amounts, validate
from flows.progress import stage
from models.backtesting import backtest
from models.policy import Policy
from models.policy import load as load_policy

_NEEDED = ("declaration_id", "accepted_at")
# The ids of the two sides are kept apart: an id that returns years later is another declaration, not a correction.
_TRAINING = "training:"


@dataclass(frozen=True)
class _Test:
    """The lines of the test files: those that can be scored, their outcomes, and those that cannot be scored."""

    declarations: pl.DataFrame
    outcomes: pl.DataFrame
    unscored: list[dict[str, Any]]
    failing_lines: int


def run(source: str, train: Sequence[str], test: Sequence[str], out: Path) -> dict[str, Any]:
    """Train on some files, score others, write `out`/predictions.csv, and return a JSON-able account of it.

    Raises what reading and ingesting raise (ReadError, BatchRejected), and ValueError if there is nothing to learn
    from.
    """
    policy = load_policy()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".backtest-", dir=out) as scratch:
        store = Store(Path(scratch))
        with stage("Read and validate training files") as advance:
            report = ingest(open_source(source, train), store, policy.ingestion, lambda file, lines: advance(lines, 0))
        with stage("Read test files"):
            scored = _read_test(source, test, amounts.stored(store))
        with stage("Compute features"):
            known, asked = _datasets(store, scored, policy)
    with stage("Train, score and measure") as advance:
        account = backtest(known, asked, scored.outcomes, policy, CATALOGUE, out, advance)
    account["train"] |= _ingested(report)
    account["test"] |= {"failing_validation": scored.failing_lines, "unscored": scored.unscored}
    return account


def _read_test(source: str, files: Sequence[str], currency: str | None) -> _Test:
    """Read the test files; `currency` is that of the training files' amounts, and lines in another cannot be scored."""
    declarations, outcomes, unscored, failing = [], [], [], 0
    for batch in open_source(source, files).batches():
        for chunk in batch.chunks():
            for table, frame in chunk.tables.items():
                origin = frame.with_columns(source_file=pl.lit(batch.name)).select(parquet.schema(table).names())
                if table == "declarations":
                    failing += validate(table, frame).failures["source_line"].n_unique()
                    declarations.append(origin)
                elif table == "outcomes":
                    outcomes.append(origin)
            unscored += [
                {"file": batch.name, **row} for row in chunk.malformed.select("source_line", "reason").to_dicts()
            ]
    every = pl.concat([pl.DataFrame(schema=parquet.schema("declarations")), *declarations])
    lacking = pl.any_horizontal(pl.col(_NEEDED).is_null())
    again = pl.struct(KEY).is_duplicated() & ~pl.struct(KEY).is_first_distinct()
    foreign = (pl.col("currency") != currency).fill_null(value=False)
    why = (
        pl.when(lacking)
        .then(pl.lit("no id or date"))
        .when(again)
        .then(pl.lit("its key stands in an earlier line"))
        .when(foreign)
        .then(pl.format("its value is in {}, those learned from in {}", "currency", pl.lit(currency)))
    )
    left = every.with_columns(reason=why).filter(pl.col("reason").is_not_null())
    unscored += left.select("source_line", "reason", file="source_file").to_dicts()
    found = pl.concat([pl.DataFrame(schema=parquet.schema("outcomes")), *outcomes]).unique(
        KEY, keep="first", maintain_order=True
    )
    return _Test(every.filter(why.is_null()), found, unscored, failing)


def _datasets(store: Store, scored: _Test, policy: Policy) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the labelled features of the training side, and those of every test row in the order of the files."""
    tables = [_apart(store.scan(table)) for table in kinds.SOURCES]
    names = contract.schema("declarations").names()
    current = pl.concat([tables[0].select(names), scored.declarations.lazy().select(names)])
    delay = policy.features.label_delay_days
    past = kinds.build(current, tables[1].select(names), tables[2], tables[3], delay)
    told = ties.told(store.scan("register"), store.scan("register_superseded"))
    everything = compute(History(replace(past, told=told)))
    is_training = pl.col("declaration_id").str.starts_with(_TRAINING)
    outcomes = asof.outcome_versions(tables[2], tables[3], delay)
    last = outcomes.select(pl.col("known_on").max()).collect().item() or date.min + timedelta(days=1)
    known = with_labels(everything.lazy().filter(is_training), outcomes, last).collect()
    asked = scored.declarations.select(KEY).join(everything, on=KEY, how="left", maintain_order="left")
    return known, asked


def _apart(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.with_columns(declaration_id=_TRAINING + pl.col("declaration_id"))


def _ingested(report: IngestReport) -> dict[str, Any]:
    return {
        "lines": report.rows_in,
        "quarantined": report.quarantined,
        "already_known": report.known,
        "quarantined_by_reason": report.quarantined_by_reason,
    }
