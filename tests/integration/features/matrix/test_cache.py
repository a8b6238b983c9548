"""The cached matrix on a real store: each day is computed once, and the result equals computing all of it at once."""

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.contract import KEY
from features.disk.checksums import LIST
from features.facts import kinds
from features.history.history import History
from features.matrix import cache, matrix
from features.store.store import Store
from tests.support.ingestion import tree
from tests.support.spoiling import HOW, spoil
from tests.support.stores import put

DELAY = 7
FIRST = datetime(2024, 3, 1, 10)
DAYS = 5


def declarations(day: int) -> list[dict[str, Any]]:
    return [
        {
            "declaration_id": f"D{day}-{n}",
            "accepted_at": FIRST + timedelta(days=day),
            "importer_id": f"I{n % 2}",
            "item_value": 100.0 + 10 * n + day,
        }
        for n in range(4)
    ]


def earlier(days: int) -> dict[str, Any]:
    """A declaration of one of the importers, so many days before the first."""
    return declarations(0)[0] | {"declaration_id": f"E{days}", "accepted_at": FIRST - timedelta(days=days)}


def outcome(day: int, n: int, known: int) -> dict[str, Any]:
    return {
        "declaration_id": f"D{day}-{n}",
        "accepted_at": FIRST + timedelta(days=day),
        "is_illicit": True,
        "recovered_revenue": 50.0,
        "known_at": FIRST + timedelta(days=known),
    }


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "data")
    put(store, "declarations", [row for day in range(DAYS) for row in declarations(day)])
    put(store, "outcomes", [outcome(0, 0, known=1)])
    return store


def build(store, folder):
    return cache.build(store, DELAY, folder)


def test_a_second_build_computes_nothing(store, tmp_path):
    first = build(store, tmp_path / "cache")
    again = build(store, tmp_path / "cache")
    assert (first.days, first.computed_days, first.computed_rows) == (DAYS, DAYS, 4 * DAYS)
    assert (again.computed_days, again.parts) == (0, first.parts)


def test_a_new_day_costs_that_day(store, tmp_path):
    before = build(store, tmp_path / "cache")
    put(store, "declarations", declarations(DAYS))
    after = build(store, tmp_path / "cache")
    assert (after.computed_days, after.computed_rows) == (1, 4)
    assert after.parts[:-1] == before.parts


def test_what_became_known_recomputes_only_later_days(store, tmp_path):
    before = build(store, tmp_path / "cache")
    put(store, "outcomes", [outcome(0, 0, known=1), outcome(0, 1, known=2)])
    after = build(store, tmp_path / "cache")
    assert after.computed_days == 2  # known on the third day: the fourth and the fifth
    assert after.parts[:3] == before.parts[:3]


def test_a_correction_recorded_later_leaves_earlier_days_alone(store, tmp_path):
    before = build(store, tmp_path / "cache")
    first = declarations(0)
    corrected = first[0] | {"item_value": 9999.0, "recorded_at": FIRST + timedelta(days=3)}
    put(store, "declarations_superseded", [first[0]])
    put(store, "declarations", [corrected, *first[1:]])
    after = build(store, tmp_path / "cache")
    assert after.parts[:4] == before.parts[:4]
    assert after.computed_days == 1
    value = after.scan().filter(declaration_id="D0-0").select("item_value").collect().item()
    assert value == 100.0  # as accepted, not as corrected


def test_a_register_counts_from_the_monday_after_it_came_and_leaves_earlier_days_alone(store, tmp_path):
    """Two importers share a director, one of them was caught; the register tells on the fourth day, a Monday."""
    before = build(store, tmp_path / "cache")
    told = {"recorded_at": FIRST + timedelta(days=3), "value": "Anna Marport"}
    put(store, "register", [told | {"entry_id": f"R{n}", "party_id": f"I{n}"} for n in range(2)])
    after = build(store, tmp_path / "cache")
    assert after.parts[:4] == before.parts[:4]
    assert after.computed_days == 1

    def tied(day: int) -> list[tuple[str, float | None, float | None]]:
        rows = after.scan().filter(pl.col("declaration_id").str.starts_with(f"D{day}-")).head(2)
        return rows.select("declaration_id", "network_tied_values", "network_tied_exposed_share").collect().rows()

    assert tied(4) == [("D4-0", 0.0, None), ("D4-1", 0.0, None)]
    put(store, "declarations", declarations(10))
    after = build(store, tmp_path / "cache")
    assert tied(10) == [("D10-0", 1.0, 0.0), ("D10-1", 1.0, 1.0)]


