"""Previews of criteria from the terminal, and what is said where there is nothing; tests/integration has a server."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from typer.testing import CliRunner

from features.ingestion import ingest
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource, write
from flows.commands import cli, terminal
from flows.servers import embedded
from models import policy
from models.places import Places
from models.targeting.selection_log import SCHEMA
from models.workspace import Workspace

FILE = """
name = "watched"
lane = "red"
places = 1
begins_on = 2024-05-02
ends_on = 2024-05-16

[[conditions]]
column = "importer_id"
operator = "in"
values = ["IMPORTER"]
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Return a small world, of which the importer with the most declarations is to be watched."""
    folder = tmp_path_factory.mktemp("world")
    places = Places(folder / "data", folder / "state", folder / "signoff", "", "")
    workspace = Workspace(places, policy.load(), "simulator")
    source = SimulatorSource(Parameters(rows=3000, months=4, seed=4), folder / "simulated")
    write(source)
    ingest(source, workspace.store, workspace.policy.ingestion)
    return workspace


@pytest.fixture
def declared(stored):
    last = stored.store.days()[-1]
    return stored.store.scan("declarations", last - timedelta(days=55), last).collect()


@pytest.fixture
def watched(declared):
    return declared["importer_id"].value_counts(sort=True)["importer_id"][0]


@pytest.fixture
def run(tmp_path, monkeypatch, stored, watched):
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "TIDEWAITER_MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIDEWAITER_DATA_FOLDER", str(stored.places.data))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(embedded, "use", lambda settings: settings)
    (tmp_path / "watched.toml").write_text(FILE.replace("IMPORTER", watched))
    return lambda *arguments: CliRunner().invoke(cli.app, arguments)


def test_a_preview_says_how_many_meet_it_where_and_what_was_found(run, declared, watched):
    result = run("criteria", "preview", "watched.toml")
    assert result.exit_code == 0, result.output
    theirs = declared.filter(importer_id=watched)
    assert f"{theirs.height:,} of {declared.height:,} declared items from " in result.output
    for office, rows in theirs.group_by("office"):
        line = next(line for line in result.output.splitlines() if f" {office[0]} " in line)
        assert f" {rows.height} " in line
    assert "What it would displace is unknown: no selection of these weeks is known." in result.output


def test_as_json_it_is_the_record_of_so_many_weeks_with_what_it_would_displace(run, stored, declared, watched):
    last = stored.store.days()[-1]
    week = declared.filter(pl.col("accepted_at").dt.date() > last - timedelta(days=7))
    chosen = week.select("declaration_id", "item_number", "office", accepted_on=pl.col("accepted_at").dt.date())
    is_theirs = pl.Series(week["importer_id"] == watched)
    chosen = chosen.with_columns(
        lane=pl.when(is_theirs).then(pl.lit("green")).otherwise(pl.lit("red")),
        reason=pl.when(is_theirs).then(pl.lit("none")).otherwise(pl.lit("value")),
        priority=pl.int_range(pl.len()).cast(pl.Float64),
        selected_at=pl.lit(datetime(2024, 1, 1, tzinfo=UTC)),
    )
    empty = [pl.lit(None, SCHEMA[name]).alias(name) for name in SCHEMA if name not in chosen.columns]
    stored.selections.append(chosen.with_columns(empty))
    result = run("criteria", "preview", "watched.toml", "--weeks", "1", "--json")
    told = json.loads(result.stdout)
    assert told["declared"] == week.height
    assert told["met"] == is_theirs.sum()
    first = week.filter(importer_id=watched).group_by("office", pl.col("accepted_at").dt.date()).len().height
    assert told["displaced"]["places"] == first
    assert 0 < told["displaced"]["displaced"] <= first
    assert told["by_value"]["inspected"] > 0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"in"', '"like"', "watched.toml: conditions.0.operator is 'like'"),
        ('"importer_id"\noperator = "in"', '"item_value"\noperator = "at least"', "allowed: one number"),
        (
            '"importer_id"\noperator = "in"\nvalues = ["',
            '"net_mass_kg"\noperator = "at least"\nvalues = [0] # "',
            "is met by",
        ),
    ],
)
def test_what_makes_no_sense_is_neither_previewed_nor_proposed(run, tmp_path, old, new, told):
    file = tmp_path / "watched.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    for words in (("criteria", "preview", "watched.toml"), ("criteria", "propose", "watched.toml", "--reason", "x")):
        result = run(*words)
        assert result.exit_code == terminal.FAILED
        assert told in result.stderr


def test_without_data_a_ledger_or_a_server_each_says_what_is_missing(run, tmp_path, monkeypatch):
    assert "there is no ledger" in run("criteria", "list").stderr
    for words in (("criteria", "confirm"), ("criteria", "refuse"), ("criteria", "withdraw")):
        result = run(*words, "watched", "--reason", "x")
        assert (result.exit_code, result.stderr.strip()) == (1, "MLflow is not running: start `tidewaiter up`")
    assert "MLflow is not running" in run("criteria", "propose", "watched.toml", "--reason", "x").stderr
    monkeypatch.setenv("TIDEWAITER_DATA_FOLDER", str(tmp_path / "nothing"))
    assert "holds no declarations" in run("criteria", "preview", "watched.toml").stderr
