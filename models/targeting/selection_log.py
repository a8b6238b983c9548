"""Which declarations were selected, how, by which model and with which chance: written once, never changed.

    selections/<source>/000001.parquet     one file a run, numbered without a gap

Outcomes are joined with it later. From that come the share of places that explores, and the chance of being inspected
where a source's outcomes do not tell it. A declaration is selected once; a correction does not select it again.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from features.contract import KEY
from features.disk import write_atomically
from features.facts import asof
from models.policy import LANES, Capacity, Policy, Targeting
from models.targeting.exploration import Share
from models.targeting.selector import adapted

SCHEMA = pl.Schema(
    {
        "declaration_id": pl.String(),
        "item_number": pl.Int32(),
        "accepted_on": pl.Date(),
        "office": pl.String(),
        "lane": pl.Enum([*LANES, "green"]),
        "reason": pl.Enum(["critical", "random", "criterion", "exploration", "value", "none"]),
        "selection_probability": pl.Float64(),
        "score": pl.Float64(),
        "critical": pl.Float64(),
        "expected_revenue": pl.Float64(),
        "priority": pl.Float64(),
        "hit_value": pl.Float64(),
        "exploring_share": pl.Float64(),
        "model_version": pl.String(),
        "model_digest": pl.String(),
        "policy_digest": pl.String(),
        "draw_seed": pl.String(),
        "selected_at": pl.Datetime("us", "UTC"),
        "criterion": pl.String(),
    }
)


@dataclass(frozen=True)
class SelectionLog:
    """The selections of one source, in folder `root`. One process writes at a time: see flows/select.py."""

    root: Path

    @property
    def next_number(self) -> int:
        """Return the number that the next run's selection will have, from 1."""
        return len(list(self.root.glob("*.parquet"))) + 1

    def read(self) -> pl.DataFrame:
        """Return every selected declaration (SCHEMA), in order of selection."""
        return read_files(sorted(self.root.glob("*.parquet")))

    def after(self, number: int) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield the selections (SCHEMA) that follow on the one with this number, in order, each with its own number."""
        for path in sorted(self.root.glob("*.parquet")):
            if int(path.stem) > number:
                yield int(path.stem), read_files([path])

    def of(self, declaration_ids: Collection[str]) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield what was selected of these declarations (SCHEMA), selection by selection, each with its number."""
        is_wanted = pl.col("declaration_id").is_in(list(declaration_ids))
        for path in sorted(self.root.glob("*.parquet")):
            if not pl.scan_parquet(path).filter(is_wanted).select("declaration_id").collect().is_empty():
                yield int(path.stem), _read(path).filter(is_wanted)

    def file(self, number: int) -> Path:
        """Return the file of the selection with this number."""
        return self.root / f"{number:06}.parquet"

    def append(self, rows: pl.DataFrame) -> int:
        """Keep a run's selection and return its number. ValueError names a declaration that was selected before."""
        before = self.read()
        again = rows.select(KEY).join(before.select(KEY), on=KEY, how="semi")
        if again.height:
            raise ValueError(
                f"declaration {again['declaration_id'][0]} item {again['item_number'][0]} was selected before; "
                "allowed: each once"
            )
        number = self.next_number
        self.root.mkdir(parents=True, exist_ok=True)
        write_atomically(self.file(number), rows.select(SCHEMA.names()).cast(SCHEMA).write_parquet)
        return number


def read_files(files: Sequence[Path]) -> pl.DataFrame:
    """Return the selections in files (SCHEMA), one file after the other; older files know no criteria."""
    return pl.concat([pl.DataFrame(schema=SCHEMA), *(_read(file) for file in files)])


def _read(file: Path) -> pl.DataFrame:
    rows = pl.read_parquet(file)
    later = [pl.lit(None, SCHEMA[name]).alias(name) for name in SCHEMA if name not in rows.columns]
    return rows.with_columns(later).select(SCHEMA.names()).cast(SCHEMA)


def pending(declarations: pl.LazyFrame, log: pl.DataFrame, last_day: date) -> pl.DataFrame:
    """Return the declarations that no run has selected yet, from the first selected day on; at first, `last_day`'s."""
    since = last_day if log.is_empty() else log["accepted_on"].min()
    days = declarations.filter(pl.col("accepted_on") >= since)
    return days.join(log.lazy().select(KEY), on=KEY, how="anti", maintain_order="left").collect()


def places_left(targeting: Targeting, log: pl.DataFrame, day: date) -> Targeting:
    """Return `targeting` for declarations accepted on `day` that arrived late: without the places already given away.

    Only offices with places of their own have fewer. Where an office has shares of the day instead, declarations that
    arrived late bring their own places with them.
    """
    given = log.filter(pl.col("accepted_on") == day)
    counts = {office: dict(rows["lane"].value_counts().iter_rows()) for (office,), rows in given.group_by("office")}
    offices = {
        office: Capacity(**{lane: max(getattr(own, lane) - counts.get(office, {}).get(lane, 0), 0) for lane in LANES})
        for office, own in targeting.offices.items()
    }
    return targeting.model_copy(update={"offices": offices})


def criteria_used(log: pl.DataFrame, day: date) -> dict[tuple[str, str], int]:
    """Return how many places criteria have given to declarations accepted on `day`, by office and name."""
    given = log.filter(pl.col("accepted_on") == day, pl.col("criterion").is_not_null())
    return {(office, name): count for office, name, count in given.group_by("office", "criterion").len().iter_rows()}


def exploring_share(log: pl.DataFrame, outcomes: pl.LazyFrame, policy: Policy, day: date) -> Share:
    """Return the share of places that explores among declarations accepted on `day`, by the log and the policy.

    It starts at the policy's share and is updated for each period of the policy's drift window, from the first selected
    day on: what became known in a period decides on the next. `outcomes` holds every version of them, with `known_on`
    and `replaced_on` (features.facts.asof.outcome_versions); nothing that became known on `day` or later counts.
    """
    share = Share(policy.exploration.initial_share)
    if log.is_empty():
        return share
    period = timedelta(days=policy.drift.window_days)
    begins: date = log.select(pl.col("accepted_on").min()).item()
    while begins + period <= day:
        ends = begins + period
        known = asof.labels(outcomes, ends - timedelta(days=1)).filter(pl.col("known_on") >= begins).collect()
        results = log.join(known.select(*KEY, "is_illicit", "recovered_revenue"), on=KEY, how="inner")
        accepted = log.filter(pl.col("accepted_on").is_between(begins, ends, closed="left"))
        latest = accepted.filter(pl.col("model_digest") == pl.col("model_digest").last())
        share = adapted(share, results, latest.sort("accepted_on", *KEY)["score"].drop_nulls().to_numpy(), policy)
        begins = ends
    return share


def with_probabilities(dataset: pl.LazyFrame, log: pl.DataFrame) -> pl.LazyFrame:
    """Return `dataset` with `selection_probability` from the log where outcomes do not tell it.

    What the outcomes say takes precedence: it is what was done, and the log is what was asked for.
    """
    logged = log.lazy().select(*KEY, _logged="selection_probability")
    # The log has each declaration once. If Polars checked that, it would read the whole dataset into memory.
    joined = dataset.join(logged, on=KEY, how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("selection_probability", "_logged").alias("selection_probability")).drop(
        "_logged"
    )
