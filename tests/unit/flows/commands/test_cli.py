import io
import json
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from features.ingestion.batches import IngestReport, ingest
from features.sources import open_source
from features.store import versioning
from features.store.store import Store
from flows import backtest, steps
from flows import retrain as retraining
from flows.commands import cli, data, terminal
from flows.host.status import Check, Status
from flows.processes import running
from flows.run_requests.authors import os_user
from flows.settings import Settings
from flows.steps import summary
from models import policy
from models.evaluation.gates import Gate
from models.registry.registry import Registration, Registry
from tests.support import candidates
from tests.unit.features.ingestion.test_batches import GOOD as KCS_LINE

COMMANDS = (
    *("retrain", "monitor", "backtest", "up", "status", "data list", "data checkout"),
    *("users add", "users list", "users remove", "audit verify", "audit show", "audit export-head", "rollback"),
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(cli.app, arguments)


def test_help_says_where_to_begin(run):
    result = run("--help")
    assert result.exit_code == 0
    for taught in ("First steps", "tidewaiter retrain", "tidewaiter up", "tidewaiter.toml", "Exit codes"):
        assert taught in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_exit_codes(run, command):
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Exit codes: 0" in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("retrain", "--source", "sensor"), "'sensor' is not one of 'simulator', 'kcs', 'files'"),
        (("retrain", "--source", "kcs", "--input", "*.csv", "--rows", "5000"), "rows is for source 'simulator' only"),
        (("retrain", "--source", "files", "--input", "*.csv"), "source 'files' needs mapping"),
        (("retrain", "--input", "*.csv"), "input is not for source 'simulator'"),
        (("retrain", "--rows", "5"), "--rows: 5 is not allowed: Input should be greater than or equal to 1000"),
        (("retrain", "--rows", "many"), "'--rows': 'many' is not allowed: Input should be a valid integer"),
        (("monitor", "--source", "sensor"), "'--source': 'sensor' is not one of 'simulator', 'kcs', 'files'"),
        (("audit", "show", "0"), "'VERSION': '0' is not allowed: Input should be greater than or equal to 1"),
        (("backtest", "--train", "no.csv", "--test", "no.csv", "--out", "out"), "'no.csv' does not exist"),
        (("data", "checkout", "latest"), "'latest' is not a version; allowed: 32 hexadecimal digits"),
    ],
)
def test_a_wrong_option_is_named_and_ends_with_2(run, arguments, told):
    result = run(*arguments)
    assert result.exit_code == terminal.USAGE
    assert told in result.output


def test_who_asks_for_a_retraining_is_found_out_and_cannot_be_named(run, monkeypatch):
    asked = []
    monkeypatch.setattr(cli, "begin", Settings)
    monkeypatch.setattr(steps, "show", lambda *arguments: None)
    monkeypatch.setattr(
        retraining, "retrain", lambda parameters: asked.append(parameters) or SimpleNamespace(is_registered=True)
    )
    assert run("retrain").exit_code == 0
    assert [parameters.requested_by for parameters in asked] == [os_user()]
    assert run("retrain", "--requested-by", "dan").exit_code == terminal.USAGE


def test_a_wrong_setting_is_named_and_ends_with_2(run, monkeypatch):
    monkeypatch.setenv("TIDEWAITER_PORT", "1")
    result = run("status")
    assert result.exit_code == terminal.USAGE
    assert "TIDEWAITER_PORT is not a setting" in result.output


@pytest.mark.parametrize(
    ("file", "variables", "told"),
    [
        ("mlflow_prot = 1", {}, "tidewaiter.toml: mlflow_prot is not a setting; allowed: artifacts_uri, data_folder, "),
        (
            "mlflow_port = 0",
            {},
            "tidewaiter.toml: mlflow_port: 0 is not allowed: Input should be greater than or equal to 1",
        ),
        ("", {"MLFLOW_PORT": "x"}, "TIDEWAITER_MLFLOW_PORT: 'x' is not allowed: Input should be a valid integer"),
        ("", {"HOST": "0.0.0.0"}, "TIDEWAITER_HOST: '0.0.0.0' is not a loopback address; allowed: 127.0.0.1"),
        ("", {"PUBLIC_URLS": "a"}, 'field "public_urls" from source "EnvSettingsSource": Expecting value'),
        ("", {"ARTIFACTS_URI": "s4://k:hush-hush@h"}, "TIDEWAITER_ARTIFACTS_URI: String should match"),
    ],
)
def test_a_wrong_setting_is_told_with_its_place_its_value_and_what_is_allowed(
    run, tmp_path, monkeypatch, file, variables, told
):
    (tmp_path / "tidewaiter.toml").write_text(file)
    for name, value in variables.items():
        monkeypatch.setenv(f"TIDEWAITER_{name}", value)
    result = run("status")
    assert result.exit_code == terminal.USAGE
    assert told in result.stderr
    assert "hush-hush" not in result.output


