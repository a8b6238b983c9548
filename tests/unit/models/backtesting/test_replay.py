"""The replay and its document: everything is conserved, luck is shared, and the figures are those of a hand count."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.contract import KEY
from features.facts import kinds
from features.families import FAMILIES
from features.history.history import History
from features.matrix.matrix import CATALOGUE
from models.backtesting.replay import Chooser, ReplayedWorld, rehearse, replay
from models.backtesting.result import FIGURES, OF_ANSWERS, SEVERAL_FOUND, summarise
from models.backtesting.strategies import PROFILES, Bacuda, Product, Random, RiskProfile, _risky, best_first
from models.targeting import lanes
from tests.support.replayed import LANES, POLICY, QUICK, SETTING, TARGETING, world

FEW = tuple(
    feature for feature in CATALOGUE if feature.name in ("duty_at_stake", "price_z_hs6", "importer_hit_rate_365d")
)


@dataclass(frozen=True)
class Oracle:
    """Knows the truth, and ranks by it."""

    truth: pl.DataFrame
    reads_outcomes: bool = False

    def learn(self, known: pl.DataFrame, recent: pl.DataFrame, before: Chooser | None) -> Chooser:
        return self

    def choose(self, week: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
        is_illicit = week.select(KEY).join(self.truth, on=KEY, maintain_order="left")["is_illicit"]
        return best_first(week, np.where(is_illicit, 1.0, 0.1), TARGETING, rng)


@pytest.fixture(scope="module")
def small() -> ReplayedWorld:
    return world()


@pytest.fixture(scope="module")
def logs(small: ReplayedWorld) -> dict[str, pl.DataFrame]:
    strategies = {
        "random": Random(TARGETING),
        "risk_profile": RiskProfile(TARGETING),
        "bacuda": Bacuda(TARGETING, seed=1),
        "model": Product(QUICK, explores=False, features=FEW),
        "exploring": Product(QUICK, explores=True, features=FEW),
        "oracle": Oracle(small.truth),
    }
    return rehearse(small, strategies, SETTING.retrain_weeks, LANES, seed=5)


def test_each_declaration_of_each_week_is_inspected_or_not_once(small, logs):
    replayed = small.history.rows[small.weeks[0].start : small.weeks[-1].stop]
    assert len(small.weeks) == 12
    for log in logs.values():
        assert_frame_equal(log.select(KEY), replayed.select(KEY))
        assert log["lane"].is_in(["red", "yellow", "blue", "green"]).all()
        assert (log["reason"] == "none").equals(log["lane"] == "green")


def test_no_office_inspects_more_than_it_has_places(logs):
    for log in logs.values():
        days = log.group_by("office", "accepted_on").agg(pl.len(), inspected=(pl.col("lane") != "green").sum())
        places = [lanes.capacity(office, n, TARGETING) for office, n in days.select("office", "len").iter_rows()]
        allowed = np.ceil([one.red + one.yellow + one.blue for one in places])
        assert (days["inspected"].to_numpy() <= allowed).all()
        assert days["inspected"].sum() > 0


def test_all_strategies_fill_the_same_places(logs):
    per_day = [
        log.group_by("office", "accepted_on").agg((pl.col("lane") != "green").sum()).sort("office", "accepted_on")
        for log in logs.values()
    ]
    for other in per_day[1:]:
        assert_frame_equal(per_day[0], other)


def test_what_is_found_is_there_was_inspected_and_meets_the_same_luck(logs):
    for log in logs.values():
        hits = log.filter("is_hit")
        assert hits["is_illicit"].all()
        assert (hits["lane"] != "green").all()
        assert hits["revenue"].equals(hits["evaded_revenue"].alias("revenue"))
        assert log.filter(~pl.col("is_hit"))["revenue"].sum() == 0
    both = logs["model"].join(logs["oracle"], on=KEY, suffix="_oracle").filter(pl.col("lane") == pl.col("lane_oracle"))
    assert both["is_hit"].equals(both["is_hit_oracle"].alias("is_hit"))


def test_the_oracle_inspects_no_fewer_illicit_declarations_than_anybody(logs):
    inspected = {name: log.filter(pl.col("lane") != "green")["is_illicit"].sum() for name, log in logs.items()}
    assert inspected["oracle"] == max(inspected.values())
    assert inspected["oracle"] > inspected["random"]


def test_chance_hits_at_the_base_rate():
    """There are 3,600 inspections, and four standard errors are allowed."""
    large = world(rows=40_000)
    log = replay(large, Random(TARGETING), 4, LANES, seed=2)
    inspected = log.filter(pl.col("lane") != "green")["is_illicit"]
    base_rate = log["is_illicit"].cast(pl.Float64).mean()
    error = np.sqrt(base_rate * (1 - base_rate) / len(inspected))
    assert abs(inspected.cast(pl.Float64).mean() - base_rate) < 4 * error


def test_only_the_product_draws_at_random_or_explores(logs):
    reasons = {name: set(log["reason"]) for name, log in logs.items()}
    assert reasons["bacuda"] == {"value", "none"}
    assert {"random", "value"} <= reasons["model"]
    assert "exploration" not in reasons["model"]
    assert "exploration" in reasons["exploring"]


def test_the_same_seed_gives_the_same_log(small, logs):
    again = replay(small, Product(QUICK, explores=True, features=FEW), SETTING.retrain_weeks, LANES, seed=5)
    assert_frame_equal(again, logs["exploring"])


def test_a_strategy_learns_of_its_own_inspections_alone_and_late(small):
    """What is handed to `learn` is the warm-up, and what this very strategy inspected at least the delay before."""
    seen: list[pl.DataFrame] = []

    @dataclass(frozen=True)
    class Watching(Random):
        def learn(self, known, recent, before):
            seen.append(known)
            return self

    log = replay(small, Watching(TARGETING), SETTING.retrain_weeks, LANES, seed=5)
    inspected = log.filter(pl.col("lane") != "green")
    assert len(seen) == 3
    for number, known in enumerate(seen):
        learned = known.filter(pl.col("reason").is_not_null())
        begins = log.filter(pl.col("week") == SETTING.retrain_weeks * number)["week_begins"][0]
        due = inspected.filter(pl.col("accepted_on") + pl.duration(days=7) < begins)
        assert_frame_equal(learned.select(KEY).sort(KEY), due.select(KEY).sort(KEY))
        assert (known["known_on"] < begins).all()


def test_features_are_those_of_the_whole_history_where_nothing_differs(small):
    """The shortcut, computing a week's rows and sharing what does not depend on outcomes, changes no value."""
    rows = small.weeks[0]
    short = pl.concat([small.fixed[rows], small.features(rows, small.history.found)], how="horizontal")
    assert_frame_equal(small.as_declared(rows), small.fixed[rows])
    for family in FAMILIES:
        assert_frame_equal(short.select(f.name for f in family.FEATURES), family.compute(History(small.history))[rows])


