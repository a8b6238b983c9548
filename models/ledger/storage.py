"""The stored ledger: a table in MLflow's own database, SQLite or PostgreSQL, and the head in a file.

Rows are only ever added, and only by the signer (signer.py), which alone has the private key. Reading needs the public
key. asking.py is how the MLflow server has a row added.
"""

import fcntl
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError
from sqlalchemy.schema import CreateTable

from features.disk import write_atomically
from models import database
from models.evidence import Manifest
from models.ledger import attestation
from models.ledger.book import Book
from models.ledger.chain import Chain, Entry, Head, LedgerError, Row, check_head
from models.policy import Signoff

_rows = sa.Table(
    "tidewaiter_ledger",
    sa.MetaData(),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(128), nullable=False),
)


class NotSigned(RuntimeError):
    """Nothing can be added to the ledger now, which says nothing about its content. The message is for the asker."""


class Table:
    """The ledger's table, which is made if it does not exist."""

    def __init__(self, database_uri: str) -> None:
        self._uri, self._engine = database_uri, database.connect(database_uri)
        with self._engine.begin() as connection:  # the signer and the server may both be starting
            connection.execute(CreateTable(_rows, if_not_exists=True))

    def rows(self, after: int = 0, limit: int | None = None) -> list[Row]:
        """Return the rows with a number above `after`, in order; with 0, every row."""
        with self._engine.connect() as connection:
            return _select(connection, after, limit)

    @contextmanager
    def alone(self) -> Generator[sa.Connection]:
        """Open a transaction while nobody else writes; the caller commits it."""
        with self._engine.connect() as connection:
            _lock(connection)
            yield connection

    def probe(self, wait_s: float) -> None:
        """Lock the table for a moment; SQLAlchemyError if that is not possible within `wait_s`."""
        engine = database.connect(self._uri, wait_s)
        try:
            with engine.connect() as connection:
                _lock(connection)
        finally:
            engine.dispose()

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()


@dataclass(frozen=True)
class Writer:
    """A writer that adds to the ledger inside one transaction; what was added shows in the book at once."""

    _add: Callable[[Entry], None]
    _attempt: Callable[[Entry], str | None]

    def append(self, entry: Entry) -> None:
        """Add an entry; LedgerError if it is accepted against the rules."""
        self._add(entry)

    def attempt(self, entry: Entry) -> str | None:
        """Add an entry as the rules judge it, accepted or refused; return why it was refused."""
        return self._attempt(entry)


