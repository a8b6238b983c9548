"""A version in force scores today's rows, or says which feature it misses."""

from typing import Any

import pytest

from models import policy, train
from models.assessment import Incumbent
from tests.candidates import FEATURES, labelled

UNUSED: Any = None


@pytest.fixture(scope="module")
def champion() -> Incumbent:
    settings = policy.load().training.model_copy(update={"max_rounds": 5})
    model = train.train(labelled(600, 1), labelled(300, 2), FEATURES, settings, policy.load().targeting)
    return Incumbent("3", "champion", "simulator", UNUSED, model, UNUSED)


def test_it_scores_every_row_in_order(champion: Incumbent) -> None:
    rows = labelled(50, 3)
    assert champion.scores(rows).score.tolist() == champion.model.predict(rows)["score"].to_list()


def test_a_feature_that_is_no_longer_computed_is_named(champion: Incumbent) -> None:
    sentence = r"^champion version 3 cannot score the feature matrix: feature column 'item_value' is not in the frame"
    with pytest.raises(ValueError, match=sentence):
        champion.scores(labelled(50, 3).drop("item_value"))
