"""The drift page: what was found, on one page of our own, with Evidently's report of the same windows behind it.

Evidently's own tests know nothing of missing values and outcomes, and its page is wider than a laptop.
"""

from features.presentation import pages
from models.monitoring.drift_result import DriftResult

FIGURES = {"roc_auc": "ROC-AUC", "brier": "Brier", "precision_at_10pct": "precision at 10 %"}


def render(result: DriftResult, evidently: str) -> str:
    """Return HTML that needs no network; `evidently` is the document of Evidently's report, or empty without one."""
    return pages.template("models", "drift.html").render(
        result=result,
        columns=sorted(result.columns, key=lambda column: (not column.is_drifted, column.column)),
        figures=FIGURES,
        evidently=evidently,
    )
