"""The company register: simulated, ingested like any table, refused where it is wrong, and what it ties together."""

from datetime import datetime

import polars as pl
import pytest

from features.contract import schema
from features.ingestion.batches import IngestRejected, ingest
from features.network import entries, ties
from features.network.links import node
from features.simulator import Parameters, simulate
from features.simulator.register import entries as simulated_entries
from features.simulator.register import owners
from features.sources import open_source
from features.store.store import Store
from features.validation.rows import validate
from tests.support.declarations import frame
from tests.support.ingestion import LIMITS

STRICT = LIMITS.model_copy(update={"max_quarantined_share": 0.05})
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


def test_an_address_under_the_reference_of_a_name_deletes_nothing(tmp_path):
    names = "R1,2024-03-01,importer,I1,name,Kiefer,,", "R1,2024-03-01,importer,I2,person,Anna,,"
    _ingest(tmp_path, *names, "R1,2024-03-01,importer,I1,person,Anna,,")
    store, report = _ingest(
        tmp_path, "R1,2024-05-01,importer,I1,address,Ulm,,", "R1,2024-05-01,importer,I1,name,Tanne,,"
    )
    assert (report.stored, report.superseded) == (2, 1)
    assert _in_force(store) == {("name", "Tanne"), ("person", "Anna"), ("address", "Ulm")}
    told = entries.read(store.scan("register"), store.scan("register_superseded")).sort(
        "enter", "attribute", "party_id"
    )
    assert told.select("party_id", "attribute", "value", pl.col("leave") - pl.col("enter")).rows() == [
        ("I1", "name", "Kiefer", 61),
        ("I1", "person", "Anna", None),
        ("I2", "person", "Anna", None),
        ("I1", "address", "Ulm", None),
        ("I1", "name", "Tanne", None),
    ]


def test_two_values_of_one_attribute_in_one_entry_are_refused_both(tmp_path):
    lines = [f"R1,2024-03-01,importer,I1,person,{name},," for name in ("Anna", "Boris")]
    store, report = _ingest(tmp_path, *lines, "R2,2024-03-01,importer,I1,person,Clara,,")
    assert (report.stored, report.quarantined) == (1, 2)
    (reasons, _) = store.quarantine().collect()["reasons"].to_list()
    assert list(reasons) == [
        "entry_id: 'R1', party_role importer, party_id I1, attribute person: "
        "lines 2, 3 contradict each other in register"
    ]


def test_what_an_older_store_lost_is_in_force_again():
    """There an address had replaced a name, as another version of one entry."""
    name = {"attribute": "name", "value": "Kiefer", "recorded_at": datetime(2024, 3, 1)}
    address = {"attribute": "address", "value": "Ulm", "recorded_at": datetime(2024, 5, 1)}
    told = entries.read(frame("register", [address]).lazy(), frame("register", [name]).lazy())
    assert told.select("attribute", "leave").sort("attribute").rows() == [("address", None), ("name", None)]


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
        "attribute: 'shoe size'; expected: one of address, bank_account, name, owner, parent, person, phone, "
        "predecessor, share"
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


def test_subsidiaries_are_tied_to_their_parent_and_to_each_other():
    told = [{"entry_id": f"R{n}", "party_id": f"I{n}", "attribute": "parent", "value": "I9"} for n in (1, 2)]
    assert _ties(datetime(2024, 3, 2), *told) == {tuple(sorted(_company(f"I{n}") for n in (1, 2, 9)))}


def test_an_owner_of_one_company_and_a_director_of_another_are_one_person():
    owner = {"entry_id": "R1", "attribute": "owner", "value": "Anna Marport"}
    director = {"entry_id": "R2", "party_id": "I2", "attribute": "person", "value": "ANNA MARPORT"}
    assert _ties(datetime(2024, 3, 2), owner, director) == {tuple(sorted(_company(f"I{n}") for n in (1, 2)))}


@pytest.mark.parametrize(("share", "ties"), [("100", 1), ("25", 1), ("25-50", 1), ("24.9", 0), ("0-25", 0), ("0", 0)])
@pytest.mark.parametrize("attribute", ["owner", "parent"])
def test_whoever_holds_less_than_a_quarter_ties_nobody(attribute, share, ties):
    rows = [{"attribute": attribute, "value": "P1"}, {"attribute": "share", "value": share}]
    assert len(_ties(datetime(2024, 3, 2), *rows)) == ties
    other = [rows[0], rows[1] | {"entry_id": "R2"}], [rows[0], rows[1] | {"party_id": "I2"}]
    assert all(len(_ties(datetime(2024, 3, 2), *told)) == 1 for told in other)


