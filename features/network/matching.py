"""Which ids and spellings may stand for the same company, or the same owner's, by what registers told: Splink.

A company's *state* is what registers told of it between two changes. Pairs of states that were in force together are
weighed by what agrees in them, with probabilities that `matching.json` fixes; what many companies share weighs less.
Nothing else is estimated here. As of: a match depends on two states and, for what many share, on companies told of
before them, so nothing later changes it. Days are Int64 since 1970-01-01. A state is in force from `enter` until before
`leave`, which is null where no end is known.
"""

import json
import logging
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from features.facts import asof, kinds
from features.network import spelling
from features.network.words import latin

PARAMETERS_FILE = Path(__file__).with_suffix(".json")  # comparisons, their probabilities, and which pairs are compared
MATCH = 4.0  # weight of the weakest match: odds of sixteen to one. No single agreement weighs so much
COMMON = 20  # a value that so many others have is an agent's, a nominee's or nobody's own, and says nothing of a pair
FEW = 5  # so many others may belong to one owner; with more, strangers are taken to agree as often as others had it

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
# The key by which an attribute counts as the same, in the order of comparisons. Common values are left out, not names.
_KEYS = {
    **{told: f"{told}_key" for told in ("name", "address", "person")},
    "phone": "phone",
    "bank_account": "bank_account",
}


def matches(entries: pl.DataFrame) -> pl.DataFrame:
    """Return the matches among the entries of registers (see entries.py), one row a pair of states: `MATCHES`.

    `weight` is the logarithm to base 2 of the odds that one company or owner stands behind both; `a` comes before `b`.
    """
    found = states(entries).with_row_index("unique_id")
    if found.is_empty():  # whoever has no register should not have to wait for Splink
        return pl.DataFrame(schema=MATCHES)
    pairs = _weighed(found)
    for side in ("a", "b"):
        renamed = found.select(
            pl.col("unique_id").cast(pl.Int64).alias(side),
            pl.col("party_role").alias(f"role_{side}"),
            pl.col("party_id").alias(f"party_{side}"),
            pl.col("enter", "leave", "^.*_others$", "^.*_less$", *_KEYS.values()).name.suffix(f"_{side}"),
        )
        pairs = pairs.join(renamed, on=side, how="left")
    return (
        pairs.with_columns(weight=(pl.col("weight") - _less()).round(2))
        .filter(pl.col("weight") >= MATCH)
        .with_columns(
            enter=pl.max_horizontal("enter_a", "enter_b"),
            leave=pl.min_horizontal("leave_a", "leave_b").pipe(lambda day: pl.when(day < _never()).then(day)),
        )
        .select(MATCHES.names())
        .sort("role_a", "party_a", "role_b", "party_b", "enter")
    )


def clusters(matches: pl.DataFrame, day: int) -> pl.DataFrame:
    """Return the companies joined by matches in force on `day`, for people to review: one row a company.

    The rows of a cluster are together. `cluster` counts from 0 in the order of first companies, `companies` is its
    size, `weight` is the strongest match of this company, and `weakest` is the weakest match of its cluster.
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
    """Return what registers told of companies between changes, in order of company and time, with comparison keys.

    Where several entries are in force together, the one recorded last holds. A `leave` that is not known is the day of
    `NEVER`.
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
    """Return the states with the keys by which pairs are found and compared; a common value is null, as if not told.

    For each key of `_KEYS`, `_others` counts the other companies with the same value, and `_less` is how much less a
    pair weighs that agrees in it.
    """
    keyed = states.with_columns(
        *(spelling.letters(pl.col(told)).alias(f"{told}_key") for told in ("name", "address", "person")),
        *(spelling.initials(pl.col(told)).alias(f"{told}_initials") for told in ("name", "person")),
        *(latin(pl.col(told)).alias(f"{told}_latin") for told in ("name", "person")),
        company=pl.struct(_COMPANY).rle_id(),
    )
    usual = _usual()
    for told, key in _KEYS.items():
        others, share = _others(keyed, key)
        is_common = (others >= COMMON) & (told != "name")
        keyed = keyed.with_columns(
            *(pl.when(~is_common).then(text).alias(text) for text in {told, key}),
            others.alias(f"{key}_others"),
            pl.when(others > FEW)
            .then((share / usual[told]).clip(lower_bound=1).log(2))
            .otherwise(0.0)
            .alias(f"{key}_less"),
        )
    house = spelling.digits(pl.col("address"))
    keyed = keyed.with_columns(
        person_by=pl.concat_str("person_key", pl.lit("|"), pl.col("name_latin").str.head(1)),
        name_at=pl.concat_str("name_key", pl.lit("|"), pl.when(house != "").then(house)),
        name_by=pl.concat_str("name_key", pl.lit("|"), "person_initials"),
    )
    return keyed.with_columns(
        pl.when(_others(keyed, key)[0] < COMMON).then(key).alias(key) for key in ("person_by", "name_at", "name_by")
    )


