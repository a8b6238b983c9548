"""What customs knew, and when: versions of declarations and outcomes are facts that are visible for a span of days.

The as-of rule has this one home. A declaration accepted on day `d` may use a fact if customs knew it before `d` and had
not replaced it by then. Days are whole: what became known on `d` itself does not count, so the order within a day never
matters. A correction replaces a version from the day the correction was recorded. Before that day customs knew the
older version, and every declaration accepted up to then goes on seeing that one.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from features.contract import KEY

YEAR_DAYS = 365  # prices, rates and volumes older than this say little of today
LOOK_BACK_DAYS = 3 * YEAR_DAYS  # outcomes stay telling for longer; no feature uses anything accepted before that
# An outcome that took longer is left out of an entity's recent record, so that all of the record lies in the look-back.
LONGEST_WAIT_DAYS = LOOK_BACK_DAYS - YEAR_DAYS
NEVER = date(9999, 1, 1)


def declaration_versions(current: pl.LazyFrame, superseded: pl.LazyFrame) -> pl.LazyFrame:
    """Return every version that was ever in force; days are `accepted_on`, `known_on`, `replaced_on`.

    A version is visible to declarations accepted on `d` where `known_on < d <= replaced_on`. `is_original` marks the
    version in force at acceptance: it is what the model sees as the declaration itself. A version that was replaced on
    the day it became known was never in force and is left out.
    """
    known = pl.coalesce("recorded_at", "accepted_at").dt.date()
    return in_force(current, superseded, known).with_columns(accepted_on=pl.col("accepted_at").dt.date())


def outcome_versions(current: pl.LazyFrame, superseded: pl.LazyFrame, label_delay_days: int) -> pl.LazyFrame:
    """Return every outcome version with `known_on` and `replaced_on`.

    An outcome that does not say when it was known counts as known the label delay after acceptance.
    """
    known = pl.coalesce(pl.col("known_at"), pl.col("accepted_at") + pl.duration(days=label_delay_days))
    return in_force(current, superseded, known.dt.date()).drop("is_original")


def in_force(
    current: pl.LazyFrame, superseded: pl.LazyFrame, known_on: pl.Expr, key: Sequence[str] = KEY
) -> pl.LazyFrame:
    """Return the versions of rows that were ever in force, with `known_on`, `replaced_on` and `is_original`.

    `key` names the columns by which versions belong to the same row.
    """
    current, superseded = current.with_columns(known_on=known_on), superseded.with_columns(known_on=known_on)
    corrected = superseded.select(key).unique()
    # Nearly all rows have one version and need not be sorted.
    alone = current.join(corrected, on=key, how="anti", maintain_order="left")
    several = pl.concat([superseded.with_columns(_rank=0), current.join(corrected, on=key).with_columns(_rank=1)])
    # When several versions became known on the same day, the last to arrive holds; `_rank` says which that was.
    ordered = several.sort(*key, "known_on", "_rank", maintain_order=True).with_columns(
        replaced_on=pl.col("known_on").shift(-1).over(key).fill_null(NEVER)
    )
    in_force = ordered.filter(pl.col("replaced_on") > pl.col("known_on")).drop("_rank")
    return pl.concat(
        [
            alone.with_columns(replaced_on=pl.lit(NEVER), is_original=pl.lit(value=True)),
            in_force.with_columns(is_original=pl.col("known_on") == pl.col("known_on").min().over(key)),
        ]
    )


def labels(outcomes: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """Return one row an item: its outcome as known on the evening of `as_of`, with `known_on`.

    Items that were not inspected have no row.
    """
    known = outcomes.filter((pl.col("known_on") <= as_of) & pl.col("is_inspected") & pl.col("is_illicit").is_not_null())
    return (
        known.sort(*KEY, "known_on")
        .group_by(KEY, maintain_order=True)
        .last()
        .select(
            *KEY, "is_inspected", "is_illicit", "is_critical", "recovered_revenue", "selection_probability", "known_on"
        )
    )
