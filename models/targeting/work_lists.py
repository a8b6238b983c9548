"""The officers' work list: what was selected for inspection, in the order in which an office takes it up, and why."""

import polars as pl

from features.contract import KEY
from models.policy import LANES
from models.reasons import read, reasons
from models.risk import RiskModel

REASONS_SHOWN = 3


def work_list(model: RiskModel, declarations: pl.DataFrame, chosen: pl.DataFrame, language: str) -> pl.DataFrame:
    """Return the list by office and day, red before yellow before blue, the weightiest first; words in `language`.

    `declarations` has identity and features, and `chosen` the same rows as models/targeting/selector.py chose. The
    columns, as English calls them, are: office, accepted_on, lane, key, reason, score, expected_revenue (in the
    source's currency), and up to `REASONS_SHOWN` facts, of which `why_1` is the weightiest, each with whether it raises
    or lowers the score.
    """
    words = read(language).work_list
    picked = chosen["lane"] != "green"
    rows = declarations.filter(picked)
    facts = reasons(model, rows, language, REASONS_SHOWN).with_columns(
        pl.when(pl.col("direction") == "raises")
        .then(_around(words.raises))
        .otherwise(_around(words.lowers))
        .alias("sentence")
    )
    why = facts.group_by(KEY, maintain_order=True).agg("sentence")
    shown = [words.why.format(n=n + 1) for n in range(REASONS_SHOWN)]
    sentences = why.select(
        *KEY, *(pl.col("sentence").list.get(n, null_on_oob=True).alias(name) for n, name in enumerate(shown))
    )
    listed = (
        chosen.filter(picked)
        .with_columns(
            pl.col("lane").cast(pl.Enum(LANES)), pl.col("score").round(4), pl.col("expected_revenue").round(2)
        )
        .join(sentences, on=KEY, how="left", maintain_order="left")
        .sort("office", "accepted_on", "lane", "priority", descending=[False, False, False, True])
        .with_columns(
            pl.col("lane").cast(pl.String).replace_strict(words.lanes, return_dtype=pl.String),
            pl.col("reason").cast(pl.String).replace_strict(words.reasons, return_dtype=pl.String),
        )
    )
    columns = ("office", "accepted_on", "lane", *KEY, "reason", "score", "expected_revenue")
    return listed.select(*(pl.col(name).alias(words.columns[name]) for name in columns), *shown)


def _around(template: str) -> pl.Expr:
    """Return an expression for a template with `{sentence}`, filled with that column."""
    before, after = template.split("{sentence}")
    return pl.lit(before) + pl.col("sentence") + pl.lit(after)
