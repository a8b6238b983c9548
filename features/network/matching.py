"""Who may be the same company, or the same owner's, under several ids and spellings, by what registers told: Splink.

A company's *state* is what registers told of it between two changes. Pairs of states that were in force together are
weighed by what agrees in them, with probabilities that `matching.json` fixes; nothing is estimated here. As of: a match
depends on two states and, for what many share, on companies told of before them, so nothing later changes it. Days are
Int64 since 1970-01-01; what is in force from `enter` until before `leave`, which is null where no end is known.
"""

import logging
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from features.asof import NEVER
from features.facts import days
from features.network import spelling

MODEL = Path(__file__).with_suffix(".json")  # comparisons, their probabilities, and which pairs are compared
MATCH = 4.0  # weight of the weakest match: sixteen to one. Nothing weighs so much alone
COMMON = 20  # what so many companies had before is an agent's, a nominee's or nobody's own: it says nothing of the next

MATCHES = pl.Schema(
    {
        **dict.fromkeys(("role_a", "party_a", "role_b", "party_b"), pl.String()),
        "weight": pl.Float64(),
        "enter": pl.Int64(),
        "leave": pl.Int64(),
    }
)
_COMPANY = ("party_role", "party_id")
_TOLD = tuple(spelling.SPELLED)


def matches(entries: pl.DataFrame) -> pl.DataFrame:
    """Matches among the entries of registers (see entries.py), a row a pair of states: `MATCHES`.

    `weight` is the logarithm to base 2 of the odds that one stands behind both; `a` comes before `b`.
    """
    found = states(entries).with_row_index("unique_id")
    if found.is_empty():  # nobody without a register should wait for Splink
        return pl.DataFrame(schema=MATCHES)
    pairs = _weighed(found).filter(pl.col("weight") >= MATCH)
    for side in ("a", "b"):
        renamed = found.select(
            pl.col("unique_id").cast(pl.Int64).alias(side),
            pl.col("party_role").alias(f"role_{side}"),
            pl.col("party_id").alias(f"party_{side}"),
            pl.col("enter", "leave").name.suffix(f"_{side}"),
        )
        pairs = pairs.join(renamed, on=side, how="left")
    return (
        pairs.with_columns(
            enter=pl.max_horizontal("enter_a", "enter_b"),
            leave=pl.min_horizontal("leave_a", "leave_b").pipe(lambda day: pl.when(day < _never()).then(day)),
        )
        .select(MATCHES.names())
        .sort("role_a", "party_a", "role_b", "party_b", "enter")
    )


def clusters(matches: pl.DataFrame, day: int) -> pl.DataFrame:
    """Companies joined by matches in force on `day`, for people to review; a row a company, clusters together.

    `cluster` counts from 0 in the order of first companies, `companies` is its size, `weight` is the strongest match of
    this company, and `weakest` the weakest of its cluster.
    """
    held = matches.filter(pl.col("enter") <= day, pl.col("leave").is_null() | (pl.col("leave") > day))
    sides = [held.select("weight", party_role=f"role_{side}", party_id=f"party_{side}") for side in ("a", "b")]
    ends = pl.concat(sides).with_columns(member=pl.struct(_COMPANY).rank("dense").cast(pl.Int64) - 1)
    a, b = ends["member"].to_numpy().reshape(2, -1)
    count = int(ends["member"].n_unique())
    _, label = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(count, count)), directed=False)
    return (
        ends.with_columns(cluster=pl.Series(label[ends["member"].to_numpy()], dtype=pl.Int64))
        .with_columns(weakest=pl.col("weight").min().over("cluster"))
        .group_by(*_COMPANY, "cluster", "weakest")
        .agg(pl.col("weight").max())
        .with_columns(companies=pl.len().over("cluster").cast(pl.Int64))
        .sort("cluster", *_COMPANY)
        .select(*_COMPANY, "cluster", "companies", "weight", "weakest")
    )


