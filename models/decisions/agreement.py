"""How a version that awaits sign-off agrees with the model that decides, on what the window has asked both about."""

import math
from datetime import date

import msgspec
import polars as pl

from models.decisions.log import DecisionLog
from models.decisions.record import Decision

MOST = 5_000  # decisions that are looked back at: the page that shows it is waited for
LEAST = 200  # items, below which nothing is judged
SHARE = 0.10  # of the items: those with the highest scores, for which inspections are


class LiveAgreement(msgspec.Struct, frozen=True):
    """Tells how two models score the same items, of declarations from `since` to `until`.

    `against` is the version that decided. Of the SHARE of items that one model scores highest, `in_common` is the part
    that the other one scores highest too, and `rank_correlation` is Spearman's over all items; both are None if there
    are fewer items than LEAST, and the correlation also where a model gives all the same score.
    """

    against: str
    since: date
    until: date
    declarations: int
    items: int
    in_common: float | None
    rank_correlation: float | None


def live_agreement(log: DecisionLog, version: str, most: int = MOST) -> LiveAgreement | None:
    """Return how `version` agrees with the model that decided last, among the `most` latest decisions.

    A declaration counts once, by its last decision. None if no decision was taken in the version's shadow; Unavailable
    as from the log.
    """
    latest = {
        decision.declaration_id: decision
        for _, decision in log.after(max(0, log.head().number - most), most)
        if _scores(decision, version)
    }
    if not latest:
        return None
    against = max(latest.values(), key=lambda decision: decision.received_at).model_version
    found = [decision for decision in latest.values() if decision.model_version == against]
    scores = pl.DataFrame(
        [
            (item.score, other)
            for decision in found
            for item, other in zip(decision.items, _scores(decision, version), strict=True)
        ],
        schema={"decided": pl.Float64, "shadow": pl.Float64},
        orient="row",
    )
    return LiveAgreement(
        against,
        min(decision.day for decision in found),
        max(decision.day for decision in found),
        len(found),
        scores.height,
        *(_compared(scores) if scores.height >= LEAST else (None, None)),
    )


def _scores(decision: Decision, version: str) -> tuple[float, ...]:
    """Return the scores that a version gave in the shadow of a decision; none if it gave none, or no model decided."""
    if decision.unscored:
        return ()
    return next((shadow.scores for shadow in decision.shadows if shadow.model_version == version), ())


def _compared(scores: pl.DataFrame) -> tuple[float, float | None]:
    count = round(scores.height * SHARE)
    rows = scores.with_row_index("row")
    decided, shadow = (
        set(rows.sort(by, descending=True, maintain_order=True)["row"].head(count)) for by in scores.columns
    )
    correlation = scores.select(pl.corr("decided", "shadow", method="spearman")).item()
    return len(decided & shadow) / count, None if math.isnan(correlation) else correlation
