"""What is made of the units of benchmarks/answering.py; the replays themselves are tested elsewhere."""

import json
import re

import polars as pl
import pytest

from benchmarks import answering, measuring


def test_a_unit_counts_what_moved_by_itself():
    log = pl.DataFrame(
        {
            "week": [0, 0, 1],
            "lane": ["red", "green", "blue"],
            "reason": ["random", "none", "value"],
            "is_illicit": [True, True, True],
            "is_hit": [True, False, False],
            "evaded_revenue": [10.0, 20.0, 40.0],
            "revenue": [10.0, 0.0, 0.0],
            "is_moved": [False, True, True],
            "is_renamed": [False, False, True],
        }
    )
    found = answering.figures(log)
    assert {name: found[name] for name in ("weeks", "declared", "inspected", "illicit", "hits")} == {
        "weeks": 2,
        "declared": 3,
        "inspected": 2,
        "illicit": 3,
        "hits": 1,
    }
    assert (found["moved_illicit"], found["moved_inspected"], found["moved_evaded"]) == (2, 1, 60.0)
    assert (found["random_hits"], found["random_revenue"], found["renamed_illicit"]) == (1, 10.0, 1)
    assert "moved_illicit" not in answering.figures(log.drop("is_moved", "is_renamed"))


def test_the_result_compares_each_strategy_with_the_product_world_by_world(tmp_path, monkeypatch, capsys):
    for unit in answering.UNITS:
        better = unit.strategy == "alarms"
        noise = unit.seed % 5 + answering.WORLDS.index(unit.seed) * len(unit.strategy) / 100
        figures = {"rows": answering.ROWS, "hits": 1000 + noise - 20 * better, "illicit": 4000}
        share = {"random_0": 0, "random_2": 2, "random_5": 5}.get(unit.strategy, 1)
        figures |= {"random_inspected": 1400 * share, "random_hits": 70 * share}
        if unit.answers:
            base = 10 + noise
            figures |= {"moved_illicit": 100 + noise, "moved_hits": base * 1.3 if better else base}
            figures |= {"moved_evaded": 1000.0, "moved_revenue": 500.0 + noise}
        (tmp_path / unit.file).write_text(json.dumps(figures))
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    answering.save(tmp_path, answering.ROWS)
    result = json.loads((tmp_path / "answering.json").read_text())
    alarms = result["strategies"]["alarms"]
    # Shares of 10 to 14 in 100 or so, and 30 % more by alarms in every world.
    assert alarms["more_of_moved_than_product"]["low"] < 0.3 < alarms["more_of_moved_than_product"]["high"]
    assert alarms["more_hits_where_none_answers"]["mean"] == pytest.approx(-0.02, abs=1e-3)
    assert alarms["found_of_moved"]["mean"] == pytest.approx(0.153, abs=5e-3)
    assert [name for name, figures in result["strategies"].items() if figures["reaches_the_goal"]] == ["alarms"]
    assert len(result["units"]) == len(answering.UNITS) == 100
    printed = capsys.readouterr().out
    assert "| `alarms` | 102 (" in printed
    # A rate of 0.05 among n is known to about 1.96 * sqrt(0.05 * 0.95 / n): 1,400 and 7,000 were drawn.
    assert "| 1 % | 1,400 | 1,002 | 1,002 | 5.0 %, give or take 1.1 points |" in printed
    assert "| 5 % | 7,000 | 1,002 | 1,002 | 5.0 %, give or take 0.5 points |" in printed
    assert "| none | 0 | 1,002 | 1,002 | no |" in printed


def test_a_difference_of_nothing_is_shown_and_the_product_has_none():
    same = {"mean": 0.0, "low": 0.0, "high": 0.0}
    compared = ("more_of_moved_than_product", "more_hits_where_traders_answer", "more_hits_where_none_answers")
    figures = dict.fromkeys(("moved", "found_of_moved", *compared), same)
    *_, product, floor = answering.table({answering.BEFORE: figures, "floor": figures}).splitlines()
    assert product == "| `product` | 0 (0 to 0) | 0.0 % (0.0 % to 0.0 %) |  |  |  |"
    assert floor.count("+0.0 % (+0.0 % to +0.0 %)") == 3


def test_the_page_shows_what_was_measured():
    told = json.loads((measuring.RESULTS / "answering.json").read_text())["strategies"]
    page = (measuring.RESULTS.parents[1] / "docs" / "rehearsal.md").read_text()
    for table in (answering.table(told), answering.table_of_chance(told)):
        assert re.sub(" +", " ", table) in re.sub(" +", " ", page)


def test_two_processes_do_not_replay_the_same_unit(tmp_path):
    with answering._alone(tmp_path / "a.json") as first, answering._alone(tmp_path / "a.json") as second:
        assert (first, second) == (True, False)
    with answering._alone(tmp_path / "a.json") as again:
        assert again


def test_what_is_kept_is_not_replayed_again(tmp_path):
    unit = answering.UNITS[0]
    (tmp_path / unit.file).write_text('{"hits": 3, "rows": 2000}')
    assert answering.found(unit, tmp_path, 2000) == {"hits": 3, "rows": 2000}


@pytest.mark.parametrize("asked", [answering.found, lambda _, *where: answering.save(*where)])
def test_what_is_kept_of_smaller_worlds_is_not_taken_for_a_unit(tmp_path, asked):
    unit = answering.UNITS[0]
    (tmp_path / unit.file).write_text('{"hits": 3, "rows": 2000}')
    with pytest.raises(ValueError, match=rf"{unit.file} is of a world of 2000 declarations; allowed: 200000"):
        asked(unit, tmp_path, answering.ROWS)
