"""What customs knew, and when: versions of declarations and outcomes as facts with a span of visibility.

The as-of rule has this one home. A declaration accepted on day `d` may use a fact if customs knew it before `d` and had
not replaced it by then. Days are whole: what became known on `d` itself does not count, so the order within a day never
matters. A correction replaces a version from the day the correction was recorded; before that day the older version is
what customs knew, and stays so for every declaration accepted up to then.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from features.contract import KEY

YEAR_DAYS = 365  # prices, rates and volumes older than this say little of today
LOOK_BACK_DAYS = 3 * YEAR_DAYS  # outcomes say more for longer; nothing accepted before plays a part in any feature
# An outcome that took longer is no part of an entity's recent record, so that all of it lies in the look-back.
LONGEST_WAIT_DAYS = LOOK_BACK_DAYS - YEAR_DAYS
NEVER = date(9999, 1, 1)


def declaration_versions(current: pl.LazyFrame, superseded: pl.LazyFrame) -> pl.LazyFrame:
    """Every version that was ever in force, with `accepted_on`, `known_on`, `replaced_on` (days) and `is_original`.

    Visible to declarations accepted on `d` where `known_on < d <= replaced_on`. `is_original` marks the version in
    force at acceptance: it is what the model sees as the declaration itself. A version that was replaced on the day it
    became known was never in force and is left out.
    """
    known = pl.coalesce("recorded_at", "accepted_at").dt.date()
    return in_force(current, superseded, known).with_columns(accepted_on=pl.col("accepted_at").dt.date())


def outcome_versions(current: pl.LazyFrame, superseded: pl.LazyFrame, label_delay_days: int) -> pl.LazyFrame:
    """Every outcome version with `known_on` and `replaced_on`; one without an instant counts the label delay later."""
    known = pl.coalesce(pl.col("known_at"), pl.col("accepted_at") + pl.duration(days=label_delay_days))
    return in_force(current, superseded, known.dt.date()).drop("is_original")


def in_force(
    current: pl.LazyFrame, superseded: pl.LazyFrame, known_on: pl.Expr, key: Sequence[str] = KEY
) -> pl.LazyFrame:
    """Versions of rows with such a key that were ever in force, with `known_on`, `replaced_on` and `is_original`."""
    current, superseded = current.with_columns(known_on=known_on), superseded.with_columns(known_on=known_on)
    corrected = superseded.select(key).unique()
    # Nearly all have one version, and need no order.
    alone = current.join(corrected, on=key, how="anti", maintain_order="left")
    several = pl.concat([superseded.with_columns(_rank=0), current.join(corrected, on=key).with_columns(_rank=1)])
    # Of versions known on the same day the one that arrived last holds; `_rank` says which that was.
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
    """One row an item: the outcome as known on the evening of `as_of`, with `known_on`. Uninspected items have none."""
    known = outcomes.filter((pl.col("known_on") <= as_of) & pl.col("is_inspected") & pl.col("is_illicit").is_not_null())
    return (
        known.sort(*KEY, "known_on")
        .group_by(KEY, maintain_order=True)
        .last()
        .select(
            *KEY, "is_inspected", "is_illicit", "is_critical", "recovered_revenue", "selection_probability", "known_on"
        )
    )
