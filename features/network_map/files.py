"""Writes the network for people to look at, as files of one folder, which queries.py reads.

    nodes.arrow     companies, and what they share: kind, identity, name; in the order of nodes
    links.arrow     who was declared with whom and what, see links.py; in the order of importers
    partners.arrow  the same rows in the order of partners and weeks, with running totals down each partner
    weeks.arrow     inspections and hits of all importers by week
    ties.arrow      what registers tell and who is probably one company, from either end
    checksums.json  of these files: see features/disk/checksums.py

A company's name is the one that registers told last.
"""

from pathlib import Path

import polars as pl

from features.disk import arrow_files, checksums
from features.facts import kinds
from features.network import links, measures, ties

FILES = ("nodes", "links", "partners", "weeks", "ties")
NODES = pl.Schema(
    {"node": pl.UInt64(), "kind": pl.String(), "identity": pl.String(), "name": pl.String(), "text": pl.String()}
)
TIES = pl.Schema(
    {
        "node": pl.UInt64(),
        "other": pl.UInt64(),
        "is_first": pl.Boolean(),  # whether `node` is the end that has, followed, or is named first
        "kind": pl.String(),
        "weight": pl.Float64(),
        "enter": pl.Int64(),
        "leave": pl.Int64(),
        "since": pl.Int64(),
    }
)
SUMS = ("declared", "value", "inspected", "hits")
DAYS = {"first": -measures.NEVER, "last": measures.NEVER, "last_hit": measures.NEVER}
PARTNERS = ("partner", "week", "row", *SUMS, "importers", *DAYS)


def write(folder: Path, parties: pl.DataFrame, pairs: pl.DataFrame, told: pl.DataFrame, matches: pl.DataFrame) -> None:
    """Write a network's files into `folder`; see links.py on parties and pairs, entries.py on told, and matching.py."""
    pairs = pairs.with_columns(pl.col(name).fill_null(empty) for name, empty in DAYS.items())
    tables = (_nodes(parties, told), pairs, _by_partner(pairs), _by_week(pairs), _ties(told, matches))
    for name, table in zip(FILES, tables, strict=True):
        arrow_files.write(folder / f"{name}.arrow", table)
    checksums.seal(folder)


def _by_partner(pairs: pl.DataFrame) -> pl.DataFrame:
    of_partner = pairs.select("partner", "week", "importer", *SUMS, *DAYS).with_row_index("row")
    return (
        of_partner.sort("partner", "week", "row")
        .with_columns(importers=pl.struct("partner", "importer").is_first_distinct().cast(pl.Int64))
        .with_columns(
            pl.col(*SUMS, "importers").cum_sum().over("partner"),
            pl.col("first").cum_min().over("partner"),
            pl.col("last", "last_hit").cum_max().over("partner"),
        )
        .select(PARTNERS)
        .cast({name: pl.Int32() for name in ("declared", "inspected", "hits", "importers")})
    )


def _by_week(pairs: pl.DataFrame) -> pl.DataFrame:
    every = (
        pairs.filter(pl.col("relation") == measures.DECLARANT).group_by("week").agg(pl.col("inspected", "hits").sum())
    )
    return every.sort("week")


def _ties(told: pl.DataFrame, matches: pl.DataFrame) -> pl.DataFrame:
    columns = {
        "weight": pl.lit(None, pl.Float64),
        "since": pl.coalesce(kinds.days(pl.col("begins_at").dt.date()), "enter"),
    }
    found = []
    in_force = told.filter(pl.col("replaced") >= pl.col("enter"))
    for (role, attribute), rows in in_force.group_by("party_role", "attribute", maintain_order=True):
        if attribute in ties.TYING:
            other = links.node(ties.TYING[str(attribute)] or str(role), rows["text"])
            found.append(
                rows.select(
                    node=pl.lit(pl.Series(links.node(str(role), rows["party_id"]))),
                    other=pl.lit(pl.Series(other)),
                    kind="attribute",
                    enter="enter",
                    leave="leave",
                    **columns,
                )
            )
    for (role_a, role_b), rows in matches.group_by("role_a", "role_b", maintain_order=True):
        a, b = (
            pl.Series(links.node(str(role), rows[party])) for role, party in ((role_a, "party_a"), (role_b, "party_b"))
        )
        match = rows.select(
            "weight", "enter", "leave", since="enter", kind=pl.lit("same"), node=pl.lit(a), other=pl.lit(b)
        )
        found.append(match)
    there = pl.concat(
        [pl.DataFrame(schema=TIES), *(rows.with_columns(is_first=pl.lit(value=True)) for rows in found)], how="diagonal"
    )
    there = there.filter(pl.col("node") != pl.col("other"))  # some name themselves as their predecessor or parent
    back = there.with_columns(node="other", other="node", is_first=pl.lit(value=False))
    return pl.concat([there, back]).sort("node", "other", "kind", "enter", nulls_last=True)


def _nodes(parties: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Return nodes with names. A value is named as it was written first: what is told later changes nothing."""
    no_place = pl.lit(None, pl.UInt32).alias("place")
    found = [parties.select("node", pl.col("role").alias("kind"), "identity", no_place)]
    names = [pl.DataFrame(schema={"node": pl.UInt64(), "name": pl.String()})]
    in_order = told.sort("enter", "entry_id").with_row_index("place")
    for (role, attribute), rows in in_order.group_by("party_role", "attribute", maintain_order=True):
        company = pl.Series("node", links.node(str(role), rows["party_id"]))
        found.append(_named(company, str(role), rows["party_id"], rows["place"]))
        if attribute == "name":
            names.append(pl.DataFrame({"node": company, "name": rows["value"]}))
        elif attribute in ties.TYING:
            kind = ties.TYING[str(attribute)] or str(role)
            value = pl.Series("node", links.node(kind, rows["text"]))
            found.append(_named(value, kind, rows["value"], rows["place"]))
    named = pl.concat(names).unique("node", keep="last", maintain_order=True)
    every = pl.concat(found).sort("place", nulls_last=False, maintain_order=True)
    every = every.unique("node", keep="first", maintain_order=True).join(named, on="node", how="left")
    text = pl.concat_str("identity", "name", separator=" ", ignore_nulls=True)
    return every.with_columns(text=text.pipe(plain)).select(NODES.names()).sort("node")


def _named(nodes: pl.Series, kind: str, identity: pl.Series, place: pl.Series) -> pl.DataFrame:
    repeated = pl.repeat(kind, len(nodes), eager=True)
    return pl.DataFrame({"node": nodes, "kind": repeated, "identity": identity, "place": place})


def plain(text: pl.Expr) -> pl.Expr:
    """Return text in the form in which it is searched: without case and accents."""
    return text.str.normalize("NFKD").str.to_lowercase().str.replace_all(r"\p{M}", "")
