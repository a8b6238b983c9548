"""Reasons: Shapley values are exact, sums lose nothing, and the order of rows does not matter."""

import re
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from polars.testing import assert_frame_equal
from scipy.stats import spearmanr

from features.contract import KEY
from features.matrix.matrix import CATALOGUE
from models.reasons import group_contributions, reasons
from models.reasons.agreement import overlap, rank_correlation
from models.reasons.grouping import groups
from models.reasons.language import LANGUAGES, read
from models.reasons.sentences import Item, phrase
from models.risk import boosting
from models.risk.encoder import Encoder
from models.training.fitting import train
from models.training.splits import split_by_time
from tests.support.datasets import FEATURES, TARGETING, TRAINING, dataset
from tests.support.examples import examples

untimed = settings(deadline=None)
SPLIT = split_by_time(dataset(), TRAINING, 7)
POOL = dataset(rows=200, seed=9).with_columns(
    pl.when(pl.int_range(pl.len()) % 7 > 0).then("item_value").alias("item_value"),
    pl.when(pl.int_range(pl.len()) % 5 > 0).then("office").otherwise(pl.lit("99")).alias("office"),
)


@pytest.fixture(scope="module")
def model():
    return train(SPLIT.train, SPLIT.validation, FEATURES, TRAINING, TARGETING)


# The oracle: Shapley values by their definition, over every set of features.


def goes_left(node: dict[str, Any], value: float) -> bool:
    """LightGBM's decision at a node."""
    if node["decision_type"] == "==":
        return not np.isnan(value) and str(int(value)) in node["threshold"].split("||")
    if np.isnan(value):
        if node["missing_type"] == "NaN":
            return node["default_left"]
        value = 0.0
    return value <= node["threshold"]


def expectation(node: dict[str, Any], row: np.ndarray, known: frozenset[int]) -> float:
    """What the tree gives where only `known` features are: below others, the mean by the rows of training."""
    if "leaf_value" in node:
        return node["leaf_value"]
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return expectation(left if goes_left(node, row[node["split_feature"]]) else right, row, known)
    counts = [child.get("internal_count", child.get("leaf_count")) for child in (left, right)]
    values = [expectation(child, row, known) for child in (left, right)]
    return float(np.average(values, weights=counts))


def shapley(trees: list[dict[str, Any]], row: np.ndarray) -> np.ndarray:
    """Shapley value of each feature, and the expectation without any last."""
    size = len(row)
    sets = [frozenset(chosen) for count in range(size + 1) for chosen in combinations(range(size), count)]
    value = {chosen: sum(expectation(tree, row, chosen) for tree in trees) for chosen in sets}
    found = np.zeros(size + 1)
    for chosen in sets:
        for feature in set(range(size)) - chosen:
            weight = factorial(len(chosen)) * factorial(size - len(chosen) - 1) / factorial(size)
            found[feature] += weight * (value[chosen | {feature}] - value[chosen])
    found[size] = value[frozenset()]
    return found


@given(st.integers(0, 10_000), st.sampled_from([3, 9]), st.sampled_from([0.5, 1.0]))
@settings(untimed, max_examples=examples(15))
def test_contributions_are_shapley_values_by_enumeration(seed, categories, bagging):
    random = np.random.default_rng(seed)
    codes = tuple(f"{code:02d}" for code in range(categories))
    encoder = Encoder(("number", "gappy", "few", "code"), {"code": codes})
    size = 300
    matrix = np.column_stack(
        [
            random.normal(size=size),
            np.where(random.random(size) < 0.3, np.nan, random.normal(size=size)),
            random.integers(0, 3, size),
            np.where(random.random(size) < 0.1, np.nan, random.integers(0, categories, size)),
        ]
    ).astype(np.float32)
    risk = matrix[:, 0] * np.isnan(matrix[:, 1]) + (matrix[:, 3] % 3 == 1) + 0.5 * matrix[:, 2] - 1
    target = (random.random(size) < 1 / (1 + np.exp(-2 * np.nan_to_num(risk)))).astype(float)
    parameters = {
        "num_leaves": 8,
        "min_data_in_leaf": 5,
        "min_data_per_group": 5,
        "cat_smooth": 1.0,
        "learning_rate": 0.3,
        "bagging_fraction": bagging,
    }
    booster = boosting.fit_rounds(boosting.ILLICIT, parameters, seed, encoder, boosting.Rows(matrix, target), rounds=4)
    trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    rows = matrix[:6].copy()
    rows[0], rows[1, 0] = np.nan, np.nan  # missing where training had none, too
    expected = np.array([shapley(trees, row) for row in rows.astype(float)])
    np.testing.assert_allclose(boosting.contributions(booster, rows), expected, atol=1e-6)


