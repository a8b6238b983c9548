"""The selection log: it has each declaration once, numbers runs, and with outcomes it gives the exploring share."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.facts.asof import NEVER
from models import policy
from models.targeting.selection_log import (
    SCHEMA,
    SelectionLog,
    exploring_share,
    pending,
    places_left,
    with_probabilities,
)

_DELIVERED = policy.load()
# So that the share has room below it.
POLICY = _DELIVERED.model_copy(update={"exploration": _DELIVERED.exploration.model_copy(update={"initial_share": 0.1})})
FIRST = date(2024, 3, 1)
PERIOD = POLICY.drift.window_days


def selected(*rows: dict) -> pl.DataFrame:
    """Log rows with defaults for what a test does not care about."""
    usual = {
        "item_number": 1,
        "accepted_on": FIRST,
        "office": "10",
        "lane": "red",
        "reason": "value",
        "selection_probability": 0.5,
        "score": 0.3,
        "critical": 0.0,
        "expected_revenue": 1.0,
        "priority": 1.0,
        "hit_value": 100.0,
        "exploring_share": 0.1,
        "model_version": "1",
        "model_digest": "m",
        "policy_digest": "p",
        "draw_seed": "0",
        "selected_at": datetime(2024, 3, 2, tzinfo=UTC),
    }
    return pl.DataFrame([usual | row for row in rows], schema=SCHEMA)


def outcomes(*rows: dict) -> pl.LazyFrame:
    usual = {
        "item_number": 1,
        "is_inspected": True,
        "is_illicit": False,
        "is_critical": False,
        "recovered_revenue": 0.0,
        "selection_probability": None,
        "replaced_on": NEVER,
    }
    types = {"item_number": pl.Int32, "selection_probability": pl.Float64, "known_on": pl.Date, "replaced_on": pl.Date}
    return pl.LazyFrame([usual | row for row in rows], schema_overrides=types)


def test_runs_are_numbered_and_read_in_order(tmp_path):
    log = SelectionLog(tmp_path / "selections" / "kcs")
    assert log.read().equals(pl.DataFrame(schema=SCHEMA))
    assert [log.append(selected({"declaration_id": name})) for name in ("b", "a")] == [1, 2]
    assert log.read()["declaration_id"].to_list() == ["b", "a"]


def test_what_follows_on_a_run_is_read_by_its_number(tmp_path):
    log = SelectionLog(tmp_path)
    assert list(log.after(0)) == []
    for name in ("b", "a", "c"):
        log.append(selected({"declaration_id": name}))
    told = [(number, rows["declaration_id"].to_list()) for number, rows in log.after(1)]
    assert told == [(2, ["a"]), (3, ["c"])]
    assert list(log.after(3)) == []


def test_nobody_is_selected_twice(tmp_path):
    log = SelectionLog(tmp_path)
    log.append(selected({"declaration_id": "a"}))
    with pytest.raises(ValueError, match="declaration a item 1 was selected before; allowed: each once"):
        log.append(selected({"declaration_id": "b"}, {"declaration_id": "a"}))
    assert log.read()["declaration_id"].to_list() == ["a"]
    log.append(selected({"declaration_id": "c", "item_number": 2}))
    again = ({"declaration_id": "c", "item_number": 2}, {"declaration_id": "a"})
    with pytest.raises(ValueError, match="declaration c item 2 was selected before"):
        log.append(selected(*again))


def test_at_first_the_latest_day_waits_and_later_all_that_has_come_since():
    days = [FIRST + timedelta(days=n) for n in range(3)]
    declarations = pl.LazyFrame(
        {"declaration_id": list("abcd"), "item_number": [1] * 4, "accepted_on": [*days, days[1]]},
        schema_overrides={"item_number": pl.Int32},
    )
    assert pending(declarations, pl.DataFrame(schema=SCHEMA), days[2])["declaration_id"].to_list() == ["c"]
    log = selected({"declaration_id": "b", "accepted_on": days[1]})
    assert pending(declarations, log, days[2])["declaration_id"].to_list() == ["c", "d"]  # d arrived late


def left(own: dict[str, policy.Capacity], log: pl.DataFrame) -> dict[str, tuple[int, int, int]]:
    """Red, yellow and blue places of each office on the first day."""
    after = places_left(POLICY.targeting.model_copy(update={"offices": own}), log, FIRST)
    return {office: (places.red, places.yellow, places.blue) for office, places in after.offices.items()}


def test_those_that_arrive_late_have_the_places_that_are_left_of_their_office_and_day():
    own = {"10": policy.Capacity(red=2, yellow=2, blue=1), "20": policy.Capacity(red=1, yellow=0, blue=3)}
    log = selected(
        {"declaration_id": "a", "lane": "red"},
        {"declaration_id": "b", "lane": "yellow"},
        {"declaration_id": "c", "lane": "yellow"},
        {"declaration_id": "d", "lane": "green"},
        {"declaration_id": "e", "lane": "blue", "office": "20"},
        {"declaration_id": "f", "lane": "red", "accepted_on": FIRST + timedelta(days=1)},
        {"declaration_id": "g", "lane": "red", "office": "30"},
    )
    assert left(own, log) == {"10": (1, 0, 1), "20": (1, 0, 2)}
    assert left(own, log.clear()) == {"10": (2, 2, 1), "20": (1, 0, 3)}


def test_an_office_that_gave_away_more_places_than_it_has_by_now_owes_none():
    log = selected(
        *({"declaration_id": name, "lane": "red"} for name in "abc"), {"declaration_id": "d", "lane": "blue"}
    )
    assert left({"10": policy.Capacity(red=1, yellow=4, blue=0)}, log) == {"10": (0, 4, 0)}


def test_the_share_follows_what_a_period_brought_in():
    log = selected(
        {"declaration_id": "a", "reason": "exploration"},
        {"declaration_id": "b", "reason": "value"},
    )
    start, after = POLICY.exploration.initial_share, FIRST + timedelta(days=PERIOD)
    barren = outcomes(
        {"declaration_id": "a", "known_on": FIRST + timedelta(days=8)},
        {"declaration_id": "b", "known_on": FIRST + timedelta(days=9), "is_illicit": True, "recovered_revenue": 50.0},
    )
    assert exploring_share(log, barren, POLICY, after - timedelta(days=1)).value == start
    assert exploring_share(log, barren, POLICY, after).value < start
    fruitful = barren.with_columns(is_illicit=pl.col("declaration_id") == "a")
    assert exploring_share(log, fruitful, POLICY, after).value > start
    # Nothing became known in the second period, so nothing changes in it.
    assert exploring_share(log, barren, POLICY, after + timedelta(days=PERIOD)) == exploring_share(
        log, barren, POLICY, after
    )
    assert exploring_share(pl.DataFrame(schema=SCHEMA), barren, POLICY, after).value == start


def odds(log: pl.DataFrame, known: pl.LazyFrame, day: date) -> float:
    share = exploring_share(log, known, POLICY, day).value
    return share / (1 - share)


def test_a_period_ends_with_the_evening_before_the_next():
    log = selected({"declaration_id": "a", "reason": "exploration"}, {"declaration_id": "b", "reason": "value"})
    start = 1 / (1 / POLICY.exploration.initial_share - 1)
    # Exploring brought in nothing: the odds shrink by exp(-rate), once, in the period in which both are known.
    shrunk = start * np.exp(-POLICY.exploration.learning_rate)
    second, third = (FIRST + timedelta(days=number * PERIOD) for number in (1, 2))
    for known_on, expected in (
        (FIRST, (shrunk, shrunk)),
        (second - timedelta(days=1), (shrunk, shrunk)),
        (second, (start, shrunk)),
        (third - timedelta(days=1), (start, shrunk)),
        (third, (start, start)),
    ):
        known = outcomes(
            {"declaration_id": "a", "known_on": known_on},
            {"declaration_id": "b", "known_on": known_on, "is_illicit": True, "recovered_revenue": 50.0},
        )
        assert (odds(log, known, second), odds(log, known, third)) == pytest.approx(expected)
        assert odds(log, known, third - timedelta(days=1)) == pytest.approx(expected[0])


def test_drift_is_that_of_the_scores_of_one_model_within_the_period():
    after = FIRST + timedelta(days=PERIOD)

    def share(*scores: tuple[str, int, float]) -> float:
        """Return the share after a period in which both kinds brought in alike; each score is that of forty rows."""
        rows = [
            {"declaration_id": f"{place:02}-{row}", "model_digest": digest, "accepted_on": day, "score": score}
            for place, (digest, ahead, score) in enumerate(scores)
            for row, day in enumerate([FIRST + timedelta(days=ahead)] * 40)
        ]
        alike = [{"declaration_id": name, "reason": name, "accepted_on": FIRST} for name in ("exploration", "value")]
        known = outcomes(*({"declaration_id": name, "known_on": FIRST} for name in ("exploration", "value")))
        return exploring_share(selected(*alike, *rows), known, POLICY, after).value

    steady, moved = POLICY.exploration.initial_share, POLICY.exploration.max_share
    assert share(("m", 1, 0.2), ("m", 2, 0.2)) == pytest.approx(steady, abs=0.02)
    assert share(("m", 1, 0.1), ("m", 2, 0.9)) == pytest.approx(moved)
    assert share(("n", 1, 0.1), ("n", 2, 0.1), ("m", 3, 0.9), ("m", 4, 0.9)) == pytest.approx(steady)
    assert share(("m", 1, 0.1), ("m", 2, 0.1), ("m", PERIOD, 0.9), ("m", PERIOD + 1, 0.9)) == pytest.approx(
        steady, abs=0.02
    )
    assert share(("m", 1, 0.1), ("m", PERIOD - 1, 0.9)) == pytest.approx(moved)


def test_the_log_tells_the_chance_where_outcomes_do_not():
    dataset = pl.DataFrame(
        {"declaration_id": ["a", "b", "c"], "item_number": [1] * 3, "selection_probability": [0.2, None, None]},
        schema_overrides={"item_number": pl.Int32},
    )
    log = selected({"declaration_id": "a"}, {"declaration_id": "b", "selection_probability": 0.7})
    assert with_probabilities(dataset.lazy(), log).collect()["selection_probability"].to_list() == [0.2, 0.7, None]


def test_what_was_selected_before_there_were_criteria_is_read_beside_what_is_selected_now(tmp_path):
    log = SelectionLog(tmp_path)
    before = selected({"declaration_id": "a"}).drop("criterion").cast({"reason": pl.Enum(["random", "value", "none"])})
    before.write_parquet(tmp_path / "000001.parquet")
    assert log.append(selected({"declaration_id": "b", "reason": "criterion", "criterion": "watched"})) == 2
    found = log.read()
    assert found.schema == SCHEMA
    assert found.select("declaration_id", "reason", "criterion").rows() == [
        ("a", "value", None),
        ("b", "criterion", "watched"),
    ]
    assert SelectionLog(tmp_path / "nothing").read().schema == SCHEMA


def test_what_was_selected_of_some_declarations_is_found_by_selection(tmp_path):
    log = SelectionLog(tmp_path)
    log.append(selected({"declaration_id": "D1"}, {"declaration_id": "D2"}))
    log.append(selected({"declaration_id": "D3"}))
    log.append(selected({"declaration_id": "D1", "item_number": 2}))
    found = [
        (number, rows["declaration_id"].to_list(), rows["item_number"].to_list()) for number, rows in log.of(["D1"])
    ]
    assert found == [(1, ["D1"], [1]), (3, ["D1"], [2])]
    assert [log.file(number).exists() for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert list(log.of(["D9"])) == list(log.of([])) == []
