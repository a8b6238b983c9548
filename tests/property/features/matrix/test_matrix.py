"""Every feature family is blind to the future, equals brute force, and is the same computed at once or day by day."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import contract
from features.facts.asof import LONGEST_WAIT_DAYS, LOOK_BACK_DAYS
from features.families import FAMILIES, price, routes, units, usual
from features.families.encodings import COMBINATIONS, inspections_name, rate_name
from features.families.entities import ENTITIES, WINDOWS_DAYS
from features.families.usual import IQR_OF_NORMAL, MIN_HISTORY, MIN_SPREAD
from features.history.history import PRIOR_WEIGHT, History
from features.history.preaggregated import Block, Settled
from features.matrix import matrix
from tests.support.examples import examples
from tests.support.worlds import SPAN_DAYS, START, World, after, before, worlds


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.NAME)
@given(world=worlds(), other=worlds(), pick=st.integers(0, 1000))
@settings(max_examples=examples(20), deadline=None)
def test_what_was_not_known_before_acceptance_changes_no_feature(
    family: Any, world: World, other: World, pick: int
) -> None:
    """A row has the same features where nothing later happened, where all of it did, and where other things did."""
    rows = History(world.known()).rows
    row = rows.row(pick % rows.height, named=True)
    own = {name: value for name, value in row.items() if name in contract.schema("declarations")}
    midnight = row["accepted_at"].replace(hour=0, minute=0, second=0, microsecond=0)
    stood = before(world, midnight)
    alone = replace(stood, declarations=(*stood.declarations, own))
    elsewhere = alone.with_later(after(other, midnight))

    def features_of_row(seen: World) -> pl.DataFrame:
        history = History(seen.known())
        return family.compute(history).filter(history.rows["declaration_id"] == row["declaration_id"])

    expected = features_of_row(alone)
    assert expected.height == 1
    assert_frame_equal(features_of_row(world), expected, check_exact=True)
    assert_frame_equal(features_of_row(elsewhere), expected, check_exact=True)


def _visible(
    history: History, kind: str, row: dict[str, Any], window: int, by: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Brute force: the facts that the rule in features/facts/asof.py lets this row see."""
    frame = history.known.declared if kind == "declared" else history.known.found
    day = "accepted_day" if kind == "concluded" else "day"
    return [
        fact
        for fact in frame.iter_rows(named=True)
        if fact["sign"] == 1
        and all(fact[column] == row[column] and row[column] is not None for column in by)
        and fact["enter"] - 1 < row["day"] <= fact["replaced"]
        and row["day"] - window <= fact[day]
        and (kind != "found" or fact["day"] - fact["accepted_day"] <= LONGEST_WAIT_DAYS)
    ]


@given(world=worlds())
@settings(max_examples=examples(15), deadline=None)
def test_entity_windows_equal_brute_force(world: World) -> None:
    history = History(world.known())
    family = next(family for family in FAMILIES if family.NAME == "entities")
    computed = family.compute(history)
    for index, row in enumerate(history.rows.iter_rows(named=True)):
        everything = _visible(history, "found", row, 365, ())
        hits = sum(bool(fact["is_illicit"]) for fact in everything)
        usual = hits / max(len(everything), 1)
        for entity, by in ENTITIES.items():
            got = {name: computed[name][index] for name in computed.columns if name.startswith(f"{entity}_")}
            if any(row[column] is None for column in by):
                assert got[f"{entity}_declarations_30d"] is None
                continue
            for window in WINDOWS_DAYS:
                declared = _visible(history, "declared", row, window, by)
                found = _visible(history, "found", row, window, by)
                illicit = [fact for fact in found if fact["is_illicit"]]
                rate = (len(illicit) + PRIOR_WEIGHT * usual) / (len(found) + PRIOR_WEIGHT)
                assert got[f"{entity}_declarations_{window}d"] == len(declared)
                assert got[f"{entity}_value_{window}d"] == np.float32(sum(round(f["item_value"]) for f in declared))
                assert got[f"{entity}_hit_rate_{window}d"] == np.float32(rate)
                assert got[f"{entity}_revenue_{window}d"] == np.float32(
                    sum(round(f["recovered_revenue"]) for f in found)
                )
                if declared:
                    assert got[f"{entity}_inspection_rate_{window}d"] == np.float32(len(found) / len(declared))
            seen = [fact["day"] for fact in _visible(history, "declared", row, 365, by)]
            assert got[f"{entity}_days_since_seen"] == (row["day"] - max(seen) if seen else None)
            hit = [fact["day"] for fact in _visible(history, "found", row, 365, by) if fact["is_illicit"]]
            assert got[f"{entity}_days_since_hit"] == (row["day"] - max(hit) if hit else None)


