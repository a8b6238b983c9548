import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.risk import boosting, training_record
from models.risk.risk_model import RiskModel
from models.training.fitting import _hit_value, train
from models.training.splits import split_by_time
from models.training.tuning import Tuning
from tests.support.datasets import FEATURES, TARGETING, TRAINING, dataset

SPLIT = split_by_time(dataset(), TRAINING, 7)
PROJECT = Path(__file__).parents[4]


def trained(**changes) -> RiskModel:
    arguments = {"train_frame": SPLIT.train, "validation_frame": SPLIT.validation, "features": FEATURES}
    return train(
        **{**arguments, "training": TRAINING, "selection": TARGETING, "final_frame": SPLIT.before_test, **changes}
    )


def files(model: RiskModel, folder: Path) -> dict[str, bytes]:
    model.save(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_it_learns_what_is_there():
    scores = trained().predict(SPLIT.test)["score"].to_numpy()
    is_hit = SPLIT.test["is_illicit"].to_numpy()
    assert scores[is_hit].mean() > scores[~is_hit].mean() + 0.1
    assert scores.mean() == pytest.approx(is_hit.mean(), abs=0.08)


def test_two_trainings_give_the_same_files_whatever_the_order_of_rows(tmp_path):
    reversed_frames = {
        "train_frame": SPLIT.train.reverse(),
        "validation_frame": SPLIT.validation.reverse(),
        "final_frame": SPLIT.before_test.reverse(),
    }
    first, second = files(trained(), tmp_path / "a"), files(trained(**reversed_frames), tmp_path / "b")
    assert set(first) == {"illicit.txt", "revenue.txt", "model.json"}
    assert first == second


def test_the_number_of_threads_in_the_environment_changes_nothing():
    script = (
        "from models.training.splits import split_by_time\n"
        "from models.training.fitting import train\n"
        "from tests.support.datasets import *\n"
        "s = split_by_time(dataset(), TRAINING, 7)\n"
        "print(train(s.train, s.validation, FEATURES, TRAINING, TARGETING, final_frame=s.before_test).digest)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == trained().digest


def test_another_seed_gives_another_model():
    assert trained(training=TRAINING.model_copy(update={"seed": 8})).digest != trained().digest


def test_a_bag_is_the_mean_of_what_its_seeds_give_one_by_one():
    until_best = TRAINING.model_copy(update={"max_rounds": 100})
    fast = Tuning(boosting.PARAMETERS | {"learning_rate": 0.15})
    bag, *singles = [
        trained(training=until_best.model_copy(update={"seed": seed, "bag": size}), tuning=fast)
        for seed, size in ((7, 3), (7, 1), (8, 1), (9, 1))
    ]
    matrix = bag.encoder.encode(SPLIT.test)
    raw, *each = [np.asarray(model.illicit.predict(matrix, raw_score=True)) for model in (bag, *singles)]
    np.testing.assert_allclose(raw, np.mean(each, axis=0), rtol=1e-12, atol=1e-12)
    assert min(np.abs(one - other).max() for one, other in itertools.combinations(each, 2)) > 0.01
    rounds = tuple(model.training.rounds for model in singles)
    assert len(set(rounds)) > 1
    assert (bag.training.seed, bag.training.rounds, bag.training.further_rounds) == (7, rounds[0], rounds[1:])
    assert bag.training.learning_curve == singles[0].training.learning_curve
    assert (bag.training.bag, bag.training.trees) == (3, bag.illicit.num_trees()) == (3, sum(rounds))
    assert (singles[0].training.bag, singles[0].training.trees) == (1, rounds[0])


def test_two_trainings_of_a_bag_give_the_same_files_and_it_is_calibrated_as_a_whole(tmp_path):
    training = TRAINING.model_copy(update={"bag": 2})
    model = trained(training=training)
    assert model.calibration.judged != trained().calibration.judged
    assert files(model, tmp_path / "a") == files(trained(training=training), tmp_path / "b")
    assert RiskModel.load(tmp_path / "a").training == model.training
    assert RiskModel.load(tmp_path / "a").predict(SPLIT.test).equals(model.predict(SPLIT.test))


def test_who_grows_trees_grows_those_of_every_member():
    grown = []

    def grow(fit, rows, on_round):
        grown.append(fit(rows=rows, on_round=on_round))
        return grown[-1]

    training = TRAINING.model_copy(update={"bag": 2})
    assert trained(training=training, grow=grow).digest == trained(training=training).digest
    assert len(grown) == 4


def test_labels_after_the_final_rows_change_nothing():
    later = dataset().with_columns(
        is_illicit=pl.when(pl.col("accepted_at").dt.date() >= SPLIT.windows["test"][0])
        .then(pl.col("is_illicit").not_())
        .otherwise("is_illicit")
    )
    split = split_by_time(later, TRAINING, 7)
    frames = {"train_frame": split.train, "validation_frame": split.validation, "final_frame": split.before_test}
    assert trained(**frames).digest == trained().digest


def test_expected_revenue_is_right_in_total():
    rows = SPLIT.validation
    expected = trained().predict(rows)["expected_revenue"].sum()
    assert expected == pytest.approx(rows["recovered_revenue"].sum(), rel=0.35)


def test_the_account_says_how_it_came_about():
    account = trained().training
    first, last = SPLIT.windows["validation"]
    hits = SPLIT.validation["is_illicit"].sum()
    assert account.parts.validation == training_record.LearnedPart(
        first_day=first, last_day=last, rows=SPLIT.validation.height, hits=hits
    )
    assert 1 <= account.rounds <= TRAINING.max_rounds


def test_the_value_of_a_hit_rises_with_the_precision_to_be_kept():
    values = [
        trained(selection=TARGETING.model_copy(update={"kept_precision": kept})).hit_value for kept in (0.0, 0.9, 1.0)
    ]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[2] > values[0]


def test_critical_goods_leave_their_places_out_of_what_the_worth_of_a_hit_is_settled_for():
    # Three places in ten, of which critical goods take two: the one that is left is for the best of eight.
    score = np.array([0.99, 0.9, 0.8, 0.1, 0.99, 0.1, 0.1, 0.1, 0.1, 0.1])
    amount = np.array([1e6, 0.0, 10.0, 1000.0, 1e6, 0.0, 0.0, 0.0, 0.0, 0.0])
    goes_by_value = score < 0.95
    settled = TARGETING.model_copy(update={"at_share": 0.3, "kept_precision": 0.9})
    # 0.9 is to be chosen instead of 0.1, or the precision is lost: 0.9 x worth >= 0.1 x (1000 + worth).
    assert _hit_value(score, amount, goes_by_value, settled) == pytest.approx(125)
    # With five critical ones no place is left, and with none but critical ones there is nothing to settle.
    assert _hit_value(score, amount, np.arange(10) >= 5, settled) == 0
    assert _hit_value(score, amount, np.zeros(10, bool), settled) == 0
    # Where all have a place, nothing has to be given up.
    everything = settled.model_copy(update={"at_share": 0.99})
    assert _hit_value(score, amount, np.ones(10, bool), everything) == 0


def test_one_hit_in_twenty_brings_in_more_than_the_upper_bound():
    hits = dataset(rows=4000, seed=5).filter("is_illicit")
    predicted = trained().predict(hits)
    assert (hits["recovered_revenue"] > predicted["revenue_high"]).mean() == pytest.approx(0.05, abs=0.03)
    # A quarter of these goods is free of duty and recovers nothing, so no lower bound above nothing would hold.
    assert (predicted["revenue_low"] == 0).all()


def test_without_final_rows_training_and_validation_rows_are_final():
    parts = trained(final_frame=None).training.parts
    assert parts.final.rows == SPLIT.train.height + SPLIT.validation.height


@pytest.mark.parametrize("bag", [1, 2])
def test_progress_rises_to_the_end(bag):
    seen = []
    training = TRAINING.model_copy(update={"bag": bag})
    trained(training=training, on_progress=lambda done, every: seen.append((done, every)))
    done = [one for one, _ in seen]
    assert done == sorted(done)
    assert seen[-1] == (2 * bag * TRAINING.max_rounds, 2 * bag * TRAINING.max_rounds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.with_columns(is_illicit=pl.lit(None, pl.Boolean)), "none of .* rows has a label"),
        (lambda rows: rows.with_columns(is_illicit=pl.lit(False)), "training part: 0 of .* labelled rows are illicit"),
        (lambda rows: rows.with_columns(is_illicit=pl.lit(True)), "training part: 0 of .* labelled rows are licit"),
        (
            lambda rows: rows.head(99),
            "training part: 99 labelled rows; at least 100 are needed: give more declarations",
        ),
        (lambda rows: rows.with_columns(recovered_revenue=pl.lit(float("nan"))), "recovered_revenue is nan; allowed"),
        (lambda rows: rows.drop("office"), "feature column 'office' is not in the frame"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        trained(train_frame=change(SPLIT.train))


def test_a_loss_for_missed_detections_changes_the_ranking_and_the_score_still_says_what_would_be_found(tmp_path):
    knowing, plain = trained(detects=0.6), trained()
    assert (knowing.training.detects, plain.training.detects) == (0.6, None)
    assert knowing.digest != plain.digest
    assert trained(detects=0.6).digest == knowing.digest
    knowing.save(tmp_path)
    loaded = RiskModel.load(tmp_path)
    score = loaded.predict(SPLIT.test)["score"].to_numpy()
    assert np.array_equal(score, knowing.predict(SPLIT.test)["score"].to_numpy())
    assert loaded.digest == knowing.digest
    assert score.mean() == pytest.approx(SPLIT.test["is_illicit"].mean(), abs=0.08)
    raw = boosting.predict(loaded.illicit, loaded.encoder.encode(SPLIT.test))
    assert raw.mean() > score.mean() + 0.1


def test_a_loss_for_missed_detections_needs_detection_and_a_calibration():
    wanted = TRAINING.model_copy(update={"missed_detection_loss": True})
    with pytest.raises(
        ValueError, match="missed_detection_loss of the policy is true, but no second looks are known here"
    ):
        trained(training=wanted)
    hits = SPLIT.validation.filter("is_illicit").head(15)
    few = pl.concat([hits, SPLIT.validation.filter(~pl.col("is_illicit"))])
    assert trained(validation_frame=few).calibration.kind == "none"
    with pytest.raises(ValueError, match="fewer than 20 labelled rows are illicit"):
        trained(validation_frame=few, detects=0.6)


def test_a_bag_of_trees_that_know_of_missed_detections_is_their_mean():
    bag = trained(detects=0.6, training=TRAINING.model_copy(update={"bag": 2}))
    members = [trained(detects=0.6, training=TRAINING.model_copy(update={"seed": TRAINING.seed + k})) for k in (0, 1)]
    rows = bag.encoder.encode(SPLIT.test)
    raw = [each.illicit.predict(rows, raw_score=True) for each in (bag, *members)]
    assert raw[0] == pytest.approx((raw[1] + raw[2]) / 2)
