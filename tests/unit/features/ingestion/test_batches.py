"""Ingestion of Korean files through the real validation: what is stored, known, replaced, refused, and why."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.ingestion import staging
from features.ingestion.batches import IngestRejected, IngestReport, ingest
from features.reading.files import ReadError
from features.reading.source import Batch
from features.sources import open_source
from features.store.store import Store
from features.validation.limits import Limits
from tests.support.ingestion import stored, tree

GOOD = {
    "Declaration ID": "D1",
    "Date": "2020-01-01",
    "Office ID": "30",
    "Process Type": "B",
    "Import Type": "11",
    "Import Use": "21",
    "Payment Type": "11",
    "Mode of Transport": "10",
    "Declarant ID": "ZZR1LT6",
    "Importer ID": "QLRUBN9",
    "Seller ID": "0VKY2BR",
    "Courier ID": "",
    "HS6 Code": "090121",
    "Country of Departure": "BE",
    "Country of Origin": "BR",
    "Tax Rate": "8.0",
    "Tax Type": "FEU1",
    "Country of Origin Indicator": "G",
    "Net Mass": "108.0",
    "Item Price": "1000.0",
    "Fraud": "0",
    "Critical Fraud": "0",
}
LIMITS = Limits(max_quarantined_share=0.9, volume_factor=6.0, volume_history_weeks=8, volume_min_rows=20)


def declared(name: str, **changed: str) -> str:
    """A line; `Net_Mass="5"` changes the column 'Net Mass'."""
    values = GOOD | {"Declaration ID": name} | {column.replace("_", " "): text for column, text in changed.items()}
    return ",".join(values.values())


class Ingested:
    """A store, and the files put into it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "data" / "kcs")

    def add(self, name: str, *lines: str, limits: Limits = LIMITS) -> IngestReport:
        (self.folder / name).write_text("\n".join([",".join(GOOD), *lines]) + "\n")
        return ingest(open_source("kcs", [str(self.folder / name)]), self.store, limits)

    def refused(self) -> list[dict[str, Any]]:
        return self.store.quarantine().collect().to_dicts()


@pytest.fixture
def into(tmp_path: Path) -> Ingested:
    return Ingested(tmp_path)


def test_rows_are_stored_by_day_with_their_origin(into: Ingested) -> None:
    report = into.add("a.csv", declared("D2"), declared("D1"), declared("D3", Date="2020-01-02"))
    assert (report.rows_in, report.stored, report.quarantined, report.known) == (3, 3, 0, 0)
    assert into.store.days() == [date(2020, 1, 1), date(2020, 1, 2)]
    found = stored(into.store, "declarations")
    assert [(row["declaration_id"], row["source_file"], row["source_line"]) for row in found] == [
        ("D1", "a.csv", 3),
        ("D2", "a.csv", 2),
        ("D3", "a.csv", 4),
    ]
    assert into.store.rows("outcomes") == {date(2020, 1, 1): 2, date(2020, 1, 2): 1}
    assert any(result.rows == 3 for result in report.verdict.results)


def test_a_file_that_was_ingested_is_skipped_whatever_its_name(into: Ingested) -> None:
    into.add("a.csv", declared("D1"))
    before = tree(into.store.root)
    report = into.add("b.csv", declared("D1"))
    assert [batch.is_skipped for batch in report.batches] == [True]
    assert report.rows_in == 0
    assert tree(into.store.root) == before


def test_copies_inside_and_across_files_are_known(into: Ingested) -> None:
    assert into.add("a.csv", declared("D1"), declared("D1"), declared("D2")).known == 1
    report = into.add("b.csv", declared("D2"), declared("D3"))
    assert (report.stored, report.known) == (1, 1)
    assert [row["source_line"] for row in stored(into.store, "declarations")] == [2, 4, 3]


