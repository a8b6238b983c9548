from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from models import policy
from models.targeting.lanes import assign, capacity, hit_value, unplaced

DAY = date(2024, 3, 1)


def frame(score, revenue=0.0, critical=0.0, office="010", **more):
    rows = len(score)
    columns = {"score": score, "revenue_if_illicit": revenue, "critical": critical, "hit_value": 100.0, **more}
    return pl.DataFrame({"declaration_id": [f"d{row:06}" for row in range(rows)]}).with_columns(
        pl.lit(1).alias("item_number"),
        *(pl.lit(office).alias("office") if isinstance(office, str) else pl.Series("office", office),),
        pl.lit(DAY).alias("accepted_on"),
        *(pl.Series(name, np.broadcast_to(np.array(values, float), rows)) for name, values in columns.items()),
    )


def targeting(own=None, shares=None, **settled):
    base = policy.load().targeting
    if own is not None:
        offices = own if isinstance(own, dict) else {"010": own}
        red_yellow_blue = {office: dict(zip(policy.LANES, places, strict=True)) for office, places in offices.items()}
        settled["offices"] = {office: policy.Capacity(**places) for office, places in red_yellow_blue.items()}
    if shares is not None:
        lanes = dict(zip(policy.LANES, shares, strict=True))
        settled["lanes"] = base.lanes.model_copy(
            update={
                name: getattr(base.lanes, name).model_copy(update={"capacity_share": share})
                for name, share in lanes.items()
            }
        )
    return base.model_copy(update=settled)


def run(rows, settled, seed=0):
    return assign(rows, settled, np.random.default_rng(seed))


NO_CHANCE = 1e-9  # a random share of as good as nothing


def test_capacity_is_the_offices_own_or_shares_of_its_day():
    settled = targeting(own=(3, 2, 1), shares=(0.1, 0.0, 0.25))
    own, shared = capacity("010", 7, settled), capacity("020", 7, settled)
    assert (own.red, own.yellow, own.blue) == (3, 2, 1)
    assert (shared.red, shared.yellow, shared.blue) == pytest.approx((0.7, 0.0, 1.75))
    with pytest.raises(ValueError, match=r"declarations is -1; allowed: a number from 0"):
        capacity("010", -1, settled)


def test_more_at_stake_goes_to_the_lane_that_detects_more():
    rows = frame([0.5, 0.5, 0.5, 0.5], revenue=[10.0, 1000.0, 100.0, 0.0])
    assigned = run(rows, targeting(own=(1, 1, 1), random_share=NO_CHANCE))
    assert assigned["lane"].to_list() == ["blue", "red", "yellow", "green"]
    assert assigned["reason"].to_list() == ["value", "value", "value", "none"]


def test_a_hit_is_worth_something_only_as_far_as_it_is_one():
    # 0.5 x (100 + 100) = 100 against 0.8 x (40 + 100) = 112, though 0.5 x 100 is more than 0.8 x 40.
    rows = frame([0.5, 0.8], revenue=[100.0, 40.0])
    settled = targeting(own=(1, 0, 0), random_share=NO_CHANCE, kept_precision=0.0)
    assert run(rows, settled)["lane"].to_list() == ["green", "red"]
    assert run(rows.with_columns(hit_value=0.0), settled)["lane"].to_list() == ["red", "green"]


def test_the_floor_decides_between_money_and_precision():
    rows = frame([0.9, 0.8, 0.2, 0.1], revenue=[0.0, 0.0, 9000.0, 90000.0])
    chosen = {
        kept: set(
            np.flatnonzero(
                run(rows, targeting((2, 0, 0), random_share=NO_CHANCE, kept_precision=kept))["lane"] != "green"
            )
        )
        for kept in (0.0, 0.5, 0.6, 1.0)
    }
    assert chosen == {0.0: {2, 3}, 0.5: {0, 3}, 0.6: {0, 2}, 1.0: {0, 1}}