def test_the_oracle_meets_missing_values_and_categories():
    """So that it cannot pass for lack of them."""
    random = np.random.default_rng(1)
    matrix = np.column_stack([np.where(random.random(200) < 0.4, np.nan, 1.0), random.integers(0, 9, 200)])
    target = (np.isnan(matrix[:, 0]) ^ (matrix[:, 1] % 2 == 0)).astype(float)
    encoder = Encoder(("gappy", "code"), {"code": tuple("abcdefghi")})
    parameters = {"num_leaves": 6, "min_data_in_leaf": 5, "min_data_per_group": 5, "cat_smooth": 1.0}
    rows = boosting.Rows(matrix.astype(np.float32), target)
    booster = boosting.fit_rounds(boosting.ILLICIT, parameters, 1, encoder, rows, rounds=3)
    table = booster.trees_to_dataframe()
    assert {"==", "<="} <= set(table["decision_type"].dropna())
    assert "NaN" in set(table["missing_type"].dropna())


# What reasons keep.


@st.composite
def some_rows(draw):
    return POOL[draw(st.lists(st.integers(0, POOL.height - 1), min_size=1, max_size=12, unique=True))]


@given(some_rows())
@settings(untimed, max_examples=examples(25))
def test_groups_and_baseline_add_up_to_the_raw_margin(model, rows):
    found = group_contributions(model, rows)
    assert set(found.columns) == {*KEY, *groups(model.encoder.names), "baseline"}
    raw = model.illicit.predict(model.encoder.encode(rows), raw_score=True)
    np.testing.assert_allclose(found.drop(KEY).sum_horizontal().to_numpy(), raw, atol=1e-9)


@given(some_rows(), st.randoms(use_true_random=False), st.sampled_from(LANGUAGES), st.integers(1, 9))
@settings(untimed, max_examples=examples(25))
def test_the_order_of_rows_permutes_reasons_and_the_weightiest_come_first(model, rows, random, language, top):
    order = list(range(rows.height))
    random.shuffle(order)
    one, other = reasons(model, rows, language, top), reasons(model, rows[order], language, top)
    place = rows[order].select(KEY).with_row_index("place")
    assert_frame_equal(other, one.join(place, on=KEY).sort("place", "rank").drop("place"))
    for _, of_row in one.group_by(KEY):
        assert of_row.height <= top
        assert of_row["contribution"].abs().is_sorted(descending=True)
        assert ((of_row["contribution"] > 0) == (of_row["direction"] == "raises")).all()


@given(some_rows(), st.integers(1, 8))
@settings(untimed, max_examples=examples(10))
def test_fewer_reasons_are_the_first_of_more(model, rows, top):
    every = reasons(model, rows, "en", top=100)
    assert_frame_equal(reasons(model, rows, "en", top), every.filter(pl.col("rank") <= top))


numbers = st.none() | st.floats(0, 2**40, width=32) | st.floats(0, 1, width=32) | st.sampled_from([0.0, 1.0])


@given(st.sampled_from([f for f in CATALOGUE if f.name != "weekday"]), numbers, numbers, st.booleans())
@settings(untimed, max_examples=examples(100))
def test_whatever_a_feature_holds_can_be_said(feature, value, others, is_alone):
    if feature.kind == "categorical":
        value = None if value is None else f"{value:.0f}"
    elif feature.measure == "exposure" and value is not None:
        value = min(value, 300.0)  # a logarithm: of what is larger, no double is the power
    rest = {} if is_alone else {f.name: others for f in CATALOGUE if f.kind == "numeric"}
    said = phrase(feature, Item(rest | {feature.name: value}))
    texts = [read(language).render(said) for language in LANGUAGES]
    assert all(texts)
    assert not any(re.search(r"[{}]|\bnan\b|None|\de[+-]", text) for text in texts)


@given(
    arrays.arrays(np.float64, (3, 5), elements=st.integers(-3, 3)),
    arrays.arrays(np.float64, (3, 5), elements=st.integers(-3, 3)),
    st.integers(1, 6),
)
@untimed
def test_stability_of_a_row_by_its_definition(before, after, top):
    correlation, shared = rank_correlation(before, after), overlap(before, after, top)
    for line, (old, new) in enumerate(zip(before, after, strict=True)):
        if len(set(old)) > 1 and len(set(new)) > 1:
            assert correlation[line] == pytest.approx(spearmanr(old, new)[0])
        else:
            assert np.isnan(correlation[line])
        kept = [
            {(g, row[g] > 0) for g in sorted(range(5), key=lambda g, row=row: -abs(row[g]))[:top] if row[g] != 0}
            for row in (old, new)
        ]
        either = kept[0] | kept[1]
        if either:
            assert shared[line] == pytest.approx(len(kept[0] & kept[1]) / len(either))
        else:
            assert np.isnan(shared[line])
