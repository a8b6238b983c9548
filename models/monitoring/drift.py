"""Whether what the model sees has moved away from what it was trained on: Evidently's distances, judged by column.

Amounts and counts are compared on a log scale, because otherwise one large consignment would set the scale of a whole
column. Rare categories are put together, because what is rare in both windows differs by chance. Tariff codes are
compared as chapters only, and ids not at all. A column also drifts when the share of rows without a value moves by more
than the threshold; the distance, which is taken over values alone, does not show that.

Features of history, and scores with them, move as records grow longer, even if nothing has changed in the world. So the
columns look back over short windows, and `reference_rows` leaves out the first weeks of all records.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from features.contract import KEY
from features.matrix import CATALOGUE
from models.metrics import Measures, Sample, Scores, cbpe, ranking
from models.monitoring import drift_page
from models.monitoring.drift_result import (
    QUALITY_SHARE,
    ColumnDrift,
    DriftResult,
    Promise,
    Quality,
    QualityCheck,
    Window,
    nothing_to_compare,
)
from models.policy import Drift
from models.training import Dataset, days

if TYPE_CHECKING:
    from evidently.core.report import Snapshot

CATEGORICAL = tuple(feature.name for feature in CATALOGUE if feature.drift == "categories")
LOG_SCALE = tuple(feature.name for feature in CATALOGUE if feature.drift == "log")
LINEAR = ("score", *(feature.name for feature in CATALOGUE if feature.drift == "linear"))
NUMERIC = LINEAR + LOG_SCALE
COLUMNS = CATEGORICAL + NUMERIC

PROMISE_RESAMPLES, PROMISE_CONFIDENCE = 200, 0.95
WARM_UP_DAYS = 90  # so many days of records are needed before histories say something
RARE = 0.01  # categories below this share of both windows are put together
_OTHER, _NONE = "(other)", "(none)"
_DIGITS = 6  # Evidently sums a column's categories in no fixed order, so the last digits vary from run to run


@dataclass(frozen=True)
class Sampled:
    """Rows of a window that stand for all of it; the same share of each day is taken."""

    rows: pl.DataFrame
    window: Window


def check(
    reference: Sampled,
    current: pl.DataFrame,
    policy: Drift,
    seed: int,
    at_training: Quality | None,
    page: Path,
) -> DriftResult:
    """Compare two windows of scored rows and write the drift page to `page` (self-contained HTML).

    `current` is sampled here, because its quality is measured on all of it. Both windows have accepted_at, the key and
    `COLUMNS`; `current` also has is_illicit (null: no outcome yet). `at_training` is what the model showed on its test
    rows. Where `reference` has no rows, columns are not compared. Raises ValueError if `current` has none, and for a
    column that is not there.
    """
    for name, frame in (("reference", reference.rows), ("current", current)):
        _check_frame(name, frame)
    compact = sample_by_day(current, policy.max_sample_rows, seed)
    windows = [reference.window, compact.window]
    is_judged = min(window.rows for window in windows) >= policy.min_rows
    columns, report = ((), "") if reference.rows.is_empty() else _compared(reference.rows, compact.rows, policy)
    quality = _check_quality(measure(current), at_training, policy)
    promise = _promise(compact.rows, seed)
    drifted = [column for column in columns if column.is_drifted]
    result = DriftResult(
        reference=windows[0],
        current=windows[1],
        columns=columns,
        max_drifted_columns=policy.max_drifted_columns,
        quality=quality,
        promise=promise,
        is_judged=is_judged,
        is_breach=(is_judged and len(drifted) > policy.max_drifted_columns) or quality.is_breach,
        verdict=f"{_verdict(windows, drifted, policy)} {quality.sentence}{_promised(promise)}",
    )
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(drift_page.render(result, report), encoding="utf-8")
    return result


def sample_reference(dataset: Dataset, first: date, last: date, rows: int, seed: int) -> Sampled:
    """Return a sample, see `sample_by_day`, of what was accepted from `first` to `last`; see `reference_rows`.

    It has no rows where nothing of those days is stored, as with a model that has learned elsewhere.
    """
    found = reference_rows(dataset, first, last)
    one = found.head(1).collect()
    if one.is_empty():
        return Sampled(one, Window(since=first, until=last, rows=0, sampled=0))
    return sample_by_day(found, rows, seed)


def reference_rows(dataset: Dataset, first: date, last: date) -> pl.LazyFrame:
    """Return the rows accepted from `first` to `last`, both included, after the warm-up of the dataset's records.

    Where that leaves none, because all records are younger than the warm-up, all rows of the window are returned.
    """
    accepted_on = pl.col("accepted_at").dt.date()
    begins, _ = days.of_data(dataset)
    window = dataset.lazy().filter(accepted_on.is_between(first, last))
    warm = window.filter(accepted_on >= begins + timedelta(days=WARM_UP_DAYS))
    return warm if warm.select(pl.len()).collect().item() else window


def measure(frame: pl.DataFrame) -> Quality:
    """Return how well `score` met `is_illicit` in the rows that have an outcome."""
    labelled = frame.filter(pl.col("is_illicit").is_not_null())
    is_hit = labelled["is_illicit"].to_numpy().astype(np.bool_)
    sample = Sample(is_hit, np.zeros(len(is_hit)))
    scores = Scores(labelled["score"].cast(pl.Float64).to_numpy())
    measures = Measures(sample, scores, shares=(QUALITY_SHARE,))
    figures = dict(zip(measures.names, measures(sample.ones)[0].tolist(), strict=True))

    def figure(name: str) -> float | None:
        return None if np.isnan(figures[name]) else figures[name]

    return Quality(
        rows=len(is_hit),
        hits=int(is_hit.sum()),
        precision_at_10pct=figure(ranking.at_share("precision", QUALITY_SHARE, "score")),
        roc_auc=figure("roc_auc"),
        brier=figure("brier"),
    )


def sample_by_day(dataset: Dataset, rows: int, seed: int) -> Sampled:
    """Return at most `rows` rows, the same share of each day; the same ones in whatever order the rows come.

    ValueError where there are none.
    """
    ordered = dataset.lazy().select("accepted_at", *KEY).collect(engine="streaming").sort("accepted_at", *KEY)
    if ordered.is_empty():
        raise ValueError("the window has no rows; at least one is needed")
    taken = dataset.lazy()
    if len(ordered) > rows:
        # The join keeps the order; otherwise the rows of all days would be in memory at once.
        taken = taken.join(_drawn_by_day(ordered, rows, seed).lazy(), on=KEY, how="semi", maintain_order="left")
    sample = taken.collect(engine="streaming").sort("accepted_at", *KEY)
    since, until = (ordered["accepted_at"][place].date() for place in (0, -1))
    return Sampled(sample, Window(since=since, until=until, rows=len(ordered), sampled=len(sample)))


def _drawn_by_day(ordered: pl.DataFrame, rows: int, seed: int) -> pl.DataFrame:
    drawn = pl.Series("_drawn", np.random.default_rng(seed).random(len(ordered)))
    day = pl.col("accepted_at").dt.date()
    # Days follow one another, each in an order drawn by lot; then rows are taken at equal steps through all of them.
    place = (pl.col("_row").first().over(day) + pl.col("_drawn").rank("ordinal").over(day)).cast(pl.Int64)
    is_taken = place * rows // len(ordered) > (place - 1) * rows // len(ordered)
    return ordered.with_row_index("_row").with_columns(drawn).filter(is_taken).select(KEY)


def _check_frame(name: str, frame: pl.DataFrame) -> None:
    needed = [*KEY, "accepted_at", *COLUMNS, *(["is_illicit"] if name == "current" else [])]
    if absent := [column for column in needed if column not in frame.columns]:
        raise ValueError(f"the {name} window lacks the columns {', '.join(absent)}")
    if name == "current" and frame.is_empty():
        raise ValueError(f"the {name} window has no rows; at least one is needed")


def _compared(reference: pl.DataFrame, current: pl.DataFrame, policy: Drift) -> tuple[tuple[ColumnDrift, ...], str]:
    """Return the gate of each of `COLUMNS`, and Evidently's report as a document of HTML."""
    compared = _comparable(reference, current)
    snapshot, distances = _compare(*compared, policy.column_threshold)
    columns = tuple(_column(name, distances.get(name), *compared, policy.column_threshold) for name in COLUMNS)
    return columns, snapshot.get_html_str(as_iframe=False)


