import re

import polars as pl
import pytest

from models.evaluation.gates import judge
from models.evaluation.slices import IDENTICAL_EARLIER_ROW
from models.metrics.bootstrap import Estimate
from tests.support.scored import SMALL, evaluated, rows

GATES = SMALL.gates
NAMES = [
    "test_rows",
    "roc_auc",
    "average_precision_lift",
    "expected_calibration_error",
    "beats_random",
    "beats_risk_profile",
    "champion",
    "slices",
]


@pytest.fixture(scope="module")
def good():
    return evaluated(rows(900), noise=0.0)


@pytest.fixture(scope="module")
def compared():
    return evaluated(rows(900), noise=0.8, champion_noise=0.0)


def verdicts(evaluation, **changes):
    return {gate.name: gate for gate in judge(evaluation, GATES.model_copy(update=changes))}


def test_a_good_model_passes_every_gate(good):
    found = verdicts(good)
    assert list(found) == NAMES
    assert [gate.sentence for gate in found.values() if not gate.passed] == []


@pytest.mark.parametrize(
    ("gate", "changes", "sentence"),
    [
        ("test_rows", {"min_test_rows": 901}, "Test rows 900 is below 901."),
        (
            "roc_auc",
            {"min_roc_auc": 0.99},
            r"ROC-AUC on goods never seen before 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\) is below 0.99\.",
        ),
        (
            "average_precision_lift",
            {"min_average_precision_lift": 9.0},
            "over the base rate on goods never seen before .* is below 9",
        ),
        ("expected_calibration_error", {"max_expected_calibration_error": 0.0}, "calibration error .* exceeds 0"),
        ("slices", {"slice_min_roc_auc": 0.999}, r"below 0.999 in \d+ of \d+ slices judged, lowest first: "),
    ],
)
def test_each_gate_fails_on_its_own_bound_alone(good, gate, changes, sentence):
    usual, found = verdicts(good), verdicts(good, **changes)
    assert usual[gate].passed
    assert not found[gate].passed
    assert re.search(sentence, found[gate].sentence)
    assert {name: g for name, g in found.items() if name != gate} == {n: g for n, g in usual.items() if n != gate}


def test_the_bound_itself_passes(good):
    assert verdicts(good, min_roc_auc=good.model.roc_auc.value, min_test_rows=900)["roc_auc"].passed
    assert verdicts(good, min_test_rows=900)["test_rows"].passed


def test_repeats_of_training_rows_pass_no_gate(good):
    """A model that knows only what it has seen: perfect on repeats, no better than chance on the rest."""
    chance = Estimate(value=0.5, low=0.45, high=0.55)
    weak = [
        part.model_copy(update={"roc_auc": chance, "average_precision": Estimate(value=part.hits / part.rows)})
        if (part.dimension, part.value) == (IDENTICAL_EARLIER_ROW, "no")
        else part
        for part in good.slices
    ]
    found = verdicts(good.model_copy(update={"slices": tuple(weak)}), slice_min_roc_auc=0.4)
    assert [name for name, gate in found.items() if not gate.passed] == ["roc_auc", "average_precision_lift"]
    assert (found["roc_auc"].observed, found["average_precision_lift"].observed) == (0.5, 1.0)


def test_a_baseline_must_be_beaten(good):
    assert verdicts(good)["beats_random"].passed
    level = good.model_copy(update={"model": good.baselines[0]})
    gate = verdicts(level)["beats_random"]
    assert not gate.passed
    assert "does not beat random's" in gate.sentence


def test_an_unknown_baseline_is_refused(good):
    with pytest.raises(ValueError, match="names 'oracle'; allowed: random, risk_profile, logistic"):
        verdicts(good, beats_baselines=("oracle",))


def test_without_a_champion_there_is_none_to_fall_behind(good):
    gate = verdicts(good)["champion"]
    assert (gate.passed, gate.observed, gate.verdict) == (True, None, "not judged")


def test_falling_behind_the_champion_by_more_than_the_margin_fails(compared):
    gap = compared.champion.differences["average_precision"].value
    assert gap < 0
    assert verdicts(compared, champion_margin=-gap)["champion"].passed
    gate = verdicts(compared, champion_margin=-gap / 2)["champion"]
    assert (gate.passed, gate.observed) == (False, gap)
    assert "champion version 6" in gate.sentence


