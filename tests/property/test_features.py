"""Every feature family: blind to the future, equal to brute force, the same computed at once or day by day."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import contract, facts, matrix
from features.asof import LONGEST_WAIT_DAYS, LOOK_BACK_DAYS
from features.families import FAMILIES
from features.families.encodings import COMBINATIONS, inspections_name, rate_name
from features.families.entities import ENTITIES, WINDOWS_DAYS
from features.families.price import GROUPS, MIN_HISTORY
from features.history import PRIOR_WEIGHT, History
from features.network import ties
from features.settled import Block, Settled
from tests.declarations import frame

START = datetime(2023, 1, 1)
LABEL_DELAY_DAYS = 7
SPAN_DAYS = 1300  # longer than the look-back, so that things also fall out of it


@dataclass(frozen=True)
class World:
    """Declarations, outcomes and register entries, with the corrections that came to them."""

    declarations: tuple[dict[str, Any], ...]
    older_declarations: tuple[dict[str, Any], ...]
    outcomes: tuple[dict[str, Any], ...]
    older_outcomes: tuple[dict[str, Any], ...]
    register: tuple[dict[str, Any], ...] = ()
    older_register: tuple[dict[str, Any], ...] = ()

    def history(self) -> History:
        tables = (self.declarations, self.older_declarations, self.outcomes, self.older_outcomes)
        names = ("declarations", "declarations", "outcomes", "outcomes")
        frames = [frame(name, list(rows)).lazy() for name, rows in zip(names, tables, strict=True)]
        told = ties.told(*(frame("register", list(rows)).lazy() for rows in (self.register, self.older_register)))
        return History(replace(facts.build(*frames, label_delay_days=LABEL_DELAY_DAYS), told=told))


def _day(number: int, hour: int = 9) -> datetime:
    return START + timedelta(days=number, hours=hour)


days = st.integers(0, SPAN_DAYS) | st.integers(0, 400) | st.integers(0, 40)
one_of = st.sampled_from


@st.composite
def declarations(draw: st.DrawFn, name: str, accepted: int | None = None) -> dict[str, Any]:
    return {
        "declaration_id": name,
        "accepted_at": _day(draw(days) if accepted is None else accepted, draw(st.integers(0, 23))),
        "importer_id": draw(one_of(["I1", "I2"])),
        "seller_id": draw(one_of(["S1", "S2", None])),
        "courier_id": draw(one_of(["C1", None, None])),
        "declarant_id": draw(one_of(["B1", "B2"])),
        "office": draw(one_of(["10", "20"])),
        "hs_code": draw(one_of(["090121", "0901219000", "851712"])),
        "origin_country": draw(one_of(["BR", "CN"])),
        "net_mass_kg": draw(one_of([0.0, 1.0, 10.0, 12.5])),
        "item_value": draw(one_of([0.0, 5.0, 49.9, 100.0, 700.0, 1e9])),
        "tax_rate_pct": draw(one_of([0.0, 8.0, 13.0])),
    }


@st.composite
def worlds(draw: st.DrawFn) -> World:
    current, older, found, found_older = [], [], [], []
    for n in range(draw(st.integers(1, 14))):
        name = f"D{n}"
        first = draw(declarations(name))
        accepted = (first["accepted_at"] - START).days
        if draw(st.booleans()) and draw(st.booleans()):  # a correction, recorded some days on
            second = draw(declarations(name, accepted)) | {"accepted_at": first["accepted_at"]}
            current.append(second | {"recorded_at": _day(accepted + draw(st.integers(0, 60)), 23)})
            older.append(first)
        else:
            late = draw(one_of([None, None, 0, 3, 30]))
            current.append(first | {"recorded_at": None if late is None else _day(accepted + late, 23)})
        if draw(st.booleans()):
            outcome = _outcome(draw, first, accepted, draw(st.integers(0, 60)))
            if draw(st.booleans()) and draw(st.booleans()):  # the finding was revised later
                revised = _outcome(draw, first, accepted, draw(st.integers(61, 120)))
                found_older.append(outcome)
                outcome = revised
            found.append(outcome)
    return World(tuple(current), tuple(older), tuple(found), tuple(found_older), *_entries(draw))


def _entries(draw: st.DrawFn) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """Entries of a register, and the versions that later ones have replaced."""
    current, older = [], []
    for n in range(draw(st.integers(0, 8))):
        attribute = draw(one_of(["person", "phone", "predecessor", "name"]))
        recorded = draw(days)
        entry = {
            "entry_id": f"R{n}",
            "recorded_at": _day(recorded, draw(st.integers(0, 23))),
            "party_role": draw(one_of(["importer", "importer", "declarant"])),
            "party_id": draw(one_of(["I1", "I2", "I3", "B1"])),
            "attribute": attribute,
            "value": draw(one_of(["I1", "I3"] if attribute == "predecessor" else ["Anna", "ANNA.", "Wei", "n/a"])),
            "ends_at": draw(one_of([None, None, _day(recorded + draw(st.integers(0, 300)), 0)])),
        }
        if draw(st.booleans()) and draw(st.booleans()):
            older.append(entry)
            entry = entry | {
                "recorded_at": _day(recorded + draw(st.integers(1, 200)), 23),
                "ends_at": draw(one_of([None, _day(recorded, 0)])),
            }
        current.append(entry)
    return tuple(current), tuple(older)


def _outcome(draw: st.DrawFn, declaration: dict[str, Any], accepted: int, delay: int) -> dict[str, Any]:
    illicit = draw(st.booleans())
    return {
        "declaration_id": declaration["declaration_id"],
        "accepted_at": declaration["accepted_at"],
        "is_illicit": illicit,
        "recovered_revenue": draw(one_of([0.0, 10.4, 1000.0])) if illicit else 0.0,
        "known_at": draw(one_of([None, _day(accepted + delay, 12)])) if delay <= 60 else _day(accepted + delay, 12),
    }


def _known(row: dict[str, Any], column: str) -> datetime:
    return row.get(column) or row["accepted_at"] + timedelta(days=LABEL_DELAY_DAYS * (column == "known_at"))


def _before(world: World, cut: datetime) -> World:
    """The world as it stood when the day `cut` began: nothing that became known later ever happened."""

    def stood(
        current: tuple[Any, ...], older: tuple[Any, ...], column: str, key: str = "declaration_id"
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        current = tuple(row for row in current if _known(row, column) < cut)
        older = tuple(row for row in older if _known(row, column) < cut)
        replaced = {row[key] for row in current}
        still = tuple(row for row in older if row[key] not in replaced)
        return current + still, tuple(row for row in older if row[key] in replaced)

    return World(
        *stood(world.declarations, world.older_declarations, "recorded_at"),
        *stood(world.outcomes, world.older_outcomes, "known_at"),
        *stood(world.register, world.older_register, "recorded_at", "entry_id"),
    )


def _after(world: World, cut: datetime) -> World:
    """What another world learned on the day `cut` or later, under other names."""

    def later(rows: tuple[dict[str, Any], ...], column: str, key: str = "declaration_id") -> tuple[dict[str, Any], ...]:
        late = [row for row in rows if _known(row, column) >= cut]
        return tuple(row | {key: "X" + row[key]} for row in late)

    return World(
        later(world.declarations, "recorded_at"),
        (),
        later(world.outcomes, "known_at"),
        (),
        later(world.register, "recorded_at", "entry_id"),
    )


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.NAME)
@given(world=worlds(), other=worlds(), pick=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_what_was_not_known_before_acceptance_changes_no_feature(
    family: Any, world: World, other: World, pick: int
) -> None:
    """A row has the same features where nothing later happened, where all of it did, and where other things did."""
    rows = world.history().rows
    row = rows.row(pick % rows.height, named=True)
    own = {name: value for name, value in row.items() if name in contract.schema("declarations")}
    midnight = row["accepted_at"].replace(hour=0, minute=0, second=0, microsecond=0)
    before, after = _before(world, midnight), _after(other, midnight)
    alone = replace(before, declarations=(*before.declarations, own))
    elsewhere = World(
        alone.declarations + after.declarations,
        alone.older_declarations,
        alone.outcomes + after.outcomes,
        alone.older_outcomes,
        alone.register + after.register,
        alone.older_register,
    )

    def features_of_row(seen: World) -> pl.DataFrame:
        history = seen.history()
        return family.compute(history).filter(history.rows["declaration_id"] == row["declaration_id"])

    expected = features_of_row(alone)
    assert expected.height == 1
    assert_frame_equal(features_of_row(world), expected, check_exact=True)
    assert_frame_equal(features_of_row(elsewhere), expected, check_exact=True)


def _visible(
    history: History, kind: str, row: dict[str, Any], window: int, by: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Brute force: the facts that the rule in features/asof.py lets this row see."""
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
@settings(max_examples=60, deadline=None)
def test_entity_windows_equal_brute_force(world: World) -> None:
    history = world.history()
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
@settings(max_examples=60, deadline=None)
def test_encodings_equal_brute_force(world: World) -> None:
    history = world.history()
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