def test_the_floor_holds_over_all_offices_together():
    random = np.random.default_rng(4)
    offices = [f"{row % 40:03}" for row in range(4000)]
    rows = frame(random.beta(0.5, 3, 4000), random.lognormal(6, 2, 4000), office=offices)
    worth = pl.col("score") * (pl.col("revenue_if_illicit") + pl.col("hit_value"))
    results = {}
    for kept in (0.0, 0.93, 1.0):
        settled = targeting(dict.fromkeys(set(offices), (4, 4, 2)), random_share=NO_CHANCE, kept_precision=kept)
        chosen = rows.with_columns(run(rows, settled)["reason"], worth=worth).filter(reason="value")
        assert chosen.height == 400
        results[kept] = chosen["score"].mean(), chosen["worth"].sum()
    by_score = rows.group_by("office").agg(pl.col("score").top_k(10).mean())["score"].mean()
    assert results[1.0][0] == pytest.approx(by_score)
    assert 0 <= results[0.93][0] - 0.93 * by_score < 1 / 400  # less than one exchange of rows above it
    assert results[0.0][1] > results[0.93][1] > results[1.0][1]
    assert results[0.0][0] < 0.93 * by_score


def test_critical_goods_come_first_and_those_without_a_place_are_told():
    settled = targeting(own=(1, 1, 0), random_share=NO_CHANCE)
    just = settled.critical_probability
    rows = frame([0.9, 0.1, 0.1, 0.1], revenue=[1e9, 0, 0, 0], critical=[0.0, just, 0.9, 0.5])
    assigned = run(rows, settled)
    assert assigned["lane"].to_list() == ["green", "green", "red", "yellow"]
    assert assigned["reason"].to_list() == ["none", "none", "critical", "critical"]
    assert unplaced(rows, assigned, settled).equals(rows[1:2])


def test_critical_goods_are_not_left_to_an_audit_even_if_it_detects_most():
    settled = targeting(own=(1, 0, 1), random_share=NO_CHANCE)
    blue = settled.lanes.blue.model_copy(update={"detects": 1.0})
    settled = settled.model_copy(update={"lanes": settled.lanes.model_copy(update={"blue": blue})})
    rows = frame([0.9, 0.1], critical=[0.0, 0.9])
    assert run(rows, settled)["lane"].to_list() == ["blue", "red"]


COPIES = 6000
SCORE = [0.05, 0.9, 0.3, 0.6, 0.0, 0.2, 0.1]
EXPLORED = [0.3, 0.4, None, 0.1, 0.6, 0.0, 0.5]


@pytest.mark.parametrize(
    ("settled", "critical", "explore"),
    [
        ({"shares": (0.04, 0.04, 0.02), "random_share": 0.01}, 0.0, None),
        ({"shares": (0.3, 0.2, 0.1), "random_share": 0.2}, 0.0, None),
        ({"shares": (0.3, 0.2, 0.1), "random_share": 0.2}, 0.0, EXPLORED),
        ({"shares": (0.3, 0.2, 0.1), "random_share": 0.2}, [0.0, 0.5, 0.3, 0.0, 0.9, 0.0, 0.0], EXPLORED),
        ({"own": (1, 1, 1), "random_share": 0.25}, [0.3, 0.5, 0.4, 0.6, 0.0, 0.0, 0.0], EXPLORED),
        ({"own": (0, 5, 0), "random_share": 0.3}, 0.0, EXPLORED),
        ({"own": (1, 0, 0), "random_share": 0.4}, 0.0, EXPLORED),
    ],
)
def test_rows_are_inspected_as_often_as_their_probability_says(settled, critical, explore):
    offices = [f"{copy:05}" for copy in range(COPIES) for _ in SCORE]
    if "own" in settled:
        settled = settled | {"own": dict.fromkeys(set(offices), settled["own"])}
    columns = {"score": SCORE, "revenue": [7.0, 0.0, 900.0, 50.0, 3.0, 40.0, 5000.0], "critical": critical}
    if explore is not None:
        columns["explore"] = [np.nan if chance is None else chance for chance in explore]
    tiled = {name: values if np.isscalar(values) else np.tile(values, COPIES) for name, values in columns.items()}
    rows = frame(**tiled, office=offices)
    if explore is not None:
        rows = rows.with_columns(pl.col("explore").fill_nan(None))
    assigned = run(rows, targeting(**settled), seed=11)
    by_copy = (COPIES, len(SCORE))
    said = assigned["selection_probability"].to_numpy().reshape(by_copy).mean(axis=0)
    found = (assigned["lane"] != "green").to_numpy().reshape(by_copy).mean(axis=0)
    np.testing.assert_allclose(found, said, atol=1e-9 + 4.5 * np.sqrt(said * (1 - said) / COPIES).max())
    by_chance = (assigned["reason"] == "random").to_numpy().reshape(by_copy).mean(axis=0)
    share = min(settled["random_share"], said.sum() / len(SCORE))
    np.testing.assert_allclose(by_chance, share, atol=4.5 * np.sqrt(share * (1 - share) / COPIES))


