"""What officers found goes to the night as outcomes, each once, and comes into data/ by ordinary ingestion."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from features.contract import schema
from models import policy
from models.desk import exports
from models.detection import looks
from models.places import Places
from models.policy import Desk as Rules
from models.workspace import Workspace
from tests.support import desks
from tests.support.desks import ANA, BEN, NOON, SUE, placed

MIDNIGHT = NOON + timedelta(hours=12)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "decided"


def test_what_is_found_in_the_afternoon_is_an_outcome_that_night(world, folder):
    one, two = world.declare("red", "yellow")
    world.clock.wait(hours=2)
    world.close(ANA, one, item_number=1, kind="prohibited_goods", is_critical=True, revenue=50.0)
    world.close(BEN, two)
    path = exports.hand_over(world.desk.shared.tables, folder, MIDNIGHT)
    assert path.name == "outcomes-000000002.parquet"
    rows = pl.read_parquet(path)
    assert rows.schema == schema("outcomes")
    assert rows.to_dicts() == [
        {
            "declaration_id": name,
            "item_number": 1,
            "accepted_at": datetime(2024, 5, 2, 9),
            "is_inspected": True,
            "is_illicit": is_hit,
            "is_critical": is_hit,
            "recovered_revenue": revenue,
            "inspection_channel": lane,
            "selection_probability": probability,
            "known_at": datetime(2024, 5, 2, 14),
        }
        for name, is_hit, revenue, lane, probability in (
            ("D1", True, 50.0, "red", 1 / 4),
            ("D2", False, 0.0, "yellow", 1 / 5),
        )
    ]
    assert exports.hand_over(world.desk.shared.tables, folder, MIDNIGHT) is None


def test_what_is_known_later_waits_for_the_next_night(world, folder):
    one, two = world.declare("red", "red")
    world.close(ANA, one)
    world.clock.wait(hours=12)
    world.close(ANA, two)
    assert exports.hand_over(world.desk.shared.tables, folder, NOON) is None
    assert not folder.exists()
    first = exports.hand_over(world.desk.shared.tables, folder, MIDNIGHT)
    assert pl.read_parquet(first)["declaration_id"].to_list() == ["D1"]
    second = exports.hand_over(world.desk.shared.tables, folder, MIDNIGHT + timedelta(days=1))
    assert pl.read_parquet(second)["declaration_id"].to_list() == ["D2"]
    assert second.name == "outcomes-000000002.parquet"


def test_outcomes_are_stored_and_an_appeal_replaces_them(world, tmp_path):
    ours = policy.load()
    workspace = Workspace(Places(tmp_path / "data", tmp_path / "state", tmp_path / "signoff", "", ""), ours, "files")
    folder = workspace.places.decided_days("files")
    world.decide(placed(1, lanes=("red", "yellow")))
    world.desk.cases.follow(world.log)
    number = world.every()[0].number
    finding = world.finding(number, item_number=1, kind="origin", revenue=70.0)
    world.desk.queue.take(ANA, number)
    world.desk.findings.add(ANA, finding)
    world.desk.findings.add(ANA, world.finding(number, item_number=2))
    world.desk.endings.release(ANA, number)
    exports.hand_over(world.desk.shared.tables, folder, MIDNIGHT)
    told = []
    report = workspace.take_in(told.append)
    assert (report.rows_in, report.quarantined) == (2, 0)
    stored = workspace.store.scan("outcomes").collect().sort("item_number")
    assert stored["is_illicit"].to_list() == [True, False]
    assert stored["inspection_channel"].to_list() == ["red", "yellow"]

    world.clock.wait(days=3)
    world.desk.findings.add(SUE, world.finding(number, item_number=1, replaces=finding.key))
    exports.hand_over(world.desk.shared.tables, folder, MIDNIGHT + timedelta(days=3))
    report = workspace.take_in(told.append)
    assert report.quarantined == 0
    stored = workspace.store.scan("outcomes").collect().sort("item_number")
    assert stored["is_illicit"].to_list() == [False, False]
    assert stored["recovered_revenue"].to_list() == [0.0, 0.0]
    before = workspace.store.scan("outcomes_superseded").collect()
    assert before["recovered_revenue"].to_list() == [70.0]


def test_a_file_that_is_lost_is_written_again_in_whole(world, folder):
    for number in world.declare("red", "red"):
        world.close(ANA, number)
        exports.hand_over(world.desk.shared.tables, folder, MIDNIGHT)
    first, second = sorted(folder.iterdir())
    whole = pl.concat([pl.read_parquet(first), pl.read_parquet(second)])
    for path in (first, second):
        path.unlink()
    assert pl.read_parquet(exports.hand_over(world.desk.shared.tables, folder, MIDNIGHT)).equals(whole)


def test_what_two_people_judged_is_handed_over_once_a_day(tmp_path):
    world = desks.world(tmp_path, Rules(second_look_share=0.5))
    tables, folder = world.desk.shared.tables, tmp_path / "decided"
    numbers = world.declare(*["yellow"] * 12)
    first = {case.declaration_id: case.number for case in world.every()}
    for number in numbers[::2]:
        world.close(ANA, number, item_number=1, kind="origin")
    for number in numbers[1::2]:
        world.close(ANA, number)
    world.clock.wait(hours=1)
    cases = world.every()
    looked = {case.declaration_id: first[case.declaration_id] in numbers[::2] for case in cases}
    assert {looked[case.declaration_id] for case in cases[:-1]} == {True, False}  # the draw brought both sorts back
    for case in cases[:-1]:
        world.close(BEN, case.number, item_number=1, kind="quantity")
    path = exports.hand_over_second_looks(tables, folder, MIDNIGHT)
    assert path.name == "second-looks-2024-05-03.parquet"
    assert pl.read_parquet(path).to_dicts() == [
        {
            "declaration_id": case.declaration_id,
            "item_number": 1,
            "office": "010",
            "lane": "yellow",
            "first_kinds": "origin" if looked[case.declaration_id] else "",
            "second_kinds": "quantity",
            "counts": None,
            "known_at": datetime(2024, 5, 2, 13),
        }
        for case in cases[:-1]
    ]
    assert exports.hand_over_second_looks(tables, folder, MIDNIGHT) is None

    world.clock.wait(hours=20)
    missed = next(case for case in cases[:-1] if not looked[case.declaration_id])
    world.desk.findings.settle(SUE, first[missed.declaration_id], "the goods were as declared")
    world.close(BEN, cases[-1].number)
    exports.hand_over_second_looks(tables, folder, MIDNIGHT + timedelta(days=1))
    exports.hand_over_second_looks(tables, folder, MIDNIGHT + timedelta(days=2))
    every = looks.handed_over(folder)
    assert every.height == len(cases) + 1
    new = every.filter(pl.col("known_at") > datetime(2024, 5, 3)).sort("second_kinds")
    assert new["declaration_id"].to_list() == [cases[-1].declaration_id, missed.declaration_id]
    assert new["counts"].to_list() == [None, 1]

    for path in folder.iterdir():  # lost, and so all is handed over again, which data/ has already
        path.unlink()
    ours = Workspace(Places(tmp_path / "data", tmp_path, tmp_path, "", ""), policy.load(), "files")
    ours.second_looks.append(every)
    exports.hand_over_second_looks(tables, folder, MIDNIGHT + timedelta(days=2))
    ours.second_looks.append(looks.handed_over(folder))
    assert ours.second_looks.read().equals(every)


def test_a_day_without_second_looks_is_not_asked_for_again(world, folder):
    path = exports.hand_over_second_looks(world.desk.shared.tables, folder, MIDNIGHT)
    assert pl.read_parquet(path).is_empty()
    assert exports.hand_over_second_looks(world.desk.shared.tables, folder, MIDNIGHT) is None
