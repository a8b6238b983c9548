"""The choice for value, compared with enumeration: it is the optimum, or at most one swap from it."""

from itertools import combinations, pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from models.targeting.allocation import Contest, best, near_best
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
