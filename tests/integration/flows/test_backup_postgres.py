"""A database of PostgreSQL is backed up by its own programs, and restored into an empty one."""

import os
from contextlib import closing

import pytest

from flows.backup import backup, restore
from models.decisions import DecisionLog
from tests.support import installed
from tests.support.postgres import database, postgres, postgres_uri
from tests.support.postgres import installed as programs

__all__ = ["postgres", "postgres_uri"]


def test_a_database_of_postgresql_comes_back_into_an_empty_one(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(programs()), prepend=os.pathsep)
    with database(postgres) as first, database(postgres) as second:
        there, here = (
            installed.settings_of(tmp_path / name).model_copy(
                update={"decisions_database_uri": url.render_as_string(hide_password=False)}
            )
            for name, url in (("there", first), ("here", second))
        )
        installed.work(there)
        made = backup(there, tmp_path / "backups")
        assert (made / "databases" / "decisions.dump").stat().st_size
        with closing(DecisionLog(there.decisions_uri)) as log:
            head = log.verify()
        restore(here, made, None)
        with closing(DecisionLog(here.decisions_uri)) as log:
            assert log.verify() == head
        with pytest.raises(ValueError, match="a restore takes empty"):
            restore(here, made, None)
        with pytest.raises(ValueError, match=r"the backup has no state/window/decisions\.db"):
            restore(installed.settings_of(tmp_path / "files"), made, None)


def test_without_the_programs_of_postgresql_the_one_that_lacks_is_named(postgres_uri, tmp_path, monkeypatch):
    here = installed.settings_of(tmp_path).model_copy(update={"decisions_database_uri": postgres_uri})
    installed.work(here)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ValueError, match="pg_dump is not there, and the database of decisions is PostgreSQL's"):
        backup(here, tmp_path / "backups")