@given(world=worlds())
@settings(max_examples=examples(15), deadline=None)
def test_encodings_equal_brute_force(world: World) -> None:
    history = History(world.known())
    family = next(family for family in FAMILIES if family.NAME == "encodings")
    computed = family.compute(history)
    for index, row in enumerate(history.rows.iter_rows(named=True)):
        everything = _visible(history, "concluded", row, LOOK_BACK_DAYS, ())
        usual = sum(bool(fact["is_illicit"]) for fact in everything) / max(len(everything), 1)
        for by in COMBINATIONS:
            rate, inspected = (computed[name(by)][index] for name in (rate_name, inspections_name))
            if any(row[column] is None for column in by):
                assert (rate, inspected) == (None, None)
                continue
            found = _visible(history, "concluded", row, LOOK_BACK_DAYS, by)
            hits = sum(bool(fact["is_illicit"]) for fact in found)
            assert inspected == len(found)
            assert rate == np.float32((hits + PRIOR_WEIGHT * usual) / (len(found) + PRIOR_WEIGHT))


# What each number that is compared with what is usual divides, by what it divides it, and its groups.
COMPARED = {
    "price": ("item_value", "net_mass_kg", price.GROUPS),
    "unit_mass": ("net_mass_kg", "quantity", units.GROUPS),
    "unit_value": ("item_value", "quantity", units.GROUPS),
}


def _logarithm(row: dict[str, Any], over: str, under: str) -> float | None:
    return np.log10(row[over] / row[under]) if row[under] and row[over] > 0 else None


@given(world=worlds(), least=st.sampled_from([1, 2, MIN_HISTORY]))  # these worlds seldom hold five numbers to compare
@settings(max_examples=examples(15), deadline=None)
def test_numbers_against_the_usual_equal_brute_force(world: World, least: int) -> None:
    history = History(world.known())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usual, "MIN_HISTORY", least)
        computed = pl.concat([price.compute(history), units.compute(history)], how="horizontal")
    for index, row in enumerate(history.rows.iter_rows(named=True)):
        for number, (over, under, groups) in COMPARED.items():
            own = _logarithm(row, over, under)
            for group, by in groups.items():
                visible = (_logarithm(fact, over, under) for fact in _visible(history, "declared", row, 365, by))
                past = [each for each in visible if each is not None]
                got = {each: computed[f"{number}_{each}_{group}"][index] for each in ("z", "quantile", "ratio")}
                if len(past) < least or own is None:
                    assert got == dict.fromkeys(got)
                    continue
                below = sum(p < own for p in past) + 0.5 * sum(p == own for p in past)
                low, high = (sorted(past)[share * (len(past) - 1) // 4] for share in (1, 3))
                spread = max(high - low, MIN_SPREAD) / IQR_OF_NORMAL
                assert got["quantile"] == pytest.approx(below / len(past), rel=1e-6)
                assert got["ratio"] == pytest.approx(10 ** (own - np.median(past)), rel=1e-5)
                assert got["z"] == pytest.approx((own - np.median(past)) / spread, rel=1e-5, abs=1e-9)


@given(world=worlds())
@settings(max_examples=examples(15), deadline=None)
def test_shares_of_ways_equal_brute_force(world: World) -> None:
    history = History(world.known())
    computed = routes.compute(history)
    for index, row in enumerate(history.rows.iter_rows(named=True)):
        for whole, column in routes.WAYS:
            alike = _visible(history, "declared", row, 365, whole)
            same = [fact for fact in alike if fact[column] == row[column]]
            is_named = all(row[each] is not None for each in (*whole, column))
            count, share = (computed[routes.name_of(each, whole, column)][index] for each in ("declarations", "share"))
            assert count == (len(same) if is_named else None)
            assert share == (np.float32(len(same) / len(alike)) if is_named and alike else None)


@given(world=worlds())
@settings(max_examples=examples(8), deadline=None)
def test_day_by_day_equals_at_once(world: World) -> None:
    history = History(world.known())
    at_once = matrix.compute(history)
    days = sorted(set(history.rows["day"]))
    by_day = pl.concat([matrix.compute(history.asked_on([day])) for day in days])
    assert_frame_equal(by_day, at_once, check_exact=True)


@given(world=worlds(), split=st.integers(0, SPAN_DAYS), data=st.data())
@settings(max_examples=examples(4), deadline=None)
def test_settled_and_known_add_up(world: World, split: int, data: st.DataObject) -> None:
    """Whatever day the border between what is settled and what is read lies on, a later day's features are the same."""
    history = History(world.known())
    first = (START - datetime(1970, 1, 1)).days
    border = first + split
    asked = [day for day in sorted(set(history.rows["day"])) if day >= border]
    if not asked:
        return
    middle = data.draw(st.integers(first, border))
    with TemporaryDirectory() as folder:
        months = (
            Block(0, middle, Path(folder, "a")),
            Block(middle, border, Path(folder, "b")),
        )
        for blocks in (months, (Block(0, border, Path(folder, "c"), months),)):
            settled = Settled(blocks)
            for block in settled.reaching(border - LOOK_BACK_DAYS):
                block.make(matrix.TABLES, history.known.between)
            later = History(history.known.between(border, asked[-1]), settled).asked_on(asked)
            assert_frame_equal(matrix.compute(later), matrix.compute(history.asked_on(asked)), check_exact=True)