def test_day_by_day_equals_at_once(tmp_path):
    store = Store(tmp_path / "data")
    for day in range(DAYS):
        put(store, "declarations", declarations(day))
        if day == 1:
            put(store, "outcomes", [outcome(0, 0, known=1)])
        by_day = build(store, tmp_path / "by_day")
    at_once = build(store, tmp_path / "at_once")
    assert at_once.computed_days == DAYS
    assert_frame_equal(by_day.scan().collect(), at_once.scan().collect(), check_exact=True)


@pytest.mark.parametrize("how", HOW)
def test_a_day_whose_bytes_changed_is_named_and_computed_anew(store, tmp_path, caplog, how):
    before = build(store, tmp_path / "cache")
    expected, spoilt = [part.read_bytes() for part in before.parts], before.parts[1]
    spoil(spoilt, how)
    after = build(store, tmp_path / "cache")
    assert (after.computed_days, after.parts) == (1, before.parts)
    assert [part.read_bytes() for part in after.parts] == expected
    assert [f"{spoilt}: not as it was written" in message for message in caplog.messages] == [True]


@pytest.mark.parametrize(
    ("name", "how"), [("declared-importer_id.arrow", "flipped"), ("links.arrow", "cut"), (LIST, "cut")]
)
def test_what_was_settled_and_is_spoilt_is_named_and_summed_up_anew(store, tmp_path, caplog, name, how):
    put(store, "declarations", [earlier(90)])
    folder = tmp_path / "cache"
    build(store, folder)
    (block,) = (folder / "past").glob("2023-*")
    contents = {file.name: file.read_bytes() for file in block.iterdir()}
    put(store, "declarations", declarations(DAYS))  # whose features look back to what is settled
    whole = build(store, tmp_path / "other")
    spoil(block / name, how)
    built = build(store, folder)
    assert built.computed_days == 1
    assert f"{block / name}: not as it was written" in caplog.text
    assert {file.name: file.read_bytes() for file in block.iterdir()} == contents
    assert_frame_equal(built.scan().collect(), whole.scan().collect(), check_exact=True)


def test_a_month_that_is_spoilt_does_not_enter_the_year_that_is_made_of_it(store, tmp_path, caplog):
    """March is settled for April's sake, and the year for the next year's."""
    put(store, "declarations", [earlier(-40)])
    march = cache.past(store, DELAY, tmp_path / "cache", span_rows=0).settled.blocks[-1]
    spoil(march.folder / "declared-importer_id.arrow", "flipped")
    put(store, "declarations", [earlier(-320)])
    (year,) = cache.past(store, DELAY, tmp_path / "cache", span_rows=0).settled.blocks
    (whole,) = cache.past(store, DELAY, tmp_path / "other", span_rows=0).settled.blocks
    assert f"{march.folder / 'declared-importer_id.arrow'}: not as it was written" in caplog.text
    assert tree(year.folder) == tree(whole.folder)


def test_past_looks_at_what_it_hands_out(store, tmp_path, caplog):
    put(store, "declarations", [earlier(90)])
    (block,) = cache.past(store, DELAY, tmp_path / "cache").settled.blocks
    whole = block.links()
    spoil(block.folder / "links.arrow", "flipped")
    cache.past(store, DELAY, tmp_path / "cache")
    assert f"{block.folder / 'links.arrow'}: not as it was written" in caplog.text
    assert_frame_equal(block.links(), whole)


def test_a_spoilt_journal_is_named_and_every_day_read_anew(store, tmp_path, caplog):
    journal = tmp_path / "cache" / "past" / "journal.json"
    first = build(store, tmp_path / "cache")
    whole = journal.read_bytes()
    spoil(journal, "flipped")
    again = build(store, tmp_path / "cache")
    assert (again.computed_days, again.parts, journal.read_bytes()) == (0, first.parts, whole)
    assert f"{journal}: not as it was written" in caplog.text


def test_of_what_is_whole_nothing_is_said(store, tmp_path, caplog):
    put(store, "declarations", [earlier(90)])
    build(store, tmp_path / "cache")
    put(store, "declarations", declarations(DAYS))
    build(store, tmp_path / "cache")
    assert caplog.messages == []


def test_left_overs_of_a_crash_are_not_read(store, tmp_path):
    folder = tmp_path / "cache"
    build(store, folder)
    (folder / "2024-03-01-0123456789abcdef.parquet.partial").write_bytes(b"half")
    (folder / "2024-03-01-0123456789abcdef.parquet").write_bytes(b"stale")
    built = build(store, folder)
    assert built.computed_days == 0
    assert sorted(folder.glob("*.parquet*")) == sorted(built.parts)


