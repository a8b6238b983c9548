"""The log of decisions in its database, SQLite or PostgreSQL: rows are added, many in one commit, and never changed.

One process adds: the window's. Others read, by their own log.
"""

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from models.database import Tables
from models.decisions import record
from models.decisions.record import Decision, Link
from models.decisions.tables import days, decisions, documents

WAIT_S = 5.0  # for the database: longer than that, and the spool takes its place
_PAGE = 1_000


class BrokenChain(ValueError):
    """The log is not as it was written. The message names the decision and what is wrong with it."""


@dataclass(frozen=True)
class Head:
    """Says how far the log had come: number and hash of its last decision."""

    number: int = 0
    hash: str = record.FIRST_HASH


@dataclass(frozen=True)
class Document:
    """Something that decisions name by its digest: the message of one, or what its answer was made by."""

    media_type: str
    content: bytes


class DecisionLog:
    """The log at a database address. Unavailable, from every method, if the database does not answer."""

    def __init__(self, database_uri: str, wait_s: float = WAIT_S) -> None:
        self._tables = Tables(database_uri, Path(__file__).parent / "migrations", wait_s)

    def migrate(self) -> None:
        """Make the tables, or bring them to what this release reads."""
        self._tables.migrate()

    def head(self) -> Head:
        """Return number and hash of the last decision."""
        query = sa.select(decisions.c.number, decisions.c.hash).order_by(decisions.c.number.desc()).limit(1)
        with self._tables.reading() as connection:
            found = connection.execute(query).first()
        return Head(*found) if found else Head()

    def append(self, links: Sequence[Link], told: Mapping[str, Document]) -> None:
        """Add links, and the documents that they name by digest, in one commit.

        What is there already, to the byte, is not added again, so that a spool can be emptied twice. ValueError if
        another decision has a link's number, id or version.
        """
        if not links:
            return
        span = decisions.c.number.between(links[0].number, links[-1].number)
        with self._tables.writing() as connection:
            there = connection.execute(sa.select(decisions.c.number, decisions.c.hash).where(span))
            known = {row.number: row.hash for row in there}
            if any(known.get(link.number, link.hash) != link.hash for link in links):
                raise BrokenChain(f"decision {links[0].number} or one after it is there already, and is another one")
            fresh = [link for link in links if link.number not in known]
            told_before = connection.execute(
                sa.select(documents.c.digest).where(documents.c.digest.in_(list(told)))
            ).scalars()
            if new := told.keys() - set(told_before):
                connection.execute(documents.insert(), [_document_row(digest, told[digest]) for digest in sorted(new)])
            if fresh:
                connection.execute(decisions.insert(), [_row(link) for link in fresh])

    def versions(self, declaration_id: str) -> list[Decision]:
        """Return the decisions about a declaration, in order of its versions."""
        return [decision for _, decision in self.numbered(declaration_id)]

    def numbered(self, declaration_id: str) -> list[tuple[int, Decision]]:
        """Return the decisions about a declaration, in order of its versions, each with its number in the chain."""
        query = sa.select(decisions.c.number, decisions.c.text, decisions.c.hash).order_by(decisions.c.version)
        with self._tables.reading() as connection:
            found = connection.execute(query.where(decisions.c.declaration_id == declaration_id)).all()
        return [(row.number, Link(*row).decision) for row in found]

    def decision(self, decision_id: str) -> Decision | None:
        """Return the decision with this id; None if there is none."""
        query = sa.select(decisions.c.number, decisions.c.text, decisions.c.hash)
        with self._tables.reading() as connection:
            found = connection.execute(query.where(decisions.c.decision_id == decision_id)).first()
        return Link(*found).decision if found else None

    def of_day(self, day: date) -> Iterator[Decision]:
        """Yield the decisions of a day in their order."""
        query = sa.select(decisions.c.number, decisions.c.text, decisions.c.hash).where(decisions.c.day == day)
        with self._tables.reading() as connection:
            for row in connection.execute(query.order_by(decisions.c.number)).yield_per(_PAGE):
                yield Link(*row).decision

    def after(self, number: int, most: int = _PAGE) -> list[tuple[int, Decision]]:
        """Return up to `most` decisions that follow on the one with this number, in order, each with its own number."""
        query = sa.select(decisions.c.number, decisions.c.text, decisions.c.hash).where(decisions.c.number > number)
        with self._tables.reading() as connection:
            found = connection.execute(query.order_by(decisions.c.number).limit(most)).all()
        return [(row.number, Link(*row).decision) for row in found]

    def decided(self, declaration_ids: Sequence[str]) -> set[str]:
        """Return which of these declarations were ever decided."""
        found: set[str] = set()
        with self._tables.reading() as connection:
            for start in range(0, len(declaration_ids), _PAGE):
                some = decisions.c.declaration_id.in_(declaration_ids[start : start + _PAGE])
                found.update(connection.execute(sa.select(decisions.c.declaration_id).where(some)).scalars())
        return found

    def known(self) -> tuple[set[str], set[str]]:
        """Return the ids of all declarations that were ever decided, and the keys that their chances were drawn for."""
        with self._tables.reading() as connection:
            found = connection.execute(sa.select(decisions.c.declaration_id, decisions.c.key)).all()
        return {name for name, _ in found}, {key for _, key in found}

    def first_of_key(self, key: str) -> Decision | None:
        """Return the first decision whose chances were drawn for `key`; None if there is none."""
        query = sa.select(decisions.c.number, decisions.c.text, decisions.c.hash).where(decisions.c.key == key)
        with self._tables.reading() as connection:
            found = connection.execute(query.order_by(decisions.c.number).limit(1)).first()
        return Link(*found).decision if found else None

    def last_of_offices(self) -> list[Decision]:
        """Return the last decision of each office, in the order in which they were made."""
        last = sa.select(sa.func.max(decisions.c.number)).group_by(decisions.c.office)
        query = sa.select(decisions.c.number, decisions.c.text, decisions.c.hash).where(decisions.c.number.in_(last))
        with self._tables.reading() as connection:
            return [Link(*row).decision for row in connection.execute(query.order_by(decisions.c.number))]

    def document(self, digest: str) -> Document | None:
        """Return the document with this digest; None if there is none."""
        query = sa.select(documents.c.media_type, documents.c.content).where(documents.c.digest == digest)
        with self._tables.reading() as connection:
            found = connection.execute(query).first()
        return Document(found.media_type, zlib.decompress(found.content)) if found else None

    def messages_before(self, day: date) -> dict[str, date]:
        """Return the messages kept that no decision of `day` or later names: the last day that names each, by digest.

        It reads every decision, which takes a while.
        """
        last: dict[str, date] = {}
        number = 0
        while page := self.after(number):
            for _, decision in page:
                last[decision.message] = max(decision.day, last.get(decision.message, decision.day))
            number = page[-1][0]
        with self._tables.reading() as connection:
            kept = set(connection.execute(sa.select(documents.c.digest)).scalars())
        return {digest: named for digest, named in last.items() if named < day and digest in kept}

    def purge(self, digests: Collection[str], after: int) -> None:
        """Delete messages, all in one commit, but none that a decision after number `after` names.

        The decisions that name them by digest stay, and so does the chain.
        """
        with self._tables.writing() as connection:
            if connection.dialect.name == "postgresql":  # in SQLite, one writes at a time
                connection.execute(sa.text("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE"))
            query = sa.select(decisions.c.number, decisions.c.text, decisions.c.hash).where(decisions.c.number > after)
            named = {Link(*row).decision.message for row in connection.execute(query)}
            going = sorted(set(digests) - named)
            for start in range(0, len(going), _PAGE):
                some = documents.c.digest.in_(going[start : start + _PAGE])
                connection.execute(documents.delete().where(some))

    def commit_to(self, day: date, commitment: str) -> None:
        """Note the commitment to a day's secret, once; ValueError if another one is noted."""
        with self._tables.writing() as connection:
            known = connection.execute(sa.select(days.c.commitment).where(days.c.day == day)).scalar()
            if known is None:
                connection.execute(days.insert().values(day=day, commitment=commitment))
        if known not in (None, commitment):
            raise ValueError(f"the secret of {day} is another one: {known} was committed to, not {commitment}")

    def publish(self, day: date, secret: str) -> None:
        """Publish the secret, in hexadecimal, of a day that is over and was committed to."""
        with self._tables.writing() as connection:
            connection.execute(days.update().where(days.c.day == day).values(secret=secret))

    def days(self) -> list[tuple[date, str, str | None]]:
        """Return each day with its commitment, and its secret if that is published."""
        query = sa.select(days.c.day, days.c.commitment, days.c.secret).order_by(days.c.day)
        with self._tables.reading() as connection:
            return [(day, commitment, secret) for day, commitment, secret in connection.execute(query)]

    def verify(self, after: Head = Head(), until: int | None = None) -> Head:
        """Return the head once every decision after `after` was found whole, to the end or up to number `until`.

        BrokenChain names the decision that is not whole, or that is missing.
        """
        last, end = after, self.head().number if until is None else until
        while last.number < end:
            query = sa.select(decisions).where(decisions.c.number > last.number, decisions.c.number <= end)
            with self._tables.reading() as connection:
                page = connection.execute(query.order_by(decisions.c.number).limit(_PAGE)).all()
            if not page:
                raise BrokenChain(f"decision {last.number + 1} is missing, and {end - last.number} were to come")
            for row in page:
                link = Link(row.number, row.text, row.hash)
                last = _followed(last, link)
                if _row(link) != row._asdict():
                    raise BrokenChain(f"decision {row.number} is filed as something that it does not say")
        return last

    def close(self) -> None:
        """Close the connections to the database."""
        self._tables.close()


def _document_row(digest: str, document: Document) -> dict[str, object]:
    return {"digest": digest, "media_type": document.media_type, "content": zlib.compress(document.content, 1)}


def _row(link: Link) -> dict[str, object]:
    decision = link.decision
    return {
        "number": link.number,
        "decision_id": decision.decision_id,
        "declaration_id": decision.declaration_id,
        "version": decision.version,
        "content": decision.content,
        "day": decision.day,
        "office": decision.office,
        "key": decision.key,
        "text": link.text,
        "hash": link.hash,
    }


def _followed(last: Head, link: Link) -> Head:
    """Return the head after `link`; BrokenChain if it does not follow on `last`."""
    if link.number != last.number + 1:
        raise BrokenChain(f"decision {last.number + 1} is missing: after {last.number} comes {link.number}")
    try:
        text = zlib.decompress(link.text)
    except zlib.error as error:
        raise BrokenChain(f"decision {link.number} cannot be read: {error}") from error
    if record.hash_of(link.number, last.hash, text) != link.hash:
        raise BrokenChain(f"decision {link.number} does not follow from what is before it: it was altered, or put in")
    return Head(link.number, link.hash)