def test_a_correction_replaces_the_row_and_keeps_the_older_one(into: Ingested) -> None:
    into.add("a.csv", declared("D1"), declared("D2"))
    report = into.add("b.csv", declared("D1", Item_Price="2000.0", Date="2020-01-05"))
    assert (report.stored, report.known) == (1, 0)
    # The declaration and, because it carries the day of acceptance, its outcome.
    assert report.superseded == 2
    assert into.store.rows("declarations") == {date(2020, 1, 1): 1, date(2020, 1, 5): 1}
    older = stored(into.store, "declarations_superseded")
    assert [(row["declaration_id"], row["item_value"], row["source_file"]) for row in older] == [
        ("D1", 1000.0, "a.csv")
    ]
    assert into.store.rows("declarations_superseded") == {date(2020, 1, 1): 1}


def test_a_day_whose_last_row_moves_away_is_gone(into: Ingested) -> None:
    into.add("a.csv", declared("D1"))
    into.add("b.csv", declared("D1", Date="2020-01-05"))
    assert into.store.days() == [date(2020, 1, 5)]


def test_outcomes_may_come_later_than_their_declarations(into: Ingested) -> None:
    into.add("a.csv", declared("D1", Fraud="", Critical_Fraud=""))
    assert stored(into.store, "outcomes") == []
    report = into.add("b.csv", declared("D1", Fraud="1", Critical_Fraud="2"))
    assert (report.stored, report.known, report.superseded) == (1, 0, 0)
    assert [row["is_critical"] for row in stored(into.store, "outcomes")] == [True]


def test_lines_that_contradict_each_other_are_all_refused(into: Ingested) -> None:
    report = into.add("a.csv", declared("D1"), declared("D2"), declared("D1", Item_Price="7"))
    assert (report.stored, report.quarantined, report.in_part) == (1, 2, 2)
    assert [row["source_line"] for row in into.refused()] == [2, 4]
    assert [row["declaration_id"] for row in stored(into.store, "declarations")] == ["D2"]
    assert [row["declaration_id"] for row in stored(into.store, "outcomes")] == ["D1", "D2"]
    assert into.refused()[0]["reasons"] == [
        "declaration_id: 'D1', item 1: lines 2, 4 contradict each other in declarations"
    ]
    assert report.quarantined_by_reason == {"versions_in_one_file_agree (declaration_id)": 2}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (declared("X", Net_Mass="-5"), "net_mass_kg: -5.0; expected"),
        (declared("X", HS6_Code="90121"), "hs_code: '90121' has 5 digits; leading zeros were probably lost"),
        (declared("X", Date="01/02/2020"), "accepted_at: '01/02/2020' is not a date as 2024-02-29"),
        (declared("X", Item_Price="many"), "item_value: 'many' is not a number"),
        (declared("X", Country_of_Origin="XX"), "origin_country: 'XX'; expected"),
        (declared("X") + ",surplus", "the line has 23 fields; the header has 22"),
    ],
)
def test_a_bad_line_is_quarantined_with_its_reason_and_as_it_was_given(into: Ingested, line: str, reason: str) -> None:
    report = into.add("a.csv", declared("D1"), line)
    assert (report.stored, report.quarantined) == (1, 1)
    (refused,) = into.refused()
    assert (refused["source_file"], refused["source_line"]) == ("a.csv", 3)
    assert any(reason in text for text in refused["reasons"])
    assert len(refused["expectations"]) == len(refused["reasons"])
    given = json.loads(refused["row"])
    if "line" in given:
        assert given == {"line": line}
    else:
        assert {name: value or "" for name, value in given.items()} == dict(zip(GOOD, line.split(","), strict=True))


def test_a_line_refused_for_its_outcome_stores_its_declaration_all_the_same(into: Ingested) -> None:
    report = into.add("a.csv", declared("D1"), declared("D2", Fraud="perhaps"))
    assert (report.stored, report.quarantined, report.in_part) == (1, 1, 1)
    assert into.store.rows("declarations") == {date(2020, 1, 1): 2}
    assert [row["declaration_id"] for row in stored(into.store, "outcomes")] == ["D1"]


