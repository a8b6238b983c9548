"""Make the desk's tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_OPEN, _CLOSED = sa.text("closed_at IS NULL"), sa.text("closed_at IS NOT NULL")
_FREE = sa.text("closed_at IS NULL AND holder IS NULL")
_HELD = sa.text("closed_at IS NULL AND holder IS NOT NULL")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "desk_cases",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("declaration_id", sa.String(64), nullable=False),
        sa.Column("look", sa.Integer, nullable=False),
        sa.Column("decision_id", sa.String(64)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("office", sa.String(12), nullable=False),
        sa.Column("lane", sa.String(8), nullable=False),
        sa.Column("accepted_at", sa.DateTime, nullable=False),
        sa.Column("opened_at", sa.DateTime, nullable=False),
        sa.Column("due_at", sa.DateTime, nullable=False),
        sa.Column("holder", sa.String(64)),
        sa.Column("lease_until", sa.DateTime),
        sa.Column("asked_lane", sa.String(8)),
        sa.Column("asked_by", sa.String(64)),
        sa.Column("closed_at", sa.DateTime),
        sa.Column("closed_by", sa.String(64)),
        sa.Column("ending", sa.String(12)),
        sa.UniqueConstraint("declaration_id", "look", name="desk_cases_look"),
    )
    op.create_index(
        "desk_cases_open", "desk_cases", ["office", "lane", "due_at"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index(
        "desk_cases_free", "desk_cases", ["due_at", "number", "office"], sqlite_where=_FREE, postgresql_where=_FREE
    )
    op.create_index("desk_cases_held", "desk_cases", ["lease_until"], sqlite_where=_HELD, postgresql_where=_HELD)
    op.create_index("desk_cases_closed", "desk_cases", ["closed_at"], sqlite_where=_CLOSED, postgresql_where=_CLOSED)
    op.create_table(
        "desk_items",
        sa.Column("case_number", _NUMBER, primary_key=True),
        sa.Column("item_number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("lane", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("critical", sa.Float),
        sa.Column("expected_revenue", sa.Float),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.Column("after_finding", _NUMBER, nullable=False),
    )
    op.create_table(
        "desk_events",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("case_number", _NUMBER, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
    )
    op.create_index("desk_events_case", "desk_events", ["case_number", "actor"])
    op.create_index("desk_events_at", "desk_events", ["at"])
    op.create_table(
        "desk_findings",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("case_number", _NUMBER, nullable=False),
        sa.Column("officer", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("conflict", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )
    op.create_index("desk_findings_case", "desk_findings", ["case_number"])
    op.create_table(
        "desk_rulings",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("case_number", _NUMBER, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("supervisor", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64)),
        sa.Column("counts", _NUMBER),
        sa.Column("words", sa.Text, nullable=False),
    )
    op.create_index("desk_rulings_case", "desk_rulings", ["case_number"])
    op.create_table(
        "desk_photos",
        sa.Column("case_number", _NUMBER, primary_key=True),
        sa.Column("sent", sa.String(64), primary_key=True),
        sa.Column("kept", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("officer", sa.String(64), nullable=False),
    )
    op.create_table(
        "desk_results",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=False),
        sa.Column("case_number", _NUMBER, nullable=False),
        sa.Column("officer", sa.String(64), nullable=False),
        sa.Column("declaration_id", sa.String(64), nullable=False),
        sa.Column("item_number", sa.Integer, nullable=False),
        sa.Column("accepted_at", sa.DateTime, nullable=False),
        sa.Column("is_illicit", sa.Boolean, nullable=False),
        sa.Column("is_critical", sa.Boolean, nullable=False),
        sa.Column("recovered_revenue", sa.Float),
        sa.Column("inspection_channel", sa.String(8), nullable=False),
        sa.Column("selection_probability", sa.Float, nullable=False),
        sa.Column("known_at", sa.DateTime, nullable=False),
    )
    op.create_index("desk_results_item", "desk_results", ["declaration_id", "item_number", "number"])
    op.create_table(
        "desk_cursors",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("number", _NUMBER, nullable=False),
    )
    op.execute("INSERT INTO desk_cursors (name, number) VALUES ('decisions', 0), ('results', 0)")
