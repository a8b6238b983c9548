"""Connections to MLflow's databases, SQLite or PostgreSQL: how they are opened and how long they wait."""

from typing import Any

import sqlalchemy as sa

WAIT_S = 60


def connect(database_uri: str, wait_s: float = WAIT_S) -> sa.Engine:
    """Return an engine that waits for a lock up to `wait_s`, and notices a connection that the database has dropped."""
    if database_uri.startswith("sqlite"):
        arguments: dict[str, Any] = {"timeout": wait_s}
    else:
        arguments = {"options": f"-c lock_timeout={wait_s * 1000:.0f}ms"}
    return sa.create_engine(database_uri, connect_args=arguments, pool_pre_ping=True)
