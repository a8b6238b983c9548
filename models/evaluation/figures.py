"""Everything measured on the test rows, as one document, which is logged, judged by the gates and shown on the card.

This module brings scorers together; ranking.py computes the figures, and bootstrap.py tells how sure they are.
"""

from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np
import polars as pl

from features.contract import KEY
from models.document import Document
from models.evaluation import slices
from models.evaluation.schemes import SchemeRecall
from models.evaluation.slices import Slice
from models.metrics import Estimate, Measures, Sample, Scores, bootstrap, off_policy, ranking
from models.policy import Policy

OF_MODEL, OF_CHAMPION = "model", "champion"
# The names of scorers that people read.
TITLES = {
    "model": "this model",
    "champion": "champion",
    "logistic": "logistic regression",
    "risk_profile": "risk profile",
    "random": "random",
}
ESTIMATORS = ("naive", "ipw", "snipw", "dr")


class AtShare(Document):
    """Inspecting the best `share` of all rows `by` score or priority: 0.1 is 10 %. `revenue` is a share of all."""

    share: float
    by: str
    precision: Estimate
    recall: Estimate
    lift: Estimate
    revenue: Estimate


class Scorer(Document):
    """One scorer's figures on the test rows."""

    name: str
    roc_auc: Estimate
    average_precision: Estimate
    brier: Estimate
    expected_calibration_error: Estimate
    at_shares: tuple[AtShare, ...]

    def at(self, share: float, by: str) -> AtShare:
        """Return the figures at one inspection share.

        Raises KeyError where the policy does not list the share, or the scorer has no such ranking.
        """
        for figures in self.at_shares:
            if figures.share == share and figures.by == by:
                return figures
        raise KeyError(f"{self.name} has no figures at {share} by {by}; there are {[s.share for s in self.at_shares]}")


class Comparison(Document):
    """The model's figures less the champion's on the same rows: above 0, the model's figure is higher."""

    version: str
    champion: Scorer
    differences: dict[str, Estimate]


class Evaluation(Document):
    """All figures of a model on its test rows. `revenue` is in currency, `base_rate` is hits over rows.

    `selection` is what its selection would have found among all declarations of those days, inspected or not; null
    where nobody recorded with which probability items were inspected.
    """

    rows: int
    hits: int
    base_rate: float | None
    revenue: float
    first_day: date | None
    last_day: date | None
    confidence: float
    resamples: int
    model: Scorer
    baselines: tuple[Scorer, ...]
    slices: tuple[Slice, ...]
    champion: Comparison | None
    schemes: tuple[SchemeRecall, ...]
    selection: off_policy.SelectionEstimates | None = None

    def figures(self) -> dict[str, float]:
        """Return flat names to values for a metrics store, with `.low` and `.high` for intervals, where defined.

        For example `model.roc_auc`, `logistic.recall_at_10pct_by_score.low`, `scheme.phoenix.recall_at_10pct_by_score`.
        """
        flat: dict[str, float] = {"rows": self.rows, "hits": self.hits, "revenue": self.revenue}
        for scorer in self._scorers():
            for name, estimate in _estimates(scorer):
                flat |= _flat(f"{scorer.name}.{name}", estimate)
        if self.champion:
            for name, estimate in self.champion.differences.items():
                flat |= _flat(f"difference.{name}", estimate)
        for scheme in self.schemes:
            flat[f"scheme.{scheme.scheme}.recall_at_10pct_by_score"] = scheme.by_score
            flat[f"scheme.{scheme.scheme}.recall_at_10pct_by_priority"] = scheme.by_priority
        if self.selection:
            for estimator in ESTIMATORS:
                for name, estimate in getattr(self.selection, estimator):
                    flat |= _flat(f"selection.{estimator}.{name}", estimate)
        return flat

    def _scorers(self) -> Iterator[Scorer]:
        yield self.model
        yield from self.baselines
        if self.champion:
            yield self.champion.champion


