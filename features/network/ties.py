"""What company registers tell, as facts that come in and are taken back, and whom it ties together on a day.

As of: an entry counts from the day after it reached customs until a later version of it did, and while it has not
ended. Values are compared without case, accents, blanks and punctuation.
"""

import polars as pl

from features.asof import in_force
from features.contract import FILING, PLACEHOLDER
from features.facts import TOLD, days, signed
from features.network.links import node
from features.network.matching import matches
from features.numbering import mixed

# A name alone ties nobody: many are alike.
TYING = ("address", "person", "phone", "bank_account", "predecessor")


def told(current: pl.LazyFrame, superseded: pl.LazyFrame) -> pl.DataFrame:
    """Facts from the store's register tables: what is shared, and who is probably one company."""
    facts = pl.concat([shared(current, superseded), matched(matches(current, superseded))])
    return facts.sort("company", "value", "enter", "ends", "sign")


def matched(found: pl.DataFrame) -> pl.DataFrame:
    """Facts from matches, see matching.py: each ties both companies to the pair that they are."""
    parts = [pl.DataFrame(schema=TOLD)]
    for (role_a, role_b), rows in found.group_by("role_a", "role_b", maintain_order=True):
        ends = node(str(role_a), rows["party_a"]), node(str(role_b), rows["party_b"])
        pair = pl.Series(mixed(ends, rows.height))
        come = rows.select("enter", sign=pl.lit(1, pl.Int64), ends=pl.lit(None, pl.Int64), value=pl.lit(pair))
        for end in ends:
            company = come.with_columns(company=pl.lit(pl.Series(end)))
            gone = company.with_columns(enter=rows["leave"], sign=pl.lit(-1, pl.Int64)).drop_nulls("enter")
            parts += [company.select(TOLD.names()), gone.select(TOLD.names())]
    return pl.concat(parts)


def shared(current: pl.LazyFrame, superseded: pl.LazyFrame) -> pl.DataFrame:
    """Facts from register tables: companies and the values that they have."""
    parts = [pl.DataFrame(schema=TOLD)]
    versions = entries(current, superseded).filter(pl.col("attribute").is_in(TYING))
    for (role, attribute), rows in versions.group_by("party_role", "attribute", maintain_order=True):
        tie = signed(
            rows.with_columns(
                company=pl.Series(node(str(role), rows["party_id"])),
                value=pl.Series(node(str(attribute), rows["text"])),
            )
        ).select(TOLD.names())
        parts.append(tie)
        if attribute == "predecessor":  # the other end of the tie is the predecessor itself
            parts.append(tie.with_columns(company=pl.Series(node(str(role), signed(rows)["value"]))))
    return pl.concat(parts)


def entries(current: pl.LazyFrame, superseded: pl.LazyFrame) -> pl.DataFrame:
    """Versions of a register's entries with `text`, by which values are compared, and days `enter`, `replaced`, `ends`.

    A predecessor's text is its id. Entries that say nothing are left out: they would tie strangers.
    """
    plain = pl.col("value").str.normalize("NFKD").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
    known = pl.col("recorded_at").dt.date()
    versions = in_force(current, superseded, known, FILING["register"].key).with_columns(
        text=pl.when(pl.col("attribute") == "predecessor").then("value").otherwise(plain)
    )
    return (
        versions.filter(pl.col("text") != "", pl.col("value").str.contains(PLACEHOLDER).not_())
        .collect()
        .with_columns(
            enter=days("known_on") + 1, replaced=days("replaced_on"), ends=pl.col("ends_at").dt.date().pipe(days)
        )
    )


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
