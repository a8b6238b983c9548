"""Make the outbox's tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_UNSENT = sa.text("sent_at IS NULL")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "notices_messages",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("event", sa.String(200), nullable=False),
        sa.Column("recipient", sa.String(80), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("link", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("happened_at", sa.DateTime, nullable=False),
        sa.Column("put_at", sa.DateTime, nullable=False),
        sa.Column("batch", sa.String(16)),
        sa.Column("sent_at", sa.DateTime),
        sa.UniqueConstraint("event", "recipient", "channel", name="notices_once"),
    )
    op.create_index("notices_unsent", "notices_messages", ["number"], sqlite_where=_UNSENT, postgresql_where=_UNSENT)
    op.create_index("notices_last", "notices_messages", ["recipient", "channel", "kind", "sent_at"])
    op.create_table(
        "notices_cursors",
        sa.Column("source", sa.String(16), primary_key=True),
        sa.Column("cursor", sa.Text, nullable=False),
    )