def evaluate(
    test: pl.DataFrame,
    model: Scores,
    baselines: Mapping[str, Scores],
    has_identical_earlier_row: pl.Series,
    policy: Policy,
    champion: tuple[str, Scores] | None = None,
    schemes: tuple[SchemeRecall, ...] = (),
    selection: off_policy.SelectionEstimates | None = None,
) -> Evaluation:
    """Measure scorers on the labelled rows of `test`, all on the same resamples.

    `champion` is its version and its scores of the same rows. Rows without any hit, or none at all, give figures that
    are null with a reason.
    """
    settings, seed = policy.evaluation, policy.training.seed
    sample = sample_of(test)
    scorers = {OF_MODEL: model, **baselines, **({OF_CHAMPION: champion[1]} if champion else {})}
    measures = {name: Measures(sample, scores, settings.inspection_shares) for name, scores in scorers.items()}
    values = {name: measure(sample.ones)[0] for name, measure in measures.items()}
    draws = bootstrap.draw(measures, test.height, settings.bootstrap_resamples, seed)

    def estimated(name: str) -> Scorer:
        figures = bootstrap.estimates(
            measures[name].names, values[name], draws[name], settings.confidence, sample.why_undefined
        )
        return _scorer(name, figures, settings.inspection_shares)

    comparison = None
    if champion:
        differences = bootstrap.estimates(
            measures[OF_MODEL].names,
            values[OF_MODEL] - values[OF_CHAMPION],
            draws[OF_MODEL] - draws[OF_CHAMPION],
            settings.confidence,
            sample.why_undefined,
        )
        comparison = Comparison(version=champion[0], champion=estimated(OF_CHAMPION), differences=differences)
    days = test["accepted_at"].dt.date().sort()
    return Evaluation(
        rows=test.height,
        hits=int(sample.is_hit.sum()),
        base_rate=float(sample.is_hit.mean()) if test.height else None,
        revenue=float(sample.revenue.sum()),
        first_day=days[0] if test.height else None,
        last_day=days[-1] if test.height else None,
        confidence=settings.confidence,
        resamples=settings.bootstrap_resamples,
        model=estimated(OF_MODEL),
        baselines=tuple(estimated(name) for name in baselines),
        slices=slices.measure(slices.label(test, has_identical_earlier_row), sample, model.score, settings, seed),
        champion=comparison,
        schemes=schemes,
        selection=selection,
    )


def sample_of(test: pl.DataFrame) -> Sample:
    """Return what was found in labelled rows; revenue counts where the row was a hit.

    Raises ValueError where a row has no label.
    """
    if unlabelled := test["is_illicit"].null_count():
        raise ValueError(f"{unlabelled} of {test.height} test rows have no label (is_illicit is null); leave them out")
    is_hit = test["is_illicit"].cast(pl.Boolean).to_numpy()
    recovered = test["recovered_revenue"].cast(pl.Float64).fill_null(0).to_numpy()
    return Sample(is_hit, np.where(is_hit, recovered, 0.0))


def scores_of(test: pl.DataFrame, predictions: pl.DataFrame) -> Scores:
    """Return a model's predictions in the order of `test`.

    Raises ValueError where a row has no prediction.
    """
    aligned = test.select(KEY).join(
        predictions.select(*KEY, pl.col("score", "priority").cast(pl.Float64)),
        on=KEY,
        how="left",
        maintain_order="left",
        validate="1:1",
    )
    if missing := aligned["score"].null_count():
        raise ValueError(f"{missing} of {test.height} test rows have no prediction; every one needs one")
    return Scores(aligned["score"].to_numpy(), aligned["priority"].to_numpy())


def _scorer(name: str, figures: Mapping[str, Estimate], shares: tuple[float, ...]) -> Scorer:
    return Scorer(
        name=name,
        at_shares=tuple(
            AtShare(
                share=share,
                by=by,
                **{figure: figures[ranking.at_share(figure, share, by)] for figure in ranking.AT_SHARE},
            )
            for by in ("score", "priority")
            for share in shares
            if ranking.at_share(ranking.AT_SHARE[0], share, by) in figures
        ),
        **{figure: figures[figure] for figure in ranking.OVERALL},
    )


def _estimates(scorer: Scorer) -> Iterator[tuple[str, Estimate]]:
    for name in ranking.OVERALL:
        yield name, getattr(scorer, name)
    for figures in scorer.at_shares:
        for name in ranking.AT_SHARE:
            yield ranking.at_share(name, figures.share, figures.by), getattr(figures, name)


def _flat(name: str, estimate: Estimate) -> dict[str, float]:
    parts = {name: estimate.value, f"{name}.low": estimate.low, f"{name}.high": estimate.high}
    return {key: value for key, value in parts.items() if value is not None}
