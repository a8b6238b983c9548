"""The company register: simulated, ingested like any table, refused where it is wrong, and what it ties together."""

from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest

from features.contract import schema
from features.ingest import IngestRejected, ingest
from features.network import entries, ties
from features.network.links import node
from features.simulator import Parameters, simulate
from features.simulator.register import entries as simulated_entries
from features.simulator.register import owners
from features.sources import open_source
from features.store import Store
from features.validation import validate
from tests.declarations import frame
from tests.ingestion import LIMITS

STRICT = replace(LIMITS, max_quarantined_share=0.05)
HEAD = "entry,received,role,company,kind,text,since,until"
MAPPING = """
[[files]]
pattern = "*.csv"
[files.register]
entry_id = "entry"
recorded_at = "received"
party_role = "role"
party_id = "company"
attribute = "kind"
value = "text"
begins_at = "since"
ends_at = "until"
"""


@pytest.fixture(scope="module")
def world():
    return simulate(Parameters(rows=30_000, months=12))


@pytest.fixture(scope="module")
def register(world):
    return simulated_entries(world, 20240229)


def test_every_simulated_entry_meets_the_contract(register):
    rows = register.drop("arrives").with_row_index("source_line", 2).with_columns(pl.col("source_line").cast(pl.Int64))
    assert rows.drop("source_line").schema == schema("register")
    assert validate("register", rows).failures.is_empty()
    assert register.filter(pl.col("value") == "unknown").height > 0


def test_versions_share_their_reference_and_end_what_they_replace(register):
    several = register.filter(pl.col("entry_id").is_duplicated()).sort("entry_id", "recorded_at")
    assert set(several["attribute"]) == {"address"}
    first, second = several.gather_every(2), several.gather_every(2, offset=1)
    assert first["entry_id"].equals(second["entry_id"])
    assert first["value"].equals(second["value"])
    assert first["ends_at"].null_count() == first.height
    assert second["ends_at"].null_count() == 0
    assert (second["recorded_at"] > first["recorded_at"]).all()


def test_accounts_have_their_check_digits(register):
    accounts = register.filter(pl.col("attribute") == "bank_account", pl.col("value") != "unknown")["value"]
    for text in accounts.head(200):
        digits = text.replace(" ", "")
        number = "".join(str(int(c, 36)) for c in digits[4:] + digits[:4])
        assert int(number) % 97 == 1


def test_companies_of_one_owner_share_more_than_strangers_do(world, register):
    owner = owners(world, 20240229)
    assert (owner[world.register.importer] == owner[world.register.predecessor]).all()
    people = (
        register.filter(attribute="person", party_role="importer").group_by("value").agg(pl.col("party_id").unique())
    )
    shared = people.filter(pl.col("party_id").list.len().is_between(2, 5))
    assert shared.height > 20


def _ingest(folder, *lines, limits=LIMITS):
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "mapping.toml").write_text(MAPPING)
    (folder / "files" / f"{len(list((folder / 'files').iterdir()))}.csv").write_text("\n".join([HEAD, *lines]) + "\n")
    store = Store(folder / "store")
    return store, ingest(open_source("files", [str(folder / "files" / "mapping.toml")]), store, limits)


def test_a_register_file_is_stored_by_the_day_it_came_and_corrected_by_later_versions(tmp_path):
    store, _ = _ingest(tmp_path, "R1,2024-03-01,importer,I1,person,Anna,,", "R2,2024-03-02,importer,I1,phone,+99 1,,")
    store, report = _ingest(tmp_path, "R1,2024-05-01,importer,I1,person,Anna,,2024-04-01")
    assert (report.stored, report.superseded) == (1, 1)
    assert [str(day) for day in store.rows("register")] == ["2024-03-02", "2024-05-01"]
    assert [str(day) for day in store.rows("register_superseded")] == ["2024-03-01"]
    assert (store.root / "register" / "recorded_on=2024-05-01").is_dir()


def _in_force(store):
    return {(row["attribute"], row["value"]) for row in store.scan("register").collect().iter_rows(named=True)}


def test_a_file_put_back_brings_its_entries_into_force_or_says_that_it_does_not(tmp_path):
    store, file = Store(tmp_path / "store"), tmp_path / "files" / "1.csv"

    def put(received, name):
        file.write_text(f"{HEAD}\nR1,{received},importer,I1,name,{name},,\n")
        return ingest(open_source("files", [str(tmp_path / "files" / "mapping.toml")]), store, LIMITS)

    _ingest(tmp_path, "R1,2024-03-01,importer,I1,name,Kiefer,,")
    put("2024-03-01", "Tanne")
    assert put("2024-03-01", "Kiefer").warnings == ()
    assert _in_force(store) == {("name", "Kiefer")}
    put("2024-05-01", "Tanne")
    (warning,) = put("2024-03-01", "Kiefer").warnings
    assert warning.startswith("1.csv: put_back_is_in_force: 1 rows stay as corrected")
    assert _in_force(store) == {("name", "Tanne")}


