import numpy as np
import polars as pl
import pytest

from models.risk import revenue
from models.risk.encoder import Encoder
from models.risk.revenue import Hits
from tests.support.datasets import FEATURES, dataset

ROWS = dataset(rows=3000)
ENCODER = Encoder.fit(ROWS, FEATURES)


def fitted(rows: pl.DataFrame, validation: pl.DataFrame) -> tuple[revenue.RevenueModel, int]:
    return revenue.fit(ENCODER, Hits.of(rows), Hits.of(validation), seed=1, max_rounds=60, patience=10)


def found(amounts: list[float]) -> pl.DataFrame:
    """Hits that brought in so much."""
    hits = ROWS.filter("is_illicit").head(len(amounts))
    return hits.with_columns(recovered_revenue=pl.Series(amounts))


def test_the_total_over_the_hits_is_right_and_big_stakes_recover_more():
    model, rounds = fitted(ROWS, dataset(rows=1000, seed=2))
    hits = dataset(rows=1000, seed=3).filter("is_illicit")
    expected = model(hits, ENCODER.encode(hits))
    assert model.basis == "boosted"
    assert rounds > 0
    assert expected.min() >= 0
    assert expected.sum() == pytest.approx(hits["recovered_revenue"].sum(), rel=0.3)
    assert np.corrcoef(expected, hits["recovered_revenue"])[0, 1] > 0.5


def test_the_scale_of_the_currency_plays_no_part():
    money = ("item_value", "duty_at_stake", "recovered_revenue")
    won, won_validation = (rows.with_columns(pl.col(money) * 1024) for rows in (ROWS, dataset(rows=1000, seed=2)))
    (model, rounds), (model_won, rounds_won) = fitted(ROWS, dataset(rows=1000, seed=2)), fitted(won, won_validation)
    assert rounds == rounds_won
    expected = model(ROWS, ENCODER.encode(ROWS))
    np.testing.assert_allclose(model_won(won, ENCODER.encode(won)), 1024 * expected, rtol=1e-6)


def test_few_hits_give_a_line_through_the_duty_at_stake():
    few = ROWS.head(300)
    model, rounds = fitted(few, dataset(rows=1000, seed=2))
    hits = few.filter("is_illicit")
    assert (model.basis, rounds) == ("line", 0)
    assert model(hits, ENCODER.encode(hits)).sum() == pytest.approx(hits["recovered_revenue"].sum())


def test_goods_without_duty_start_from_a_hundredth_of_the_mean_recovery():
    rows = (
        ROWS.filter("is_illicit")
        .head(3)
        .with_columns(
            duty_at_stake=pl.Series([50.0, 150.0, 0.0], dtype=pl.Float32),
            recovered_revenue=pl.Series([100.0, 400.0, 100.0]),
        )
    )
    model, _ = fitted(rows, rows)
    # 600 recovered of 200 at stake: 0.99 x 600 / 200 = 2.97 a unit, and 0.01 x 200 for every hit.
    assert model(rows, ENCODER.encode(rows)) == pytest.approx([148.5 + 2, 445.5 + 2, 2])


def test_no_duty_at_stake_gives_the_mean_recovery():
    rows = ROWS.head(100).with_columns(duty_at_stake=pl.lit(0.0, pl.Float32))
    model, _ = fitted(rows, rows)
    assert model(rows, ENCODER.encode(rows))[0] == pytest.approx(rows.filter("is_illicit")["recovered_revenue"].mean())


@pytest.mark.parametrize("amount", [None, 0.0])
def test_without_any_amount_the_stake_is_the_figure(amount):
    rows = ROWS.with_columns(recovered_revenue=pl.lit(amount, pl.Float64))
    model, _ = fitted(rows, rows)
    assert model.basis == "stake"
    assert np.array_equal(model(rows, ENCODER.encode(rows)), revenue.stake(rows))
    assert revenue.correction(np.ones(5), Hits.of(rows)) == 1.0


def test_the_correction_brings_the_total_right_and_distrusts_few_hits():
    many, few = Hits.of(ROWS), Hits.of(ROWS.head(6))
    assert many.amount is not None
    assert few.amount is not None
    assert revenue.correction(np.array([many.amount.sum() / 2]), many) == pytest.approx(2, rel=0.1)
    assert revenue.correction(np.array([few.amount.sum() / 2]), few) < 1.2


def test_the_correction_starts_as_if_twenty_average_hits_had_been_met():
    rows = (
        ROWS.filter("is_illicit").head(5).with_columns(recovered_revenue=pl.Series([60.0, 140.0, 100.0, 20.0, 180.0]))
    )
    # 500 found where 250 were expected; twenty hits of 100 that were met exactly: 2500 / 2250.
    assert revenue.correction(np.array([200.0, 50.0]), Hits.of(rows)) == pytest.approx(10 / 9)
    assert revenue.correction(np.array([500.0]), Hits.of(rows)) == 1


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_an_impossible_amount_names_its_row(wrong):
    first = ROWS.filter("is_illicit")["declaration_id"][0]
    rows = ROWS.with_columns(
        recovered_revenue=pl.when(pl.col("declaration_id") == first).then(wrong).otherwise("recovered_revenue")
    )
    with pytest.raises(ValueError, match=f"declaration '{first}', item 1: recovered_revenue is {wrong}"):
        Hits.of(rows)


def test_the_duty_at_stake_is_needed():
    with pytest.raises(ValueError, match="column 'duty_at_stake' is not in the frame"):
        revenue.stake(ROWS.drop("duty_at_stake"))
