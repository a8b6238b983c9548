"""The outbox: what somebody is to be told is kept until it was sent, so that nothing is lost and nothing is doubled.

A message is one event or, where several of a kind have come together, a digest of them. Its content is settled and
named (`Batch.key`) before it is sent, and it is marked when the receiver has taken it. If the process is killed between
the two, the next one sends the same content under the same key: only in this window can a receiver see a message twice.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from models.database import Tables
from models.notices.event import Event, digest
from models.notices.tables import cursors, messages

SETTLE = timedelta(seconds=20)  # a message waits this long for others of its kind
QUIET = timedelta(minutes=10)  # between two messages of a kind to one address
WAIT_S = 5.0  # for the database
_CHUNK = 500
_UNSENT = messages.c.sent_at.is_(None)

Address = tuple[str, str]  # a recipient, and a channel of theirs


@dataclass(frozen=True)
class Batch:
    """A message that is due, under its key: what it says of a kind, to a recipient at a channel.

    `events` are the facts and the page of each event, in order.
    """

    key: str
    recipient: str
    channel: str
    kind: str
    events: Sequence[tuple[Mapping[str, str], str]]
    since: datetime

    @property
    def address(self) -> Address:
        """Return recipient and channel."""
        return self.recipient, self.channel


@dataclass(frozen=True)
class Told:
    """Names one event that somebody was told, or is to be told."""

    recipient: str
    channel: str
    kind: str
    event: str
    put_at: datetime
    sent_at: datetime | None


class Outbox:
    """Keeps the outbox in a database; instants are aware. One process puts in and takes out.

    Others may read before its tables are made: then nobody was told anything yet. Unavailable, from every method, if
    the database does not answer.
    """

    def __init__(self, database_uri: str, wait_s: float = WAIT_S) -> None:
        self._tables = Tables(database_uri, Path(__file__).parent / "migrations", wait_s)

    def migrate(self) -> None:
        """Make the tables, or bring them to what this release reads."""
        self._tables.migrate()

    def cursor(self, source: str) -> str | None:
        """Return how far a source has come; None if it has never looked."""
        with self._tables.reading() as connection:
            if not sa.inspect(connection).has_table(cursors.name):
                return None
            return connection.execute(sa.select(cursors.c.cursor).where(cursors.c.source == source)).scalar()

    def put(self, events: Sequence[tuple[Event, Address]], source: str, cursor: str | None, now: datetime) -> int:
        """Put in what was not in before, and note how far the source has come, in one commit; return how many."""
        with self._tables.writing() as connection:
            known: set[tuple[str, str, str]] = set()
            keys = sorted({event.key for event, _ in events})
            for start in range(0, len(keys), _CHUNK):
                query = sa.select(messages.c.event, messages.c.recipient, messages.c.channel)
                some = messages.c.event.in_(keys[start : start + _CHUNK])
                known.update(row._tuple() for row in connection.execute(query.where(some)))
            fresh = {(event.key, *to): (event, to) for event, to in events if (event.key, *to) not in known}
            if fresh:
                connection.execute(messages.insert(), [_row(event, to, now) for event, to in fresh.values()])
            if cursor is not None:
                connection.execute(cursors.delete().where(cursors.c.source == source))
                connection.execute(cursors.insert().values(source=source, cursor=cursor))
        return len(fresh)

    def due(self, addresses: Collection[Address], now: datetime) -> list[Batch]:
        """Return the messages to send now to these addresses, the oldest first; what they say is settled from now on.

        What was settled before and is not sent yet is due at once. Otherwise a kind is due at an address when its first
        event has waited for SETTLE, and the last message of the kind was sent QUIET ago.
        """
        sealed: dict[str, list[sa.Row]] = defaultdict(list)
        loose: dict[tuple[str, str, str], list[sa.Row]] = defaultdict(list)
        with self._tables.writing() as connection:
            for row in connection.execute(sa.select(messages).where(_UNSENT).order_by(messages.c.number)):
                if (row.recipient, row.channel) in addresses:
                    group = (row.recipient, row.channel, row.kind)
                    (sealed[row.batch] if row.batch else loose[group]).append(row)
            waiting = {(rows[0].recipient, rows[0].channel, rows[0].kind) for rows in sealed.values()}
            for group, rows in loose.items():
                if group not in waiting and rows[0].put_at <= now - SETTLE and _is_quiet(connection, group, now):
                    key = digest("\n".join([*group, *(row.event for row in rows)]))
                    connection.execute(messages.update().where(_of(group), _UNSENT).values(batch=key))
                    sealed[key] = rows
        return [_batch(key, rows) for key, rows in sorted(sealed.items(), key=lambda each: each[1][0].number)]

    def mark_sent(self, batch: Batch, now: datetime) -> None:
        """Note that the receiver has taken a message."""
        with self._tables.writing() as connection:
            connection.execute(messages.update().where(messages.c.batch == batch.key).values(sent_at=now))

    def waiting(self, addresses: Collection[Address]) -> tuple[int, datetime | None]:
        """Return how many events wait to be told at these addresses, and since when the oldest does."""
        with self._tables.reading() as connection:
            if not sa.inspect(connection).has_table(messages.name):
                return 0, None
            query = sa.select(messages.c.recipient, messages.c.channel, messages.c.put_at).where(_UNSENT)
            since = [at for recipient, channel, at in connection.execute(query) if (recipient, channel) in addresses]
        return len(since), min(since, default=None)

    def latest(self, most: int) -> list[Told]:
        """Return what was put in last, the latest first."""
        query = sa.select(*(messages.c[name] for name in Told.__dataclass_fields__))
        with self._tables.reading() as connection:
            if not sa.inspect(connection).has_table(messages.name):
                return []
            found = connection.execute(query.order_by(messages.c.number.desc()).limit(most))
            return [Told(**row) for row in found.mappings()]

    def close(self) -> None:
        """Close the connections to the database."""
        self._tables.close()


def _is_quiet(connection: sa.Connection, group: tuple[str, str, str], now: datetime) -> bool:
    last = connection.execute(sa.select(sa.func.max(messages.c.sent_at)).where(_of(group))).scalar()
    return last is None or last <= now - QUIET


def _of(group: tuple[str, str, str]) -> sa.ColumnElement[bool]:
    recipient, channel, kind = group
    return sa.and_(messages.c.recipient == recipient, messages.c.channel == channel, messages.c.kind == kind)


def _row(event: Event, to: Address, now: datetime) -> dict[str, object]:
    return {
        "event": event.key,
        "recipient": to[0],
        "channel": to[1],
        "kind": event.kind,
        "link": event.link,
        "facts": json.dumps(dict(event.facts), ensure_ascii=False),
        "happened_at": event.at,
        "put_at": now,
    }


def _batch(key: str, rows: Sequence[sa.Row]) -> Batch:
    first = rows[0]
    events = [(json.loads(row.facts), row.link) for row in rows]
    return Batch(key, first.recipient, first.channel, first.kind, events, first.happened_at)