def test_blocks_that_read_one_file_do_not_correct_each_other(tmp_path):
    other = MAPPING.replace('attribute = "kind"', 'attribute = { constant = "phone" }').replace('"text"', '"company"')
    (tmp_path / "mapping.toml").write_text(MAPPING + other.replace('"entry"', """{ sql = "entry || '-phone'" }"""))
    store = Store(tmp_path / "store")
    for name, skipped in (("Kiefer", False), ("Kiefer", True), ("Tanne", False), ("Tanne", True), ("Kiefer", False)):
        (tmp_path / "1.csv").write_text(f"{HEAD}\nR1,2024-03-01,importer,I1,name,{name},,\n")
        report = ingest(open_source("files", [str(tmp_path / "mapping.toml")]), store, LIMITS)
        assert [batch.is_skipped for batch in report.batches] == [skipped, skipped]
    assert _in_force(store) == {("name", "Kiefer"), ("phone", "I1")}


def test_bad_entries_are_quarantined_with_file_row_and_column(tmp_path):
    good = [f"G{n},2024-03-01,importer,I{n},person,Anna {n},," for n in range(60)]
    store, report = _ingest(
        tmp_path,
        *good,
        "R1,2024-03-01,importer,I1,shoe size,44,,",
        "R2,2024-03-01,king,I1,person,Anna,,",
        "R3,2024-03-01,importer,I1,person,Anna,2024-05-01,2024-04-01",
    )
    assert (report.stored, report.quarantined) == (60, 3)
    rows = store.quarantine().collect().iter_rows(named=True)
    told = {row["source_line"]: (row["source_file"], row["reasons"]) for row in rows}
    assert told[62][0].endswith(".csv")
    assert told[62][1] == [
        "attribute: 'shoe size'; expected: one of address, bank_account, name, person, phone, predecessor"
    ]
    assert told[63][1][0].startswith("party_role: 'king'")
    assert "ends_at" in told[64][1][0]


def test_a_file_of_bad_entries_is_refused_whole(tmp_path):
    with pytest.raises(IngestRejected, match=r"1\.csv: quarantined_share: 2 of 2 lines"):
        _ingest(tmp_path, "R1,2024-03-01,king,I1,person,Anna,,", "R2,never,importer,I1,person,Anna,,", limits=STRICT)
    assert not Store(tmp_path / "store").exists


def _ties(day, *rows, older=()):
    facts = ties.shared(entries.read(frame("register", list(rows)).lazy(), frame("register", list(older)).lazy()))
    found = ties.ties(facts, (day - datetime(1970, 1, 1)).days)
    return {tuple(row) for row in found.group_by("value").agg(pl.col("company").sort())["company"].to_list()}


def _company(name):
    return int(node("importer", pl.Series([name]))[0])


def test_entries_tie_whoever_shares_a_value_however_it_is_written():
    rows = [{"entry_id": "R1", "value": "Zoë Marport"}, {"entry_id": "R2", "party_id": "I2", "value": "ZOE  MARPORT."}]
    tied = tuple(sorted((_company("I1"), _company("I2"))))
    assert _ties(datetime(2024, 3, 2), *rows) == {tied}
    assert _ties(datetime(2024, 3, 1), *rows) == set()


def test_a_filler_ties_nobody_and_neither_does_a_name():
    rows = [{"entry_id": "R1", "value": "N/A"}, {"entry_id": "R2", "attribute": "name", "value": "Port Ltd"}]
    assert _ties(datetime(2024, 3, 2), *rows) == set()


def test_a_predecessor_is_tied_to_its_successor():
    tied = tuple(sorted((_company("I1"), _company("I9"))))
    assert _ties(datetime(2024, 3, 2), {"attribute": "predecessor", "value": "I9"}) == {tied}


def test_an_entry_ends_when_customs_knows_that_it_ended():
    older = {"recorded_at": datetime(2024, 3, 1)}
    newer = {"recorded_at": datetime(2024, 6, 1), "ends_at": datetime(2024, 4, 1)}
    alone = {(_company("I1"),)}
    for day, expected in ((datetime(2024, 5, 1), alone), (datetime(2024, 6, 1), alone), (datetime(2024, 6, 2), set())):
        assert _ties(day, newer, older=[older]) == expected, day
