import pytest

from models import boosting
from models.encoding import Encoder
from models.policy import Search
from models.search import search
from models.split import split_by_time
from tests.datasets import FEATURES, TRAINING, dataset

SPLIT = split_by_time(dataset(rows=600), TRAINING, 7)
ENCODER = Encoder.fit(SPLIT.train, FEATURES)
ROWS, VALIDATION = (
    boosting.Rows(ENCODER.encode(part), part["is_illicit"].cast(float).to_numpy())
    for part in (SPLIT.train, SPLIT.validation)
)


def found(trials: int, minutes: float = 5.0):
    training = TRAINING.model_copy(update={"search": Search(trials=trials, minutes=minutes)})
    return search(ROWS, VALIDATION, ENCODER, training)


def test_no_trials_leave_the_parameters_as_they_stand():
    assert found(0).parameters == boosting.PARAMETERS
    assert found(0).account() == {"trials": 0, "log_losses": []}


def test_the_same_seed_finds_the_same():
    first, second = found(5), found(5)
    assert first == second
    assert len(first.log_losses) == 5


def test_the_first_trial_is_the_parameters_as_they_stand():
    loss = boosting.fit_until_best(
        boosting.ILLICIT, boosting.PARAMETERS, TRAINING.seed, ENCODER, ROWS, VALIDATION, 30, 10
    ).loss
    result = found(5)
    assert result.log_losses[0] == pytest.approx(loss)
    assert min(result.log_losses) <= loss


def test_the_budget_in_minutes_ends_it():
    assert 1 <= len(found(1000, minutes=0.001).log_losses) < 1000
