"""The process that tells, on an installation with accounts, a ledger and a desk; Prefect is away."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from typer.testing import CliRunner

from flows.commands import cli
from flows.host.status import _notices
from flows.processes.running import Running
from flows.settings import PREFIX, Settings
from flows.watching import telling
from models.ledger import Book, Keys
from models.ledger.storage import Table
from models.notices import ALARMS, PAST_PROVIDER, PAST_PROVIDER_TO_RUNS, PAST_PROVIDER_TO_WINDOW, Alarms
from models.notices.outbox import SETTLE
from models.notices.teller import BLIND_AFTER
from tests.support.ledgers import open_ledger, write
from tests.support.noticed import file_of
from tests.support.opened import accounts
from tests.support.ports import free_port
from tests.support.receiver import receiving
from tests.support.signing import POLICY, digest_of, entry, on

UP = Running(1, "http://127.0.0.1:9", "http://127.0.0.1:9", is_ready=True)


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Return the settings of an installation whose Prefect does not answer."""
    state = tmp_path / "state"
    monkeypatch.setenv(f"{PREFIX}STATE_FOLDER", str(state))
    monkeypatch.setenv(f"{PREFIX}PREFECT_PORT", str(free_port()))
    monkeypatch.chdir(tmp_path)
    found = Settings()
    found.window_folder.mkdir(parents=True)
    Keys(found.signoff_folder).make()
    Table(found.database_uri).close()
    accounts(found.accounts_uri)
    return found


@pytest.fixture
def recipients(settings, receiver):
    return file_of(
        settings.state_folder,
        f'[[recipients]]\nrole = "operator"\nurls = ["{receiver.url}"]\n'
        f'[[recipients]]\naccount = "ann"\nlanguage = "zh"\nurls = ["{receiver.url}"]\n',
    )


def test_nothing_runs_where_nobody_is_to_be_told(settings):
    assert telling.program(settings) is None
    assert _notices(settings, UP, datetime.now(UTC)) == []
    assert not list(settings.window_folder.iterdir())


def test_what_is_wrong_with_the_file_is_told_before_anything_starts(settings, recipients):
    recipients.write_text(recipients.read_text().replace("operator", "boss"))
    with pytest.raises(ValueError, match=r"role is 'boss'; allowed: .*analyst, .*operator"):
        telling.program(settings)
    (check,) = _notices(settings, UP, datetime.now(UTC))
    assert not check.is_ok


def test_what_happens_in_the_house_is_told_to_whom_it_concerns(settings, recipients, receiver):
    said, now = [], datetime.now(UTC)
    told = telling.teller(settings, said.append)
    told.round(now)
    by_ann = Book(POLICY).opening(1, digest_of(1), ("ann",), on(0))
    ledger = open_ledger(settings.database_uri, Keys(settings.signoff_folder))
    write(ledger, by_ann, entry("reject", "dee", step="technical"))
    Alarms(settings.window_folder / ALARMS)("the champion cannot be read")
    told.round(now + timedelta(seconds=20))
    told.round(now + timedelta(seconds=20) + SETTLE)
    assert sorted(message["title"] for message in receiver.messages) == [
        "Tidewaiter: the window raises an alarm",
        "Tidewaiter: 版本被拒绝",
    ]
    assert (
        f"{settings.mlflow_url}/signoff/versions/1" in receiver.messages[0]["message"] + receiver.messages[1]["message"]
    )
    assert [text for text in said if "runs cannot be looked at" in text]
    told.round(now + BLIND_AFTER + timedelta(seconds=20))
    told.round(now + 2 * BLIND_AFTER)
    assert receiver.messages[-1]["title"] == "Tidewaiter: messages may be missing"
    (check,) = _notices(settings, UP, now)
    assert not check.is_ok
    assert "runs were last looked at never" in check.detail


