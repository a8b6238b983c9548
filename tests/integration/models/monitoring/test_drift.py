"""Evidently compares two windows: it finds planted drift, and finds none where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from models import policy
from models.monitoring import drift
from models.monitoring.drift_result import DriftResult, Quality
from tests.support.drifting import window

POLICY = policy.load().drift
AT_TRAINING = Quality(rows=5000, hits=500, precision_at_10pct=0.5, roc_auc=0.8, brier=0.1)


def check(
    reference: pl.DataFrame, current: pl.DataFrame, page: Path, at_training: Quality | None = AT_TRAINING
) -> DriftResult:
    before = drift.sample_by_day(reference, POLICY.max_sample_rows, 7)
    return drift.check(before, current, POLICY, 7, at_training, page)


@pytest.fixture(scope="module")
def reference() -> pl.DataFrame:
    return window(6000, 1)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "drift.html"


def test_same_distribution_shows_none(reference: pl.DataFrame, page: Path) -> None:
    result = check(reference, window(1500, 2), page)
    assert result.drifted == ()
    assert result.is_judged
    assert not result.is_breach
    assert "0 of 27 columns drifted: within bounds; at most 3 may." in result.verdict
    assert [column.column for column in result.columns] == list(drift.COLUMNS)


def test_planted_drift_is_found_column_by_column(reference: pl.DataFrame, page: Path) -> None:
    current = window(1500, 2).with_columns(
        pl.col("item_value") * 3,
        score=(pl.col("score") * 2).clip(0, 1),
        office=pl.lit("a new office"),
        hs2=pl.when(pl.col("item_number").cum_count() % 3 == 0).then(pl.lit("99")).otherwise(pl.col("hs2")),
    )
    result = check(reference, current, page)
    assert set(result.drifted) == {"item_value", "score", "office", "hs2"}
    assert result.is_breach
    assert "4 of 27 columns drifted (score 1." in result.verdict
    assert "breach; at most 3 may" in result.verdict


def test_few_drifted_columns_are_named_and_within_bounds(reference: pl.DataFrame, page: Path) -> None:
    result = check(reference, window(1500, 2).with_columns(pl.col("net_mass_kg") * 3), page)
    assert result.drifted == ("net_mass_kg",)
    assert not result.is_breach


def test_values_that_go_missing_are_drift(reference: pl.DataFrame, page: Path) -> None:
    nothing = pl.lit(None, pl.Float64)
    current = window(1500, 2).with_columns(
        value_per_kg=nothing,
        rate_gap_hs6=pl.when(pl.col("item_number").cum_count() % 4 == 0).then(nothing).otherwise("rate_gap_hs6"),
    )
    result = check(reference, current, page)
    assert set(result.drifted) == {"value_per_kg", "rate_gap_hs6"}
    by_name = {column.column: column for column in result.columns}
    assert by_name["value_per_kg"].distance is None
    assert by_name["value_per_kg"].missing_current == 1.0
    assert "value_per_kg missing 0% then, 100% now" in result.verdict


def test_columns_without_any_value_and_constant_ones_do_not_drift(reference: pl.DataFrame, page: Path) -> None:
    same = {"price_z_hs6": pl.lit(None, pl.Float64), "tax_rate_pct": pl.lit(8.0), "import_use": pl.lit(None)}
    result = check(reference.with_columns(**same), window(1500, 2).with_columns(**same), page)
    assert result.drifted == ()


def test_quality_is_not_judged_before_outcomes_arrive(reference: pl.DataFrame, page: Path) -> None:
    result = check(reference, window(1500, 2), page)
    assert result.quality.current.rows == 0
    assert result.quality.current.roc_auc is None
    assert not result.quality.is_judged
    assert "Quality not judged: 0 outcomes known, 0 of them hits; 300 outcomes are needed." in result.verdict
    assert all(np.isfinite(value) for value in result.metrics().values())


def test_scores_promise_a_quality_before_outcomes_arrive_and_are_held_to_it_after(
    reference: pl.DataFrame, page: Path
) -> None:
    calibrated = window(1500, 6, labelled=1.0)
    before = check(reference, calibrated.with_columns(is_illicit=pl.lit(None, pl.Boolean)), page).promise
    after = check(reference, calibrated, page)
    assert before.misses == {}
    assert before.expected == after.promise.expected
    measured = roc_auc_score(calibrated["is_illicit"].to_numpy(), calibrated["score"].to_numpy())
    miss = after.promise.misses["roc_auc"]
    assert miss.measured == pytest.approx(measured)
    assert miss.is_within
    assert after.metrics()["expected_error/roc_auc"] == pytest.approx(measured - miss.expected)
    assert f"the scores promise a ROC-AUC of {miss.expected:.3f}" in after.verdict


def test_quality_drop_is_a_breach(reference: pl.DataFrame, page: Path) -> None:
    current = window(4000, 2, labelled=0.5)
    good = check(reference, current, page, AT_TRAINING.model_copy(update={"roc_auc": 0.70}))
    assert good.quality.is_judged
    assert not good.is_breach
    assert good.metrics()["quality/roc_auc"] == good.quality.current.roc_auc
    bad = check(reference, current, page, AT_TRAINING.model_copy(update={"roc_auc": 0.95}))
    assert bad.drifted == ()
    assert bad.quality.is_breach
    assert bad.is_breach
    assert "against 0.950 at training; a drop of more than 0.05 is a breach." in bad.verdict


def test_result_is_the_same_json_in_another_process(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path;"
        "from tests.integration.models.monitoring.test_drift import check;"
        "from tests.support.drifting import window;"
        "result = check(window(2000, 1), window(800, 2, 0.5), Path(sys.argv[1]));"
        "sys.stdout.write(result.model_dump_json())"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "theirs.html")]
    theirs = subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "1"}, check=True, capture_output=True)
    ours = check(window(2000, 1), window(800, 2, 0.5), tmp_path / "ours.html")
    assert theirs.stdout.decode() == ours.model_dump_json()
    assert DriftResult.model_validate_json(theirs.stdout) == ours


@pytest.mark.parametrize(("rows", "state"), [(POLICY.min_rows - 1, "Not judged"), (3000, "Within bounds")])
def test_what_was_not_judged_is_said_in_the_state_and_on_the_page(
    reference: pl.DataFrame, page: Path, rows: int, state: str
) -> None:
    current = window(rows, 2, labelled=1.0)
    result = check(reference, current, page, drift.measure(current))
    assert result.state == state
    assert f">{state}</span>" in page.read_text(encoding="utf-8")
    assert ("Columns not judged" in " ".join(result.unjudged)) is (state == "Not judged")
