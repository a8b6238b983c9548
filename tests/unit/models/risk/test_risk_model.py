import hashlib
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from models.risk import boosting, risk_model
from models.risk.risk_model import OUTPUTS, RiskModel
from models.training.fitting import train
from models.training.splits import split_by_time
from tests.support.datasets import FEATURES, TARGETING, TRAINING, dataset

SPLIT = split_by_time(dataset(), TRAINING, 7)


@pytest.fixture(scope="module")
def model():
    return train(SPLIT.train, SPLIT.validation, FEATURES, TRAINING, TARGETING)


def test_predictions_are_one_a_row_in_the_rows_order(model):
    predictions = model.predict(SPLIT.test)
    assert predictions.columns == ["declaration_id", "item_number", *OUTPUTS]
    assert predictions["declaration_id"].equals(SPLIT.test["declaration_id"])
    assert predictions.equals(model.predict(SPLIT.test.reverse()).reverse())
    assert predictions["score"].is_between(0, 1).all()
    assert (predictions["expected_revenue"] >= 0).all()
    assert (predictions["critical"] <= predictions["score"]).all()
    assert (predictions["revenue_low"] <= predictions["revenue_if_illicit"]).all()
    assert (predictions["revenue_if_illicit"] <= predictions["revenue_high"]).all()


def test_priority_is_money_and_hits_and_critical_goods_go_first(model):
    cautious = replace(model, critical_probability=0.05, hit_value=400.0)
    predictions = cautious.predict(SPLIT.test)
    first = predictions["critical"] >= 0.05
    assert first.any()
    by_value = predictions.filter(~first)
    worth = by_value["expected_revenue"] + 400 * by_value["score"]
    assert worth.std() > 100  # or scores would be too alike to tell a worth that counts once from one that counts twice
    np.testing.assert_allclose(by_value["priority"], worth)
    urgent = predictions.filter(first)
    assert urgent["priority"].min() > by_value["priority"].max()
    assert urgent.sort("priority")["critical"].is_sorted()
    assert (urgent["priority"] == 1e15 * (1 + urgent["critical"])).all()


def test_goods_that_just_reach_the_probability_go_first(model):
    critical = model.predict(SPLIT.test)["critical"]
    predictions = replace(model, critical_probability=critical.max()).predict(SPLIT.test)
    assert (predictions["priority"] >= 1e15).equals(critical == critical.max())


def test_what_was_saved_predicts_the_same(model, tmp_path):
    model.save(tmp_path / "model")
    again = RiskModel.load(tmp_path / "model")
    assert again.predict(SPLIT.test).equals(model.predict(SPLIT.test))
    assert again.digest == model.digest
    assert again.training == model.training
    folder = tmp_path / "of the year" / "again"
    again.save(folder)
    assert all(path.read_bytes() == (folder / path.name).read_bytes() for path in (tmp_path / "model").iterdir())


def test_what_identifies_the_model_names_every_booster(model, tmp_path):
    model.save(tmp_path)
    model.save(tmp_path)
    assert list(model.files)[-1] == "model.json"
    content = (tmp_path / "model.json").read_bytes()
    assert model.digest == hashlib.sha256(content).hexdigest()
    described = json.loads(content)
    assert described["format"] == 3
    assert (described["hit_value"], described["critical_probability"]) == (model.hit_value, model.critical_probability)
    assert described["files"] == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in model.files if name != "model.json"
    }
    # The digest of a model that was loaded is that of its file, so the text has to stay as it always was.
    assert content.decode() == json.dumps(described, indent=1) + "\n"
    assert replace(model, hit_value=model.hit_value + 1).digest != model.digest


def test_a_number_that_is_none_is_not_written(model):
    with pytest.raises(ValueError, match="not JSON compliant"):
        _ = replace(model, hit_value=np.nan).files


@pytest.mark.parametrize("rows", [1, 7, 8])
def test_predictions_do_not_depend_on_how_many_rows_are_looked_at_together(model, monkeypatch, rows):
    monkeypatch.setattr(risk_model, "_PART_ROWS", rows)
    few = SPLIT.test.head(15)
    assert model.predict(few).equals(model.predict(SPLIT.test).head(15))


def test_labels_play_no_part_in_predictions(model):
    unlabelled = SPLIT.test.select("declaration_id", "item_number", *(f.name for f in FEATURES))
    assert model.predict(unlabelled).equals(model.predict(SPLIT.test))


def test_no_rows_give_no_predictions(model):
    assert model.predict(SPLIT.test.clear()).height == 0
    matrix = model.encoder.encode(SPLIT.test)
    for told in (boosting.leaves, boosting.contributions):
        assert told(model.illicit, matrix[:0]).shape == (0, told(model.illicit, matrix).shape[1])


def test_contributions_add_up_to_the_raw_log_odds(model):
    shares = model.contributions(SPLIT.test)
    assert shares.columns == ["declaration_id", "item_number", *(f.name for f in FEATURES), "baseline"]
    margin = shares.drop("declaration_id", "item_number").sum_horizontal().to_numpy()
    raw = model.illicit.predict(model.encoder.encode(SPLIT.test), raw_score=True)
    np.testing.assert_allclose(margin, np.asarray(raw), atol=1e-9)


def test_a_missing_feature_is_named(model):
    with pytest.raises(ValueError, match="feature column 'office' is not in the frame"):
        model.predict(SPLIT.test.drop("office"))


def test_a_changed_booster_is_refused(model, tmp_path):
    model.save(tmp_path)
    booster = tmp_path / "illicit.txt"
    booster.write_text(booster.read_text().replace("num_leaves=", "num_leaves= ", 1))
    with pytest.raises(ValueError, match=r"illicit\.txt is not the file that model\.json names"):
        RiskModel.load(tmp_path)


@pytest.mark.parametrize("name", ["model.json", "illicit.txt", "revenue.txt"])
def test_a_missing_file_is_named(model, tmp_path, name):
    model.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=f"{name} is missing"):
        RiskModel.load(tmp_path)


def test_another_format_is_refused(model, tmp_path):
    model.save(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 1}))
    with pytest.raises(ValueError, match="format is 1; allowed: 3"):
        RiskModel.load(tmp_path)


def test_a_model_without_revenue_trees_has_no_file_for_them(tmp_path):
    frames = [part.with_columns(recovered_revenue=pl.lit(None, pl.Float64)) for part in (SPLIT.train, SPLIT.validation)]
    model = train(*frames, FEATURES, TRAINING, TARGETING)
    model.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"illicit.txt", "model.json"}
    assert RiskModel.load(tmp_path).predict(SPLIT.test).equals(model.predict(SPLIT.test))
