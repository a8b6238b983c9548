"""What a drift check found, as a document that goes to JSON; drift.py does the check."""

from datetime import date
from typing import Literal

from models.document import Document
from models.evaluation import Evaluation
from models.metrics import cbpe

QUALITY_SHARE = 0.10


class Window(Document):
    """Rows accepted from `since` to `until`, both included; `sampled` of the `rows` were compared."""

    since: date
    until: date
    rows: int
    sampled: int


def nothing_to_compare(reference: Window) -> str:
    """Return the sentence on columns where nothing of what the model has learned from is stored."""
    return (
        f"Columns not judged: nothing is stored here of {reference.since} to {reference.until}, the days from which "
        "the model has learned."
    )


class ColumnDrift(Document):
    """The gate of one column. `distance` is null where the column has no value at all in one of the windows.

    `scale` "log" means that sign(x) log(1 + |x|) was compared. Missing shares are of rows; in categorical columns
    missing is a category of its own, so theirs are 0.
    """

    column: str
    method: Literal["wasserstein", "jensenshannon"]
    scale: Literal["linear", "log"]
    distance: float | None
    threshold: float
    missing_reference: float
    missing_current: float
    is_drifted: bool


class Quality(Document):
    """Tells how well scores met the outcomes of labelled rows; a figure is null where the rows do not define it."""

    rows: int
    hits: int
    precision_at_10pct: float | None
    roc_auc: float | None
    brier: float | None

    @classmethod
    def at_training(cls, evaluation: Evaluation) -> "Quality":
        """Return the figures that a model showed on its test rows."""
        precision = [
            figures.precision.value
            for figures in evaluation.model.at_shares
            if figures.share == QUALITY_SHARE and figures.by == "score"
        ]
        return cls(
            rows=evaluation.rows,
            hits=evaluation.hits,
            precision_at_10pct=precision[0] if precision else None,
            roc_auc=evaluation.model.roc_auc.value,
            brier=evaluation.model.brier.value,
        )


class QualityCheck(Document):
    """Outcomes since training compared with those at training. `is_judged` is False while labels are too few."""

    current: Quality
    reference: Quality | None
    is_judged: bool
    is_breach: bool
    sentence: str


class Promise(Document):
    """Tells what the scores of the current window promise before labels arrive, and how far off they were.

    `misses` are over rows that have an outcome, by figure; empty while there is none.
    """

    expected: cbpe.ExpectedPerformance
    misses: dict[str, cbpe.Miss]


class DriftResult(Document):
    """The verdict on a window: `is_judged` is False if it or its reference has too few rows to tell of its columns.

    There are no columns if nothing is stored to compare it with, so that `reference` has no rows.
    """

    reference: Window
    current: Window
    columns: tuple[ColumnDrift, ...]
    max_drifted_columns: int
    quality: QualityCheck
    promise: Promise
    is_judged: bool
    is_breach: bool
    verdict: str

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Return a sentence for each of columns and quality that could not be judged; empty where both were."""
        less = min(self.current, self.reference, key=lambda window: window.rows)
        few = f"Columns not judged: {less.rows} rows accepted from {less.since} to {less.until} are too few."
        columns = () if self.is_judged else (few if self.reference.rows else nothing_to_compare(self.reference),)
        return (*columns, *(() if self.quality.is_judged else (self.quality.sentence,)))

    @property
    def state(self) -> str:
        """Return one word or two for people: a breach comes first, and what was not judged is not within bounds."""
        if self.is_breach:
            return "Breach"
        return "Not judged" if self.unjudged else "Within bounds"

    @property
    def drifted(self) -> tuple[str, ...]:
        """Return the names of the columns that drifted."""
        return tuple(column.column for column in self.columns if column.is_drifted)

    def metrics(self) -> dict[str, float]:
        """Return the figures to log, all finite: distance by column, number of drifted columns, quality, promise."""
        quality = self.quality.current.model_dump()
        promise, misses = self.promise.expected.figures, self.promise.misses
        values = {
            "drifted_columns": float(len(self.drifted)),
            **{f"distance/{column.column}": column.distance for column in self.columns},
            **{f"quality/{name}": value for name, value in quality.items()},
            **{f"expected/{name}": figure.value for name, figure in promise.items()},
            **{f"expected_error/{name}": miss.error for name, miss in misses.items()},
        }
        return {name: float(value) for name, value in values.items() if value is not None}