def test_offices_with_few_declarations_get_their_share_in_the_long_run():
    days = 8000
    rows = frame(np.tile([0.5, 0.3, 0.1], days)).with_columns(
        accepted_on=pl.Series([DAY + timedelta(days=day) for day in range(days) for _ in range(3)])
    )
    assigned = run(rows, targeting())
    found = dict(assigned.group_by("lane").len().iter_rows())
    for lane, share in (("red", 0.12), ("yellow", 0.12), ("blue", 0.06)):
        assert found[lane] == pytest.approx(share * days, abs=4.5 * np.sqrt(share * days))
    assert assigned.filter(reason="random").height == pytest.approx(0.03 * days, abs=4.5 * np.sqrt(0.03 * days))
    assert rows.with_columns(assigned["lane"]).filter(pl.col("lane") != "green")["accepted_on"].is_unique().all()


def test_who_is_next_is_decided_by_what_the_last_place_finds():
    """Rows 1 and 0 are level where the floor makes 27.3 of worth count as much as a score of 1; in the red lane row 2
    is then ahead of row 3, which has less worth and more score, and in a blue one it would be behind."""
    rows = frame([0.9, 0.2, 0.1, 0.3], revenue=[1.0, 100.0, 120.0, 18.0]).with_columns(hit_value=0.0)
    assigned = run(rows, targeting(own=(3, 0, 0), random_share=0.5, kept_precision=0.9))
    # Chance draws two of the four rows: row 0 has a place anyway, row 1 where row 0 is drawn, row 2 where both are.
    assert assigned["selection_probability"].to_list() == [1.0, 0.833333333333, 0.666666666667, 0.5]


def test_what_only_chance_would_inspect_has_exactly_its_probability():
    for size in (3, 40):
        score = np.append(np.linspace(0.3, 0.9, size - 1), 0.0)
        assert run(frame(score), targeting())["selection_probability"][-1] == pytest.approx(0.01, abs=1e-12)
    assert run(frame([0.5, 0.4, 0.3]), targeting(own=(0, 0, 0)))["selection_probability"].to_list() == [0, 0, 0]


def test_exploration_has_exactly_the_probability_proposed():
    score = np.append(np.full(10, 0.9), np.zeros(20))
    explore = np.append(np.zeros(10), np.repeat([0.05, 0.15], 10))  # 2 places
    rows = frame(score, explore=explore)
    probability = run(rows, targeting(own=(4, 4, 2), random_share=0.1))["selection_probability"].to_numpy()
    np.testing.assert_allclose(probability[10:], 0.1 + 0.9 * explore[10:], atol=1e-12)
    reasons = dict(run(rows, targeting(own=(4, 4, 2), random_share=0.1)).group_by("reason").len().iter_rows())
    assert reasons["random"] == 3
    assert 0 < reasons["exploration"] <= 2


def test_exploration_leaves_critical_goods_their_places():
    rows = frame(np.full(6, 0.5), critical=[0.9, 0.8, 0.0, 0.0, 0.0, 0.0], explore=np.ones(6))
    assigned = run(rows, targeting(own=(2, 1, 0), random_share=NO_CHANCE))
    assert sorted(assigned["reason"]) == ["critical", "critical", "exploration", "none", "none", "none"]


def test_where_there_are_places_for_all_the_last_one_that_is_explored_has_its_own():
    rows = frame([0.9, 0.8, 0.7, 0.1], explore=[0.0, 0.0, 0.0, 1.0])
    assigned = run(rows, targeting(own=(5, 0, 0), random_share=0.25))
    assert assigned["selection_probability"].to_list() == [1, 1, 1, 1]
    assert sorted(assigned["lane"]) == ["red"] * 4


