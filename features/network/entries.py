"""What company registers tell: versions of entries, and the days on which they count.

As of: an entry counts from the day after it reached customs until the day on which a later version reached customs, and
while it has not ended. Values are compared without case, accents, blanks and punctuation. Parents and owners count
unless something tells that they hold less than a quarter.
"""

import polars as pl

from features.contract import FILING, PLACEHOLDER
from features.facts import asof, kinds

CONTROL_PCT = 25  # an owner with this share or more controls: FATF's example, and what registers of owners ask for
_ENTRY = ("entry_id", "party_role", "party_id")
_AS_IT_STANDS = ("predecessor", "parent")


def read(current: pl.LazyFrame, superseded: pl.LazyFrame) -> pl.DataFrame:
    """Return the store's register tables with `text`, by which values are compared, and Int64 days since 1970-01-01.

    A version was replaced on the evening of `replaced`, and `ends` is null for what has not ended. It counts from
    `enter` until before `leave`, which is null where there is no end. The text of a predecessor and a parent is its id.
    Entries that say nothing are left out, because they would tie strangers.
    """
    plain = pl.col("value").str.normalize("NFKD").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
    known = pl.col("recorded_at").dt.date()
    versions = asof.in_force(current, superseded, known, FILING["register"].key).with_columns(
        text=pl.when(pl.col("attribute").is_in(_AS_IT_STANDS)).then("value").otherwise(plain)
    )
    is_replaced = pl.col("replaced") < kinds.days(pl.lit(asof.NEVER))
    says_nothing = (pl.col("text") == "") | pl.col("value").str.contains(PLACEHOLDER)
    told = (
        versions.filter(says_nothing.not_() | (pl.col("attribute") == "share"))
        .collect()
        .with_columns(
            enter=kinds.days("known_on") + 1,
            replaced=kinds.days("replaced_on"),
            ends=pl.col("ends_at").dt.date().pipe(kinds.days),
        )
        .with_columns(leave=pl.min_horizontal(pl.when(is_replaced).then(pl.col("replaced") + 1), "ends"))
    )
    return _controlling(told)


def _controlling(told: pl.DataFrame) -> pl.DataFrame:
    """Return the facts without shares, and without parents and owners that hold less than `CONTROL_PCT`.

    A parent or owner is left out on the days on which the share of the same entry is below `CONTROL_PCT`. Its fact is
    cut into the days that remain, as if other facts had replaced it.
    """
    per_cent = pl.col("value").str.extract(r"^([\d.]+)").cast(pl.Float64)
    small = told.filter(pl.col("attribute") == "share").filter(per_cent < CONTROL_PCT)
    told = told.filter(pl.col("attribute") != "share").with_row_index("fact")
    owned = told.filter(pl.col("attribute").is_in(("parent", "owner"))).join(small, on=_ENTRY, how="semi")
    never = kinds.days(pl.lit(asof.NEVER))
    spans = owned.select("fact", *_ENTRY, "enter", pl.col("leave").fill_null(never))
    hidden = spans.join(small.select(*_ENTRY, "enter", pl.col("leave").fill_null(never)), on=_ENTRY, suffix="_small")
    ends = [spans.select("fact", day=end) for end in ("enter", "leave")]
    ends += [hidden.select("fact", day=end) for end in ("enter_small", "leave_small")]
    pieces = (
        pl.concat(ends)
        .unique()
        .sort("fact", "day")
        .with_columns(until=pl.col("day").shift(-1).over("fact"))
        .join(spans, on="fact")
        .filter(pl.col("day") >= pl.col("enter"), pl.col("until") <= pl.col("leave"))
        .select("fact", "day", "until")
    )
    is_hidden = (pl.col("enter_small") <= pl.col("day")) & (pl.col("leave_small") >= pl.col("until"))
    left = pieces.join(pieces.join(hidden, on="fact").filter(is_hidden), on=("fact", "day"), how="anti")
    cut = left.join(owned, on="fact").with_columns(
        enter="day",
        leave=pl.when(pl.col("until") < never).then("until"),
        replaced=pl.when(pl.col("until") < never).then(pl.col("until") - 1).otherwise(never),
        ends=pl.lit(None, pl.Int64),
    )
    others = told.join(owned, on="fact", how="anti", maintain_order="left")
    return pl.concat([others, cut.select(told.columns)]).drop("fact")
