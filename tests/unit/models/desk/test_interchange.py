"""Cases go to another case system, and what is found there comes back, all of a file or nothing."""

import json

import pytest

from features.presentation import spreadsheet
from features.reading import ReadError
from models.desk import Refused, interchange
from models.desk.interchange import FileRefused
from models.policy import Desk as Rules
from tests.support import desks
from tests.support.desks import ANA, ELSEWHERE, NOON, SUE, placed


@pytest.fixture
def cases(world):
    world.decide(placed(1, lanes=("red", "blue")), placed(2, "yellow"), placed(3, "red", office="020"))
    world.desk.cases.follow(world.log)
    return {case.declaration_id: case.number for case in world.every()}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "findings.csv"


HEADER = "key,declaration_id,officer,found_at,item_number,kind,words,is_critical,value,revenue,net_mass_kg\n"


def test_cases_are_written_as_a_table_and_as_json_lines(world, cases, tmp_path):
    table, lines = tmp_path / "cases.csv", tmp_path / "cases.jsonl"
    assert interchange.write_cases(world.desk, SUE, table) == interchange.write_cases(world.desk, SUE, lines) == 3
    rows = spreadsheet.read(table)
    assert rows["declaration_id"].to_list() == ["D2", "D1", "D3"]
    assert rows["items"].to_list() == ["1 yellow", "1 red; 2 blue", "1 red"]
    assert rows["case"].to_list() == [str(cases[name]) for name in ("D2", "D1", "D3")]
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert told[1]["items"] == [{"item_number": 1, "lane": "red"}, {"item_number": 2, "lane": "blue"}]
    assert told[0]["due_at"] == rows["due_at"][0] == "2024-05-02T13:00:02+09:00"
    for text in (table.read_text(), lines.read_text()):
        assert "score" not in text
        assert "random" not in text
    with pytest.raises(Refused, match=r"cases\.txt: the name ends with '\.txt'; allowed: \.csv, \.jsonl"):
        interchange.write_cases(world.desk, SUE, tmp_path / "cases.txt")
    with pytest.raises(Refused, match="ana is no supervisor"):
        interchange.write_cases(world.desk, ANA, table)


def test_no_cases_are_a_table_without_rows(world, tmp_path):
    assert interchange.write_cases(world.desk, SUE, tmp_path / "cases.csv") == 0
    assert spreadsheet.read(tmp_path / "cases.csv").height == 0


def test_findings_of_another_system_count_and_close_their_cases_once(world, cases, file):
    file.write_text(
        HEADER
        + "a,D1,fay,2024-05-02T11:30,1,origin,made elsewhere,true,1000,250.5,12\n"
        + "b,D1,fay,2024-05-02T11:35,2,,,,,,\n"
        + "c,D3,gus,2024-05-02T02:00Z,1,documents,,,,,\n"
    )
    filed = interchange.read_findings(world.desk, SUE, file)
    assert [(each.officer, each.conflict, each.finding.key) for each in filed] == [
        ("fay", "", "a"),
        ("fay", "", "b"),
        ("gus", "", "c"),
    ]
    first = filed[0].finding
    assert (first.revenue, first.value, first.net_mass_kg, first.is_critical) == (250.5, 1000.0, 12.0, True)
    assert first.found_at == NOON.replace(hour=11, minute=30)
    assert [case.declaration_id for case in world.every()] == ["D2"]
    opened = world.desk.looking.open(SUE, cases["D1"])
    assert (opened.case.closed_by, opened.case.ending) == ("fay", "released")
    assert [(event.actor, event.action, event.words) for event in opened.history[1:4]] == [
        ("fay", "found", "origin, brought in by sue"),
        ("fay", "found", "nothing, brought in by sue"),
        ("fay", "released", "brought in by sue"),
    ]
    assert interchange.read_findings(world.desk, SUE, file) == filed


@pytest.fixture
def twice(tmp_path):
    world = desks.world(tmp_path, Rules(second_look_share=0.5))
    yield world
    world.desk.close()
    world.log.close()


def test_what_another_system_finds_is_about_the_first_look(twice, file):
    for number in twice.declare(*["yellow"] * 8):
        twice.close(ANA, number)
    again = twice.every()[0]
    file.write_text(HEADER + f"a,{again.declaration_id},fay,2024-05-02T11:30,1,origin,,,,,\n")
    (filed,) = interchange.read_findings(twice.desk, SUE, file)
    assert filed.conflict == "ana has closed the case"
    assert filed.finding.case < again.number


def test_json_lines_come_in_too_and_a_case_in_hand_here_is_a_conflict(world, cases, tmp_path):
    file = tmp_path / "findings.jsonl"
    file.write_text(json.dumps({"key": "a", "declaration_id": "D2", "officer": "fay", "found_at": "2024-05-02"}) + "\n")
    world.desk.queue.take(ANA, cases["D2"])
    (filed,) = interchange.read_findings(world.desk, SUE, file)
    assert filed.conflict == "ana has the case in hand"
    assert "D2" in {case.declaration_id for case in world.every()}


def test_every_fault_is_named_and_nothing_comes_in(world, cases, file):
    file.write_text(
        HEADER
        + "a,D1,fay,2024-05-02T11:30,1,origin,,,,,\n"
        + "b,D9,fay,2024-05-02T11:30,1,origin,,,,,\n"
        + ",D1,fay,2024-05-02T11:30,1,origin,,,,,\n"
        + "d,D1,fay,yesterday,1,origin,,,,,\n"
        + "e,D1,fay,2024-05-02T11:30,7,origin,,,,,\n"
        + "f,D1,fay,2024-05-02T11:30,1,smuggling,,,,,\n"
        + "g,D1,fay,2024-05-02T11:30,1,origin,,perhaps,,,\n"
        + 'h,D1,fay,2024-05-02T11:30,1,origin,,,,"1.000,5",\n'
        + "i,D1,fay,2024-05-02T11:30,1,origin,,,,,-3\n"
    )
    with pytest.raises(
        FileRefused, match=r"findings\.csv: line 3, declaration_id: 'D9'; allowed: a declaration"
    ) as refused:
        interchange.read_findings(world.desk, SUE, file)
    faults = [(fault.line, fault.column, fault.value) for fault in refused.value.faults]
    assert faults == [
        (3, "declaration_id", "D9"),
        (4, "key", ""),
        (5, "found_at", "yesterday"),
        (6, "item_number", "7"),
        (7, "kind", "smuggling"),
        (8, "is_critical", "perhaps"),
        (9, "revenue", "1.000,5"),
        (10, "net_mass_kg", "-3.0"),
    ]
    assert all(fault.allowed for fault in refused.value.faults)
    assert world.desk.looking.open(SUE, cases["D1"]).findings == ()


def test_a_file_that_lacks_or_adds_a_column_is_refused(world, cases, file):
    file.write_text("key,officer\na,fay\n")
    with pytest.raises(ReadError, match="column 'declaration_id', 'found_at' missing"):
        interchange.read_findings(world.desk, SUE, file)
    file.write_text(HEADER.replace("words", "wrods") + "a,D1,fay,2024-05-02T11:30,1,origin,,,,,\n")
    with pytest.raises(FileRefused, match="line 1, wrods: 'wrods'; allowed: the columns key, declaration_id"):
        interchange.read_findings(world.desk, SUE, file)
    for other in (ANA, ELSEWHERE):
        with pytest.raises(Refused, match="is no supervisor"):
            interchange.read_findings(world.desk, other, file)
