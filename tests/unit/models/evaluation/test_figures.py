import polars as pl
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from models.evaluation import figures
from models.evaluation.figures import Evaluation
from tests.support.scored import evaluated, rows, scores

TEST = rows(500)


@pytest.fixture(scope="module")
def found():
    return evaluated(TEST, champion_noise=3.0)


def test_json_round_trip(found):
    assert Evaluation.model_validate_json(found.model_dump_json()) == found


def test_model_and_baselines_have_every_figure_with_an_interval(found):
    assert [b.name for b in found.baselines] == ["random", "risk_profile", "logistic"]
    for scorer in (found.model, *found.baselines, found.champion.champion):
        for estimate in (scorer.roc_auc, scorer.average_precision, scorer.brier, scorer.expected_calibration_error):
            assert estimate.low is not None
        assert [(s.by, s.share) for s in scorer.at_shares] == [
            (by, share) for by in ("score", "priority") for share in (0.01, 0.02, 0.05, 0.1, 0.2)
        ]


def test_figures_equal_scikit_learns(found):
    blurred = scores(TEST, noise=0.3).score
    assert found.model.roc_auc.value == pytest.approx(roc_auc_score(TEST["is_illicit"], blurred))
    assert found.model.average_precision.value == pytest.approx(average_precision_score(TEST["is_illicit"], blurred))


def test_probability_finds_hits_and_priority_finds_money(found):
    by_score, by_priority = found.model.at(0.1, "score"), found.model.at(0.1, "priority")
    assert by_score.recall.value > by_priority.recall.value
    assert by_priority.revenue.value > by_score.revenue.value


def test_the_champion_is_compared_on_the_same_rows(found):
    difference = found.champion.differences["average_precision"]
    assert found.champion.version == "6"
    assert difference.value == pytest.approx(
        found.model.average_precision.value - found.champion.champion.average_precision.value
    )
    assert difference.low > 0  # the champion's scores are the much blurrier ones


def test_figures_for_a_metrics_store_are_flat_numbers(found):
    flat = found.figures()
    assert flat["model.roc_auc"] == found.model.roc_auc.value
    assert flat["random.precision_at_10pct_by_score.low"] <= found.base_rate
    assert flat["difference.roc_auc"] == found.champion.differences["roc_auc"].value
    assert all(isinstance(value, int | float) for value in flat.values())


def test_what_was_not_measured_is_refused_by_name(found):
    with pytest.raises(KeyError, match=r"model has no figures at 0.3 by score; there are \[0.01"):
        found.model.at(0.3, "score")


def test_predictions_are_matched_by_key():
    predictions = TEST.select("declaration_id", "item_number", score="risk", priority=pl.col("risk") * 2)
    aligned = figures.scores_of(TEST, predictions.reverse())
    assert (aligned.score == TEST["risk"].to_numpy()).all()
    with pytest.raises(ValueError, match="3 of 500 test rows have no prediction"):
        figures.scores_of(TEST, predictions[3:])


def test_rows_without_a_label_are_refused():
    with pytest.raises(ValueError, match="500 of 500 test rows have no label"):
        figures.sample_of(TEST.with_columns(is_illicit=pl.lit(None, pl.Boolean)))


def test_revenue_counts_for_hits_only():
    odd = TEST.with_columns(recovered_revenue=pl.lit(7.0))
    assert figures.sample_of(odd).revenue.sum() == 7 * TEST["is_illicit"].sum()


@pytest.mark.parametrize("label", [True, False])
def test_rows_of_one_kind_give_nulls_with_reasons(label):
    one_kind = evaluated(TEST[:60].with_columns(is_illicit=pl.lit(value=label)), champion_noise=1.0)
    assert one_kind.model.roc_auc.value is None
    assert one_kind.model.roc_auc.reason == ("all 60 rows are hits" if label else "no hits among 60 rows")
    assert one_kind.champion.differences["roc_auc"].value is None
    assert "model.roc_auc" not in one_kind.figures()
    assert Evaluation.model_validate_json(one_kind.model_dump_json()) == one_kind


def test_no_rows_at_all():
    empty = evaluated(TEST.clear())
    assert (empty.rows, empty.base_rate, empty.first_day) == (0, None, None)
    assert empty.model.average_precision.reason == "no rows"
