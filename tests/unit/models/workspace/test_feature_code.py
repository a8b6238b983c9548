"""A model reads features of the code that it learned from; otherwise it is refused, and people are told what to do."""

import pytest

from features.code_digest import code_version
from models import policy
from models.risk.risk_model import RiskModel
from models.risk.training_record import TrainingRecord
from models.training import train
from models.workspace import feature_code
from models.workspace.feature_code import OtherFeaturesError, check
from tests.support.candidates import FEATURES, labelled


@pytest.fixture(scope="module")
def model():
    training = policy.load().training.model_copy(update={"max_rounds": 5})
    return train(labelled(600, 1), labelled(300, 2), FEATURES, training, policy.load().targeting)


def test_a_model_records_the_code_of_its_features_in_its_files(model, tmp_path):
    model.save(tmp_path)
    assert RiskModel.load(tmp_path).training.feature_code == code_version()
    assert check(model, "champion version 3", "kcs") is None


def test_features_of_other_code_are_refused_with_what_to_do(model, monkeypatch):
    monkeypatch.setattr(feature_code, "code_version", lambda: "f" * 64)
    monkeypatch.setattr(feature_code, "SAME_VALUES", frozenset({"e" * 64}))
    with pytest.raises(
        OtherFeaturesError, match=r"champion version 3 learned .*fffffff.*retrain on source kcs and sign"
    ):
        check(model, "champion version 3", "kcs")


def test_earlier_code_that_computes_the_same_is_as_good_as_today_s(model, monkeypatch):
    earlier = model.training.feature_code
    monkeypatch.setattr(feature_code, "code_version", lambda: "f" * 64)
    monkeypatch.setattr(feature_code, "SAME_VALUES", frozenset({earlier}))
    assert check(model, "champion version 3", "kcs") is None


def test_a_model_of_before_loads_keeps_its_digest_and_says_that_it_is_not_known(model, tmp_path):
    written = model.training.as_json()
    del written["feature_code"]
    old = TrainingRecord.from_json(written)
    before = RiskModel(**{**vars(model), "training": old})
    before.save(tmp_path)
    loaded = RiskModel.load(tmp_path)
    assert loaded.digest == before.digest != model.digest
    assert "does not say by what code" in str(check(loaded, "champion version 3", "kcs"))
