"""What company registers tell, as facts that come in and are taken back, and whom it ties together on a day.

As of: an entry counts from the day after it reached customs until a later version of it did, and while it has not
ended. Values are compared without case, accents, blanks and punctuation.
"""

import polars as pl

from features.asof import in_force
from features.contract import FILING, PLACEHOLDER
from features.facts import TOLD, days, signed
from features.network.links import node

# A name alone ties nobody: many are alike.
TYING = ("address", "person", "phone", "bank_account", "predecessor")


def told(current: pl.LazyFrame, superseded: pl.LazyFrame) -> pl.DataFrame:
    """Facts from the store's register tables."""
    known = pl.col("recorded_at").dt.date()
    versions = (
        in_force(current, superseded, known, FILING["register"].key)
        .filter(pl.col("attribute").is_in(TYING))
        .with_columns(
            text=pl.col("value").str.normalize("NFKD").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
        )
        .filter(pl.col("text") != "", pl.col("value").str.contains(PLACEHOLDER).not_())  # these would tie strangers
        .collect()
    )
    versions = versions.with_columns(
        enter=days("known_on") + 1, replaced=days("replaced_on"), ends=pl.col("ends_at").dt.date().pipe(days)
    )
    parts = [pl.DataFrame(schema=TOLD)]
    for (role, attribute), rows in versions.group_by("party_role", "attribute", maintain_order=True):
        follows = attribute == "predecessor"
        text = rows["value"] if follows else rows["text"]
        tie = signed(
            rows.with_columns(
                company=pl.Series(node(str(role), rows["party_id"])), value=pl.Series(node(str(attribute), text))
            )
        ).select(TOLD.names())
        parts.append(tie)
        if follows:  # the other end of the tie is the predecessor itself
            parts.append(tie.with_columns(company=pl.Series(node(str(role), signed(rows)["value"]))))
    return pl.concat(parts).sort("company", "value", "enter", "ends", "sign")


def ties(facts: pl.DataFrame, day: int) -> pl.DataFrame:
    """Who is tied to what on `day`: `company` and `value`, in order."""
    return (
        facts.filter(pl.col("enter") <= day)
        .group_by("company", "value", "ends")
        .agg(pl.col("sign").sum())
        .filter(pl.col("sign") > 0, pl.col("ends").is_null() | (pl.col("ends") > day))
        .select("company", "value")
        .unique()
        .sort("company", "value")
    )
