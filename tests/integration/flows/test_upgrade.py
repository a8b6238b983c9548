"""An upgrade over an earlier release's state: migrated and verified, or as it was before, also after a kill."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from flows.backup import upgrade, upgrading
from flows.processes import AlreadyRunningError, running, unfinished
from flows.settings import Settings
from models.ledger import Keys
from tests.support import installed

DATABASES = ("mlflow.db", "accounts.db", "window/decisions.db")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation whose desk is of an earlier release, without what the second migration brings."""
    settings = installed.install(tmp_path_factory.mktemp("installed"))
    with closing(sqlite3.connect(settings.state_folder / "window/decisions.db")) as desk, desk:
        desk.execute("DELETE FROM desk_cursors WHERE name = 'selections'")
        desk.execute("UPDATE desk_version SET version_num = '0001'")
    return settings


@pytest.fixture
def settings(earlier: Settings, tmp_path: Path) -> Settings:
    return installed.copied(earlier, tmp_path / "installed")


def dump(settings: Settings) -> list[str]:
    """Return everything that is in the databases."""
    lines = []
    for file in DATABASES:
        with closing(sqlite3.connect(settings.state_folder / file)) as connection:
            lines += connection.iterdump()
    return lines


def test_it_migrates_what_is_behind_and_keeps_what_people_have_done(settings, tmp_path):
    before = installed.rows(settings)
    done = upgrade(settings, tmp_path / "backups")
    assert done.before["decisions"]["desk_version"] == "0001"
    assert done.after["decisions"]["desk_version"] == "0002"
    assert done.after["mlflow"] == done.before["mlflow"]
    assert installed.rows(settings) == before
    assert done.backup.parent == tmp_path / "backups"
    unfinished.refuse(settings.state_folder)


def test_what_does_not_verify_afterwards_goes_back(settings, tmp_path, monkeypatch):
    before, real = dump(settings), upgrading._migrate

    def migrate(settings):
        real(settings)
        with closing(sqlite3.connect(settings.state_folder / "mlflow.db")) as connection, connection:
            connection.execute("UPDATE tidewaiter_ledger SET entry = replace(entry, 'sound', 'other') WHERE number = 3")

    monkeypatch.setattr(upgrading, "_migrate", migrate)
    with pytest.raises(ValueError, match=r"does not verify: the ledger is not whole: row 3 .* as it was before, by"):
        upgrade(settings, tmp_path / "backups")
    assert dump(settings) == before
    unfinished.refuse(settings.state_folder)


def test_a_migration_that_fails_goes_back(settings, tmp_path, monkeypatch):
    before = dump(settings)
    monkeypatch.setattr(Keys, "make", lambda keys: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(ValueError, match=r"no room\. Everything is as it was before"):
        upgrade(settings, tmp_path / "backups")
    assert dump(settings) == before


def test_a_killed_upgrade_is_refused_by_up_and_runs_and_begins_anew_from_its_backup(settings, tmp_path):
    before, people = dump(settings), installed.rows(settings)
    installed.dies(settings.state_folder.parent, "upgrade", tmp_path / "backups", "models.ledger.Keys", "make", 0)
    assert dump(settings) != before  # it was in the middle
    with pytest.raises(ValueError, match="an upgrade was cut short, so nothing here is to be used; run"):
        unfinished.refuse(settings.state_folder)
    elsewhere = settings.model_copy(update={"data_folder": tmp_path / "elsewhere"})
    with pytest.raises(ValueError, match=r"data_folder is .*elsewhere; allowed: .*, as when the upgrade began"):
        upgrade(elsewhere, tmp_path / "other")
    done = upgrade(settings, tmp_path / "other")
    assert done.backup.parent == tmp_path / "backups"
    assert not (tmp_path / "other").exists()
    assert (done.before["decisions"]["desk_version"], done.after["decisions"]["desk_version"]) == ("0001", "0002")
    assert installed.rows(settings) == people
    unfinished.refuse(settings.state_folder)


def test_it_waits_for_nobody_while_up_runs(settings, tmp_path):
    with running.claim(settings.state_folder), pytest.raises(AlreadyRunningError):
        upgrade(settings, tmp_path / "backups")