def test_small_slices_are_not_judged(good):
    gate = verdicts(good, slice_min_rows=10_000, slice_min_roc_auc=1.0)["slices"]
    assert (gate.passed, gate.verdict) == (True, "not judged")


def test_what_could_not_be_measured_fails():
    nothing = evaluated(rows(50).with_columns(is_illicit=pl.lit(value=False)), champion_noise=0.1)
    found = verdicts(nothing)
    assert (
        found["roc_auc"].sentence == "ROC-AUC on goods never seen before could not be measured: no hits among 50 rows."
    )
    for name in ("roc_auc", "average_precision_lift", "beats_random", "beats_risk_profile", "champion"):
        assert (found[name].passed, found[name].observed, found[name].verdict) == (False, None, "failed")


def in_place(evaluation, dimension, value, **changes):
    """The evaluation with other figures in one slice."""
    parts = [
        part.model_copy(update=changes) if (part.dimension, part.value) == (dimension, value) else part
        for part in evaluation.slices
    ]
    return evaluation.model_copy(update={"slices": tuple(parts)})


def on_unseen(evaluation, **changes):
    return in_place(evaluation, IDENTICAL_EARLIER_ROW, "no", **changes)


def test_the_lift_is_precision_in_multiples_of_the_share_of_hits(good):
    known = on_unseen(good, rows=200, hits=50, average_precision=Estimate(value=0.5, low=0.4, high=0.6))
    gate = verdicts(known, min_average_precision_lift=2.0)["average_precision_lift"]
    assert (gate.passed, gate.observed, gate.bound) == (True, 2.0, 2.0)
    what = "Average precision over the base rate on goods never seen before"
    assert gate.sentence == f"{what} 2.000 (1.600 to 2.400) reaches 2."
    gate = verdicts(known, min_average_precision_lift=2.5)["average_precision_lift"]
    assert (gate.passed, gate.sentence) == (False, f"{what} 2.000 (1.600 to 2.400) is below 2.5.")
    certain = on_unseen(good, rows=200, hits=50, average_precision=Estimate(value=0.25, low=0.2))
    assert verdicts(certain)["average_precision_lift"].sentence.startswith(f"{what} 1 ")
    undefined = on_unseen(good, rows=200, hits=50, average_precision=Estimate(value=None, reason="too few"))
    gate = verdicts(undefined)["average_precision_lift"]
    assert (gate.passed, gate.sentence) == (False, f"{what} could not be measured: too few.")


def test_the_error_of_calibration_may_reach_its_bound(good):
    known = on_unseen(good, expected_calibration_error=Estimate(value=0.05, low=0.01, high=0.09))
    what = "Expected calibration error on goods never seen before 0.050 (0.010 to 0.090)"
    found = [
        verdicts(known, max_expected_calibration_error=bound)["expected_calibration_error"] for bound in (0.05, 0.04)
    ]
    assert [(gate.passed, gate.observed, gate.bound) for gate in found] == [(True, 0.05, 0.05), (False, 0.05, 0.04)]
    assert [gate.sentence for gate in found] == [f"{what} is within 0.05.", f"{what} exceeds 0.04."]
    unknown = on_unseen(good, expected_calibration_error=Estimate(value=None, reason="no rows"))
    gate = verdicts(unknown, max_expected_calibration_error=1.0)["expected_calibration_error"]
    assert (gate.passed, gate.observed, gate.bound) == (False, None, 1.0)


def with_precision(evaluation, ours, theirs):
    """The evaluation with other average precisions: the model's, and that of random choice."""
    model = evaluation.model.model_copy(update={"average_precision": ours})
    baselines = tuple(
        each.model_copy(update={"average_precision": theirs}) if each.name == "random" else each
        for each in evaluation.baselines
    )
    return evaluation.model_copy(update={"model": model, "baselines": baselines})