def test_up_that_cannot_write_says_where(run, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TIDEWAITER_STATE_FOLDER", "file/state")
    result = run("up")
    assert result.exit_code == terminal.FAILED
    assert result.stderr.startswith("state_folder: nothing can be written to 'file/state' (Not a directory); allowed: ")


def test_a_command_that_has_to_wait_says_for_whom_before_it_starts_anything(run, tmp_path, monkeypatch):
    def begun(*_):
        raise SystemExit(9)

    monkeypatch.setattr(cli, "begin", Settings)
    monkeypatch.setattr(retraining, "retrain", begun)
    with running.turn(tmp_path / ".tidewaiter", "select/nightly, run calm-owl", nullcontext):
        result = run("retrain")
    assert result.exit_code == 9
    assert result.stderr.startswith("This waits for select/nightly, run calm-owl, process ")


def test_tables_are_printed_whole_in_a_narrow_place(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    cells = ["2026-11-28 23:28:51", "refused: the author may not sign " * 4, "expected_calibration_error"]
    table = Table("when (UTC)", "outcome", "figure")
    table.add_row(*cells)
    terminal.show_table(table)
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "2026" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [cell.strip() for cell in cells]


def test_a_summary_loses_no_word_in_a_narrow_place():
    evaluation = candidates.dossier().judged.evaluation
    name, sentence = "max_expected_calibration_error_of_the_test_part", "0.0312 is at most 0.05"
    made = summary.Summary(
        source="kcs",
        ingested=IngestReport(()),
        batches=(),
        data_version="0" * 32,
        built=SimpleNamespace(computed_days=0, days=1),
        features=1,
        evaluation=evaluation,
        gates=(Gate(name=name, passed=True, observed=0.03, bound=0.05, sentence=sentence),),
        drift=SimpleNamespace(verdict="none"),
        registration=Registration("a" * 64, "run", "1", is_new=True),
        model_digest="b" * 64,
        steps=(),
    )
    text = io.StringIO()
    summary.show(made, Console(file=text, width=40))
    assert "…" not in text.getvalue()
    assert "".join(text.getvalue().split()).count("0" * 32) == 1
    assert "computed for 0 of 1 days, the others were cached" in summary.as_markdown(made)
    first = replace(made, built=SimpleNamespace(computed_days=1, days=1))
    assert "computed for 1 of 1 days |" in summary.as_markdown(first)


def test_up_outside_a_project_ends_with_1(run):
    result = run("up")
    assert result.exit_code == terminal.FAILED
    assert "prefect.yaml does not exist" in result.output


def test_status_where_nothing_runs_ends_with_3(run):
    result = run("status", "--json")
    assert result.exit_code == terminal.NOT_RUNNING
    assert json.loads(result.stdout)["is_running"] is False


@pytest.mark.parametrize(("is_ok", "code"), [(True, terminal.OK), (False, terminal.FAILED)])
def test_status_ends_with_what_it_saw(run, monkeypatch, is_ok, code):
    seen = Status(
        is_running=True, checks=(Check(name="worker", is_ok=is_ok, detail="seen [now]"),), models={"champion": "3"}
    )
    monkeypatch.setattr(cli, "look", lambda *arguments: seen)
    result = run("status")
    assert result.exit_code == code
    assert "seen [now]" in result.output
    assert "champion is version 3" in result.output


@pytest.fixture
def account(tmp_path, monkeypatch):
    """A back-test that was, for the command to tell of."""
    (tmp_path / "d.csv").touch()
    found = {
        "train": {"rows": 5, "first_day": "2024-01-01", "last_day": "2024-01-31"},
        "test": {"rows": 3, "first_day": "2024-02-01", "last_day": "2024-02-03", "unscored": []},
        "predictions": "out/predictions.csv",
        "metrics": None,
    }
    monkeypatch.setattr(backtest, "run", lambda *arguments: found)
    return found


BACKTEST = ("backtest", "--train", "d.csv", "--test", "d.csv", "--out", "out", "--json")


def test_a_backtest_prints_json_and_nothing_else_on_stdout(run, account):
    result = run(*BACKTEST)
    assert result.exit_code == terminal.OK
    assert json.loads(result.stdout) == account
    assert result.stderr == ""


def test_a_backtest_on_days_that_were_trained_on_says_so(run, account):
    account["test"]["first_day"] = "2024-01-31"
    result = run(*BACKTEST)
    assert result.exit_code == terminal.OK
    assert json.loads(result.stdout) == account
    assert "begin on 2024-01-31, the training files end on 2024-01-31" in result.stderr


def test_a_backtest_that_scored_nothing_fails_and_says_why(run, account):
    account["test"] |= {"rows": 0, "unscored": [{"file": "d.csv", "source_line": 2, "reason": "no id or date"}]}
    result = run(*BACKTEST)
    assert result.exit_code == terminal.FAILED
    assert result.stdout == ""
    assert "1 lines of the scored files could not be scored; the first is d.csv line 2: no id or date" in result.stderr
    assert "Nothing of the scored files could be scored" in result.stderr


def test_a_backtest_that_cannot_write_is_told_before_it_trains(run, account):
    result = run(*BACKTEST[:6], "d.csv/out")
    assert result.exit_code == terminal.USAGE
    assert "'d.csv/out' cannot be made" in result.output


def test_where_no_version_of_the_data_is_kept_the_list_says_so(run, monkeypatch):
    monkeypatch.setattr(data, "begin", Settings)
    monkeypatch.setattr(Registry, "by_data_version", lambda self: {})
    result = run("data", "list")
    assert result.exit_code == terminal.OK
    assert "No version of the data is kept here yet" in result.stderr
    assert json.loads(run("data", "list", "--json").stdout) == []


def test_files_are_read_again_and_both_versions_are_told(run, tmp_path, monkeypatch):
    lines = [",".join(KCS_LINE), ",".join(KCS_LINE.values())]
    (tmp_path / "d.csv").write_text("\n".join(lines) + "\n")
    limits = policy.load().ingestion
    ingest(open_source("kcs", ["d.csv"]), Store(tmp_path / "data" / "kcs"), limits)
    before = versioning.snapshot(tmp_path / "data")
    monkeypatch.setattr(data, "begin", Settings)
    result = run("data", "reread", "--source", "kcs", "--input", "d.csv")
    assert result.exit_code == terminal.OK, result.output
    assert "1 lines: 1 stored, 0 quarantined" in result.stdout
    assert f"data is at version {before}" in result.stdout
    assert run("data", "reread", "--source", "kcs").exit_code == terminal.USAGE
