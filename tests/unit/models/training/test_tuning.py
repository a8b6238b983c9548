from datetime import date

import numpy as np
import optuna
import polars as pl
import pytest

from features.history.history import PRIOR_WEIGHT
from models.risk import boosting, training_record
from models.training.fitting import train
from models.training.splits import split_by_time, window
from models.training.tuning import AS_THEY_STAND, CODES, Tuning, folds, reused, search
from tests.support.datasets import FEATURES, TARGETING, TRAINING, dataset

DELAY = 7
SPLIT = split_by_time(dataset(rows=1500), TRAINING, DELAY)

_PART = training_record.LearnedPart(first_day=date(2024, 1, 1), last_day=date(2024, 6, 30), rows=900, hits=90)
RECORD = training_record.TrainingRecord(
    parts=training_record.LearnedParts(train=_PART, validation=_PART, final=_PART),
    seed=7,
    parameters=boosting.PARAMETERS,
    smoothing=10.0,
    rounds=12,
    revenue_rounds=3,
    critical_rounds=4,
    validation_log_loss=0.3,
    learning_curve={"validation": [0.4, 0.3]},
)


def found(trials: int, minutes: float = 5.0, rows: pl.DataFrame = SPLIT.before_test, **first: object):
    training = TRAINING.model_copy(update={"search": TRAINING.search.model_copy(update={"minutes": minutes})})
    return search(rows, FEATURES, training, trials, DELAY, **first)


def test_one_trial_is_no_search():
    assert found(1).tuning == AS_THEY_STAND == Tuning(boosting.PARAMETERS, PRIOR_WEIGHT)
    assert found(1).params()["tuning.trials"] == 0


def test_the_same_rows_in_any_order_find_the_same():
    first, second = found(4), found(4, rows=SPLIT.before_test.sample(fraction=1, shuffle=True, seed=3))
    assert first == second
    assert len(first.losses) == 4


def test_it_begins_with_the_last_best_and_says_so():
    tuning = Tuning(boosting.PARAMETERS | {"learning_rate": 0.1}, 20.0)
    result = found(2, first=tuning, origin="version 4")
    assert result.params()["tuning.began_with"] == "version 4"
    assert len(result.losses[0]) == TRAINING.search.folds
    assert result.losses[0] != found(2).losses[0]
    if not result.kept:
        assert result.tuning == tuning


def test_what_is_kept_is_never_worse_on_average_than_the_first():
    result = found(6)
    means = [np.mean(losses) for losses in result.losses]
    assert means[result.kept] <= means[0]
    assert result.params()["tuning.kept_loss"] == pytest.approx(means[result.kept])


def test_found_again_it_is_kept():
    """A run that is repeated begins with what the first one found, proposes the same again, and ends with the same."""
    first = found(3)
    assert found(3, first=first.tuning).tuning == first.tuning


def test_the_budget_in_minutes_ends_it_and_is_told():
    result = found(1000, minutes=0.001)
    assert 1 <= len(result.losses) < 1000
    assert result.params()["tuning.ran_out_of_time"]


def test_with_next_to_no_time_the_first_is_judged_all_the_same():
    result = found(1000, minutes=1e-9)
    assert (len(result.losses), result.tuning) == (1, AS_THEY_STAND)
    assert result.params()["tuning.ran_out_of_time"]


def test_each_fold_is_judged_on_days_after_all_that_it_learned_from():
    parts = folds(SPLIT.before_test, TRAINING, DELAY)
    assert len(parts) == TRAINING.search.folds
    for fitted, judged in parts:
        assert fitted["known_on"].max() < window(judged)[0]
    judged = [window(later) for _, later in parts]
    assert judged == sorted(judged)
    assert judged[0][1] < judged[1][0]
    assert judged[-1][1] == window(SPLIT.before_test)[1]


def test_each_fold_has_a_seed_of_its_own_and_all_trials_have_the_same(monkeypatch):
    seeds, fit = [], boosting.fit_until_best

    def noted(head, parameters, seed, *rest):
        seeds.append(seed)
        return fit(head, parameters, seed, *rest)

    monkeypatch.setattr(boosting, "fit_until_best", noted)
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda trial: False)
    found(2)
    assert seeds == 2 * [TRAINING.seed + fold for fold in range(TRAINING.search.folds)]
    assert TRAINING.search.folds > 1


def test_how_codes_are_given_is_searched_too():
    codes = set()
    for first in CODES:
        result = found(2, first=Tuning(codes=first))
        assert result.kept or result.tuning.codes == first
        codes.add(result.losses[0])
    assert len(codes) == len(CODES)


@pytest.mark.parametrize("codes", CODES)
def test_a_tuning_survives_the_model(codes):
    tuning = Tuning(boosting.PARAMETERS | {"learning_rate": 0.1}, 33.0, codes)
    model = train(SPLIT.train, SPLIT.validation, FEATURES, TRAINING, TARGETING, tuning=tuning)
    assert reused(model.training) == tuning
    assert (model.encoder.smoothing, model.encoder.codes) == (33.0, codes)
    uses = {model.illicit.feature_name()[place] for place in np.flatnonzero(model.illicit.feature_importance())}
    assert ("office" in uses) == (codes != "none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_leaves": 500}, "num_leaves is 500; allowed: 7 to 127"),
        ({"max_depth": 3}, "parameter 'max_depth' is missing or unknown; allowed: learning_rate, "),
    ],
)
def test_a_tuning_that_could_not_be_found_today_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        reused(RECORD.model_copy(update={"parameters": boosting.PARAMETERS | change}))


def test_a_way_to_give_codes_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="codes is 'hashes'; allowed: categories, numbers, none"):
        Tuning(codes="hashes")


def test_a_search_judges_by_the_loss_that_is_trained_with():
    plain, knowing = found(2), found(2, detects=0.6)
    assert plain.losses != knowing.losses
    assert np.mean(knowing.losses[0]) == pytest.approx(np.mean(plain.losses[0]), rel=0.1)  # both of what is found
