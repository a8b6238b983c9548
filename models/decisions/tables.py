"""The tables of the database of decisions, SQLite or PostgreSQL. Its migrations make them, see migrations/."""

import sqlalchemy as sa

META = sa.MetaData()

# What was decided, in order. The other tables are made from it, for those who look something up.
decisions = sa.Table(
    "decisions",
    META,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("decision_id", sa.String(64), nullable=False, unique=True),
    sa.Column("declaration_id", sa.String(64), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("content", sa.String(64), nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("office", sa.String(12), nullable=False),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("text", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.UniqueConstraint("declaration_id", "version", name="decisions_version"),
    sa.Index("decisions_day", "day", "office"),
    sa.Index("decisions_key", "key"),
)

# What decisions name by its digest: messages as they came, plans of offices, and names of features.
documents = sa.Table(
    "documents",
    META,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("media_type", sa.String(64), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

# The secret by which a day's chances are drawn: its commitment from the morning on, and itself when the day is over.
days = sa.Table(
    "days",
    META,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("commitment", sa.String(64), nullable=False),
    sa.Column("secret", sa.String(64)),
)
