"""Targeting, compared with enumeration: probabilities, rules of places, the worth of a hit."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import policy
from models.metrics.ranking import chance_in_top
from models.targeting.lanes import assign, capacity, hit_value
from tests.support.examples import examples

KEEPS = st.sampled_from([0.0, 0.5, 0.8, 0.9, 0.93, 0.97, 1.0])
compiled = settings(deadline=None)  # whichever test is first compiles the solver


@st.composite
def days(draw):
    """Frame and policy: offices of a few rows to dozens, with shares or places of their own."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    rows = draw(st.integers(1, 60))
    score = random.beta(0.5, 2, rows)
    frame = pl.DataFrame(
        {
            "declaration_id": [f"d{random.integers(1000):03}-{row}" for row in range(rows)],
            "item_number": random.integers(1, 4, rows),
            "office": random.choice(["010", "020", "own"], rows),
            "accepted_on": [date(2024, 1, 1 + day) for day in random.integers(0, 2, rows)],
            "score": score,
            "critical": random.beta(*draw(st.sampled_from([(0.2, 9.0), (1.0, 2.0)])), rows),
            "revenue_if_illicit": random.lognormal(5, 2, rows),
            "hit_value": np.full(rows, draw(st.sampled_from([0.0, 100.0]))),
        }
    )
    if draw(st.booleans()):
        proposed = pl.Series(random.random(rows) / 5)
        frame = frame.with_columns(explore=pl.when(pl.Series(random.random(rows) < 0.7)).then(proposed))
    shares = draw(st.sampled_from([(0.04, 0.04, 0.02), (0.0, 0.3, 0.25), (0.1, 0.0, 0.5)]))
    own = policy.Capacity(red=draw(st.integers(0, 2)), yellow=draw(st.integers(0, 3)), blue=draw(st.integers(0, 60)))
    base = policy.load().targeting
    lanes = {
        name: getattr(base.lanes, name).model_copy(update={"capacity_share": share})
        for name, share in zip(policy.LANES, shares, strict=True)
    }
    settled = {
        "random_share": draw(st.sampled_from([0.01, 0.1, 0.4])),
        "lanes": base.lanes.model_copy(update=lanes),
        "offices": {"own": own},
        "kept_precision": draw(KEEPS),
    }
    return frame, base.model_copy(update=settled)


def by_queue(frame, assigned):
    joined = frame.with_columns(assigned["lane", "reason", "selection_probability"])
    return [queue for _, queue in joined.group_by("office", "accepted_on")]


@given(days(), st.integers(0, 5))
@settings(compiled, max_examples=examples(30))
def test_places_are_never_exceeded_never_lost_and_given_in_their_order(problem, seed):
    frame, targeting = problem
    for queue in by_queue(frame, assign(frame, targeting, np.random.default_rng(seed))):
        places = capacity(queue["office"][0], queue.height, targeting)
        total = places.red + places.yellow + places.blue
        inspected = queue.filter(pl.col("lane") != "green")
        for lane in policy.LANES:
            assert inspected.filter(lane=lane).height <= np.ceil(getattr(places, lane) - 1e-9)
        assert inspected.height in {min(round_(round(total, 9)), queue.height) for round_ in (np.floor, np.ceil)}

        by_chance = min(targeting.random_share * queue.height, total)
        drawn = queue.filter(reason="random")
        assert abs(drawn.height - by_chance) < 1
        assert (drawn["lane"] != "green").all()
        assert (queue["reason"] == "none").equals(queue["lane"] == "green")
        left_out = queue.filter(pl.col("critical") >= targeting.critical_probability, lane="green")
        if left_out.height:
            assert set(inspected["reason"]) <= {"critical", "random"}
            placed = inspected.filter(reason="critical")
            assert left_out["critical"].max() <= (placed["critical"].min() if placed.height else 1)
        if inspected.filter(reason="critical", lane="blue").height:
            assert set(inspected.filter(pl.col("lane") != "blue")["critical"] >= targeting.critical_probability) <= {
                True
            }


@given(days())
@settings(compiled, max_examples=examples(30))
def test_probabilities_add_up_to_the_places(problem):
    frame, targeting = problem
    for queue in by_queue(frame, assign(frame, targeting, np.random.default_rng(0))):
        places = capacity(queue["office"][0], queue.height, targeting)
        expected = min(places.red + places.yellow + places.blue, queue.height)
        assert queue["selection_probability"].sum() == pytest.approx(expected, abs=1e-8)
        by_chance = min(targeting.random_share, expected / queue.height)
        assert queue["selection_probability"].min() >= by_chance - 1e-9
        assert queue["selection_probability"].max() <= 1


@given(days(), st.randoms(use_true_random=False))
@settings(compiled, max_examples=examples(30))
def test_the_order_of_rows_plays_no_part(problem, random):
    frame, targeting = problem
    order = list(range(frame.height))
    random.shuffle(order)
    assigned = assign(frame, targeting, np.random.default_rng(3))
    assert assign(frame[order], targeting, np.random.default_rng(3)).equals(assigned[order])


@given(st.data(), KEEPS, st.sampled_from([0.1, 0.3, 0.5, 1.0]))
@settings(max_examples=examples(50))
def test_the_worth_of_a_hit_is_the_least_that_keeps_precision(data, kept, share):
    rows = data.draw(st.integers(2, 8))
    score = np.array(data.draw(st.lists(st.integers(1, 8), min_size=rows, max_size=rows))) / 8  # exact in binary
    revenue = np.array(data.draw(st.lists(st.integers(0, 50), min_size=rows, max_size=rows))).astype(float)
    revenue[0] += 1

    def keeps(worth):
        reached = chance_in_top((score * (revenue + worth)).round(9), share) @ score
        return reached >= kept * (chance_in_top(score, share) @ score) * (1 - 1e-9)

    # Between the points where two rows change places nothing changes, so one point between each two is enough.
    slopes = [
        (score[a] * revenue[a] - score[b] * revenue[b]) / (score[b] - score[a])
        for a in range(rows)
        for b in range(rows)
        if score[b] > score[a]
    ]
    points = np.unique([0.0, *(point for point in slopes if point > 0)])
    found = hit_value(score, revenue, kept, share) if int(share * rows + 0.5) else 0.0
    if not int(share * rows + 0.5) or keeps(0.0):
        assert found == 0
        return
    after = [*((points[:-1] + points[1:]) / 2), points[-1] + 1]
    least = next(point for point, beyond in zip(points, after, strict=True) if keeps(point) or keeps(beyond))
    assert found == pytest.approx(least, rel=1e-6, abs=1e-6)
