"""The officers' work list: what was selected for inspection, in the order in which an office takes it up, and why."""

import polars as pl

from features.contract import KEY
from models.policy import LANES
from models.reasons import reasons
from models.risk_model import RiskModel

REASONS_SHOWN = 3


def work_list(model: RiskModel, declarations: pl.DataFrame, chosen: pl.DataFrame, language: str) -> pl.DataFrame:
    """Office by office and day by day, red before yellow before blue, the weightiest first.

    `declarations`: identity and features. `chosen`: the same rows as models/selection.py chose. Columns: office,
    accepted_on, lane, key, reason, score, expected_revenue (in the source's currency), and up to `REASONS_SHOWN`
    sentences in `language`, `why_1` the weightiest.
    """
    picked = chosen["lane"] != "green"
    rows = declarations.filter(picked)
    why = reasons(model, rows, language, REASONS_SHOWN).group_by(KEY, maintain_order=True).agg("sentence")
    sentences = why.select(
        *KEY, *(pl.col("sentence").list.get(n, null_on_oob=True).alias(f"why_{n + 1}") for n in range(REASONS_SHOWN))
    )
    lanes = pl.Enum(LANES)
    return (
        chosen.filter(picked)
        .with_columns(pl.col("lane").cast(lanes), pl.col("score").round(4), pl.col("expected_revenue").round(2))
        .join(sentences, on=KEY, how="left", maintain_order="left")
        .sort("office", "accepted_on", "lane", "priority", descending=[False, False, False, True])
        .select("office", "accepted_on", "lane", *KEY, "reason", "score", "expected_revenue", *sentences.columns[2:])
    )
