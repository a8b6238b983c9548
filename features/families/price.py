"""The declared value per kg, compared with what the same goods usually cost.

As of: declarations that customs knew before the day of acceptance, accepted at most a year earlier, in the version then
in force. The robust z uses the quartiles rather than the median absolute deviation: both resist outliers, and quartiles
of a sliding window are exact order statistics.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from features.facts import asof
from features.families.feature import Feature, frame
from features.families.groups import group_of
from features.history import History

NAME = "price"
_AS_OF = f"declarations known before the day of acceptance, accepted at most {asof.YEAR_DAYS} days earlier"

GROUPS = {"hs6_origin": ("hs6", "origin_country"), "hs6": ("hs6",), "importer_hs6": ("importer_id", "hs6")}
MIN_HISTORY = 5  # fewer prices say nothing of what is usual
MIN_SPREAD = 0.02  # log10 units, about 5 %: a smaller spread is only rounding, and dividing by it would exaggerate
IQR_OF_NORMAL = 1.349  # interquartile range of a standard normal
_DRIFT: dict[str, Literal["linear", "log"]] = {"price_z": "log", "price_quantile": "linear"}


def _describe(group: str, by: tuple[str, ...]) -> Iterator[Feature]:
    of = " x ".join(by)
    for measure, meaning in {
        "price_z": f"robust z of log value per kg among {of}",
        "price_quantile": f"share of prices below among {of}",
        "price_ratio": f"value per kg over the median of {of}",
    }.items():
        yield Feature(
            f"{measure}_{group}",
            NAME,
            "numeric",
            meaning,
            _AS_OF,
            entity=by,
            measure=measure,
            group=f"price_{group_of(by)}",
            sentences="price",
            window_days=asof.YEAR_DAYS,
            drift=_DRIFT.get(measure) if by == ("hs6",) else None,
        )


FEATURES = tuple(feature for group, by in GROUPS.items() for feature in _describe(group, by))

TABLES = tuple(("log_value_per_kg", by) for by in GROUPS.values())


def compute(history: History) -> pl.DataFrame:
    """Return the columns of `FEATURES`, one row a query; null where the group has fewer than `MIN_HISTORY` prices."""
    price = history.rows["log_value_per_kg"].to_numpy()  # a null is NaN

    def usual(group: str) -> np.ndarray:
        statistics = history.order_statistics("log_value_per_kg", GROUPS[group], asof.YEAR_DAYS)
        count, below, low, median, high = statistics.T
        enough = count >= MIN_HISTORY
        spread = np.maximum(high - low, MIN_SPREAD) / IQR_OF_NORMAL
        found = ((price - median) / spread, below, 10 ** (price - median))  # z, quantile and ratio, as in FEATURES
        return np.where(enough, np.stack(found), np.nan).astype(np.float32)

    return frame(FEATURES, history.each(usual, GROUPS))