def test_a_line_refused_for_its_declaration_stores_its_outcome_all_the_same(into: Ingested) -> None:
    report = into.add("a.csv", declared("D1"), declared("D2", Net_Mass="-5"))
    assert (report.stored, report.quarantined, report.in_part) == (1, 1, 1)
    assert [row["declaration_id"] for row in stored(into.store, "declarations")] == ["D1"]
    assert [row["declaration_id"] for row in stored(into.store, "outcomes")] == ["D1", "D2"]


def test_of_an_outcome_with_a_refund_only_the_amount_is_refused(into: Ingested) -> None:
    report = into.add("a.csv", declared("D1"), declared("D2", Fraud="1", Critical_Fraud="1", Tax_Rate="-8"))
    assert (report.stored, report.quarantined, report.in_part) == (1, 1, 1)
    found = stored(into.store, "outcomes")
    assert [(row["is_illicit"], row["recovered_revenue"]) for row in found] == [(False, 0.0), (True, None)]
    assert "recovered_revenue: -80.0; expected: from 0" in " ".join(into.refused()[0]["reasons"])


def test_a_night_without_declarations_is_a_delivery(into: Ingested) -> None:
    for name in ("1.csv", "2.csv"):
        report = into.add(name)
        assert [(batch.record.file, batch.record.rows_in) for batch in report.batches] == [(name, 0)]
        assert not report.warnings
    assert into.add("2.csv").batches[0].is_skipped
    assert into.add("3.csv", declared("D1")).stored == 1
    assert [(batch.file, batch.rows_in) for batch in into.store.batches] == [("1.csv", 0), ("2.csv", 0), ("3.csv", 1)]


def test_many_nights_without_declarations_are_a_warning_that_stops_nothing(into: Ingested) -> None:
    warnings = [into.add(f"{night}.csv").warnings for night in range(5)]
    assert warnings[:3] == [(), (), ()]
    assert warnings[3] == (
        "3.csv: not_empty_for_long: 0 lines, in 4 deliveries in a row; "
        "allowed: up to 3 deliveries in a row without lines",
    )
    assert into.add("5.csv", declared("D1")).stored == 1
    assert not into.add("6.csv").warnings


def test_a_corrected_file_brings_what_was_refused(into: Ingested) -> None:
    into.add("a.csv", declared("D1"), declared("D2", Net_Mass="-5"))
    report = into.add("b.csv", declared("D1"), declared("D2", Net_Mass="5"))
    assert (report.stored, report.known, report.quarantined) == (1, 1, 0)


def test_a_file_put_back_as_it_was_withdraws_the_correction(into: Ingested) -> None:
    right, wrong = declared("D1"), declared("D1", Item_Price="1000000.0")
    for said, value in ((right, 1e3), (wrong, 1e6), (right, 1e3), (wrong, 1e6)):
        report = into.add("a.csv", said, declared("D2", Net_Mass="-5"))
        assert (report.stored, report.quarantined, report.warnings) == (1, 1, ())
        assert [row["item_value"] for row in stored(into.store, "declarations")] == [value]
        assert into.add("a.csv", said, declared("D2", Net_Mass="-5")).batches[0].is_skipped
    assert [row["item_value"] for row in stored(into.store, "declarations_superseded")] == [1e3, 1e6, 1e3]
    assert len(into.refused()) == sum(record.quarantined for record in into.store.batches) == 4


def test_what_a_file_said_before_under_another_name_is_known_while_both_lie_there(into: Ingested) -> None:
    into.add("today.csv", declared("D1"))
    (into.folder / "today-1.csv").write_text((into.folder / "today.csv").read_text())
    (into.folder / "today.csv").write_text("\n".join([",".join(GOOD), declared("D1", Item_Price="7.0")]) + "\n")
    for _ in range(2):
        report = ingest(open_source("kcs", [str(into.folder / "today*.csv")]), into.store, LIMITS)
        assert [row["item_value"] for row in stored(into.store, "declarations")] == [7.0]
    assert all(batch.is_skipped for batch in report.batches)


