"""The tables of the desk, in the database of decisions. Their migrations make them, see migrations/.

Nothing is ever removed, and in all tables but `cases`, `items` and `cursors` nothing is changed either. Instants are
in UTC, except those of the contract (`accepted_at`, `known_at`), which are in legal time.
"""

import sqlalchemy as sa

from models.database import Instant

META = sa.MetaData()


# SQLite numbers rows by itself only if the column is called an INTEGER.
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_OPEN, _CLOSED = sa.text("closed_at IS NULL"), sa.text("closed_at IS NOT NULL")
_FREE = sa.text("closed_at IS NULL AND holder IS NULL")
_HELD = sa.text("closed_at IS NULL AND holder IS NOT NULL")

# A declaration that somebody has to look at. `look` is 2 where somebody else looks at it again.
cases = sa.Table(
    "desk_cases",
    META,
    sa.Column("number", _NUMBER, primary_key=True),
    sa.Column("declaration_id", sa.String(64), nullable=False),
    sa.Column("look", sa.Integer, nullable=False),
    sa.Column("decision_id", sa.String(64)),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("office", sa.String(12), nullable=False),
    sa.Column("lane", sa.String(8), nullable=False),
    sa.Column("accepted_at", sa.DateTime, nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("holder", sa.String(64)),
    sa.Column("lease_until", Instant),
    sa.Column("asked_lane", sa.String(8)),
    sa.Column("asked_by", sa.String(64)),
    sa.Column("closed_at", Instant),
    sa.Column("closed_by", sa.String(64)),
    sa.Column("ending", sa.String(12)),
    sa.UniqueConstraint("declaration_id", "look", name="desk_cases_look"),
    sa.Index("desk_cases_open", "office", "lane", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    sa.Index("desk_cases_free", "due_at", "number", "office", sqlite_where=_FREE, postgresql_where=_FREE),
    sa.Index("desk_cases_held", "lease_until", sqlite_where=_HELD, postgresql_where=_HELD),
    sa.Index("desk_cases_closed", "closed_at", sqlite_where=_CLOSED, postgresql_where=_CLOSED),
)

# What was decided about each item of a case's declaration. Once it went to a lane that detects more, only findings with
# a number above `after_finding` clear it.
items = sa.Table(
    "desk_items",
    META,
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

# Everything that anybody did to a case.
events = sa.Table(
    "desk_events",
    META,
    sa.Column("number", _NUMBER, primary_key=True),
    sa.Column("case_number", _NUMBER, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("action", sa.String(16), nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Index("desk_events_case", "case_number", "actor"),
    sa.Index("desk_events_at", "at"),
)

# What officers found: `content` is the finding as its client made it, under a key of the client's.
findings = sa.Table(
    "desk_findings",
    META,
    sa.Column("number", _NUMBER, primary_key=True),
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    sa.Column("case_number", _NUMBER, nullable=False),
    sa.Column("officer", sa.String(64), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("conflict", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Index("desk_findings_case", "case_number"),
)

# What supervisors rule: that a finding counts although it came too late (`key`), or which of two looks counts.
rulings = sa.Table(
    "desk_rulings",
    META,
    sa.Column("number", _NUMBER, primary_key=True),
    sa.Column("case_number", _NUMBER, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("supervisor", sa.String(64), nullable=False),
    sa.Column("key", sa.String(64)),
    sa.Column("counts", _NUMBER),
    sa.Column("words", sa.Text, nullable=False),
    sa.Index("desk_rulings_case", "case_number"),
)

# Photos by the digest of what was sent, and by that of the picture that was kept of it.
photos = sa.Table(
    "desk_photos",
    META,
    sa.Column("case_number", _NUMBER, primary_key=True),
    sa.Column("sent", sa.String(64), primary_key=True),
    sa.Column("kept", sa.String(64), nullable=False),
    sa.Column("media_type", sa.String(16), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("officer", sa.String(64), nullable=False),
)

# What counts as an item's outcome, from `known_at` on; a later row about an item replaces an earlier one.
results = sa.Table(
    "desk_results",
    META,
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
    sa.Index("desk_results_item", "declaration_id", "item_number", "number"),
)

# How far something has come: decisions and selections that were followed, and results that were numbered.
cursors = sa.Table(
    "desk_cursors",
    META,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("number", _NUMBER, nullable=False),
)
