import numpy as np
import polars as pl
import pytest

from models.risk import critical
from models.risk.critical import CriticalModel
from models.risk.encoder import Encoder
from tests.support.datasets import FEATURES, dataset


def labelled(rows: int, seed: int, chance: float) -> pl.DataFrame:
    """Critical goods are hits of chapter 84, by `chance`."""
    frame = dataset(rows=rows, seed=seed)
    drawn = pl.Series(np.random.default_rng(seed).random(rows) < chance)
    return frame.with_columns(is_critical=pl.col("is_illicit") & (pl.col("hs2") == "84") & drawn)


PAST, JUDGE, LATER = (labelled(3000, seed, 0.8) for seed in (1, 2, 3))
ENCODER = Encoder.fit(PAST, FEATURES)


def rows(frame: pl.DataFrame):
    return critical.rows_of(frame, ENCODER.encode(frame))


def hits(frame: pl.DataFrame) -> np.ndarray:
    return frame["is_illicit"].to_numpy().astype(float)


def fitted(frame: pl.DataFrame, judge: pl.DataFrame) -> tuple[CriticalModel, int]:
    return critical.fit(ENCODER, rows(frame), rows(judge), hits(frame), seed=1, max_rounds=40, patience=10)


def test_it_learns_where_critical_goods_are_and_never_exceeds_the_risk():
    model, rounds = fitted(PAST, JUDGE)
    assert (model.basis, rounds > 0) == ("boosted", True)
    sure = np.ones(LATER.height)
    found = model(sure, ENCODER.encode(LATER))
    is_critical = LATER["is_critical"].to_numpy()
    assert found[is_critical].mean() > 3 * found[~is_critical].mean()
    assert found.mean() == pytest.approx(is_critical.mean(), rel=0.25)
    assert (model(0.01 * sure, ENCODER.encode(LATER)) <= 0.01).all()


def test_too_few_found_give_their_share_of_the_hits():
    few = labelled(3000, 1, 0.02)
    model, rounds = fitted(few, JUDGE)
    assert (model.basis, rounds) == ("share", 0)
    share = few["is_critical"].sum() / few["is_illicit"].sum()
    assert model(np.array([0.5]), ENCODER.encode(few.head(1)))[0] == pytest.approx(0.5 * share)


def test_the_second_pass_keeps_the_curve_of_the_first():
    model, rounds = fitted(PAST, JUDGE)
    again = critical.refit(ENCODER, rows(PAST), hits(PAST), 1, rounds, model.calibration)
    np.testing.assert_array_equal(
        again(np.ones(50), ENCODER.encode(LATER.head(50))), model(np.ones(50), ENCODER.encode(LATER.head(50)))
    )


def test_a_hit_of_which_no_more_is_known_is_not_critical():
    unknown = PAST.with_columns(is_critical=pl.lit(None, pl.Boolean))
    assert rows(unknown).target.sum() == 0


def test_what_is_written_reads_back():
    model, _ = fitted(PAST, JUDGE)
    assert CriticalModel.from_json(model.as_json(), model.booster) == model
