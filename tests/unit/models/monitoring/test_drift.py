"""What counts as drift, by distances given here; tests/integration/models/monitoring/ has Evidently measure them."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from models import policy
from models.metrics import cbpe
from models.monitoring import drift
from models.monitoring.drift_result import QUALITY_SHARE, DriftResult, Quality
from tests.support.drifting import window

POLICY = policy.load().drift.model_copy(
    update={"column_threshold": 0.125, "max_drifted_columns": 3, "min_rows": 400, "min_labelled_rows": 200}
)
AT_TRAINING = Quality(rows=5000, hits=500, precision_at_10pct=0.5, roc_auc=0.8, brier=0.1)


class Report:
    """Stands for Evidently's report."""

    def get_html_str(self, as_iframe: bool) -> str:
        assert not as_iframe
        return "<p>the report</p>"


@pytest.fixture
def check(monkeypatch, tmp_path):
    """Check `current` where Evidently finds such distances; without a word on a column, none."""

    def checked(current: pl.DataFrame, reference: pl.DataFrame | None = None, policy=POLICY, at_training=AT_TRAINING,
                page: Path = tmp_path / "drift.html", **distances: float) -> DriftResult:  # fmt: skip
        found = {name: distances.get(name, 0.0) for name in drift.COLUMNS}
        monkeypatch.setattr(drift, "_compare", lambda *_: (Report(), found))
        before = drift.sample_by_day(window(400, 1) if reference is None else reference, policy.max_sample_rows, 7)
        return drift.check(before, current, policy, 7, at_training, page)

    return checked


def test_a_column_drifts_from_the_threshold_on(check):
    result = check(window(400, 2), office=0.125, score=0.1249)
    assert result.drifted == ("office",)
    assert [column.column for column in result.columns] == list(drift.COLUMNS)
    by_name = {column.column: column for column in result.columns}
    office, score, value = (by_name[name] for name in ("office", "score", "item_value"))
    assert (office.method, office.scale, office.distance, office.threshold) == ("jensenshannon", "linear", 0.125, 0.125)
    assert (score.method, score.scale, score.distance) == ("wasserstein", "linear", 0.1249)
    assert (value.method, value.scale, value.distance) == ("wasserstein", "log", 0.0)


def test_more_columns_than_may_drift_are_a_breach_and_are_named_by_their_distance(check):
    three = {"office": 0.5, "hs2": 0.25, "item_value": 0.75}
    result = check(window(400, 2), **three)
    assert (result.is_judged, result.is_breach) == (True, False)
    assert result.verdict.startswith(
        "3 of 27 columns drifted (item_value 0.750, office 0.500, hs2 0.250): within bounds; at most 3 may. "
    )
    result = check(window(400, 2), **three, score=0.125)
    assert (result.is_judged, result.is_breach) == (True, True)
    assert result.max_drifted_columns == 3
    assert "score 0.125): breach; at most 3 may. " in result.verdict
    assert check(window(400, 2)).verdict.startswith("0 of 27 columns drifted: within bounds; at most 3 may. ")


def test_a_window_with_too_few_rows_is_not_judged(check):
    result = check(window(399, 2), **dict.fromkeys(drift.CATEGORICAL, 0.5))
    assert len(result.drifted) == len(drift.CATEGORICAL)
    assert (result.is_judged, result.is_breach) == (False, False)
    assert "): not judged, as the current window has 399 rows and 400 are needed. " in result.verdict


def test_too_few_rows_of_what_the_model_has_learned_from_are_not_judged_either(check):
    result = check(window(500, 2), window(399, 1), **dict.fromkeys(drift.CATEGORICAL, 0.5))
    assert (result.is_judged, result.is_breach, result.state) == (False, False, "Not judged")
    assert "): not judged, as the reference window has 399 rows and 400 are needed. " in result.verdict
    assert result.unjudged[0] == "Columns not judged: 399 rows accepted from 2024-01-01 to 2024-01-28 are too few."


