"""`tidewaiter trace` where little is kept, and what it refuses; the tests of the window have a model, too."""

import json

import msgspec
import pytest
from typer.testing import CliRunner

from flows.commands import cli
from flows.servers import embedded
from flows.settings import Settings
from models.decisions.record import Reason
from models.trace import Night
from tests.support import desks
from tests.support.desks import ANA


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embedded, "use", lambda settings: settings)
    return Settings()


@pytest.fixture
def world(settings, tmp_path):
    """A desk where an installation keeps it, with one decision by a model of which nothing is kept, and one by none."""
    settings.window_folder.mkdir(parents=True)
    made = desks.world(tmp_path, uri=settings.decisions_uri)
    first = desks.placed(1, "red")
    items = tuple(
        msgspec.structs.replace(item, reasons=(Reason("importer", 0.3, "raises", "neu\u202f\x1b[2Jal"),))
        for item in first.items
    )
    unasked = {"model_version": "", "model_digest": "", "unscored": "no model is in force", "feature_names": ""}
    second = desks.placed(2, "green", **unasked, features=(), morning="", caller="a\nb")
    made.decide(msgspec.structs.replace(first, items=items), second)
    made.desk.cases.follow(made.log)
    return made


def tell(*arguments):
    result = CliRunner().invoke(cli.app, ("trace", *arguments), catch_exceptions=False)
    return result.exit_code, result.stdout + result.stderr


def test_what_cannot_be_checked_is_said_to_be_so_and_has_an_exit_code_of_its_own(world):
    world.close(ANA, 1, kind="origin", item_number=1, revenue=200.0, words="made elsewhere")
    code, said = tell("D1")
    assert code == 5
    lines = said.splitlines()
    assert lines[0] == "Declaration D1, version 1: red, by the window, decision 20240502-0000000000000001"
    assert "  Item 1: red, reason value, chance 0.25" in lines
    assert "    1. raises the score (+0.300): neu\u202f\\x1b[2Jal" in lines
    assert "  Model version 3, digest " + "b" * 64 in lines
    assert "Case 1 at the desk, look 1; no chain holds what the desk has written down" in lines
    assert any("by ana: origin, item 1, recovered 200.0, made elsewhere" in line for line in lines)
    assert any(line.endswith("ana: released") for line in lines)
    unchecked = [line.split()[2] for line in lines if line.startswith("    not checked")]
    names = [
        "seal:",
        "ledger:",
        "promotion:",
        "evidence:",
        "model:",
        "files:",
        "data:",
        "code:",
        "replay:",
        "features:",
    ]
    assert unchecked == names
    assert [line.split()[1] for line in lines if line.startswith("    held")] == ["chain:"]
    assert lines[-1] == "No link is broken; 10 of 11 could not be checked here, which does not count as held."
    assert "the log has no document" in said


def test_what_was_decided_without_a_model_has_no_links_of_one(world, tmp_path):
    code, said = tell("D2", "--json")
    assert code == 5
    (found,) = json.loads(said)["decisions"]
    assert (found["model"], found["unscored"]) == (None, "no model is in force")
    assert [link["name"] for link in found["links"]] == ["chain", "seal", "ledger", "replay"]
    assert "  No model was asked: no model is in force" in tell("D2")[1]
    assert "asked by a\\nb" in tell("D2")[1]
    assert not list(tmp_path.rglob("mlflow.db"))


def test_one_item_is_told_alone(world):
    code, said = tell("D1", "2")
    assert code == 5
    assert "Item 2: green" in said
    assert "Item 1:" not in said
    code, said = tell("D1", "7")
    assert (code, said) == (1, "declaration D1 has no item 7; allowed: 1, 2\n")


def test_a_broken_link_ends_with_1_and_is_named(world):
    with world.log._tables.writing() as connection:
        connection.exec_driver_sql("UPDATE decisions SET office = '999' WHERE number = 1")
    code, said = tell("D1")
    assert code == 1
    assert "    BROKEN      chain: " in said
    assert "decision 1 is filed as something that it does not say" in said
    assert said.splitlines()[-1] == "1 of 11 links broken, 10 not checked."
    assert json.loads(tell("D1", "--json")[1])["state"] == "broken"


def test_where_nothing_was_decided_it_is_said(settings, tmp_path):
    assert tell("D9") == (1, "nothing was ever decided about declaration 'D9'\n")
    assert not list(tmp_path.rglob("*.db"))


@pytest.mark.parametrize("arguments", [(), ("D1", "--company", "I1"), ("--file", "a.csv", "--outcome", "D1")])
def test_one_thing_is_asked_about(settings, arguments):
    code, said = tell(*arguments)
    assert code == 2
    assert "allowed: one of DECLARATION, --file, --company, --outcome" in " ".join(said.split())


def test_what_a_company_touched_is_listed(world, settings):
    kept = Night.of(settings.places, "simulator")
    night = desks.Night(kept.selections, kept.store)
    desks.store(night, ("N1", 1), ("N2", 1), importer_id="I-7")
    desks.select(night, ("N1", 1, "blue"), ("N2", 1, "green"))
    code, said = tell("--company", "I-7")
    assert code == 0
    assert "N1" in said
    assert said.splitlines()[-1] == "Decisions about items that were touched: 2"
    code, said = tell("--company", "I-7", "--json")
    assert [(each["declaration_id"], each["how"]) for each in json.loads(said)] == [
        ("N1", "importer_id"),
        ("N2", "importer_id"),
    ]
    code, said = tell("--file", "lost.csv")
    assert (code, "has nothing of a file 'lost.csv'" in said) == (1, True)
    code, said = tell("--outcome", "N1")
    assert (code, "has no outcome of declaration 'N1'" in said) == (1, True)