def test_a_batch_with_too_many_bad_lines_is_rejected_whole(into: Ingested) -> None:
    into.add("a.csv", declared("D1"))
    before = tree(into.store.root)
    strict = Limits(max_quarantined_share=0.05, volume_factor=6.0, volume_history_weeks=8, volume_min_rows=20)
    with pytest.raises(IngestRejected, match=r"b.csv: quarantined_share: 1 of 2 lines \(50.00 %\)") as rejection:
        into.add("b.csv", declared("D2"), declared("D3", Net_Mass="-5"), limits=strict)
    assert any(result.unexpected for result in rejection.value.rejected.results)
    assert tree(into.store.root) == before


def test_a_file_that_cannot_be_read_leaves_the_store_as_it_was(into: Ingested) -> None:
    into.add("a.csv", declared("D1"))
    before = tree(into.store.root)
    (into.folder / "b.csv").write_text("Declaration ID;Date\n")
    with pytest.raises(ReadError, match=r"b.csv line 1: the header is not delimited by ','"):
        ingest(open_source("kcs", [str(into.folder / "b.csv")]), into.store, LIMITS)
    assert tree(into.store.root) == before


def test_a_file_that_grows_while_it_is_read_is_not_stored(into: Ingested) -> None:
    path = into.folder / "a.csv"
    path.write_text("\n".join([",".join(GOOD), declared("D1")]))

    def grow() -> None:
        with path.open("a") as file:
            file.write(f"\n{declared('D2')}")

    source = open_source("kcs", [str(path)])
    with pytest.raises(ReadError, match=r"a.csv: the file changed while it was being read"):
        ingest(source, into.store, LIMITS, lambda *_: grow())
    assert not into.store.exists


def test_progress_counts_lines(into: Ingested) -> None:
    (into.folder / "a.csv").write_text("\n".join([",".join(GOOD), declared("D1"), declared("D2")]))
    heard: list[tuple[str, int]] = []
    ingest(open_source("kcs", [str(into.folder / "a.csv")]), into.store, LIMITS, lambda *said: heard.append(said))
    assert heard == [("a.csv", 2)]


def test_what_is_kept_of_a_batch_is_there_whenever_the_batch_is(tmp_path: Path) -> None:
    """Pages of batches would be lost for good if they were written at the end, and a later file stopped the run."""
    header = ",".join(GOOD)
    (tmp_path / "a.csv").write_text(f"{header}\n{declared('D1')}\n")
    (tmp_path / "b.csv").write_text("Declaration ID\nD2\n")
    store, source = Store(tmp_path / "data"), open_source("kcs", [str(tmp_path / "*.csv")])
    kept: list[tuple[str, int]] = []
    with pytest.raises(ReadError, match=r"b\.csv"):
        ingest(source, store, LIMITS, on_batch=lambda batch: kept.append((batch.record.file, len(store.batches))))
    assert kept == [("a.csv", 0)]  # before the commit, so that a crash in between repeats it
    assert [record.file for record in store.batches] == ["a.csv"]


class Folder:
    """Files of which each is gone once the next is asked for, as copies of objects are."""

    name = "kcs"

    def __init__(self, folder: Path, **files: list[str]) -> None:
        self.folder, self.files = folder, files

    def batches(self) -> Iterator[Batch]:
        for name, lines in self.files.items():
            path = self.folder / f"{name}.csv"
            path.write_text("\n".join([",".join(GOOD), *lines]) + "\n")
            yield from open_source("kcs", [str(path)]).batches()
            path.unlink()