def _others(states: pl.DataFrame, key: str) -> tuple[pl.Series, pl.Series]:
    """Return how many other companies had each state's value by the day its company first had it, and their share.

    The share is that of all companies that had told any such value by that day. It leaves one out: the other company of
    the pair.
    """
    first = states.drop_nulls(key).group_by(key, "company").agg(pl.col("enter").min())
    told = first.group_by("company").agg(pl.col("enter").min()).group_by("enter").len().sort("enter")
    every = told.select("enter", all=pl.col("len").cum_sum())
    counted = first.with_columns(others=pl.col("enter").rank("max").over(key).cast(pl.Int64) - 1)
    counted = counted.sort("enter").join_asof(every, on="enter").drop("enter")
    found = states.join(counted, on=(key, "company"), how="left", maintain_order="left")
    others = found["others"].fill_null(0)
    return others, ((others - 1) / found["all"]).fill_null(0.0)


def _usual() -> dict[str, float]:
    """Return how often strangers have the same value, by attribute, as far as `matching.json` knows."""
    comparisons = json.loads(PARAMETERS_FILE.read_text())["comparisons"]
    return {each["output_column_name"]: each["comparison_levels"][1]["u_probability"] for each in comparisons}


def _less() -> pl.Expr:
    """Return how much less a pair weighs because others have the same, counted when the later of the two got it."""
    later = [
        pl.when(pl.col(f"{key}_others_a") > pl.col(f"{key}_others_b")).then(f"{key}_less_a").otherwise(f"{key}_less_b")
        for key in _KEYS.values()
    ]
    is_same = [pl.col(f"{key}_a") == pl.col(f"{key}_b") for key in _KEYS.values()]
    return pl.sum_horizontal(pl.when(same).then(less) for same, less in zip(is_same, later, strict=True))


def _weighed(states: pl.DataFrame) -> pl.DataFrame:
    """Return pairs of states as `a`, `b` and `weight`, before the weight is reduced for what many share."""
    import duckdb  # it and Splink take half a second to import; no command should wait for that
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)  # it reports on its progress
    with tempfile.TemporaryDirectory(prefix="tidewaiter-") as folder, duckdb.connect() as connection:
        connection.execute("SET autoinstall_known_extensions = false; SET enable_progress_bar = false")
        connection.execute(f"SET temp_directory = '{folder}'")
        linker = Linker(DuckDBAPI(connection).register(states.to_arrow()), PARAMETERS_FILE, log_level=None)
        least = MATCH - 0.01  # rounding may lift it to a match
        found = linker.inference.predict(threshold_match_weight=least, warning_mode="never")
        return (
            found.as_duckdbpyrelation()
            .select("unique_id_l AS a, unique_id_r AS b, match_weight AS weight")
            .pl()
            .with_columns(pl.col("a", "b").cast(pl.Int64))
        )


def _never() -> pl.Expr:
    return kinds.days(pl.lit(asof.NEVER))