def test_a_share_counts_from_the_day_after_it_is_known_until_another_is():
    owner = {"attribute": "owner", "value": "Anna", "ends_at": datetime(2024, 9, 1)}
    small, large = ({"attribute": "share", "value": share} for share in ("10", "60"))
    older, newer = small | {"recorded_at": datetime(2024, 4, 1)}, large | {"recorded_at": datetime(2024, 6, 1)}
    expected = {(3, 1): 0, (3, 2): 1, (4, 1): 1, (4, 2): 0, (6, 1): 0, (6, 2): 1, (8, 31): 1, (9, 1): 0}
    for day, tied in expected.items():
        assert len(_ties(datetime(2024, *day), owner, newer, older=[older])) == tied, day
    for day in ((3, 2), (4, 1)):  # what comes later changes nothing
        assert len(_ties(datetime(2024, *day), owner)) == 1
    before = entries.read(frame("register", [owner]).lazy(), frame("register", []).lazy())
    assert before["enter"].to_list() == [19784]


def test_an_entry_ends_when_customs_knows_that_it_ended():
    older = {"recorded_at": datetime(2024, 3, 1)}
    newer = {"recorded_at": datetime(2024, 6, 1), "ends_at": datetime(2024, 4, 1)}
    alone = {(_company("I1"),)}
    for day, expected in ((datetime(2024, 5, 1), alone), (datetime(2024, 6, 1), alone), (datetime(2024, 6, 2), set())):
        assert _ties(day, newer, older=[older]) == expected, day


GLEIF = """
[[files]]
pattern = "relationships.csv"
leave_out = { sql = "TYPE NOT IN ('IS_DIRECTLY_CONSOLIDATED_BY', 'IS_ULTIMATELY_CONSOLIDATED_BY')" }
[files.register]
entry_id = { sql = "START || '-' || TYPE" }
recorded_at = "UPDATED"
party_role = { constant = "importer" }
party_id = "START"
attribute = { constant = "parent" }
value = "END"
"""
CONTROL = """
[[files]]
pattern = "control.jsonl"
leave_out = { sql = "STARTS_WITH(\\"data.kind\\", 'individual') = FALSE" }
[files.register]
entry_id = { sql = "RIGHT(\\"data.links.self\\", 64)" }
recorded_at = "data.notified_on"
party_role = { constant = "importer" }
party_id = "company_number"
attribute = { constant = "owner" }
value = "data.name"
"""
SHARE = CONTROL.replace('"owner"', '"share"').replace(
    'value = "data.name"',
    """
[files.register.value]
column = "data.natures_of_control"
codes = { '["ownership-of-shares-50-to-75-percent"]' = "50-75" }
""",
)


def test_parents_and_owners_of_public_registers_are_read(tmp_path):
    (tmp_path / "mapping.toml").write_text(GLEIF + CONTROL + SHARE)
    lines = ["START,TYPE,END,UPDATED", "5493A,IS_DIRECTLY_CONSOLIDATED_BY,5493B,2024-03-01"]
    (tmp_path / "relationships.csv").write_text("\n".join([*lines, "5493A,IS_FUND-MANAGED_BY,5493C,2024-03-01", ""]))
    (tmp_path / "control.jsonl").write_text(
        '{"company_number":"09145694","data":{"kind":"individual-person-with-significant-control","links":'
        '{"self":"/company/09145694/persons-with-significant-control/individual/bIhuKnM"},"name":"Anna Marport",'
        '"natures_of_control":["ownership-of-shares-50-to-75-percent"],"notified_on":"2016-04-06"}}\n'
    )
    store = Store(tmp_path / "store")
    ingest(open_source("files", [str(tmp_path / "mapping.toml")]), store, LIMITS)
    assert store.quarantine().collect()["reasons"].to_list() == []
    assert _in_force(store) == {("parent", "5493B"), ("owner", "Anna Marport"), ("share", "50-75")}
    told = entries.read(store.scan("register"), store.scan("register_superseded"))
    assert told["attribute"].sort().to_list() == ["owner", "parent"]