def test_features_say_whether_they_rest_on_outcomes(small):
    without = kinds.Known(small.history.rows, small.history.declared, small.history.found.clear())
    for family in FAMILIES:
        before, after = (family.compute(History(known)) for known in (small.history, without))
        moved = {feature for feature in family.FEATURES if not before[feature.name].equals(after[feature.name])}
        resting = {feature for feature in family.FEATURES if feature.rests_on_outcomes}
        assert moved <= resting
        # Of whom hardly anything is known, nothing need move, and this world has no company registers.
        assert {each.measure for each in moved} == {
            each.measure for each in resting if each.group != "company_register"
        }


def test_a_new_scheme_has_no_declaration_before_its_week():
    setting = SETTING.model_copy(update={"new_scheme": "undervaluation", "new_from_week": 2})
    later = world(setting)
    day = later.history.rows.filter(later.truth["scheme"] == "undervaluation")["day"]
    assert day.min() >= later.first_day + 14
    assert "undervaluation" not in later.found_schemes
    assert "false_origin" in later.found_schemes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"warm_up_weeks": 90}, "warm_up_weeks is 90; allowed: fewer, as the declarations span 25 weeks"),
        (
            {"warm_up_weeks": 1},
            "warm_up_weeks is 1; allowed: more, as no result of an inspection is known when they are",
        ),
        ({"new_scheme": "smuggling"}, "new_scheme is 'smuggling'; allowed: false_origin, "),
    ],
)
def test_a_setting_that_cannot_be_rehearsed_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        world(SETTING.model_copy(update=change))


def test_a_declaration_without_truth_is_refused(small):
    with pytest.raises(ValueError, match="the truth of 1 of 3000 declarations is not known"):
        ReplayedWorld.of(small.history, small.truth[1:], 7, SETTING, seed=1)


