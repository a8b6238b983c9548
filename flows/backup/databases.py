"""The databases of an installation: copied as they are at one moment, and put back. SQLite files or PostgreSQL.

A copy of one moment is made in two steps. First all databases are locked, so that nobody writes to any of them, and
each is pinned: a transaction that reads sees it as it is now, whatever is written later. Then they are unlocked, and
copied while others write.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import ReflectedColumn

from features.disk import atomic
from flows.settings import Settings
from models import database

# What names something in another database: no row may come between the moments of the two.
_NAMING = ("tidewaiter_ledger", "decisions")
_FILES = {"mlflow": "mlflow.db", "accounts": "accounts.db", "decisions": "window/decisions.db"}
_FILES |= {"prefect": "prefect/prefect.db"}
_WITH = ("", "-wal", "-shm", "-journal")

Copy = Callable[[Path], object]


class Database(Protocol):
    """A database with a name. `place` is where its copy lies in a backup."""

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> str: ...

    def exists(self) -> bool:
        """Whether there is anything in it."""
        ...

    def locked(self) -> AbstractContextManager[None]:
        """Let nobody write until the block ends."""
        ...

    def pinned(self) -> AbstractContextManager[Copy]:
        """Give a function that copies the database into a file, as it is now."""
        ...

    def put_back(self, copy: Path) -> None:
        """Make the database what a copy of it holds, and nothing else."""
        ...

    def clear(self) -> None:
        """Take away everything that is in the database."""
        ...

    def revisions(self) -> dict[str, str]:
        """Return the revision of each chain of migrations, by the table that has it."""
        ...


@dataclass(frozen=True)
class Sqlite:
    """A SQLite file in the state folder; `within` is its path there."""

    name: str
    state: Path
    within: str

    @property
    def file(self) -> Path:
        return self.state / self.within

    @property
    def place(self) -> str:
        return f"state/{self.within}"

    def exists(self) -> bool:
        return self.file.is_file()

    @contextmanager
    def locked(self) -> Generator[None]:
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def pinned(self) -> Generator[Copy]:
        with self._connected() as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the transaction begins with this

            def copy(target: Path) -> None:
                with closing(sqlite3.connect(target)) as copied:
                    connection.backup(copied)

            yield copy

    def put_back(self, copy: Path) -> None:
        draft = self.file.with_name(f".{self.file.name}.back")
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.touch(0o600)
        shutil.copyfile(copy, draft)
        self.clear()  # its journals too: they are of the file that goes
        draft.replace(self.file)
        atomic.flush([self.file, self.file.parent])

    def clear(self) -> None:
        for suffix in _WITH:
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)

    def revisions(self) -> dict[str, str]:
        return _revisions(f"sqlite:///{self.file.absolute()}")

    def _connected(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self.file, timeout=database.WAIT_S, isolation_level=None))


@dataclass(frozen=True)
class Postgres:
    """A database of a PostgreSQL server, whose programs pg_dump and pg_restore are on this machine."""

    name: str
    uri: str

    @property
    def place(self) -> str:
        return f"databases/{self.name}.dump"

    def exists(self) -> bool:
        return bool(self._tables())

    @contextmanager
    def locked(self) -> Generator[None]:
        naming = sorted(set(_NAMING) & set(self._tables()))
        with self._connected() as connection:
            for table in naming:
                connection.execute(sa.text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
            yield

    @contextmanager
    def pinned(self) -> Generator[Copy]:
        with self._connected("REPEATABLE READ") as connection:
            snapshot = connection.execute(sa.select(sa.func.pg_export_snapshot())).scalar_one()
            options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}")
            yield lambda target: self._run("pg_dump", *options, f"--file={target}")

    def clear(self) -> None:
        with self._connected() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
            connection.commit()

    def put_back(self, copy: Path) -> None:
        self.clear()
        self._run("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(copy))

    def revisions(self) -> dict[str, str]:
        return _revisions(str(self._url.render_as_string(hide_password=False)))

    @property
    def _url(self) -> sa.URL:
        return make_url(self.uri).set(drivername="postgresql+psycopg2")

    @contextmanager
    def _connected(self, isolation: str = "READ COMMITTED") -> Generator[sa.Connection]:
        engine = database.connect(self._url.render_as_string(hide_password=False))
        try:
            with engine.connect() as connection:
                yield connection.execution_options(isolation_level=isolation)
        finally:
            engine.dispose()

    def _tables(self) -> list[str]:
        with self._connected() as connection:
            return sa.inspect(connection).get_table_names()

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the database; the password goes by the environment."""
        url = self._url
        address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
        secret = {"PGPASSWORD": url.password} if url.password else {}
        try:
            done = subprocess.run(
                [program, f"--dbname={address}", *arguments],
                env=os.environ | secret,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise ValueError(
                f"{program} is not there, and the database of {self.name} is PostgreSQL's: install its client programs "
                "(apt-get install postgresql-client), of the server's version or a later one"
            ) from None
        if done.returncode:
            raise ValueError(f"{program} failed on the database of {self.name}: {done.stderr.strip()}")


def of(settings: Settings) -> tuple[Database, ...]:
    """Return the databases that the settings name, each once."""
    uris = {
        "mlflow": settings.mlflow_database_uri,
        "accounts": settings.mlflow_database_uri,
        "decisions": settings.decisions_database_uri,
        "prefect": settings.prefect_database_uri,
    }
    state = settings.state_folder.absolute()
    found: list[Database] = []
    seen: set[str] = set()
    for name, uri in uris.items():
        if uri is None:
            found.append(Sqlite(name, state, _FILES[name]))
        elif (address := str(make_url(uri).set(drivername="postgresql"))) not in seen:
            seen.add(address)
            found.append(Postgres(name, uri))
    return tuple(found)


def is_of_database(name: str) -> bool:
    """Whether a path in the state folder is a SQLite database, or lies beside one as a part of it."""
    return any(name == f"{file}{suffix}" for file in _FILES.values() for suffix in _WITH)


def _revisions(uri: str) -> dict[str, str]:
    engine = database.connect(uri)
    try:
        with engine.connect() as connection:
            known = sa.inspect(connection)
            tables = [name for name in sorted(known.get_table_names()) if _is_of_migrations(known.get_columns(name))]
            number = sa.select(sa.column("version_num"))
            return {name: str(connection.execute(number.select_from(sa.table(name))).scalar()) for name in tables}
    finally:
        engine.dispose()


def _is_of_migrations(columns: Sequence[ReflectedColumn]) -> bool:
    return [column["name"] for column in columns] == ["version_num"]