def test_where_nothing_is_stored_of_what_the_model_has_learned_from_columns_are_not_judged(tmp_path):
    rows, page = window(400, 2, labelled=1.0), tmp_path / "drift.html"
    elsewhere = drift.sample_reference(rows, date(2022, 1, 1), date(2022, 12, 31), 100, 7)
    assert elsewhere.rows.is_empty()
    found = drift.check(elsewhere, rows, POLICY, 7, AT_TRAINING.model_copy(update={"roc_auc": 0.5}), page)
    said = "Columns not judged: nothing is stored here of 2022-01-01 to 2022-12-31, the days from which the model"
    assert (found.columns, found.is_judged, found.is_breach, found.state) == ((), False, False, "Not judged")
    assert found.quality.is_judged
    assert found.verdict.startswith(said)
    assert [each.startswith(said) for each in found.unjudged] == [True]
    told = page.read_text()
    assert "there is nothing to compare with" in told
    assert "Evidently" not in told
    worse = drift.check(elsewhere, rows, POLICY, 7, AT_TRAINING.model_copy(update={"roc_auc": 1.0}), page)
    assert (worse.is_breach, worse.state) == (True, "Breach")
    stored = drift.sample_reference(rows, date(2024, 1, 1), date(2024, 1, 31), 100, 7)
    assert (stored.window.rows, stored.window.sampled) == (400, 100)


def missing(rows: pl.DataFrame, column: str, count: int) -> pl.DataFrame:
    place = pl.int_range(pl.len())
    return rows.with_columns(pl.when(place >= count).then(column).alias(column))


def test_a_share_without_a_value_that_moves_by_the_threshold_is_drift_either_way(check):
    full, holey = window(400, 2), missing(window(400, 2), "item_value", 50)
    for reference, current, said in ((full, holey, "0% then, 12% now"), (holey, full, "12% then, 0% now")):
        result = check(current, reference)
        assert result.drifted == ("item_value",)
        assert f"1 of 27 columns drifted (item_value missing {said}): within bounds" in result.verdict
    assert check(missing(full, "value_per_kg", 49)).drifted == ()
    column = next(each for each in check(full, missing(window(600, 1), "score", 1)).columns if each.column == "score")
    assert (column.missing_reference, column.missing_current) == (0.001667, 0.0)


def test_columns_that_drifted_by_missing_values_come_after_those_with_a_distance(check):
    result = check(missing(window(400, 2), "item_value", 200), hs2=0.25)
    assert "(hs2 0.250, item_value missing 0% then, 50% now)" in result.verdict


def test_a_window_that_is_too_large_is_compared_on_a_sample_and_the_verdict_says_so(check):
    few = POLICY.model_copy(update={"max_sample_rows": 100})
    result = check(window(400, 2), window(450, 1), few)
    assert (result.reference.rows, result.reference.sampled) == (450, 100)
    assert (result.current.rows, result.current.sampled) == (400, 100)
    assert (result.current.since, result.current.until) == (date(2024, 1, 1), date(2024, 1, 28))
    said = "Compared on samples stratified by day: 100 of 450 reference rows, 100 of 400 current rows."
    assert f"may. {said} Quality not judged" in result.verdict
    assert "samples" not in check(window(400, 2)).verdict


