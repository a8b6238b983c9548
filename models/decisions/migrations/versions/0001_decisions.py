"""Make the tables of decisions, documents and days."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "decisions",
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
    )
    op.create_index("decisions_day", "decisions", ["day", "office"])
    op.create_index("decisions_key", "decisions", ["key"])
    op.create_table(
        "documents",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("commitment", sa.String(64), nullable=False),
        sa.Column("secret", sa.String(64)),
    )
