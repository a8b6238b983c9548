"""Follow what the night selects by a cursor of its own, from the first selection on."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the cursor."""
    op.execute("INSERT INTO desk_cursors (name, number) VALUES ('selections', 0)")
