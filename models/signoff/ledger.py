"""The ledger where it is kept: a table in MLflow's own database, SQLite or PostgreSQL, and the head in a file.

Rows are only ever added, and only by the server, which alone has the private key. Reading needs the public key.
"""

import fcntl
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from features.atomic import write_atomically
from models.policy import Signoff
from models.signoff.book import Book
from models.signoff.chain import Chain, Entry, Head, LedgerError, Row, check_head
from models.signoff.database import connect

_rows = sa.Table(
    "tidewaiter_ledger",
    sa.MetaData(),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(128), nullable=False),
)


class Table:
    """The ledger's table, made where it is not there."""

    def __init__(self, database_uri: str) -> None:
        self._engine = connect(database_uri)
        _rows.create(self._engine, checkfirst=True)

    def rows(self, after: int = 0, limit: int | None = None) -> list[Row]:
        """The rows with a number above `after`, in order; with 0, every row that there is."""
        with self._engine.connect() as connection:
            return _select(connection, after, limit)

    @contextmanager
    def alone(self) -> Generator[sa.Connection]:
        """A transaction that nobody else writes beside; whoever opens it commits it."""
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(sa.text(f"LOCK TABLE {_rows.name} IN EXCLUSIVE MODE"))
            yield connection

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


class Ledger:
    """The ledger as the server keeps it. `book` is what it amounts to as far as was read.

    Raises LedgerError, here and later, where the rows are not as the server wrote them or do not reach the head.
    """

    def __init__(self, table: Table, key: Ed25519PrivateKey, head_file: Path, policy: Signoff) -> None:
        self._table, self._key, self._head_file, self._policy = table, key, head_file, policy
        self._lock = RLock()
        self._copy: _Copy | None = None  # dropped where it may not agree with the table
        self._held()

    @property
    def book(self) -> Book:
        return (self._copy or self._held()).book

    def refresh(self) -> Book:
        """The book with what other processes have added."""
        with self._lock:
            self._catch_up(self._table.rows)
            return self.book

    @contextmanager
    def writing(self) -> Generator["Writer"]:
        """Decide by `book` and add entries, with nobody else between; where the block raises, none is added."""
        with self._lock, self._table.alone() as connection:
            before = self._catch_up(lambda after: _select(connection, after))
            try:
                yield Writer(self._add, connection)
                connection.commit()
            except BaseException:
                connection.rollback()
                if self._copy and self._copy.chain.head != before:
                    self._copy = None
                raise
            self._note(self._held().chain.head)

    def _held(self) -> "_Copy":
        """The copy in memory; where there is none, the whole table is read and checked."""
        with self._lock:
            if self._copy is None:
                head, rows = _read_head(self._head_file), self._table.rows()
                copy = _Copy(Chain(self._key.public_key()), Book(self._policy))
                copy.take_in(rows)
                check_head(rows, head)
                self._note(copy.chain.head)
                self._copy = copy
            return self._copy

    def _catch_up(self, read: Callable[[int], list[Row]]) -> Head:
        """Take in what `read` gives after what is known; the last row that is known must still be there."""
        known = self._held().chain.head
        rows = read(max(known.number - 1, 0))
        check_head(rows, known)
        with self._dropping():
            self._held().take_in(rows[1:] if known.number else rows)
        return self._held().chain.head

    def _add(self, connection: sa.Connection, entry: Entry) -> None:
        with self._dropping():
            row = self._held().chain.follow(entry, self._key)
            self._held().take_in([row])
            connection.execute(_rows.insert().values(row.model_dump()))

    @contextmanager
    def _dropping(self) -> Generator[None]:
        """Drop the copy where the block, which changes it, fails half-way."""
        try:
            yield
        except BaseException:
            self._copy = None
            raise

    def _note(self, head: Head) -> None:
        """Keep the head outside the database. Another process may have noted a later one."""
        folder = os.open(self._head_file.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if _read_head(self._head_file).number < head.number:
                write_atomically(self._head_file, lambda file: _write_head(file, head))
        finally:
            os.close(folder)


@dataclass(frozen=True)
class _Copy:
    """The table as far as it was read: found whole, and what it amounts to."""

    chain: Chain
    book: Book

    def take_in(self, rows: Sequence[Row]) -> None:
        for entry in self.chain.extend(rows):
            self.book.apply(entry)


@dataclass(frozen=True)
class Writer:
    """Adds to the ledger inside one transaction; what was added shows in the book at once."""

    _add: Callable[[sa.Connection, Entry], None]
    _connection: sa.Connection

    def append(self, entry: Entry) -> None:
        """Add an entry; LedgerError where it is accepted against the rules."""
        self._add(self._connection, entry)


def now() -> datetime:
    """The moment of an entry."""
    return datetime.now(UTC)


def _select(connection: sa.Connection, after: int, limit: int | None = None) -> list[Row]:
    query = sa.select(_rows).order_by(_rows.c.number).limit(limit)
    if after:  # without it a row that somebody put before the first one shows too
        query = query.where(_rows.c.number > after)
    return [_row(found) for found in connection.execute(query)]


def _row(found: sa.Row) -> Row:
    try:
        return Row.model_validate(found._asdict())
    except ValidationError as error:
        raise LedgerError(f"row {found.number} is not a row of a ledger: {error.errors()[0]['msg']}") from error


def _read_head(file: Path) -> Head:
    try:
        return Head.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise LedgerError(f"{file} does not say how far the ledger had come: {error}") from error


def _write_head(file: Path, head: Head) -> None:
    file.touch(0o600)
    file.write_text(head.model_dump_json())
