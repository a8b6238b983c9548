"""Databases, SQLite or PostgreSQL: how they are opened, how long they wait, and how rows get there for good.

Not here: which tables there are.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

WAIT_S = 60
_CONNECTIONS = 15  # of a process; they stay open, because making one costs more than most questions
_MIGRATING = 7_203_001  # the advisory lock that whoever migrates holds; any number that nobody else takes


class Unavailable(RuntimeError):
    """The database of decisions does not answer. The message says why."""


def connect(database_uri: str, wait_s: float = WAIT_S, **pool: int) -> sa.Engine:
    """Return an engine that waits for a lock up to `wait_s`, and notices a connection that the database has dropped.

    `pool` are SQLAlchemy's numbers of connections, where its own do not do.
    """
    if database_uri.startswith("sqlite"):
        arguments: dict[str, Any] = {"timeout": wait_s}
    else:
        arguments = {"options": f"-c lock_timeout={wait_s * 1000:.0f}ms"}
    return sa.create_engine(database_uri, connect_args=arguments, pool_pre_ping=True, **pool)


class Instant(sa.TypeDecorator[datetime]):
    """An instant with its zone, which is stored in UTC."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Tables:
    """Tables that several processes read and write, with the migrations in a folder.

    What was written is on the disk when a block of `writing` ends. Unavailable, from every method, if the database does
    not answer; what it refuses is an error of the caller, as SQLAlchemy raises it.
    """

    def __init__(self, database_uri: str, migrations: Path, wait_s: float) -> None:
        self._engine = connect(database_uri, wait_s, pool_size=_CONNECTIONS, max_overflow=0)
        self._migrations = migrations
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        # In SQLite one writes at a time. Threads that wait here take turns; the database would have them sleep and try.
        self._turn = threading.Lock() if self._is_sqlite else nullcontext()
        if self._is_sqlite:
            event.listen(self._engine, "connect", _make_durable)
            event.listen(self._engine, "begin", _begin)

    def migrate(self) -> None:
        """Make the tables, or bring them to what this release reads; processes that do so at once take turns."""
        config = Config()
        config.set_main_option("script_location", str(self._migrations))
        with self.writing() as connection:
            if not self._is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Give a connection that reads one state of the database."""
        with _answering(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """Give a connection whose writes are committed at the end of the block, all or none."""
        with _answering(), self._turn, self._engine.connect() as plain:
            connection = plain.execution_options(writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()


@contextmanager
def _answering() -> Generator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise Unavailable(f"the database of decisions does not answer: {error.__cause__ or error}") from error


def _make_durable(connection: Any, _: object) -> None:  # noqa: ANN401  whatever the driver has
    """Have SQLite end no commit before it is on the disk, let others read meanwhile, and leave BEGIN to `_begin`."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def _begin(connection: sa.Connection) -> None:
    """Have a transaction that writes wait for its turn at once.

    If it waited only when it first writes, SQLite would refuse it where another one has written since it began to read.
    """
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
