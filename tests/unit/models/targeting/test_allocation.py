"""Who gets the places: small contests worked out by hand, with and without a floor under precision."""

import numpy as np
import pytest
from scipy.optimize import linprog

from models.targeting import allocation
from models.targeting.allocation import Contest, best, halve, near_best

DETECTS = np.array([0.9, 0.65, 0.6])


def contest(score, worth, places, competes=True, sizes=None, queue=None, probability=None, detects=DETECTS):
    """A contest of one queue and one case, unless more are given."""
    places = np.atleast_2d(places)
    return Contest(
        starts=np.append(0, np.cumsum(sizes or [len(score)])),
        score=np.array(score, float),
        worth=np.array(worth, float),
        competes=np.broadcast_to(np.array(competes), len(score)),
        queue=np.array(queue or [0] * len(places)),
        probability=np.array(probability or [1.0] * len(places)),
        places=places,
        detects=np.array(detects),
    )


def rows(plan):
    return np.flatnonzero(plan.chosen).tolist()


def test_each_case_has_all_rows_of_its_queue():
    twice = contest(
        [0.1, 0.2, 0.3, 0.4, 0.5],
        np.zeros(5),
        [[0, 0, 0]] * 3,
        sizes=[2, 3],
        queue=[0, 0, 1],
        probability=[0.25, 0.75, 1],
    )
    case, row = twice.entries
    assert case.tolist() == [0, 0, 1, 1, 2, 2, 2]
    assert row.tolist() == [0, 1, 0, 1, 2, 3, 4]
    chosen = np.array([True, False, True, True, False, True, False])
    assert twice.scores(chosen) == pytest.approx(0.25 * 0.1 + 0.75 * (0.1 + 0.2) + 0.4)


@pytest.mark.parametrize("choose", [best, near_best])
def test_without_a_floor_the_rows_with_the_most_worth_get_the_places(choose):
    plan = choose(contest([0.9, 0.1, 0.1, 0.1, 0.1], [1, 7, 9, 8, 2], [1, 0, 2]), 0.0)
    assert rows(plan) == [1, 2, 3]
    assert not plan.binds
    assert plan.floor == 0


def test_merit_is_worth_found_in_the_mean_of_what_is_at_stake_and_nothing_for_who_takes_no_part():
    plan = near_best(contest([0.5] * 4, [2, 4, 6, 100], [1, 1, 0], competes=[True, True, True, False]), 0.0)
    expected = np.outer(DETECTS, [0.5, 1, 1.5, 25])
    expected[:, 3] = -np.inf
    np.testing.assert_allclose(plan.merit, expected)
    assert rows(plan) == [1, 2]


def test_rows_that_take_no_part_are_not_chosen_for_their_score_either():
    plan = best(contest([0.9, 0.2, 0.8], [9, 9, 0], [1, 0, 0], competes=[False, True, True]), 1.0)
    assert rows(plan) == [2]
    assert plan.floor == pytest.approx(0.8)


@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("choose", [best, near_best])
def test_where_nothing_is_at_stake_the_score_decides(choose, kept):
    plan = choose(contest([0.2, 0.4, 0.3], [0, 0, 0], [1, 1, 0]), kept)
    assert rows(plan) == ([1, 2] if kept == 1.0 else [0, 1])  # of equal rows the first, while the floor allows it
    assert plan.binds is (kept == 1.0)


@pytest.mark.parametrize("choose", [best, near_best])
def test_a_floor_that_worth_alone_reaches_costs_nothing(choose):
    plan = choose(contest([0.5, 0.4, 0.9], [8, 9, 1], [1, 1, 0]), 0.6)
    assert rows(plan) == [0, 1]
    assert plan.floor == pytest.approx(0.6 * 1.4)
    assert not plan.binds


@pytest.mark.parametrize(
    ("kept", "optimum", "by_multiplier"),
    [(0.0, [2, 3], [2, 3]), (0.5, [0, 3], [0, 3]), (0.6, [0, 2], [0, 1]), (1.0, [0, 1], [0, 1])],
)
def test_the_floor_lets_scores_in_as_far_as_it_asks(kept, optimum, by_multiplier):
    """For 0.6 x 1.7 rows 0 and 2 are enough, but between 0, 3 and 0, 1 no multiplier prefers them."""
    money = contest([0.9, 0.8, 0.2, 0.1], [90, 80, 1800, 9000], [2, 0, 0])
    for choose, expected in ((best, optimum), (near_best, by_multiplier)):
        plan = choose(money, kept)
        assert rows(plan) == expected
        assert plan.floor == pytest.approx(kept * 1.7)
        assert plan.binds is (kept > 0)


@pytest.mark.parametrize("choose", [best, near_best])
def test_the_floor_itself_is_enough(choose):
    plan = choose(contest([0.8, 0.4], [0, 10], [1, 0, 0]), 0.5)
    assert rows(plan) == [1]
    assert not plan.binds


@pytest.mark.parametrize("choose", [best, near_best])
def test_the_first_row_alone_may_be_weighed_for_its_score(choose):
    # The floor is 0.6 x 1.7 = 1.02. Rows 0 and 1 have 0.6; where row 0 gives way to row 3, these have 1.3.
    assert rows(choose(contest([0.1, 0.5, 0.9, 0.8], [8, 4, 0, 2], [2, 0, 0]), 0.6)) == [1, 3]


