import polars as pl
import pytest

from models.evaluation import schemes

TEN = pl.DataFrame(
    {
        "declaration_id": [f"D{i}" for i in range(20)],
        "item_number": [1] * 20,
        "score": [i / 20 for i in range(20)],
        "priority": [20.0 - i for i in range(20)],
    },
    schema_overrides={"item_number": pl.Int32},
)
TRUTH = TEN.select("declaration_id", "item_number").with_columns(
    scheme=pl.Series(["phoenix"] * 2 + ["none"] * 16 + ["false origin", "phoenix"])
)


def test_recall_is_the_share_of_a_scheme_among_the_best_tenth():
    found = {s.scheme: (s.rows, s.by_score, s.by_priority) for s in schemes.recall(TEN, TRUTH)}
    assert found == {
        "any": (4, 0.5, 0.5),
        "phoenix": (3, pytest.approx(1 / 3), pytest.approx(2 / 3)),
        "false origin": (1, 1.0, 0.0),
    }


def test_the_most_frequent_comes_first():
    assert [s.scheme for s in schemes.recall(TEN, TRUTH)] == ["any", "phoenix", "false origin"]


def test_truth_in_another_order_and_of_more_rows_is_the_same():
    more = pl.concat([TRUTH.reverse(), TRUTH.with_columns(declaration_id="X" + pl.col("declaration_id"))])
    assert schemes.recall(TEN, more) == schemes.recall(TEN, TRUTH)


def test_nothing_planted_gives_nothing():
    assert schemes.recall(TEN, TRUTH.with_columns(scheme=pl.lit("none"))) == ()


def test_what_nobody_planted_takes_no_place_among_the_best():
    declared_since = TEN.with_columns(declaration_id="W" + pl.col("declaration_id"), score=0.99, priority=99.0)
    assert schemes.recall(pl.concat([declared_since, TEN]), TRUTH) == schemes.recall(TEN, TRUTH)
    assert schemes.recall(declared_since, TRUTH) == ()
