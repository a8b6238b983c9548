"""Cases go to another case system and findings come back, from the terminal."""

import json
import os
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from flows.commands import cli
from flows.servers import embedded
from flows.settings import Settings
from models.desk import Night, Officer
from tests.support import desks

HEADER = "key,declaration_id,officer,found_at,item_number,kind\n"


@pytest.fixture
def world(tmp_path):
    """A desk where an installation keeps it, with cases at two offices, that nobody has followed yet."""
    settings = Settings(state_folder=tmp_path / "state", data_folder=tmp_path / "data")
    settings.window_folder.mkdir(parents=True)
    made = desks.world(tmp_path, uri=settings.decisions_uri)
    made.decide(desks.placed(1, "red"), desks.placed(2, "yellow"), desks.placed(3, "red", office="020"))
    return made


@pytest.fixture
def tell(tmp_path):
    """Run a command on that installation, and return its exit code and what it said."""

    def run(*arguments):
        own = {"STATE_FOLDER": str(tmp_path / "state"), "DATA_FOLDER": str(tmp_path / "data")}
        environment = {f"TIDEWAITER_{name}": value for name, value in own.items()} | {"COLUMNS": "250"}
        with patch.dict(os.environ, environment), patch.object(embedded, "use", lambda settings: settings):
            result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
        return result.exit_code, result.stdout + result.stderr

    return run


def test_open_cases_of_the_offices_asked_for_are_written(world, tell, tmp_path):
    code, said = tell("desk", "export", str(tmp_path / "cases.jsonl"), "--office", "010")
    assert (code, "2 open cases are in" in said) == (0, True), said
    told = [json.loads(line) for line in (tmp_path / "cases.jsonl").read_text().splitlines()]
    assert {each["declaration_id"] for each in told} == {"D1", "D2"}
    code, said = tell("desk", "export", str(tmp_path / "cases.csv"), "--office", "010", "--office", "020")
    assert (code, "3 open cases are in" in said) == (0, True), said


def test_what_the_night_selected_of_the_windows_source_is_written_too(world, tell, tmp_path, monkeypatch):
    night = Night.of(Settings(data_folder=tmp_path / "data").places, "simulator")
    desks.store(night, ("N1", 1), ("N2", 1))
    desks.select(night, ("N1", 1, "blue"), ("N2", 1, "green"), at=datetime.now(UTC))
    monkeypatch.setenv("TIDEWAITER_WINDOW_SOURCE", "simulator")
    code, said = tell("desk", "export", str(tmp_path / "cases.csv"), "--office", "010")
    assert (code, "3 open cases are in" in said) == (0, True), said


def test_findings_of_another_system_are_filed_and_close_their_cases(world, tell, tmp_path):
    file = tmp_path / "findings.csv"
    file.write_text(f"{HEADER}a,D1,fay,2024-05-02T11:30Z,1,origin\n")
    code, said = tell("desk", "import", str(file), "--office", "010")
    assert (code, "1 findings are filed, 0 of which came too late" in said) == (0, True), said
    everywhere = Officer("sue", ("010", "020"), is_supervisor=True)
    assert world.desk.looking.open(everywhere, 1).case.ending == "released"
    # By chance D1 is to be judged a second time, which is another case.
    assert {case.declaration_id for case in world.desk.queue.page(everywhere) if case.number <= 3} == {"D2", "D3"}
    assert tell("desk", "import", str(file), "--office", "010")[0] == 0  # the same again changes nothing


@pytest.mark.parametrize(
    ("line", "office", "told"),
    [
        ("a,D9,fay,2024-05-02T11:30Z,1,origin", "010", "line 3, declaration_id: 'D9'"),
        ("a,D3,fay,2024-05-02T11:30Z,1,origin", "010", "line 3, declaration_id: 'D3'"),
        ("a,D1,fay,noon,1,origin", "010", "line 3, found_at: 'noon'"),
        ("a,D1,fay,2024-05-02T11:30Z,7,origin", "010", "line 3, item_number: '7'"),
    ],
)
def test_a_file_that_cannot_be_comes_in_not_at_all_and_says_why(world, tell, tmp_path, line, office, told):
    file = tmp_path / "findings.csv"
    file.write_text(f"{HEADER}b,D2,fay,2024-05-02T11:30Z,1,documents\n{line}\n")
    code, said = tell("desk", "import", str(file), "--office", office)
    assert (code, told in said) == (1, True), said
    assert len(world.desk.queue.page(Officer("sue", ("010", "020"), is_supervisor=True))) == 3


def test_a_file_of_another_kind_is_refused(world, tell, tmp_path):
    code, said = tell("desk", "export", str(tmp_path / "cases.txt"), "--office", "010")
    assert (code, "allowed: .csv, .jsonl" in said) == (1, True), said