@pytest.mark.parametrize(("ready_for", "is_well"), [(timedelta(minutes=4), True), (timedelta(minutes=6), False)])
@pytest.mark.parametrize("looked", [None, timedelta(days=3)])
def test_that_nobody_has_looked_yet_is_well_for_a_while_only(settings, recipients, looked, ready_for, is_well):
    told, now = telling.teller(settings, lambda text: None), datetime.now(UTC)
    if looked is not None:
        told.outbox.put([], "runs", (now - looked).isoformat(), now)
    up = replace(UP, since=(now - ready_for).isoformat())
    (check,) = _notices(settings, up, now)
    assert (check.is_ok, check.is_warning) == (is_well, is_well)
    assert "runs were last looked at" in check.detail


@pytest.mark.parametrize("file", [PAST_PROVIDER, PAST_PROVIDER_TO_RUNS, PAST_PROVIDER_TO_WINDOW])
def test_the_operator_is_told_who_came_past_the_identity_provider(settings, recipients, receiver, file):
    told, now = telling.teller(settings, lambda text: None), datetime.now(UTC)
    told.round(now)
    Alarms(settings.signoff_folder / file)("admin signed in by a password, from 10.0.0.7")
    told.round(now + timedelta(seconds=20))
    told.round(now + timedelta(seconds=20) + SETTLE)
    (message,) = receiver.messages
    assert message["title"] == "Tidewaiter: the local administrator signed in"
    assert "from 10.0.0.7" in message["message"]


def test_status_tells_who_is_told_and_what_waits_too_long(settings, recipients):
    now = datetime.now(UTC)
    told = telling.teller(settings, lambda text: None)
    told.send = lambda *given: "away"
    told.sources["runs"] = told.sources["window"]
    told.outbox.put([], "runs", now.isoformat(), now)
    (check,) = _notices(settings, UP, now)
    assert (check.is_ok, check.detail) == (True, "2 addresses are told, 0 events wait")
    Alarms(settings.window_folder / ALARMS)("x")
    told.round(now)
    Alarms(settings.window_folder / ALARMS)("y")
    told.round(now)
    told.outbox.put([], "runs", (now + timedelta(hours=2)).isoformat(), now)
    (check,) = _notices(settings, UP, now + timedelta(hours=2))
    assert not check.is_ok
    assert "wait to be told since" in check.detail


def test_it_goes_on_whatever_is_wrong(settings, recipients, monkeypatch, capsys):
    recipients.chmod(0o644)
    stopping, waited = Event(), []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 2:
            recipients.chmod(0o600)
        return len(waited) == 4

    monkeypatch.setattr(stopping, "wait", wait)
    telling.run(stopping)
    said = capsys.readouterr().err
    assert said.count("Nobody can be told anything now: ValueError") == 1
    assert said.count("runs cannot be looked at") == 1


def test_the_commands_check_try_and_list(settings, recipients, receiver):
    def run(*words):
        return CliRunner().invoke(cli.app, words, env={"COLUMNS": "200"})

    checked = run("notices", "check")
    assert checked.exit_code == 0
    assert "role operator (en)" in checked.output
    assert receiver.url not in checked.output
    assert run("notices", "test", "ann").exit_code == 0
    assert [message["title"] for message in receiver.messages] == ["Tidewaiter: 测试消息"]
    receiver.status = 500
    refused = run("notices", "test")
    assert refused.exit_code == 1
    assert "role operator (en) by json: " in refused.output
    assert run("notices", "test", "zoe").exit_code == 2
    assert run("notices", "list").exit_code == 0
    told = telling.teller(settings, lambda text: None)
    told.round(datetime.now(UTC))
    Alarms(settings.window_folder / ALARMS)("x")
    told.round(datetime.now(UTC))
    assert "fallback/" in run("notices", "list").output
    recipients.write_text(recipients.read_text().replace("ann", "zoe"))
    checked = run("notices", "check")
    assert (checked.exit_code, "There is no account zoe" in checked.output) == (1, True)
    (check,) = _notices(settings, UP, datetime.now(UTC))
    assert (check.is_ok, check.detail) == (False, "there is no account zoe")
    recipients.write_text("[[recipients]]\nrole = 'x'")
    assert run("notices", "check").exit_code == 2