@pytest.mark.parametrize("choose", [best, near_best])
def test_of_copies_as_few_as_reach_the_floor_are_chosen_for_their_score(choose):
    # Five of ten: 5 x 0.9 + 5 x 0.1 = 5.0, and four would give 4.2; half of the best by score is 4.5.
    plan = choose(contest([0.9] * 10 + [0.1] * 10, [0] * 10 + [10] * 10, [4, 3, 3]), 0.5)
    assert (plan.chosen[:10].sum(), plan.chosen[10:].sum()) == (5, 5)


def test_the_optimum_is_not_only_near():
    # By score 1.7, so 1.36 is asked for. Rows 0, 1, 2 and 5 have 1.5 and 0.9 x (11 + 10 + 9) + 0.65 x 7 = 31.55.
    eight = contest([0.6, 0.5, 0.3, 0.3, 0.1, 0.1, 0.1, 0.2], [9, 7, 10, 6, 7, 11, 8, 7], [3, 1, 0])
    assert rows(best(eight, 0.8)) == [0, 1, 2, 5]


def test_the_floor_holds_over_the_cases_of_all_queues_by_their_probability():
    """Worth prefers rows 1 and 3, with 0.4; the best by score is 1.4. Swaps add 0.15, 0.45 and 0.4 and cost 2, 6, 4."""
    both = contest(
        [0.8, 0.2, 0.6, 0.2],
        [2, 10, 4, 8],
        [[1, 0, 0], [1, 0, 0], [1, 0, 0]],
        sizes=[2, 2],
        queue=[0, 0, 1],
        probability=[0.25, 0.75, 1.0],
    )
    _, row = both.entries
    chosen = {kept: row[best(both, kept).chosen].tolist() for kept in (0.2, 0.3, 0.4, 0.65, 0.7, 0.8, 1.0)}
    assert chosen == {
        0.2: [1, 1, 3],
        0.3: [0, 1, 3],
        0.4: [1, 1, 2],
        0.65: [0, 1, 2],
        0.7: [0, 0, 3],
        0.8: [1, 0, 2],
        1.0: [0, 0, 2],
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_large_contest_is_won_but_for_one_swap(seed):
    random = np.random.default_rng(seed)
    queues, size, kept = 6, 80, 0.9
    score, revenue = random.beta(0.6, 2, queues * size), random.lognormal(0, 1.5, queues * size)
    worth, places = score * revenue, random.integers(0, 8, (queues, 3))
    queue, rows = np.repeat(np.arange(queues), size), queues * size
    large = contest(score, worth, places, sizes=[size] * queues, queue=range(queues), probability=[1.0] * queues)
    chosen = near_best(large, kept).chosen
    assert np.bincount(queue[chosen], minlength=queues).tolist() == places.sum(axis=1).tolist()
    lanes = [np.repeat(DETECTS, of_lanes) for of_lanes in places]
    found = sum(np.sort(worth[chosen & (queue == one)])[::-1] @ lanes[one] for one in range(queues))
    floor = kept * sum(np.sort(score[queue == one])[::-1][: len(lanes[one])].sum() for one in range(queues))
    assert score[chosen].sum() >= floor - 1e-9

    # The linear relaxation, of one variable a row and lane, bounds the optimum from above; its dual is the multiplier.
    lane_of_queue = (3 * queue[:, None] + np.arange(3)).ravel()
    relaxed = linprog(
        -np.outer(worth, DETECTS).ravel(),
        A_ub=np.vstack([np.repeat(np.eye(rows), 3, axis=1), -np.repeat(score, 3)]),
        b_ub=np.append(np.ones(rows), -floor),
        A_eq=np.arange(3 * queues)[:, None] == lane_of_queue,
        b_eq=places.ravel(),
    )
    multiplier = -relaxed.ineqlin.marginals[-1]
    swap = max(np.ptp(score[queue == one]) for one in range(queues))
    assert multiplier > 0
    assert -relaxed.fun - multiplier * swap <= found <= -relaxed.fun + 1e-9


def test_large_contests_are_not_solved_by_integer_programming(monkeypatch):
    monkeypatch.setattr(allocation, "milp", lambda *_, **__: pytest.fail("it was"))
    size = allocation._MOST_VARIABLES + 1
    worth, score = np.arange(size), np.linspace(0.9, 0.1, size)
    plan = best(contest(score, worth, [1, 0, 0]), 0.9)
    assert plan.binds
    assert rows(plan) == rows(near_best(contest(score, worth, [1, 0, 0]), 0.9))


def test_halving_ends_beside_the_point_that_is_looked_for():
    assert halve(lambda x: x >= 0.3, 0.0, 1.0, times=3) == (0.25, 0.375)
    assert halve(lambda x: x >= 0.25, 0.0, 1.0, times=2) == (0.0, 0.25)
    assert halve(lambda _: pytest.fail("nothing is asked"), 0.0, 1.0, times=0) == (0.0, 1.0)