def test_risky_profiles_are_the_highest_tenth_by_smoothed_rate():
    known = pl.DataFrame(
        {
            "importer_id": ["a"] * 10 + ["b"] + list("cdefghij"),
            "is_illicit": [True] * 5 + [False] * 5 + [True] + [False] * 8,
        }
    )
    # a: 5 / 20, b: 1 / 11; one in ten of ten profiles, and one.
    assert _risky(known, ("importer_id",))["importer_id"].to_list() == ["a", "b"]
    assert ("importer_id",) in PROFILES


def _log(week: list[int], scheme: list[str], lane: list[str], revenue: float = 100.0) -> pl.DataFrame:
    frame = pl.DataFrame({"week": week, "scheme": scheme, "lane": lane}).with_columns(
        pl.lit("value").alias("reason"),
        office=pl.lit("10"),
        hs2=pl.lit("09"),
        accepted_on=pl.lit(date(2024, 1, 1)),
        week_begins=pl.lit(date(2024, 1, 1)) + pl.duration(days=7 * pl.col("week")),
        is_illicit=pl.col("scheme") != "none",
    )
    hit = pl.col("is_illicit") & (pl.col("lane") != "green")
    return frame.with_columns(
        is_hit=hit, revenue=hit * revenue, evaded_revenue=pl.col("is_illicit").cast(pl.Float64) * revenue
    )


def _summary(logs, pairs=()):
    return summarise(logs, dict.fromkeys(logs, frozenset({"known"})), {"rows": 9}, SETTING, LANES, pairs, 0.95, 200)


def test_totals_are_sums_and_ratios():
    log = _log([0, 0, 1, 1], ["known", "none", "known", "known"], ["red", "yellow", "green", "blue"])
    replayed = _summary({1: {"a": log}}).strategy("a")
    values = {name: estimate.value for name, estimate in replayed.totals.items()}
    assert values == {
        "inspected": 3,
        "hits": 2,
        "revenue": 200,
        "precision": pytest.approx(2 / 3),
        "hit_share": pytest.approx(2 / 3),
        "revenue_share": pytest.approx(2 / 3),
        "officer_hours": LANES.red.officer_hours + LANES.yellow.officer_hours + LANES.blue.officer_hours,
        "delay_hours": LANES.red.delay_hours + LANES.yellow.delay_hours + LANES.blue.delay_hours,
    }
    assert [*values, *OF_ANSWERS] == list(FIGURES)
    assert [week.hits_so_far.value for week in replayed.weeks] == [1, 2]
    assert [week.first_day for week in replayed.weeks] == [date(2024, 1, 1), date(2024, 1, 8)]


def test_bands_over_seeds_are_students_and_differences_are_paired():
    high = {seed: _log([0] * 4, ["known"] * 4, ["red"] * (seed + 1) + ["green"] * (3 - seed)) for seed in (1, 2)}
    low = {seed: _log([0] * 4, ["known"] * 4, ["red"] * seed + ["green"] * (4 - seed)) for seed in (1, 2)}
    found = _summary({seed: {"a": high[seed], "b": low[seed]} for seed in (1, 2)}, [("a", "b")])
    hits = found.strategy("a").totals["hits"]
    # Two values, 2 and 3: the half width is t(0.975; 1 degree) times 0.5.
    assert (hits.value, hits.high - hits.value) == (2.5, pytest.approx(12.7062 * 0.5, rel=1e-4))
    difference = found.differences[0].totals["hits"]
    assert (difference.value, difference.low, difference.high) == (1.0, 1.0, 1.0)
    load = found.differences[0].loads[0]
    assert (load.kind, load.code, load.declarations_a_week) == ("office", "10", 4.0)
    assert (load.inspected_a_week, load.inspected_a_week_against) == (2.5, 1.5)
    assert (load.hits_a_week, load.hits_a_week_against) == (2.5, 1.5)
    assert _summary({1: {"a": high[1], "b": high[1]}}, [("a", "b")]).differences[0].loads == ()


def test_an_office_that_one_strategy_alone_was_declared_at_is_among_the_changes():
    here, there = (
        _log([0] * 2, ["known"] * 2, ["red"] * 2).with_columns(office=pl.lit(office)) for office in ("10", "20")
    )
    loads = _summary({1: {"a": here, "b": there}}, [("a", "b")]).differences[0].loads
    told = {load.code: (load.declarations_a_week, load.inspected_a_week, load.hits_a_week_against) for load in loads}
    assert told == {"10": (2.0, 2.0, 0.0), "20": (0.0, 0.0, 2.0)}