@given(world=worlds())
@settings(max_examples=60, deadline=None)
def test_prices_equal_brute_force(world: World) -> None:
    history = world.history()
    family = next(family for family in FAMILIES if family.NAME == "price")
    computed = family.compute(history)
    for index, row in enumerate(history.rows.iter_rows(named=True)):
        for group, by in GROUPS.items():
            past_prices = [
                np.log10(fact["item_value"] / fact["net_mass_kg"])
                for fact in _visible(history, "declared", row, 365, by)
                if fact["net_mass_kg"] > 0 and fact["item_value"] > 0
            ]
            own = row["net_mass_kg"] > 0 and row["item_value"] > 0
            got = computed[f"price_quantile_{group}"][index]
            ratio = computed[f"price_ratio_{group}"][index]
            if len(past_prices) < MIN_HISTORY or not own:
                assert got is None
                assert ratio is None
                continue
            price = np.log10(row["item_value"] / row["net_mass_kg"])
            below = sum(p < price for p in past_prices) + 0.5 * sum(p == price for p in past_prices)
            assert got == pytest.approx(below / len(past_prices), rel=1e-6)
            assert ratio == pytest.approx(10 ** (price - np.median(past_prices)), rel=1e-5)


@given(world=worlds())
@settings(max_examples=30, deadline=None)
def test_day_by_day_equals_at_once(world: World) -> None:
    history = world.history()
    at_once = matrix.compute(history)
    days = sorted(set(history.rows["day"]))
    by_day = pl.concat([matrix.compute(history.asked_on([day])) for day in days])
    assert_frame_equal(by_day, at_once, check_exact=True)


@given(world=worlds(), split=st.integers(0, SPAN_DAYS), data=st.data())
@settings(max_examples=10, deadline=None)
def test_settled_and_known_add_up(world: World, split: int, data: st.DataObject) -> None:
    """Whatever day the border between what is settled and what is read lies on, a later day's features are the same."""
    history = world.history()
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
