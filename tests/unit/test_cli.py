import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from flows import backtest, cli, summary, terminal
from flows import retrain as retraining
from flows.authors import os_user
from flows.settings import Settings
from flows.status import Check, Status
from models.registry import Registry

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
        (("retrain", "--rows", "5"), "greater than or equal to 1000"),
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
    monkeypatch.setattr(summary, "show", lambda *arguments: None)
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
    monkeypatch.setattr(cli, "begin", Settings)
    monkeypatch.setattr(Registry, "by_data_version", lambda self: {})
    result = run("data", "list")
    assert result.exit_code == terminal.OK
    assert "No version of the data is kept here yet" in result.stderr
    assert json.loads(run("data", "list", "--json").stdout) == []
