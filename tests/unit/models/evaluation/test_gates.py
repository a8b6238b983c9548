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
    assert (gate.passed, gate.observed) == (True, None)


def test_falling_behind_the_champion_by_more_than_the_margin_fails(compared):
    gap = compared.champion.differences["average_precision"].value
    assert gap < 0
    assert verdicts(compared, champion_margin=-gap)["champion"].passed
    gate = verdicts(compared, champion_margin=-gap / 2)["champion"]
    assert (gate.passed, gate.observed) == (False, gap)
    assert "champion version 6" in gate.sentence


def test_small_slices_are_not_judged(good):
    assert verdicts(good, slice_min_rows=10_000, slice_min_roc_auc=1.0)["slices"].passed


def test_what_could_not_be_measured_fails():
    nothing = evaluated(rows(50).with_columns(is_illicit=pl.lit(value=False)), champion_noise=0.1)
    found = verdicts(nothing)
    assert (
        found["roc_auc"].sentence == "ROC-AUC on goods never seen before could not be measured: no hits among 50 rows."
    )
    for name in ("roc_auc", "average_precision_lift", "beats_random", "beats_risk_profile", "champion"):
        assert (found[name].passed, found[name].observed) == (False, None)