def states(entries: pl.DataFrame) -> pl.DataFrame:
    """What registers told of companies between changes, in order of company and time, with the keys of comparison.

    Of entries in force together the one recorded last holds. A `leave` that is not known is the day of `NEVER`.
    """
    entries = (
        entries.filter(pl.col("attribute").is_in(_TOLD))
        .with_columns(pl.col("leave").fill_null(_never()))
        .filter(pl.col("enter") < pl.col("leave"))
        .select(*_COMPANY, "attribute", "value", "recorded_at", "entry_id", "enter", "leave")
    )
    spelled = [
        entries.filter(pl.col("attribute") == attribute).with_columns(value=spell(pl.col("value")))
        for attribute, spell in spelling.SPELLED.items()
    ]
    told = pl.concat(spelled).filter(pl.col("value") != "")
    turns = pl.concat([told.select(*_COMPANY, enter=day) for day in ("enter", "leave")]).unique()
    turns = turns.sort(*_COMPANY, "enter")
    spans = turns.with_columns(leave=pl.col("enter").shift(-1).over(_COMPANY)).drop_nulls("leave")
    held = (
        spans.join(told, on=_COMPANY, suffix="_told")
        .filter(pl.col("enter_told") <= pl.col("enter"), pl.col("leave_told") >= pl.col("leave"))
        .sort(*_COMPANY, "enter", "recorded_at", "entry_id")
        .group_by(*_COMPANY, "enter", "leave", maintain_order=True)
        .agg(pl.col("value").filter(pl.col("attribute") == attribute).last().alias(attribute) for attribute in _TOLD)
    )
    goes_on = pl.all_horizontal(pl.col(same).eq_missing(pl.col(same).shift()) for same in (*_COMPANY, *_TOLD))
    joined = (
        held.group_by((goes_on & (pl.col("enter") == pl.col("leave").shift())).not_().cum_sum().alias("state"))
        .agg(pl.first(*_COMPANY, *_TOLD, "enter"), pl.last("leave"))
        .sort(*_COMPANY, "enter")
    )
    return _keyed(joined.drop("state"))


def _keyed(states: pl.DataFrame) -> pl.DataFrame:
    """With the keys by which pairs are found and compared; what is common is null, as if not told."""
    keyed = states.with_columns(
        company=pl.struct(_COMPANY).rle_id(),
        stem=spelling.stem(pl.col("name")),
        address_key=spelling.letters(pl.col("address")),
        person_key=spelling.letters(pl.col("person")),
    ).with_columns(name_key=spelling.letters(pl.col("stem")))
    for key, *texts in (("address_key", "address"), ("person_key", "person"), ("phone",), ("bank_account",)):
        is_common = _is_common(keyed, key)
        keyed = keyed.with_columns(pl.when(~is_common).then(text).alias(text) for text in (key, *texts))
    house = spelling.digits(pl.col("address"))
    keyed = keyed.with_columns(
        person_by=pl.concat_str("person_key", pl.lit("|"), pl.col("stem").str.head(1)),
        name_at=pl.concat_str("name_key", pl.lit("|"), pl.when(house != "").then(house)),
        name_by=pl.concat_str("name_key", pl.lit("|"), spelling.initials(pl.col("person"))),
    )
    return keyed.with_columns(
        pl.when(~_is_common(keyed, key)).then(key).alias(key) for key in ("person_by", "name_at", "name_by")
    )


def _is_common(states: pl.DataFrame, key: str) -> pl.Series:
    """Whether `COMMON` other companies had this value before this one did."""
    first = states.group_by(key, "company").agg(pl.col("enter").min()).sort("enter", "company")
    place = first.select(key, "company", common=pl.int_range(pl.len()).over(key) >= COMMON)
    return states.join(place, on=(key, "company"), how="left", maintain_order="left")["common"].fill_null(value=False)


def _weighed(states: pl.DataFrame) -> pl.DataFrame:
    """Pairs of states as `a`, `b` and `weight`, to two decimals: further ones may differ between machines."""
    import duckdb  # it and Splink take half a second to import, which no command should wait for
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)  # it reports on its progress
    with tempfile.TemporaryDirectory(prefix="tidewaiter-") as folder, duckdb.connect() as connection:
        connection.execute("SET autoinstall_known_extensions = false; SET enable_progress_bar = false")
        connection.execute(f"SET temp_directory = '{folder}'")
        linker = Linker(DuckDBAPI(connection).register(states.to_arrow()), MODEL, log_level=None)
        least = MATCH - 0.01  # rounding may lift it to a match
        found = linker.inference.predict(threshold_match_weight=least, warning_mode="never")
        return (
            found.as_duckdbpyrelation()
            .select("unique_id_l AS a, unique_id_r AS b, match_weight AS weight")
            .pl()
            .with_columns(pl.col("a", "b").cast(pl.Int64), pl.col("weight").round(2))
        )


def _never() -> pl.Expr:
    return days(pl.lit(NEVER))
