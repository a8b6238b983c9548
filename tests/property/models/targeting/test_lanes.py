"""Targeting, compared with enumeration: the choice for value, probabilities, rules of places, the worth of a hit."""

from datetime import date
from itertools import combinations, pairwise, permutations, product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from models import policy
from models.metrics.ranking import chance_in_top
from models.targeting.allocation import Contest, best, near_best
from models.targeting.lanes import assign, capacity, hit_value
from tests.support.examples import examples

DETECTS = np.array([0.9, 0.65, 0.6])
KEEPS = st.sampled_from([0.0, 0.5, 0.8, 0.9, 0.93, 0.97, 1.0])
compiled = settings(deadline=None)  # whichever test is first compiles the solver


@st.composite
def contests(draw):
    """A few queues of few rows, in one or two cases each; few distinct numbers, so that ties and copies are common."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    rows = sum(sizes)
    numbers = st.integers(1, 8) if draw(st.booleans()) else st.integers(1, 10_000)
    score = np.array(draw(st.lists(numbers, min_size=rows, max_size=rows))) / 10_000
    worth = score * np.array(draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows)))
    competes = np.array(draw(st.lists(st.sampled_from([True, True, True, False]), min_size=rows, max_size=rows)))
    starts = np.append(0, np.cumsum(sizes))
    queue, probability, places = [], [], []
    for one, (first, end) in enumerate(pairwise(starts)):
        for share in draw(st.sampled_from([(1.0,), (0.25, 0.75)])):
            most, lanes = min(3, int(competes[first:end].sum())), []
            for _ in DETECTS:
                lanes.append(draw(st.integers(0, most)))
                most -= lanes[-1]
            queue.append(one)
            probability.append(share)
            places.append(lanes)
    return Contest(starts, score, worth, competes, np.array(queue), np.array(probability), np.array(places), DETECTS)


def choices(contest, case):
    """Every set of rows that fills a case's places: rows, worth found in the best lanes, and scores."""
    first, end = contest.starts[contest.queue[case]], contest.starts[contest.queue[case] + 1]
    rows = np.flatnonzero(contest.competes[first:end]) + first
    lanes = np.repeat(contest.detects, contest.places[case])
    for chosen in combinations(rows, len(lanes)):
        found = max(float(contest.worth[list(order)] @ lanes) for order in permutations(chosen))
        yield (
            frozenset(chosen),
            found * contest.probability[case],
            contest.score[list(chosen)].sum() * contest.probability[case],
        )


def reached(contest, options, plan):
    """Worth found and scores of what a plan chooses."""
    case, row = contest.entries
    sets = [frozenset(row[plan.chosen & (case == one)]) for one in range(len(options))]
    picked = [next(one for one in of if one[0] == rows) for of, rows in zip(options, sets, strict=True)]
    return sum(found for _, found, _ in picked), sum(scores for _, _, scores in picked)


def dual(options, floor):
    """The least upper bound that a multiplier of the floor gives on the worth found, and that multiplier."""

    def bound(multiplier):
        return (
            sum(max(found + multiplier * scores for _, found, scores in case) for case in options) - multiplier * floor
        )

    slopes = {
        (a[1] - b[1]) / (b[2] - a[2]) for case in options for a in case for b in case if b[2] > a[2] and a[1] > b[1]
    }
    return min((bound(multiplier), multiplier) for multiplier in {0.0, *slopes})


@given(contests(), KEEPS)
@settings(compiled, max_examples=examples(50))
def test_the_choice_for_value_is_the_optimum_and_in_large_contests_one_swap_from_it(contest, kept):
    options = [list(choices(contest, case)) for case in range(len(contest.queue))]
    floor = kept * sum(max(scores for _, _, scores in case) for case in options) * (1 - 1e-9)
    feasible = [combo for combo in product(*options) if sum(scores for _, _, scores in combo) >= floor]
    optimum = max(sum(found for _, found, _ in combo) for combo in feasible)

    found, scores = reached(contest, options, best(contest, kept))
    assert scores >= floor
    assert found == pytest.approx(optimum, rel=1e-6, abs=1e-9)

    found, scores = reached(contest, options, near_best(contest, kept))
    upper, multiplier = dual(options, floor)
    swap = max(np.ptp(contest.score[a:b]) for a, b in pairwise(contest.starts))
    assert scores >= floor
    assert upper - multiplier * swap - 1e-9 <= found <= optimum + 1e-9 <= upper + 2e-9


@given(st.integers(0, 100_000), st.integers(1, 40), st.sampled_from([0.8, 0.9, 0.97]), st.booleans())
@settings(compiled, max_examples=examples(50))
def test_no_assignment_has_more_merit_than_what_fills_the_places(seed, size, kept, has_copies):
    random = np.random.default_rng(seed)
    score, revenue = random.beta(0.6, 2, 2 * size), random.lognormal(0, 2, 2 * size)
    if has_copies:
        score, revenue = score.round(1), revenue.round()
    places = random.multinomial(random.integers(1, size + 1, 2), [0.3, 0.4, 0.3])
    ones, both = np.ones(2), np.arange(2)
    every = np.ones(2 * size, bool)
    contest = Contest(np.arange(3) * size, score, score * revenue, every, both, ones, places, DETECTS)
    plan = near_best(contest, kept)
    for queue in both:
        merit = plan.merit[np.repeat([0, 1, 2], places[queue])][:, queue * size :][:, :size]
        chosen = merit[:, plan.chosen[queue * size :][:size]]
        most, found = (of[linear_sum_assignment(of, maximize=True)].sum() for of in (merit, chosen))
        assert chosen.shape[0] == chosen.shape[1]
        assert found == pytest.approx(most, rel=1e-12)


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
