"""How much of each planted scheme a selection would find. Only simulated data can tell: nobody else knows the truth."""

import polars as pl

from features.contract import KEY
from models.document import Document
from models.metrics import ranking

SHARE = 0.10
ANY = "any"
NONE = "none"


class SchemeRecall(Document):
    """The share of a scheme's declarations that are among the best 10 % of all, by score and by priority."""

    scheme: str
    rows: int
    by_score: float
    by_priority: float


def recall(predictions: pl.DataFrame, truth: pl.DataFrame) -> tuple[SchemeRecall, ...]:
    """Return the recall of each scheme, and of any; `predictions` are of every declaration, inspected or not.

    Only declarations count of which the truth tells: it does not know what was declared at the window since.
    """
    predictions = predictions.join(truth, on=KEY, how="semi", maintain_order="left")
    chosen = predictions.select(
        *KEY,
        *(
            pl.Series(f"by_{key}", ranking.chance_in_top(predictions[key].cast(pl.Float64).to_numpy(), SHARE))
            for key in ("score", "priority")
        ),
    ).join(truth.select(*KEY, "scheme"), on=KEY, how="left", validate="1:1")
    planted = chosen.filter(pl.col("scheme") != NONE)
    found = (
        pl.concat([planted, planted.with_columns(scheme=pl.lit(ANY))])
        .group_by("scheme")
        .agg(pl.len().alias("rows"), pl.col("by_score", "by_priority").mean())
    )
    return tuple(SchemeRecall(**row) for row in found.sort("rows", "scheme", descending=[True, False]).to_dicts())