def test_a_baseline_is_beaten_by_more_than_nothing(good):
    half, more = (Estimate(value=value, low=value - 0.1, high=value + 0.1) for value in (0.5, 0.625))
    gates = [verdicts(with_precision(good, ours, half))["beats_random"] for ours in (half, more)]
    assert [(gate.passed, gate.observed, gate.bound) for gate in gates] == [(False, 0.5, 0.5), (True, 0.625, 0.5)]
    assert gates[1].sentence == "Average precision 0.625 (0.525 to 0.725) beats random's 0.500 (0.400 to 0.600)."
    nothing = Estimate(value=None, reason="no hits")
    for ours, theirs in ((nothing, half), (half, nothing)):
        gate = verdicts(with_precision(good, ours, theirs))["beats_random"]
        assert (gate.passed, gate.observed, gate.bound) == (False, None, theirs.value)


def behind(evaluation, difference):
    comparison = evaluation.champion.model_copy(update={"differences": {"average_precision": difference}})
    return evaluation.model_copy(update={"champion": comparison})


def test_what_falls_behind_the_champion_is_said_with_its_sign_and_the_margin(good, compared):
    what = "Average precision less that of champion version 6 on the same rows,"
    interval = Estimate(value=-0.02, low=-0.05, high=0.01)
    gates = [verdicts(behind(compared, interval), champion_margin=margin)["champion"] for margin in (0.02, 0.01)]
    assert [(gate.passed, gate.observed, gate.bound) for gate in gates] == [(True, -0.02, -0.02), (False, -0.02, -0.01)]
    assert [gate.sentence for gate in gates] == [
        f"{what} -0.020 (-0.050 to +0.010), is within the margin of -0.02.",
        f"{what} -0.020 (-0.050 to +0.010), is worse than the margin of -0.01.",
    ]
    unknown = behind(compared, Estimate(value=None, reason="no hits"))
    assert verdicts(unknown, champion_margin=0.02)["champion"].bound == -0.02
    assert verdicts(good, champion_margin=0.02)["champion"].bound == -0.02


def weak_slices(evaluation, *values):
    """The evaluation with slices of 100 rows and such areas, each named by its place, beside that of unseen goods."""
    unseen = next(part for part in evaluation.slices if (part.dimension, part.value) == (IDENTICAL_EARLIER_ROW, "no"))
    parts = [
        unseen.model_copy(
            update={
                "dimension": "office",
                "value": str(place),
                "rows": 100,
                "roc_auc": Estimate(value=value, low=None if value is None else 0.4, high=0.9),
            }
        )
        for place, value in enumerate(values)
    ]
    small = unseen.model_copy(update={"rows": 99, "roc_auc": Estimate(value=0.1)})
    return evaluation.model_copy(update={"slices": (small, *parts)})


def test_the_weakest_slices_are_named_three_of_them_lowest_first(good):
    many = weak_slices(good, 0.58, None, 0.6, 0.55, 0.5, 0.57)
    gate = verdicts(many, slice_min_rows=100, slice_min_roc_auc=0.6)["slices"]
    assert (gate.passed, gate.observed, gate.bound) == (False, 0.5, 0.6)
    assert gate.sentence == (
        "ROC-AUC is below 0.6 in 4 of 5 slices judged, lowest first: office 4, 0.500 (0.400 to 0.900); "
        "office 3, 0.550 (0.400 to 0.900); office 5, 0.570 (0.400 to 0.900)."
    )
    gate = verdicts(many, slice_min_rows=100, slice_min_roc_auc=0.5)["slices"]
    assert (gate.passed, gate.observed) == (True, 0.5)
    assert gate.sentence == (
        "ROC-AUC reaches 0.5 in all 5 slices of 100 rows or more; weakest: office 4, 0.500 (0.400 to 0.900)."
    )
    gate = verdicts(weak_slices(good, None), slice_min_rows=100)["slices"]
    assert (gate.passed, gate.observed) == (True, None)
    assert gate.sentence == "No slice has 100 rows with hits and other rows; none is judged."


def test_a_figure_without_an_interval_is_said_alone(good):
    gates = [
        verdicts(on_unseen(good, roc_auc=Estimate(value=value, low=low, high=high)), min_roc_auc=0.5)["roc_auc"]
        for value, low, high in ((0.75, None, None), (0.75, 0.7, None), (0.75, None, 0.8), (1.0, None, None))
    ]
    what = "ROC-AUC on goods never seen before"
    assert [gate.sentence for gate in gates] == [f"{what} {said} reaches 0.5." for said in (*["0.750"] * 3, "1")]
