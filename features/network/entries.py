"""What company registers tell: versions of entries, and the days on which they count.

As of: an entry counts from the day after it reached customs until a later version of it did, and while it has not
ended. Values are compared without case, accents, blanks and punctuation.
"""

import polars as pl

from features.asof import NEVER, in_force
from features.contract import FILING, PLACEHOLDER
from features.facts import days


def read(current: pl.LazyFrame, superseded: pl.LazyFrame) -> pl.DataFrame:
    """The store's register tables with `text`, by which values are compared, and Int64 days since 1970-01-01.

    A version was replaced on the evening of `replaced`, and `ends` is null for what has not ended; it counts from
    `enter` until before `leave`, null for no end. A predecessor's text is its id. Entries that say nothing are left
    out: they would tie strangers.
    """
    plain = pl.col("value").str.normalize("NFKD").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
    known = pl.col("recorded_at").dt.date()
    versions = in_force(current, superseded, known, FILING["register"].key).with_columns(
        text=pl.when(pl.col("attribute") == "predecessor").then("value").otherwise(plain)
    )
    is_replaced = pl.col("replaced") < days(pl.lit(NEVER))
    return (
        versions.filter(pl.col("text") != "", pl.col("value").str.contains(PLACEHOLDER).not_())
        .collect()
        .with_columns(
            enter=days("known_on") + 1, replaced=days("replaced_on"), ends=pl.col("ends_at").dt.date().pipe(days)
        )
        .with_columns(leave=pl.min_horizontal(pl.when(is_replaced).then(pl.col("replaced") + 1), "ends"))
    )
