"""How a number that is declared compares with what is usual: a robust z, a quantile, and the ratio to the median.

As of: declarations that customs knew before the day of acceptance, accepted at most a year earlier, in the version then
in force. Numbers are compared as logarithms. The robust z uses the quartiles rather than the median absolute deviation:
both resist outliers, and quartiles of a sliding window are exact order statistics.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from features.arrays import Floats
from features.facts import asof
from features.families.feature import Feature
from features.families.groups import group_of
from features.history import History

AS_OF = f"declarations known before the day of acceptance, accepted at most {asof.YEAR_DAYS} days earlier"
MIN_HISTORY = 5  # fewer numbers say nothing of what is usual
MIN_SPREAD = 0.02  # log10 units, about 5 %: a smaller spread is only rounding, and dividing by it would exaggerate
IQR_OF_NORMAL = 1.349  # interquartile range of a standard normal


@dataclass(frozen=True)
class Usual:
    """A declared number, and whose numbers it is compared with.

    `measure` begins the names of its features and names the sentences that state them. `kind` is the kind of facts that
    holds its logarithm (features/facts/kinds.py), and `meaning` says what it is. `groups` are combinations of columns
    by name; `watched` is the one whose drift is watched, if any.
    """

    family: str
    measure: str
    kind: str
    meaning: str
    groups: Mapping[str, tuple[str, ...]]
    watched: str | None = None

    @property
    def features(self) -> Iterator[Feature]:
        """Yield the features, three a group."""
        for group, by in self.groups.items():
            of = " x ".join(by)
            z, quantile, ratio = (f"{self.measure}_{each}" for each in ("z", "quantile", "ratio"))
            is_watched = group == self.watched
            yield self._feature(z, group, f"robust z of log {self.meaning} among {of}", "log" if is_watched else None)
            yield self._feature(
                quantile,
                group,
                f"share of declarations with a lower {self.meaning} among {of}",
                "linear" if is_watched else None,
            )
            yield self._feature(ratio, group, f"{self.meaning} over the median of {of}", None)

    def _feature(self, measure: str, group: str, meaning: str, drift: Literal["linear", "log"] | None) -> Feature:
        by = self.groups[group]
        return Feature(
            f"{measure}_{group}",
            self.family,
            "numeric",
            meaning,
            AS_OF,
            entity=by,
            measure=measure,
            group=f"{self.measure}_{group_of(by)}",
            sentences=self.measure,
            window_days=asof.YEAR_DAYS,
            drift=drift,
        )

    @property
    def tables(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield the kind of facts with each combination of columns."""
        return ((self.kind, by) for by in self.groups.values())


def compared(history: History, numbers: Iterable[Usual]) -> list[Floats]:
    """Return what `features` of each of `numbers` hold, one array a group: features x queries, of 32 bits.

    Values are NaN where the declaration does not give the number, or where the group has fewer than `MIN_HISTORY`.
    """

    def of_group(asked: tuple[str, tuple[str, ...]]) -> Floats:
        kind, by = asked
        own = history.rows[kind].to_numpy()  # a null is NaN
        count, below, low, median, high = history.order_statistics(kind, by, asof.YEAR_DAYS).T
        spread = np.maximum(high - low, MIN_SPREAD) / IQR_OF_NORMAL
        found = ((own - median) / spread, below, 10 ** (own - median))  # z, quantile and ratio, as in `features`
        return np.where(count >= MIN_HISTORY, np.stack(found), np.nan).astype(np.float32)

    return history.each(of_group, [table for each in numbers for table in each.tables])
