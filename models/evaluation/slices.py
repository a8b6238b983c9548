"""The model's figures on parts of the test rows: where it is weak, and whether it only knows what it saw before."""

from collections.abc import Iterator

import polars as pl

from features.arrays import Floats
from features.codes import HS_SECTIONS, region_of_country, section_of_chapter
from features.facts import asof
from features.matrix import feature_of
from models.document import Document
from models.metrics import Estimate, Measures, Sample, Scores, bootstrap
from models.policy import Evaluation

IDENTICAL_EARLIER_ROW = "has an identical earlier row"

# Slices that are reported even if they hold no row, because people would read their absence as 'no difference'.
_ALWAYS = {"importer": ("new", "known"), IDENTICAL_EARLIER_ROW: ("yes", "no")}
_UNKNOWN = "unknown"
_IMPORTS = feature_of(("importer_id",), "declarations", asof.YEAR_DAYS).name


class Slice(Document):
    """The model on the rows whose `dimension` has this `value`."""

    dimension: str
    value: str
    rows: int
    hits: int
    roc_auc: Estimate
    average_precision: Estimate
    expected_calibration_error: Estimate


def label(test: pl.DataFrame, has_identical_earlier_row: pl.Series) -> pl.DataFrame:
    """Return the value of every slice dimension for each test row."""
    titles = {section: f"{section} {title}" for section, _, _, title in HS_SECTIONS}
    sections = {chapter: titles[section] for chapter, section in section_of_chapter().items()}
    return test.select(
        pl.col("office").fill_null(_UNKNOWN),
        pl.col("hs2").replace_strict(sections, default=_UNKNOWN).alias("HS section"),
        pl.col("origin_country").replace_strict(region_of_country(), default=_UNKNOWN).alias("origin region"),
        _named(pl.col(_IMPORTS) == 0, "new", "known").alias("importer"),
        _named(pl.lit(has_identical_earlier_row), "yes", "no").alias(IDENTICAL_EARLIER_ROW),
    )


def measure(labels: pl.DataFrame, sample: Sample, score: Floats, policy: Evaluation, seed: int) -> tuple[Slice, ...]:
    """Return every slice, by dimension, the largest first."""
    return tuple(
        _slice(dimension, value, labels[dimension] == value, sample, score, policy, seed)
        for dimension, value in _values(labels)
    )


def _values(labels: pl.DataFrame) -> Iterator[tuple[str, str]]:
    for dimension in labels.columns:
        counted = labels[dimension].value_counts().sort(["count", dimension], descending=[True, False])
        present = counted[dimension].to_list()
        yield from ((dimension, value) for value in present)
        yield from ((dimension, value) for value in _ALWAYS.get(dimension, ()) if value not in present)


def _slice(
    dimension: str, value: str, kept: pl.Series, sample: Sample, score: Floats, policy: Evaluation, seed: int
) -> Slice:
    mask = kept.to_numpy()
    part = sample.where(mask)
    measures = Measures(part, Scores(score[mask]))
    rows = len(part.is_hit)
    draws = bootstrap.draw({"model": measures}, rows, policy.bootstrap_resamples, seed)["model"]
    figures = bootstrap.estimates(measures.names, measures(part.ones)[0], draws, policy.confidence, part.why_undefined)
    return Slice(
        dimension=dimension,
        value=value,
        rows=rows,
        hits=int(part.is_hit.sum()),
        roc_auc=figures["roc_auc"],
        average_precision=figures["average_precision"],
        expected_calibration_error=figures["expected_calibration_error"],
    )


def _named(condition: pl.Expr, yes: str, no: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(yes)).when(~condition).then(pl.lit(no)).otherwise(pl.lit(_UNKNOWN))