def _comparable(reference: pl.DataFrame, current: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `COLUMNS` of both windows as they are compared: amounts on their scale, rare categories put together."""
    windows = [frame.select(*map(_category, CATEGORICAL), *map(_number, NUMERIC)) for frame in (reference, current)]
    for name in CATEGORICAL:
        counts = [frame[name].value_counts() for frame in windows]
        common = {
            category for count in counts for category, rows in count.iter_rows() if rows >= RARE * count["count"].sum()
        }
        together = pl.when(pl.col(name).is_in(sorted(common))).then(pl.col(name)).otherwise(pl.lit(_OTHER))
        windows = [frame.with_columns(together.alias(name)) for frame in windows]
    return windows[0], windows[1]


def _category(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).fill_null(_NONE)


def _number(name: str) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    scaled = value.sign() * value.abs().log1p() if name in LOG_SCALE else value
    return pl.when(value.is_finite()).then(scaled).alias(name)


def _compare(reference: pl.DataFrame, current: pl.DataFrame, threshold: float) -> tuple["Snapshot", dict[str, float]]:
    """Return Evidently's report, and the distance of every column that has a value in both windows."""
    # The import takes seconds, which commands that compare no windows should not have to wait for.
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    compared = [name for name in COLUMNS if reference[name].count() and current[name].count()]
    definition = DataDefinition(
        numerical_columns=[name for name in compared if name in NUMERIC],
        categorical_columns=[name for name in compared if name in CATEGORICAL],
    )
    windows = [
        Dataset.from_pandas(frame.select(compared).to_pandas(), data_definition=definition)
        for frame in (reference, current)
    ]
    preset = DataDriftPreset(
        columns=compared,
        num_method=_method(NUMERIC[0]),
        cat_method=_method(CATEGORICAL[0]),
        num_threshold=threshold,
        cat_threshold=threshold,
    )
    with np.errstate(invalid="ignore"):  # the picture of a constant column divides zero by zero
        snapshot = Report([preset], include_tests=True).run(current_data=windows[1], reference_data=windows[0])
    figures = (metric for metric in snapshot.dict()["metrics"] if "column" in metric["config"])
    found = {metric["config"]["column"]: metric["value"] for metric in figures}
    return snapshot, {name: round(float(found[name]), _DIGITS) for name in compared}


def _method(name: str) -> Literal["wasserstein", "jensenshannon"]:
    return "wasserstein" if name in NUMERIC else "jensenshannon"


def _column(
    name: str, distance: float | None, reference: pl.DataFrame, current: pl.DataFrame, threshold: float
) -> ColumnDrift:
    missing = [round(frame[name].null_count() / len(frame), _DIGITS) for frame in (reference, current)]
    return ColumnDrift(
        column=name,
        method=_method(name),
        scale="log" if name in LOG_SCALE else "linear",
        distance=distance,
        threshold=threshold,
        missing_reference=missing[0],
        missing_current=missing[1],
        is_drifted=(distance is not None and distance >= threshold) or abs(missing[1] - missing[0]) >= threshold,
    )


def _verdict(windows: list[Window], drifted: list[ColumnDrift], policy: Drift) -> str:
    if not windows[0].rows:
        return nothing_to_compare(windows[0])
    names = ", ".join(_said(column) for column in sorted(drifted, key=lambda column: -(column.distance or 0)))
    found = f"{len(drifted)} of {len(COLUMNS)} columns drifted{f' ({names})' if drifted else ''}"
    name, rows = min(zip(("reference", "current"), (window.rows for window in windows), strict=True), key=itemgetter(1))
    if rows < policy.min_rows:
        judged = f"not judged, as the {name} window has {rows} rows and {policy.min_rows} are needed"
    else:
        judged = f"{_judgement(drifted, policy)}; at most {policy.max_drifted_columns} may"
    said = f"{found}: {judged}."
    if any(window.sampled < window.rows for window in windows):
        parts = (f"{window.sampled} of {window.rows}" for window in windows)
        said += f" Compared on samples stratified by day: {' reference rows, '.join(parts)} current rows."
    return said


def _judgement(drifted: list[ColumnDrift], policy: Drift) -> str:
    return "breach" if len(drifted) > policy.max_drifted_columns else "within bounds"


def _said(column: ColumnDrift) -> str:
    if column.distance is not None and column.distance >= column.threshold:
        return f"{column.column} {column.distance:.3f}"
    return f"{column.column} missing {column.missing_reference:.0%} then, {column.missing_current:.0%} now"


def _promise(current: pl.DataFrame, seed: int) -> Promise:
    """Return what is expected over all rows, and its error over those with an outcome, where alone it can be known."""

    def expected(score: np.ndarray) -> cbpe.ExpectedPerformance:
        return cbpe.expected_performance(score, (QUALITY_SHARE,), PROMISE_RESAMPLES, PROMISE_CONFIDENCE, seed)

    labelled = current.filter(pl.col("is_illicit").is_not_null())
    known = labelled["score"].to_numpy()
    error = (
        cbpe.misses(expected(known), known, labelled["is_illicit"].to_numpy().astype(np.bool_)) if len(known) else {}
    )
    return Promise(expected=expected(current["score"].to_numpy()), misses=error)


def _promised(promise: Promise) -> str:
    area = promise.expected.figures["roc_auc"].value
    if area is None:
        return ""
    error = promise.misses["roc_auc"].error if promise.misses else None
    known = f"; where outcomes are known it was off by {error:+.3f}" if error is not None else ""
    return f" Over all rows, labelled or not, the scores promise a ROC-AUC of {area:.3f}{known}."


def _check_quality(current: Quality, reference: Quality | None, policy: Drift) -> QualityCheck:
    known = f"{current.rows} outcomes known, {current.hits} of them hits"
    is_judged = is_breach = False
    if current.rows < policy.min_labelled_rows:
        sentence = f"Quality not judged: {known}; {policy.min_labelled_rows} outcomes are needed."
    elif current.roc_auc is None:
        sentence = f"Quality not judged: {known}; ROC-AUC needs both hits and others."
    elif reference is None or reference.roc_auc is None:
        sentence = (
            f"Quality not judged: ROC-AUC {current.roc_auc:.3f} ({known}), and none from training to compare with."
        )
    else:
        is_judged = True
        drop = reference.roc_auc - current.roc_auc
        is_breach = drop > policy.max_roc_auc_drop
        bound = f"a drop of more than {policy.max_roc_auc_drop:g} is a breach"
        sentence = f"ROC-AUC {current.roc_auc:.3f} ({known}) against {reference.roc_auc:.3f} at training; {bound}."
    return QualityCheck(
        current=current, reference=reference, is_judged=is_judged, is_breach=is_breach, sentence=sentence
    )