def test_a_new_scheme_is_dated_from_its_first_declaration():
    weeks = [0, 1, 2, 3, 3, 4, 4, 5]
    log = _log(weeks, ["known"] * 2 + ["new"] * 6, ["red"] * 2 + ["green"] + ["red"] * 5)
    (novelty,) = _summary({7: {"a": log}}).strategy("a").novelties
    assert (novelty.scheme, novelty.occurred, novelty.found) == ("new", 6, SEVERAL_FOUND)
    assert (novelty.weeks_until_first, novelty.weeks_until_several, novelty.found_for) == (2, 4, "value")


def test_a_new_scheme_that_nobody_found_is_said_so():
    log = _log([0, 1], ["known", "new"], ["red", "green"])
    (novelty,) = _summary({7: {"a": log}}).strategy("a").novelties
    assert (novelty.found, novelty.weeks_until_first, novelty.found_for) == (0, None, None)


def test_the_document_survives_json(logs):
    found = summarise({5: logs}, {5: frozenset()}, {"rows": 9}, SETTING, LANES, [("exploring", "bacuda")], 0.95, 200)
    assert type(found).model_validate_json(found.model_dump_json()) == found
    precision = found.strategy("model").totals["precision"]
    assert precision.low <= precision.value <= precision.high


def test_weeks_that_not_all_seeds_have_do_not_count():
    logs = {1: {"a": _log([0], ["known"], ["red"])}, 2: {"a": _log([0, 1], ["known"] * 2, ["red"] * 2)}}
    replayed = _summary(logs).strategy("a")
    assert len(replayed.weeks) == 1
    assert replayed.totals["hits"].value == 1


def test_a_week_without_declarations_is_a_week():
    gap = _log([0, 2, 3], ["known"] * 3, ["red"] * 3)
    replayed = _summary({1: {"a": gap}, 2: {"a": _log([0, 1, 2, 3], ["known"] * 4, ["red"] * 4)}}).strategy("a")
    assert [week.first_day for week in replayed.weeks] == [date(2024, 1, day) for day in (1, 8, 15, 22)]
    assert [week.declarations.value for week in replayed.weeks] == [1, 0.5, 1, 1]
    assert replayed.totals["hits"].value == 3.5
    assert _summary({1: {"a": gap[1:]}}).strategy("a").weeks[0].first_day == date(2024, 1, 1)
    none = gap.with_columns(lane=pl.lit("green"), is_hit=pl.lit(value=False))
    (load, _) = _summary({1: {"a": gap, "b": none}}, [("a", "b")]).differences[0].loads
    assert (load.declarations_a_week, load.inspected_a_week) == (0.75, 0.75)


def test_every_strategy_goes_on_after_a_week_without_declarations(small):
    closed = small.history.rows["day"].is_between(small.first_day + 7, small.first_day + 13)
    rows = small.history.rows.filter(~closed)
    gap = replace(small, history=replace(small.history, rows=rows), truth=small.truth.filter(~closed), weeks_replayed=3)
    strategies = {
        "bacuda": Bacuda(TARGETING, seed=1),
        "exploring": Product(QUICK, explores=True, features=FEW),
    }
    for log in rehearse(gap, strategies, SETTING.retrain_weeks, LANES, seed=5).values():
        assert log["week"].unique().sort().to_list() == [0, 2]


def test_seeds_with_different_strategies_are_refused():
    log = _log([0], ["known"], ["red"])
    with pytest.raises(ValueError, match="seed 2 has strategies b; allowed: the same for all: a"):
        _summary({1: {"a": log}, 2: {"b": log}})


def test_what_was_inspected_is_learned_from(small, logs):
    """The counterpart of knowing no future: another result of an inspection changes later choices."""
    truth = small.truth.with_columns(is_illicit=~pl.col("is_illicit"))
    changed = replay(replace(small, truth=truth), Bacuda(TARGETING, seed=1), SETTING.retrain_weeks, LANES, seed=5)
    is_same = changed["lane"] == logs["bacuda"]["lane"]
    assert is_same.filter(changed["week"] < SETTING.retrain_weeks).all()
    assert not is_same.filter(changed["week"] >= SETTING.retrain_weeks).all()


def test_trainings_are_as_short_as_the_setting_says_and_nothing_else_differs():
    training = QUICK.training
    assert (training.max_rounds, training.early_stopping_rounds) == (20, 5)
    usual = POLICY.training
    given = {"max_rounds": usual.max_rounds, "early_stopping_rounds": usual.early_stopping_rounds}
    assert QUICK.model_copy(update={"training": training.model_copy(update=given)}) == POLICY
