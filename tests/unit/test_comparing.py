"""Comparisons of ways over worlds, seeds and rows: benchmarks/comparing.py, with ways that cost nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from benchmarks import ablation, bagging, comparing, graph_neural, learning, matching, missed, network, schemes, worlds
from benchmarks.comparing import Comparison
from benchmarks.worlds import World
from features.families import FAMILIES, relations
from features.matrix.matrix import CATALOGUE
from models.metrics import Scores
from models.policy import load
from models.training.tuning import CODES

ROWS = 400


def made(name: str, hits: float = 0.2) -> World:
    """Return a world of which only the judged rows are there."""
    random = np.random.default_rng(int(name))
    is_hit = random.random(ROWS) < hits
    judged = pl.DataFrame({"is_hit": is_hit, "revenue": np.where(is_hit, random.lognormal(5, 1, ROWS), 0.0)})
    return World(name, None, None, SimpleNamespace(), judged)  # ty: ignore


def seeing(share: float, asked: list | None = None) -> comparing.Way:
    """Return a way that sees the truth to a share; the rest is chance, which depends on the seed."""

    def scores(world: World, seed: int) -> Scores:
        if asked is not None:
            asked.append((world.name, share, seed))
        chance = np.random.default_rng([seed, int(world.name), 1]).random(ROWS)
        return Scores(share * world.judged["is_hit"].to_numpy() + (1 - share) * chance)

    return scores


def comparison(asked: list | None = None, **ways: float) -> Comparison:
    trained = {name: seeing(share, asked) for name, share in ways.items()}
    figures = {"average_precision": "average precision", "precision_at_10pct_by_score": "precision at 10 %"}
    return Comparison("tried", trained, next(iter(ways)), figures)


def opened(*given: World) -> dict:
    return {world.name: lambda world=world: world for world in given}


def test_a_difference_is_that_of_the_same_rows_averaged_over_seeds_and_its_interval_that_of_students_t(
    tmp_path: Path,
) -> None:
    tried, given = comparison(blind=0.1, sharp=0.3), [made("1"), made("2"), made("3")]
    told = comparing.compared(tried, comparing.run(tried, opened(*given), (1, 2), tmp_path / "kept.jsonl"))
    expected = {
        world.name: [
            average_precision_score(world.judged["is_hit"], seeing(share)(world, seed).score)
            for share in (0.1, 0.3)
            for seed in (1, 2)
        ]
        for world in given
    }
    gains = [(c + d - a - b) / 2 for a, b, c, d in expected.values()]
    found = told["slices"]["all"]["figures"]["average_precision"]
    assert found["blind"]["mean"] == pytest.approx(np.mean([each[:2] for each in expected.values()]))
    assert found["sharp"]["difference"] == pytest.approx(np.mean(gains))
    assert [each["difference"] for each in found["sharp"]["by_world"].values()] == pytest.approx(gains)
    assert found["sharp"]["by_world"]["1"]["by_seed"] == pytest.approx(expected["1"][2:])
    over = worlds.interval(gains)
    assert found["sharp"]["over_worlds"] == pytest.approx([over["low"], over["high"]])
    assert found["sharp"]["deviation_over_seeds"] == pytest.approx(
        np.mean([np.std(each[2:], ddof=1) for each in expected.values()])
    )
    assert told["slices"]["all"]["hits"]["2"] == given[1].judged["is_hit"].sum()


def test_rows_are_redrawn_for_both_ways_alike(tmp_path: Path) -> None:
    tried, blind = comparison(blind=0.1, sharp=0.3), seeing(0.1)
    ways = {**tried.ways, "squared": lambda world, seed: Scores(blind(world, seed).score ** 2)}
    tried = replace(tried, ways=ways)
    told = comparing.compared(tried, comparing.run(tried, opened(made("1"), made("2")), (1,), tmp_path / "kept.jsonl"))
    found = told["slices"]["all"]["figures"]["average_precision"]
    assert found["squared"]["over_rows"] == [0, 0]  # by draws of its own, the same ranking would differ
    low, high = found["sharp"]["over_rows"]
    assert 0 < low < found["sharp"]["difference"] < high
    of_a_world = found["sharp"]["by_world"]["1"]["over_rows"]
    assert high - low < of_a_world[1] - of_a_world[0]  # two worlds have twice the rows


def test_a_comparison_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    file, asked = tmp_path / "there" / "kept.jsonl", []
    one, other = made("1"), made("2")
    stopping = comparison(asked, blind=0.1, sharp=0.3)

    def stops(world: World, seed: int) -> Scores:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        comparing.run(replace(stopping, ways={**stopping.ways, "sharp": stops}), opened(one, other), (1,), file)
    with file.open("a") as lines:
        lines.write('{"world": "1", "way": "sh')  # as a kill leaves it
    found = comparing.run(stopping, opened(one, other), (1,), file)
    assert asked == [("1", 0.1, 1), ("1", 0.3, 1), ("2", 0.1, 1), ("2", 0.3, 1)]
    assert [(each["world"], each["way"]) for each in found] == [
        ("1", "blind"),
        ("1", "sharp"),
        ("2", "blind"),
        ("2", "sharp"),
    ]
    never = {name: lambda: pytest.fail("a world with all its figures is not opened") for name in ("1", "2")}
    assert comparing.run(stopping, never, (1,), file) == found


def test_a_table_tells_both_intervals_and_over_what(tmp_path: Path) -> None:
    tried = comparison(blind=0.1, sharp=0.3)
    told = comparing.compared(tried, comparing.run(tried, opened(made("1"), made("2")), (1, 2), tmp_path / "k.jsonl"))
    says, _, head, rule, base, other = comparing.table(tried, told).splitlines()
    assert says == (
        "2 worlds (1, 2), 2 seeds of training in each; differences to 'blind', 95 % by Student's t over worlds; "
        "95 % by a paired bootstrap of the rows."
    )
    assert head == "| declarations | way | average precision | precision at 10 % |"
    assert rule.count("---") == base.count("|") - 1 == other.count("|") - 1 == 4
    assert base.startswith("| all: 800, ")
    figure = told["slices"]["all"]["figures"]["average_precision"]["sharp"]
    (low, high), (least, most) = figure["over_worlds"], figure["over_rows"]
    cell = f"{figure['difference']:+.3f} ({low:+.3f} to {high:+.3f}; {least:+.3f} to {most:+.3f})"
    assert other.startswith(f"|  | sharp | {cell} |")


def test_one_world_has_no_interval_over_worlds_and_the_table_says_so(tmp_path: Path) -> None:
    tried = comparison(blind=0.1, sharp=0.3)
    told = comparing.compared(tried, comparing.run(tried, opened(made("1")), (1,), tmp_path / "kept.jsonl"))
    figure = told["slices"]["all"]["figures"]["average_precision"]["sharp"]
    assert (figure["over_worlds"], figure["deviation_over_seeds"]) == (None, None)
    lines = comparing.table(tried, told).splitlines()
    assert lines[0].endswith(
        "1 seed of training; differences to 'blind', 95 % by a paired bootstrap of the rows. "
        "There is no interval over worlds, because this is a single one."
    )
    assert f"({figure['over_rows'][0]:+.3f} to {figure['over_rows'][1]:+.3f}) |" in lines[-1]


def test_a_figure_that_a_world_does_not_define_is_told_of_the_others_and_never_as_nought(tmp_path: Path) -> None:
    tried = comparison(blind=0.1, sharp=0.3)
    given = [made("1"), made("2"), made("3", hits=0.0)]
    told = comparing.compared(tried, comparing.run(tried, opened(*given), (1,), tmp_path / "kept.jsonl"))
    json.dumps(told, allow_nan=False)
    figure = told["slices"]["all"]["figures"]["average_precision"]["sharp"]
    assert figure["by_world"]["3"] is None
    assert figure["difference"] == pytest.approx(
        np.mean([figure["by_world"][name]["difference"] for name in ("1", "2")])
    )
    base, other = comparing.table(tried, told).splitlines()[-2:]
    assert "(2 worlds)" in base
    assert ", 2 worlds)" in other

    told = comparing.compared(tried, comparing.run(tried, opened(given[2]), (1,), tmp_path / "nobody.jsonl"))
    assert "| not defined | 0.000 |" in comparing.table(tried, told).splitlines()[-2]


def test_ways_that_never_differ_have_no_spread_which_is_not_shown_as_certainty(tmp_path: Path) -> None:
    tried = comparison(blind=0.1, again=0.1)
    told = comparing.compared(tried, comparing.run(tried, opened(made("1"), made("2")), (1,), tmp_path / "kept.jsonl"))
    assert comparing.table(tried, told).splitlines()[-1].startswith("|  | again | +0.000 (no spread; no spread) |")


def test_a_figure_beside_has_an_interval_over_worlds_alone(tmp_path: Path) -> None:
    losses = {"blind": 0.3, "sharp": 0.1}
    tried = replace(
        comparison(blind=0.1, sharp=0.3),
        beside={"loss of folds": lambda way, world, seed: losses[way] * (int(world.name) + seed)},
    )
    told = comparing.compared(tried, comparing.run(tried, opened(made("1"), made("2")), (1, 2), tmp_path / "k.jsonl"))
    found = told["slices"]["all"]["figures"]["loss of folds"]["sharp"]
    assert found["mean"] == pytest.approx(0.1 * 3)
    over = worlds.interval([-0.2 * 2.5, -0.2 * 3.5])
    assert found["over_worlds"] == pytest.approx([over["low"], over["high"]])
    assert found["over_rows"] is None
    _, _, head, *_, last = comparing.table(tried, told).splitlines()
    assert head.endswith("| precision at 10 % | loss of folds |")
    assert last.endswith("; no interval) |")


def test_a_table_of_figures_of_several_commits_says_so(tmp_path: Path) -> None:
    tried = comparison(blind=0.1, sharp=0.3)
    found = comparing.run(tried, opened(made("1")), (1,), tmp_path / "kept.jsonl")
    told = comparing.compared(tried, [found[0] | {"commit": "another"}, found[1]])
    assert "They are of 2 commits, so not all of the same code." in comparing.table(tried, told)


def test_a_figure_that_does_not_exist_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(ValueError, match="'precision_at_10pct' does not exist; allowed: roc_auc, "):
        replace(comparison(blind=0.1), figures={"precision_at_10pct": "precision"})


@pytest.fixture
def features_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Comparison], dict[str, set[str]]]:
    """Return what tells the names of the features of each way of a comparison; nothing is trained."""
    monkeypatch.setattr(comparing, "trees", lambda features, *rest: {feature.name for feature in features})
    return lambda tried: tried.ways


def test_without_a_family_all_features_of_the_others_are_there(features_of) -> None:
    ways = features_of(ablation.families(load()))
    everything = {feature.name for feature in CATALOGUE}
    assert ways.pop(ablation.ALL) == everything
    assert {name.removeprefix("without ") for name in ways} == {family.NAME for family in FAMILIES}
    for family in FAMILIES:
        gone = {feature.name for feature in family.FEATURES} - {"duty_at_stake"}
        assert everything - ways[f"without {family.NAME}"] == gone


def test_each_way_to_give_codes_is_held_against_categories() -> None:
    tried = learning.codes(load())
    assert (tuple(tried.ways), tried.base) == (CODES, "categories")


@pytest.mark.parametrize("made", [bagging.bags, graph_neural.graph_network, missed.losses, schemes.found_schemes])
def test_each_comparison_asks_for_figures_that_there_are_and_holds_its_ways_against_one_of_them(made) -> None:
    tried = made(load())
    assert tried.base in tried.ways
    assert len(tried.ways) > 1


def test_schemes_are_judged_with_and_without_the_families_in_question(features_of) -> None:
    ways = features_of(schemes.found_schemes(load()))
    gone = {way: ways["with both"] - features for way, features in ways.items()}
    by_family = {family.NAME: {feature.name for feature in family.FEATURES} for family in FAMILIES}
    assert gone["without units"] == by_family["units"]
    assert gone["without routes"] == by_family["routes"]
    assert gone["without both"] == by_family["units"] | by_family["routes"]


def test_a_scheme_is_judged_on_all_rows_by_its_own_hits() -> None:
    world = made("1")
    scheme = pl.Series(["none", "phoenix", "undervaluation", "none"] * (ROWS // 4))
    judged = world.judged.with_columns(scheme=scheme, is_hit=scheme != "none")
    told = schemes.slices(replace(world, judged=judged))
    assert {name: (int(rows.sum()), int(hits.sum())) for name, (rows, hits) in told.items()} == {
        "all": (ROWS, ROWS // 2),
        "phoenix": (ROWS, ROWS // 4),
        "undervaluation": (ROWS, ROWS // 4),
    }


def test_the_network_is_compared_with_and_without_its_family(features_of) -> None:
    ways = features_of(network.network(load()))
    assert ways["with"] - ways["without"] == {feature.name for feature in relations.FEATURES}


def test_slices_have_hits_of_their_own(tmp_path: Path) -> None:
    def slices(world: World) -> comparing.Slices:
        rows = np.arange(ROWS) >= ROWS - 100
        return {"last": (rows, world.judged["is_hit"].to_numpy()), "nothing": (rows & ~rows, ~rows)}

    tried, world = replace(comparison(blind=0.1, sharp=0.3), slices=slices), made("1")
    told = comparing.compared(tried, comparing.run(tried, opened(world), (1,), tmp_path / "kept.jsonl"))
    last = world.judged.tail(100)
    assert (told["slices"]["last"]["rows"], told["slices"]["last"]["hits"]) == (
        {"1": 100},
        {"1": last["is_hit"].sum()},
    )
    assert told["slices"]["last"]["figures"]["average_precision"]["sharp"]["mean"] == pytest.approx(
        average_precision_score(last["is_hit"], seeing(0.3)(world, 1).score[-100:])
    )
    assert told["slices"]["nothing"]["figures"]["average_precision"]["sharp"]["mean"] is None


def test_worlds_that_agree_to_the_last_bit_have_an_interval_without_width() -> None:
    assert worlds.interval([0.5, 0.5, 0.5]) == {"mean": 0.5, "low": 0.5, "high": 0.5}
    with pytest.raises(ValueError, match="over 1 worlds; allowed: two or more"):
        worlds.interval([0.5])


def test_shares_of_matches_are_means_over_worlds_and_one_world_has_no_interval() -> None:
    first, second = ({"weight": 0.0, "matches": 10, **dict.fromkeys(matching.SHARES, at)} for at in (0.5, 0.7))
    (told,) = matching.over_worlds([[first], [second]])
    assert told["matches"] == [10, 10]
    assert told["precision"] == worlds.interval([0.5, 0.7])
    (alone,) = matching.over_worlds([[first]])
    assert alone["precision"] == {"mean": 0.5}
    world = {"world": 1, "companies": 2_000, "pairs": {"all": 30}, "seconds": 1.0, "peak_mb": 5.0}
    assert matching.table([world], [told]).splitlines()[-1].startswith("| 0 | 20 | 0.600 (-0.671 to 1.871) |")
    assert matching.table([world], [alone]).splitlines()[-1].startswith("| 0 | 10 | 0.500 | 0.500 |")
