from statistics import NormalDist

import numpy as np

from models.metrics.bootstrap import counts, draw, estimates
from models.metrics.ranking import Measures, Sample, Scores


def problem(rows, seed, separation=1.0):
    generator = np.random.default_rng(seed)
    is_hit = generator.random(rows) < 0.3
    score = 1 / (1 + np.exp(-(generator.normal(size=rows) + separation * is_hit)))
    return Sample(is_hit, is_hit * generator.lognormal(5, 1, rows)), score


def intervals(of, scorers, resamples=200, seed=5):
    measures = {name: Measures(of, Scores(score, score), (0.1,)) for name, score in scorers.items()}
    return measures, draw(measures, len(of.is_hit), resamples, seed)


def test_same_seed_same_draws_other_seed_others():
    of, score = problem(500, seed=1)
    first, again, other = (intervals(of, {"a": score}, seed=seed)[1]["a"] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_blocks_hold_every_resample_once_and_keep_the_sample_size():
    drawn = np.concatenate(list(counts(rows=3000, resamples=301, seed=2)))
    assert drawn.shape == (301, 3000)
    assert (drawn.sum(axis=1) == 3000).all()
    assert abs(drawn.var() - 1) < 0.02  # counts are close to Poisson(1)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    truth = NormalDist().cdf(1 / np.sqrt(2))  # of two unit normals one apart
    covered = 0
    for seed in range(150):
        of, score = problem(300, seed)
        measures, draws = intervals(of, {"a": score}, seed=seed)
        found = estimates(measures["a"].names, measures["a"](of.ones)[0], draws["a"], 0.95, of.why_undefined)["roc_auc"]
        covered += found.low <= truth <= found.high
    assert 0.90 <= covered / 150 <= 0.99


def test_paired_differences_turn_sign_when_the_scorers_swap():
    of, score = problem(800, seed=3)
    other = np.clip(score + np.random.default_rng(4).normal(0, 0.1, 800), 0, 1)
    measures, draws = intervals(of, {"a": score, "b": other})

    def difference(one, two):
        names, values = measures[one].names, measures[one](of.ones)[0] - measures[two](of.ones)[0]
        return estimates(names, values, draws[one] - draws[two], 0.95, of.why_undefined)

    forth, back = difference("a", "b"), difference("b", "a")
    for name in forth:
        np.testing.assert_allclose(
            [forth[name].value, forth[name].low, forth[name].high],
            [-back[name].value, -back[name].high, -back[name].low],
            atol=1e-12,
        )
    assert all((e.value, e.low, e.high) == (0, 0, 0) for e in difference("a", "a").values())


def test_pairing_is_tighter_than_two_separate_bootstraps():
    of, score = problem(800, seed=3)
    other = np.clip(score + np.random.default_rng(4).normal(0, 0.02, 800), 0, 1)
    _, paired = intervals(of, {"a": score, "b": other})
    _, apart = intervals(of, {"b": other}, seed=77)
    assert (paired["a"] - paired["b"])[:, 0].std() < (paired["a"] - apart["b"])[:, 0].std() / 3


def test_an_undefined_figure_carries_its_reason_and_no_interval():
    of = Sample(np.zeros(30, bool), np.zeros(30))
    measures, draws = intervals(of, {"a": np.linspace(0, 1, 30)})
    found = estimates(measures["a"].names, measures["a"](of.ones)[0], draws["a"], 0.95, of.why_undefined)
    assert found["roc_auc"].model_dump() == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "no hits among 30 rows",
    }
    assert found["brier"].low is not None


def test_no_rows_give_nulls():
    of = Sample(np.zeros(0, bool), np.zeros(0))
    measures, draws = intervals(of, {"a": np.zeros(0)})
    found = estimates(measures["a"].names, measures["a"](of.ones)[0], draws["a"], 0.95, of.why_undefined)
    assert {e.reason for e in found.values()} == {"no rows"}
