"""The tables of the outbox, in the database of decisions. Their migrations make them, see migrations/."""

import sqlalchemy as sa

from models.database import Instant

META = sa.MetaData()
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_UNSENT = sa.text("sent_at IS NULL")

# What somebody is to be told at an address of theirs, once; `batch` names the message that it is sent in.
messages = sa.Table(
    "notices_messages",
    META,
    sa.Column("number", _NUMBER, primary_key=True),
    sa.Column("event", sa.String(200), nullable=False),
    sa.Column("recipient", sa.String(80), nullable=False),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("facts", sa.Text, nullable=False),
    sa.Column("happened_at", Instant, nullable=False),
    sa.Column("put_at", Instant, nullable=False),
    sa.Column("batch", sa.String(16)),
    sa.Column("sent_at", Instant),
    sa.UniqueConstraint("event", "recipient", "channel", name="notices_once"),
    sa.Index("notices_unsent", "number", sqlite_where=_UNSENT, postgresql_where=_UNSENT),
    sa.Index("notices_last", "recipient", "channel", "kind", "sent_at"),
)

# How far each source of events has come.
cursors = sa.Table(
    "notices_cursors",
    META,
    sa.Column("source", sa.String(16), primary_key=True),
    sa.Column("cursor", sa.Text, nullable=False),
)
