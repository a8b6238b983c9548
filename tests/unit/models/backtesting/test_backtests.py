import json
from datetime import date

import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from models import policy
from models.backtesting.backtests import LABELS, backtest
from tests.support.datasets import FEATURES, TRAINING, dataset

POLICY = policy.load().model_copy(update={"training": TRAINING})
PAST = dataset(rows=1200)
LATER = dataset(rows=300, seed=2, days=30, first_day=date(2024, 5, 1))
BLIND = LATER.drop(LABELS)
OUTCOMES = LATER.select("declaration_id", "item_number", "is_illicit", "recovered_revenue")


def run(folder, outcomes=None, test=BLIND):
    return backtest(PAST, test, outcomes, POLICY, FEATURES, folder)


def test_every_row_is_predicted_in_order_and_to_the_last_digit(tmp_path):
    result = run(tmp_path, OUTCOMES)
    predictions = pl.read_csv(tmp_path / "predictions.csv")
    assert predictions.columns == ["declaration_id", "score", "expected_revenue", "priority"]
    assert predictions["declaration_id"].equals(LATER["declaration_id"])
    auc = roc_auc_score(LATER["is_illicit"].to_numpy(), predictions["score"].to_numpy())
    assert result["metrics"]["roc_auc"] == pytest.approx(auc, abs=1e-12)
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]


def test_outcomes_play_no_part_in_the_predictions(tmp_path):
    flipped = OUTCOMES.with_columns(pl.col("is_illicit").not_())
    empty = OUTCOMES.with_columns(is_illicit=pl.lit(None, pl.Boolean), recovered_revenue=pl.lit(None, pl.Float64))
    results = [run(tmp_path / str(i), outcomes) for i, outcomes in enumerate([None, empty, OUTCOMES, flipped])]
    written = {(tmp_path / str(i) / "predictions.csv").read_bytes() for i in range(4)}
    assert len(written) == 1
    assert [result["metrics"] is None for result in results] == [True, True, False, False]


def test_the_result_is_plain_json_with_the_figures_at_each_share(tmp_path):
    result = json.loads(json.dumps(run(tmp_path, OUTCOMES), allow_nan=False))
    metrics = result["metrics"]
    assert {"roc_auc", "average_precision", "brier", "expected_calibration_error"} <= set(metrics)
    assert metrics["rows"] == 300
    assert 0 <= metrics["recall_at_10pct_by_priority"] <= 1
    halves = metrics["has_identical_earlier_row"], metrics["has_no_identical_earlier_row"]
    assert sum(half["rows"] for half in halves) == 300
    assert result["train"]["rows"] == 1200
    assert result["test"] == {"rows": 300, "first_day": "2024-05-01", "last_day": "2024-05-30"}
    assert result["peak_memory_mb"] > 0


def test_rows_without_an_outcome_are_predicted_and_not_measured(tmp_path):
    some = OUTCOMES.with_columns(is_illicit=pl.when(pl.int_range(pl.len()) < 200).then("is_illicit"))
    result = run(tmp_path, some)
    assert result["metrics"]["rows"] == 200
    assert pl.read_csv(tmp_path / "predictions.csv").height == 300


def test_all_labelled_rows_of_the_past_are_learned_from(tmp_path):
    assert run(tmp_path)["train"]["last_day"] == str(PAST["accepted_at"].max().date())


def test_a_test_frame_with_labels_is_refused(tmp_path):
    with pytest.raises(ValueError, match="test frame has column 'is_inspected'"):
        run(tmp_path, test=LATER)
    assert not list(tmp_path.iterdir())
