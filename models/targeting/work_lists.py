"""The officers' work list: what was selected for inspection, in the order in which an office takes it up, and why."""

from pathlib import Path

import polars as pl

from features.contract import KEY
from features.presentation import spreadsheet
from models.policy import LANES
from models.reasons import LANGUAGES, read, reasons
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
    facts = worded(model, rows, language)
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


def worded(model: RiskModel, rows: pl.DataFrame, language: str) -> pl.DataFrame:
    """Return the key and `sentence` of the reasons for each row, by rank, as the list words them."""
    words = read(language).work_list
    raises = pl.col("direction") == "raises"
    sentence = pl.when(raises).then(_around(words.raises)).otherwise(_around(words.lowers)).alias("sentence")
    return reasons(model, rows, language, REASONS_SHOWN).select(*KEY, sentence)


def given(path: Path, declaration_id: str) -> tuple[str, dict[int, tuple[str, ...]]]:
    """Return the language of a list, and the facts that it gives for the items of a declaration, by item number.

    ValueError if the file is no such list; OSError if it cannot be read.
    """
    rows = spreadsheet.read(path)
    for language in LANGUAGES:
        words = read(language).work_list
        if set(words.columns.values()) <= set(rows.columns):
            name, number = (words.columns[column] for column in KEY)
            shown = [words.why.format(n=n + 1) for n in range(REASONS_SHOWN)]
            own = rows.filter(pl.col(name) == declaration_id).select(pl.col(number).cast(pl.Int32), *shown)
            return language, {item: tuple(fact for fact in told if fact) for item, *told in own.iter_rows()}
    raise ValueError(f"{path} is no work list; allowed: the columns of one in {', '.join(LANGUAGES)}")


def _around(template: str) -> pl.Expr:
    """Return an expression for a template with `{sentence}`, filled with that column."""
    before, after = template.split("{sentence}")
    return pl.lit(before) + pl.col("sentence") + pl.lit(after)