def with_outcomes(hits: int, others: int, score: list[float]) -> pl.DataFrame:
    """400 rows, the first of which have outcomes; scores of hits and others in turn, as many as are given."""
    known = [True] * hits + [False] * others
    rows = window(400, 2)
    scores = [score[place % (len(score) // 2) + (0 if hit else len(score) // 2)] for place, hit in enumerate(known)]
    return rows.with_columns(
        is_illicit=pl.Series(known + [None] * (400 - len(known)), dtype=pl.Boolean),
        score=pl.Series(scores + rows["score"][len(known) :].to_list()),
    )


def test_quality_is_judged_from_so_many_outcomes_on_and_may_drop_as_far_as_the_policy_says(check):
    # Half of the hits are above all others, and half are level with them: 0.75.
    current = with_outcomes(100, 100, [0.75, 0.25, 0.25, 0.25])
    for allowed, is_breach in ((0.25, False), (0.125, True)):
        bounds = POLICY.model_copy(update={"max_roc_auc_drop": allowed})
        result = check(current, policy=bounds, at_training=AT_TRAINING.model_copy(update={"roc_auc": 1.0}))
        assert (result.quality.is_judged, result.quality.is_breach, result.is_breach) == (True, is_breach, is_breach)
        assert result.quality.sentence == (
            "ROC-AUC 0.750 (200 outcomes known, 100 of them hits) against 1.000 at training; "
            f"a drop of more than {allowed} is a breach."
        )
        assert result.quality.sentence in result.verdict
    risen = check(current, at_training=AT_TRAINING.model_copy(update={"roc_auc": 0.5})).quality
    assert (risen.is_judged, risen.is_breach) == (True, False)


@pytest.mark.parametrize(
    ("hits", "others", "roc_auc", "said"),
    [
        (100, 99, 0.8, "Quality not judged: 199 outcomes known, 100 of them hits; 200 outcomes are needed."),
        (0, 200, 0.8, "Quality not judged: 200 outcomes known, 0 of them hits; ROC-AUC needs both hits and others."),
        (100, 100, None, "Quality not judged: ROC-AUC 0.750 (200 outcomes known, 100 of them hits), and none from "
                         "training to compare with."),
    ],
)  # fmt: skip
def test_quality_that_cannot_be_compared_is_not_judged(check, hits, others, roc_auc, said):
    current = with_outcomes(hits, others, [0.75, 0.25, 0.25, 0.25])
    quality = check(current, at_training=AT_TRAINING.model_copy(update={"roc_auc": roc_auc})).quality
    assert (quality.is_judged, quality.is_breach, quality.sentence) == (False, False, said)
    if roc_auc is None:
        quality = check(current, at_training=None).quality
        assert (quality.is_judged, quality.is_breach, quality.sentence) == (False, False, said)


def test_what_scores_promise_is_said_with_how_far_off_it_was(check):
    current = with_outcomes(100, 100, [0.75, 0.25, 0.25, 0.25])
    result = check(current)
    labelled = current.filter(pl.col("is_illicit").is_not_null())["score"].to_numpy()
    # The rows are as they were sampled: in order of acceptance.
    known, every = (
        cbpe.expected_performance(score, (QUALITY_SHARE,), 200, 0.95, 7)
        for score in (labelled, current["score"].to_numpy())
    )
    assert result.promise.expected == every
    assert result.promise.misses["roc_auc"].expected == known.figures["roc_auc"].value
    off = 0.75 - known.figures["roc_auc"].value
    promised = f" Over all rows, labelled or not, the scores promise a ROC-AUC of {every.figures['roc_auc'].value:.3f}"
    assert result.verdict.endswith(f"{promised}; where outcomes are known it was off by {off:+.3f}.")
    unknown = check(current.with_columns(is_illicit=pl.lit(None, pl.Boolean)))
    assert unknown.promise.misses == {}
    assert unknown.verdict.endswith(f"{promised}.")
    one_kind = check(current.with_columns(is_illicit=pl.lit(value=True)))
    assert one_kind.verdict.endswith(f"{promised}.")
    hopeless = check(current.with_columns(score=0.0))
    assert "promise" not in hopeless.verdict


def test_the_page_is_written_into_a_folder_that_is_made_if_need_be(check, tmp_path):
    page = tmp_path / "some" / "folder" / "drift.html"
    for _ in range(2):
        check(window(400, 2), page=page)
        assert "the report" in page.read_text(encoding="utf-8")


def test_amounts_are_compared_on_a_log_scale_and_rare_categories_together(monkeypatch, tmp_path):
    windows = []

    def compare(before, now, threshold):
        windows.extend((before, now))
        assert threshold == 0.125
        return Report(), dict.fromkeys(drift.COLUMNS, 0.0)

    monkeypatch.setattr(drift, "_compare", compare)
    before = window(200, 1).with_columns(
        office=pl.Series(["a"] * 194 + ["b"] * 2 + ["c"] + [None] * 3),
        item_value=pl.Series([0.0, 3.0, -3.0, np.inf, np.nan, None] + [1.0] * 194),
        tax_rate_pct=pl.Series([0.0, 3.0, -3.0, np.inf, np.nan, None] + [1.0] * 194),
    )
    now = window(100, 2).with_columns(office=pl.Series(["a"] * 97 + ["b", "d", "c"]))
    drift.check(drift.sample_by_day(before, 1000, 7), now, POLICY, 7, None, tmp_path / "drift.html")
    assert [frame.columns for frame in windows] == [list(drift.COLUMNS)] * 2
    # In 200 rows two are a hundredth; the one "c" is less, but among the 100 of now it is a hundredth.
    assert windows[0]["office"].to_list() == ["a"] * 194 + ["b"] * 2 + ["c"] + ["(none)"] * 3
    assert windows[1]["office"].to_list() == ["a"] * 97 + ["b", "d", "c"]
    assert windows[0]["item_value"][:6].to_list() == [0.0, np.log(4), -np.log(4), None, None, None]
    assert windows[0]["tax_rate_pct"][:6].to_list() == [0.0, 3.0, -3.0, None, None, None]


def test_a_category_that_is_rare_in_both_windows_is_another(monkeypatch, tmp_path):
    windows = []
    monkeypatch.setattr(
        drift, "_compare", lambda *two: windows.extend(two[:2]) or (Report(), dict.fromkeys(drift.COLUMNS, 0.0))
    )
    before, now = (
        window(300, seed).with_columns(office=pl.Series(["a"] * 295 + ["b"] * 3 + ["c"] * 2)) for seed in (1, 2)
    )
    drift.check(drift.sample_by_day(before, 1000, 7), now, POLICY, 7, None, tmp_path / "drift.html")
    for frame in windows:
        assert frame["office"].to_list() == ["a"] * 295 + ["b"] * 3 + ["(other)"] * 2


def test_quality_agrees_with_scikit_learn():
    frame = window(2000, 3, labelled=0.4)
    known = frame.filter(pl.col("is_illicit").is_not_null())
    quality = drift.measure(frame)
    best = known.sort("score", descending=True).head(round(len(known) * 0.1))
    assert quality.rows == len(known)
    assert quality.roc_auc == pytest.approx(roc_auc_score(known["is_illicit"], known["score"]))
    assert quality.brier == pytest.approx(brier_score_loss(known["is_illicit"], known["score"]))
    assert quality.precision_at_10pct == pytest.approx(best["is_illicit"].mean())


def test_sample_takes_the_same_share_of_every_day_and_the_same_rows_in_any_order():
    frame = window(2800, 1)
    sample = drift.sample_by_day(frame, 700, 7).rows
    assert len(sample) == 700
    days = sample["accepted_at"].dt.date().value_counts()["count"]
    assert (days.len(), days.min(), days.max()) == (28, 25, 25)
    assert drift.sample_by_day(frame.sample(fraction=1, shuffle=True, seed=3), 700, 7).rows.equals(sample)
    assert not drift.sample_by_day(frame, 700, 8).rows.equals(sample)


def test_reference_leaves_out_the_first_weeks_of_all_records():
    start = date(2024, 1, 1)
    days = [start + timedelta(days=i) for i in range(200)]
    dataset = pl.DataFrame({"accepted_at": days}).cast(pl.Datetime("us"))
    rows = drift.reference_rows(dataset, start, date(2024, 5, 1)).collect()["accepted_at"].dt.date()
    assert (rows.min(), rows.max()) == (start + timedelta(days=90), date(2024, 5, 1))
    later = drift.reference_rows(dataset, date(2024, 5, 1), date(2024, 5, 31)).collect()
    assert len(later) == 31
    assert len(drift.reference_rows(dataset.head(60), start, date(2024, 5, 1)).collect()) == 60


def test_empty_window_and_absent_column_are_refused(check):
    rows = window(400, 1)
    with pytest.raises(ValueError, match="the current window has no rows; at least one is needed"):
        check(rows.clear())
    with pytest.raises(ValueError, match="the window has no rows; at least one is needed"):
        drift.sample_by_day(rows.clear(), 100, 7)
    with pytest.raises(ValueError, match="the reference window lacks the columns office, score"):
        check(rows, rows.drop("office", "score"))
    with pytest.raises(ValueError, match="the current window lacks the columns is_illicit"):
        check(rows.drop("is_illicit"), rows.drop("is_illicit"))
