"""What would have happened: learn from one period, score a later one without its outcomes, then compare with them.

It needs no server and no store, and leaves nothing outside its folder.
"""

import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from features.contract import KEY
from features.disk import write_atomically
from features.families import Feature
from features.presentation import spreadsheet
from features.progress import Progress
from models.evaluation import figures, repeats
from models.metrics import Measures, Scores
from models.policy import Policy
from models.risk import RiskModel, risk_model
from models.training import splits, train

PREDICTIONS_FILE = "predictions.csv"
LABELS = ("is_inspected", "is_illicit", "is_critical", "recovered_revenue", "selection_probability", "known_on")


def backtest(
    train_dataset: pl.DataFrame,
    test_frame: pl.DataFrame,
    test_outcomes: pl.DataFrame | None,
    policy: Policy,
    features: Sequence[Feature],
    out_dir: Path,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on the labelled rows of `train_dataset`, score every row of `test_frame`, measure where outcomes are known.

    `test_frame` has the key and the features; a label column in it is a ValueError, so no outcome can leak through it.
    `test_outcomes` has the key, `is_illicit` and `recovered_revenue`; it is used only after the predictions are
    written. The latest part of the training period validates; then the model is fitted on all of it, including the gap,
    because whoever trains on the whole file has its outcomes.

    Writes `out_dir`/predictions.csv: declaration_id, score, expected_revenue, priority; one line a row of `test_frame`,
    in its order, floats to the last digit. Returns plain JSON values; `metrics` is None where no outcome is known, and
    a single figure is None where it is not defined.
    """
    leaking = [name for name in LABELS if name in test_frame.columns]
    if leaking:
        raise ValueError(f"test frame has column {leaking[0]!r}; allowed: the key, accepted_at and features, no labels")
    started = perf_counter()
    known = splits.among_others(splits.labelled(train_dataset))
    fitted, held_out = splits.split_validation(known, policy.training, policy.features.label_delay_days)
    model = train(fitted, held_out, features, policy.training, policy.targeting, on_progress, final_frame=known)
    trained = perf_counter()
    predictions = model.predict(test_frame)
    out_dir.mkdir(parents=True, exist_ok=True)
    listed = predictions.select(KEY[0], *risk_model.RANKING)
    write_atomically(out_dir / PREDICTIONS_FILE, lambda path: spreadsheet.write(path, listed, is_marked=False))
    scored = perf_counter()
    return {
        "train": {"rows": train_dataset.height, **model.training.parts.final.model_dump(mode="json")},
        "test": {"rows": test_frame.height, **_days(test_frame)},
        "model": _describe(model),
        "metrics": _measure(known, test_frame, predictions, test_outcomes, policy.evaluation.inspection_shares),
        "predictions": str(out_dir / PREDICTIONS_FILE),
        "seconds": {"train": round(trained - started, 3), "score": round(scored - trained, 3)},
        "peak_memory_mb": _peak_memory_mb(),
    }


def _measure(
    known: pl.DataFrame,
    test_frame: pl.DataFrame,
    predictions: pl.DataFrame,
    outcomes: pl.DataFrame | None,
    shares: Sequence[float],
) -> dict[str, Any] | None:
    if outcomes is None:
        return None
    found = outcomes.select(*KEY, "is_illicit", "recovered_revenue").filter(pl.col("is_illicit").is_not_null())
    test = test_frame.join(found, on=KEY, how="inner", maintain_order="left", validate="1:1")
    if test.is_empty():
        return None
    scores = figures.scores_of(test, predictions)
    is_repeat = repeats.has_identical_earlier_row(known, test).to_numpy()
    return _figures(test, scores, shares) | {
        "has_identical_earlier_row": _figures_where(test, scores, is_repeat),
        "has_no_identical_earlier_row": _figures_where(test, scores, ~is_repeat),
    }


def _figures_where(test: pl.DataFrame, scores: Scores, kept: np.ndarray) -> dict[str, Any]:
    return _figures(test.filter(pl.Series(kept)), Scores(scores.score[kept]), ())


def _figures(test: pl.DataFrame, scores: Scores, shares: Sequence[float]) -> dict[str, Any]:
    sample = figures.sample_of(test)
    measures = Measures(sample, scores, shares)
    values = measures(sample.ones)[0].tolist()
    measured = {name: None if np.isnan(value) else value for name, value in zip(measures.names, values, strict=True)}
    return {"rows": test.height, "hits": int(sample.is_hit.sum()), **measured}


def _describe(model: RiskModel) -> dict[str, Any]:
    return {
        "digest": model.digest,
        "features": len(model.encoder.names),
        "rounds": model.training.rounds,
        "calibration": model.calibration.kind,
        "revenue_basis": model.revenue.basis,
        "critical_basis": model.critical.basis,
        "hit_value": model.hit_value,
    }


def _days(frame: pl.DataFrame) -> dict[str, str]:
    first, last = splits.window(frame) if frame.height else (None, None)
    return {"first_day": str(first), "last_day": str(last)}


def _peak_memory_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 2**20 if sys.platform == "darwin" else peak // 2**10  # bytes there, KiB here