class Followed(ABC):
    """A ledger as far as it was read, found whole by the public key. `book` is what it amounts to.

    Raises LedgerError, here and later, if the rows are not as the signer wrote them or do not reach the head.
    """

    def __init__(self, table: Table, public_key: Ed25519PublicKey, head_file: Path, policy: Signoff) -> None:
        self._table, self._public_key, self._head_file, self._policy = table, public_key, head_file, policy
        self._lock = RLock()
        self._copy: _Copy | None = None  # dropped when it may not agree with the table
        self._held()

    @property
    def book(self) -> Book:
        return (self._copy or self._held()).book

    @property
    def head(self) -> Head:
        """Return the head of the last row that was read or added."""
        return self._held().chain.head

    def refresh(self) -> Book:
        """Return the book with what other processes have added."""
        with self._alone():
            self._catch_up(self._table.rows)
            return self.book

    @abstractmethod
    def writing(self) -> AbstractContextManager[Writer]:
        """Open a section to decide by `book` and add entries, with nobody else between; none is added if it raises."""

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Let one thread at a time in, and let none wait for ever."""
        if not self._lock.acquire(timeout=database.WAIT_S):
            raise NotSigned(f"nothing could be written to the ledger for {database.WAIT_S} s: try again")
        try:
            yield
        finally:
            self._lock.release()

    def _held(self) -> "_Copy":
        """Return the copy in memory; if there is none, read and check the whole table."""
        with self._alone():
            if self._copy is None:
                # The head is read before the rows: it is noted after a row is added, so what is noted now must be among
                # them.
                head, rows = _read_head(self._head_file), self._table.rows()
                copy = _Copy(Chain(self._public_key), Book(self._policy))
                copy.take_in(rows)
                check_head(rows, head)
                self._copy = copy
            return self._copy

    def _catch_up(self, read: Callable[[int], list[Row]]) -> Head:
        """Take in what `read` gives after the known rows, the last of which must still be there; return the head."""
        known = self._held().chain.head
        rows = read(max(known.number - 1, 0))
        check_head(rows, known)
        with self._dropping():
            self._held().take_in(rows[1:] if known.number else rows)
        return self._held().chain.head

    @contextmanager
    def _dropping(self) -> Generator[None]:
        """Drop the copy if the block, which changes it, fails half-way."""
        try:
            yield
        except BaseException:
            self._copy = None
            raise


class Ledger(Followed):
    """The ledger as the signer keeps it, with the private key."""

    def __init__(self, table: Table, key: Ed25519PrivateKey, head_file: Path, policy: Signoff) -> None:
        super().__init__(table, key.public_key(), head_file, policy)
        self._key = key
        self._note(self.head)  # a crash may have come between row and note

    @contextmanager
    def writing(self) -> Generator[Writer]:
        """Open a section, as for any ledger: the table is locked from the first look to the last entry."""
        with self._alone(), self._table.alone() as connection:
            before = self._catch_up(lambda after: _select(connection, after))

            def attempt(entry: Entry) -> str | None:
                refusal = entry.refusal or self.book.refusal(entry)
                self._add(connection, entry.model_copy(update={"refusal": refusal}))
                return refusal

            try:
                yield Writer(lambda entry: self._add(connection, entry), attempt)
                connection.commit()
            except BaseException:
                connection.rollback()
                if self._copy and self._copy.chain.head != before:
                    self._copy = None
                raise
            self._note(self._held().chain.head)

    @property
    def latest_at(self) -> datetime | None:
        """Return the latest moment that a row names."""
        return self._held().chain.latest_at

    def _add(self, connection: sa.Connection, entry: Entry) -> None:
        with self._dropping():
            row = self._held().chain.follow(entry, self._key)
            self._held().take_in([row])
            connection.execute(_rows.insert().values(row.model_dump()))

    def attested(self, version: int, evidence: Manifest) -> dict[str, Any]:
        """Return the signature of a promoted version in an envelope; LedgerError if the ledger does not say so."""
        return attestation.envelope(attestation.statement(self.book.cases.get(version), evidence), self._key)

    def note_again(self) -> None:
        """Write the note of the head as it is, which shows whether anything can be written; OSError if not."""
        with _note_held(self._head_file):
            head = _read_head(self._head_file)
            write_atomically(self._head_file, lambda file: _write_head(file, head))

    def _note(self, head: Head) -> None:
        """Keep the head outside the database. Another process may have noted a later one, which stays."""
        with _note_held(self._head_file):
            if _read_head(self._head_file).number < head.number:
                write_atomically(self._head_file, lambda file: _write_head(file, head))


@dataclass(frozen=True)
class _Copy:
    """The table as far as it was read: its rows were found whole, and `book` is what they amount to."""

    chain: Chain
    book: Book

    def take_in(self, rows: Sequence[Row]) -> None:
        for entry in self.chain.extend(rows):
            self.book.apply(entry)


def now() -> datetime:
    """Return the present moment, for an entry."""
    return datetime.now(UTC)


def _lock(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(sa.text(f"LOCK TABLE {_rows.name} IN EXCLUSIVE MODE"))


def _select(connection: sa.Connection, after: int, limit: int | None = None) -> list[Row]:
    query = sa.select(_rows).order_by(_rows.c.number).limit(limit)
    if after:  # without this a row that somebody put before the first one shows too
        query = query.where(_rows.c.number > after)
    return [_row(found) for found in connection.execute(query)]


def _row(found: sa.Row) -> Row:
    try:
        return Row.model_validate(found._asdict())
    except ValidationError as error:
        raise LedgerError(f"row {found.number} is not a row of a ledger: {error.errors()[0]['msg']}") from error


@contextmanager
def _note_held(file: Path) -> Generator[None]:
    """Let nobody else write the note of the head meanwhile."""
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _read_head(file: Path) -> Head:
    try:
        return Head.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise LedgerError(f"{file} does not say how far the ledger had come: {error}") from error


def _write_head(file: Path, head: Head) -> None:
    file.touch(0o644)
    file.chmod(0o644)  # whoever is to check the ledger can read it, whatever the umask
    file.write_text(head.model_dump_json())