def test_what_chance_draws_is_looked_at_by_the_lane_that_detects_most():
    assigned = run(frame(np.linspace(0.1, 0.9, 40)), targeting(own=(4, 4, 2), random_share=0.1))
    assert assigned.filter(reason="random")["lane"].to_list() == ["red"] * 4
    assert assigned.filter(reason="value").height == 6


def test_without_worth_the_score_decides():
    rows = frame([0.1, 0.3, 0.2]).with_columns(hit_value=0.0)
    assert run(rows, targeting(own=(1, 0, 0), random_share=NO_CHANCE))["lane"].to_list() == ["green", "red", "green"]


def test_the_same_generator_gives_the_same_lanes_and_another_does_not():
    rows = frame(np.linspace(0, 1, 200))
    assert run(rows, targeting(), seed=1).equals(run(rows, targeting(), seed=1))
    assert not run(rows, targeting(), seed=1)["reason"].equals(run(rows, targeting(), seed=2)["reason"])


def test_no_rows_need_no_places():
    assigned = run(frame([0.5]).clear(), targeting())
    assert assigned.schema == run(frame([0.5]), targeting()).schema
    assert assigned.columns == ["declaration_id", "item_number", "lane", "reason", "selection_probability"]
    assert assigned.is_empty()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": pl.lit(1.2)}, "score is 1.2 at row 0; allowed: 0 to 1"),
        ({"critical": pl.lit(None)}, "critical is nan at row 0; allowed: 0 to 1"),
        ({"hit_value": pl.lit(-1.0)}, "hit_value is -1.0 at row 0; allowed: a finite number from 0"),
        ({"explore": pl.lit(2.0)}, "explore is 2.0 at row 0; allowed: 0 to 1"),
        ({"accepted_on": pl.lit(DAY).cast(pl.Datetime("us"))}, r"accepted_on is of type Datetime.*; allowed: Date"),
        ({"office": pl.lit(None, pl.String)}, "office is null at row 0; every row needs one"),
        ({"declaration_id": pl.lit("d")}, r"declaration_id, item_number is \('d', 1\) in several rows; allowed: once"),
    ],
)
def test_what_cannot_be_assigned_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        run(frame([0.5, 0.2]).with_columns(**change), targeting())
    with pytest.raises(ValueError, match=r"columns \['critical'\] are not in the frame"):
        run(frame([0.5]).drop("critical"), targeting())


def test_the_worth_of_a_hit_is_found_to_a_billionth_of_the_mean_revenue():
    score, revenue = np.array([0.9, 0.8, 0.1]), np.array([0.0, 10.0, 1000.0])
    # Row 0 comes first from where 0.9 x worth = 0.1 x (1000 + worth).
    assert 125 <= hit_value(score, revenue, 0.9, 1 / 3) <= 125 + revenue.mean() / 2**30


def test_the_worth_of_a_hit_where_there_is_nothing_to_settle():
    assert hit_value(np.zeros(0), np.zeros(0), 0.9, 0.1) == 0
    assert hit_value(np.array([0.5, 0.2]), np.array([1.0, 9.0]), 0.9, 0.0) == 0
    assert hit_value(np.full(9, 0.3), np.arange(9.0), 1.0, 0.3) == 0
    assert hit_value(np.array([0.5, 0.2]), np.array([9.0, 1.0]), 1.0, 0.5) == 0
    assert hit_value(np.array([0.5, 0.2]), np.zeros(2), 0.9, 0.5) == 1
    for kept, share, name in ((1.5, 0.5, "kept_precision is 1.5"), (-0.5, 0.5, "kept_precision is -0.5"),
                              (0.5, 1.5, "share is 1.5"), (0.5, -0.5, "share is -0.5")):  # fmt: skip
        with pytest.raises(ValueError, match=f"{name}; allowed: 0 to 1"):
            hit_value(np.array([0.5]), np.array([1.0]), kept, share)
    with pytest.raises(ValueError, match=r"revenue_if_illicit has shape \(1,\); allowed: \(2,\)"):
        hit_value(np.array([0.5, 0.2]), np.array([1.0]), 0.9, 0.5)