def test_labels_are_those_known_on_the_day(store, tmp_path):
    built = build(store, tmp_path / "cache")
    known = cache.dataset(store, built, DELAY, date(2024, 3, 2)).filter(pl.col("is_illicit").is_not_null()).collect()
    earlier = cache.dataset(store, built, DELAY, date(2024, 3, 1)).collect()
    assert known["declaration_id"].to_list() == ["D0-0"]
    assert earlier["is_illicit"].null_count() == earlier.height
    assert cache.last_known_day(store, DELAY) == date(2024, 3, 5)


def test_an_empty_store_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no declarations to compute features for"):
        build(Store(tmp_path / "nothing"), tmp_path / "cache")


@pytest.mark.parametrize("moved_to", [2, 10])
def test_a_correction_that_moves_a_declaration_leaves_it_on_its_first_day(store, tmp_path, moved_to):
    build(store, tmp_path / "cache")
    first = {"declaration_id": "M", "accepted_at": FIRST + timedelta(days=7), "importer_id": "I0", "item_value": 5.0}
    moved = first | {"accepted_at": FIRST + timedelta(days=moved_to), "recorded_at": FIRST + timedelta(days=12)}
    put(store, "declarations", [*(declarations(moved_to) if moved_to < DAYS else []), moved])
    put(store, "declarations_superseded", [first])
    matrix = cache.build(store, DELAY, tmp_path / "cache").scan().collect()
    assert matrix.height == DAYS * 4 + 1
    assert matrix.filter(pl.col("declaration_id") == "M")["accepted_at"].to_list() == [first["accepted_at"]]


def test_what_is_settled_month_by_month_adds_up(store, tmp_path):
    """Over three years, with corrections that come months later, one of which moves a declaration to another year."""
    at = [FIRST + timedelta(days=day) for day in (-500, -300, -299, -40, -35, -2)]
    rows = [
        {
            "declaration_id": f"E{n}",
            "accepted_at": when,
            "importer_id": "I0",
            "item_value": 50.0 + n,
            "net_mass_kg": 5.0,
        }
        for n, when in enumerate(at)
    ]
    corrected = rows[1] | {"item_value": 7.0, "recorded_at": at[3]}
    moved = rows[2] | {"accepted_at": at[4], "recorded_at": at[5]}
    put(store, "declarations", [rows[0], corrected, *rows[3:4], moved, *rows[4:]])
    put(store, "declarations_superseded", [rows[1], rows[2]])
    outcomes = [
        {"declaration_id": f"E{n}", "accepted_at": at[n], "is_illicit": n < 3, "recovered_revenue": 9.0 * (n < 3)}
        for n in (0, 2, 3)
    ]
    put(
        store,
        "outcomes",
        [*(o | {"known_at": o["accepted_at"] + timedelta(days=40)} for o in outcomes[:2]), outcomes[2]],
    )
    put(store, "outcomes", [outcome(0, 0, known=1)])
    at_once = History(kinds.build(*(store.scan(table) for table in kinds.SOURCES), label_delay_days=DELAY))
    expected = matrix.compute(at_once).sort("accepted_at", *KEY)
    for span_rows in (0, 5, 1000):
        folder = tmp_path / str(span_rows)
        built = cache.build(store, DELAY, folder, span_rows=span_rows)
        assert_frame_equal(built.scan().collect().sort("accepted_at", *KEY), expected, check_exact=True)
    assert len(list((tmp_path / "0" / "past").glob("2024-03-*"))) == 0  # nothing asks what is settled after it
    assert len(list((tmp_path / "0" / "past").glob("2024-02-*"))) == 1


def test_what_is_settled_is_kept_until_its_facts_change(store, tmp_path):
    folder = tmp_path / "cache"
    put(store, "declarations", [{"declaration_id": "E", "accepted_at": FIRST - timedelta(days=90)}])
    cache.build(store, DELAY, folder)
    before = set((folder / "past").glob("2023-*"))
    put(store, "declarations", declarations(DAYS))
    cache.build(store, DELAY, folder)
    assert set((folder / "past").glob("2023-*")) == before != set()
    put(store, "declarations", [{"declaration_id": "F", "accepted_at": FIRST - timedelta(days=91)}])
    built = cache.build(store, DELAY, folder)
    after = set((folder / "past").glob("2023-*"))
    assert len(after) == 1
    assert not after & before
    at_once = History(kinds.build(*(store.scan(table) for table in kinds.SOURCES), label_delay_days=DELAY))
    assert_frame_equal(built.scan().collect(), matrix.compute(at_once), check_exact=True)