def test_small_files_are_validated_together_and_each_has_its_own_record_and_quarantine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    judge = staging.judge
    monkeypatch.setattr(staging, "judge", lambda table, rows: asked.append(rows.height) or judge(table, rows))
    files = {f"f{n}": [declared(f"D{n}"), declared(f"E{n}", Net_Mass="-5" if n % 2 else "5")] for n in range(6)}
    files["f4"].append(declared("D4", Item_Price="7"))
    store = Store(tmp_path / "data")
    report = ingest(Folder(tmp_path, **files), store, LIMITS)
    assert asked == [13, 13]  # declarations and outcomes
    assert [batch.record.file for batch in report.batches] == [f"f{n}.csv" for n in range(6)]
    assert [batch.record.stored for batch in report.batches] == [2, 1, 2, 1, 1, 1]
    assert [batch.record.quarantined_by_reason for batch in report.batches] == [
        {},
        {"net_mass_kg_within_bounds (net_mass_kg)": 1},
        {},
        {"net_mass_kg_within_bounds (net_mass_kg)": 1},
        {"versions_in_one_file_agree (declaration_id)": 2},
        {"net_mass_kg_within_bounds (net_mass_kg)": 1},
    ]
    unexpected = [
        {result.name: [example.source_line for example in result.examples] for result in batch.verdict.results}
        for batch in report.batches
    ]
    assert [found["net_mass_kg_within_bounds"] for found in unexpected] == [[], [3], [], [3], [], [3]]
    refused = store.quarantine().sort("source_file", "source_line").collect()
    assert refused.select("source_file", "source_line").rows() == [
        ("f1.csv", 3),
        ("f3.csv", 3),
        ("f4.csv", 2),
        ("f4.csv", 4),
        ("f5.csv", 3),
    ]
    assert json.loads(refused["row"][3])["Item Price"] == "7"


def test_files_before_one_that_is_rejected_are_stored_and_those_after_it_are_not(tmp_path: Path) -> None:
    files = {"a": [declared("A")], "b": [declared("B")], "c": [declared("C", Net_Mass="-5")], "d": [declared("D")]}
    store, kept = Store(tmp_path / "data"), []
    with pytest.raises(IngestRejected, match=r"^c\.csv: quarantined_share: 1 of 1") as rejection:
        ingest(Folder(tmp_path, **files), store, LIMITS, on_batch=lambda batch: kept.append(batch.record.file))
    assert [record.file for record in store.batches] == kept == ["a.csv", "b.csv"]
    assert [batch.record.file for batch in rejection.value.report.batches] == ["a.csv", "b.csv"]
    assert sum(result.unexpected for result in rejection.value.rejected.results) == 1
    assert [row["declaration_id"] for row in stored(store, "declarations")] == ["A", "B"]
    assert store.rows("outcomes") == {date(2020, 1, 1): 2}


def test_what_is_usual_counts_files_that_are_brought_in_together(tmp_path: Path) -> None:
    weeks = [date(2020, 1, 1) + timedelta(days=7 * week) for week in range(4)]
    files = {f"w{n}": [declared(f"D{n}-{k}", Date=str(day)) for k in range(5)] for n, day in enumerate(weeks)}
    files["w3"] += [declared(f"E{k}", Date=str(weeks[3])) for k in range(20)]
    strict = Limits(max_quarantined_share=0.9, volume_factor=2.0, volume_history_weeks=3, volume_min_rows=5)
    with pytest.raises(IngestRejected, match=r"w3\.csv: volume_not_above_usual: .* has 25 rows, usual are 5\)"):
        ingest(Folder(tmp_path, **files), Store(tmp_path / "data"), strict)


def test_a_file_given_twice_is_known_the_second_time(tmp_path: Path, into: Ingested) -> None:
    into.add("a.csv", declared("D1"))
    for name in ("b.csv", "c.csv"):
        (tmp_path / name).write_text("\n".join([",".join(GOOD), declared("D2")]) + "\n")
    report = ingest(open_source("kcs", [str(tmp_path / "[bc].csv")]), into.store, LIMITS)
    assert [(batch.record.file, batch.is_skipped) for batch in report.batches] == [("b.csv", False), ("b.csv", True)]
