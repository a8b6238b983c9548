"""What company registers tell, as facts that come in and are taken back, and who is tied to what on a day.

As of: see entries.py and matching.py.
"""

import polars as pl

from features.facts import entity_codes, kinds
from features.network import entries
from features.network.links import node
from features.network.matching import matches

# The kind of node that each attribute's value is; None for another company. A name ties nobody: many names are alike.
TYING = {
    **{attribute: attribute for attribute in ("address", "person", "phone", "bank_account")},
    "owner": "person",  # a director of one company and the owner of another are one person
    "predecessor": None,
    "parent": None,
}


def told(current: pl.LazyFrame, superseded: pl.LazyFrame) -> pl.DataFrame:
    """Return facts made from the store's register tables: what is shared, and who is probably one company."""
    found = entries.read(current, superseded)
    facts = pl.concat([shared(found), matched(matches(found))])
    return facts.sort("company", "value", "enter", "ends", "sign")


def matched(found: pl.DataFrame) -> pl.DataFrame:
    """Return facts made from matches (see matching.py): each match ties both companies to a node for their pair."""
    parts = [pl.DataFrame(schema=kinds.TOLD)]
    for (role_a, role_b), rows in found.group_by("role_a", "role_b", maintain_order=True):
        ends = node(str(role_a), rows["party_a"]), node(str(role_b), rows["party_b"])
        pair = pl.Series(entity_codes.mixed(ends, rows.height))
        come = rows.select("enter", sign=pl.lit(1, pl.Int64), ends=pl.lit(None, pl.Int64), value=pl.lit(pair))
        for end in ends:
            company = come.with_columns(company=pl.lit(pl.Series(end)))
            gone = company.with_columns(enter=rows["leave"], sign=pl.lit(-1, pl.Int64)).drop_nulls("enter")
            parts += [company.select(kinds.TOLD.names()), gone.select(kinds.TOLD.names())]
    return pl.concat(parts)


def shared(found: pl.DataFrame) -> pl.DataFrame:
    """Return facts made from entries: companies and the values that they have."""
    parts = [pl.DataFrame(schema=kinds.TOLD)]
    versions = found.filter(pl.col("attribute").is_in(TYING.keys()))
    for (role, attribute), rows in versions.group_by("party_role", "attribute", maintain_order=True):
        tie = kinds.signed(
            rows.with_columns(
                company=pl.Series(node(str(role), rows["party_id"])),
                value=pl.Series(node(TYING[str(attribute)] or str(attribute), rows["text"])),
            )
        ).select(kinds.TOLD.names())
        parts.append(tie)
        if TYING[str(attribute)] is None:  # the value is another company, which is tied to it as well
            parts.append(tie.with_columns(company=pl.Series(node(str(role), kinds.signed(rows)["value"]))))
    return pl.concat(parts)


def ties(facts: pl.DataFrame, day: int) -> pl.DataFrame:
    """Return who is tied to what on `day`: `company` and `value`, in order."""
    return (
        facts.filter(pl.col("enter") <= day)
        .group_by("company", "value", "ends")
        .agg(pl.col("sign").sum())
        .filter(pl.col("sign") > 0, pl.col("ends").is_null() | (pl.col("ends") > day))
        .select("company", "value")
        .unique()
        .sort("company", "value")
    )
