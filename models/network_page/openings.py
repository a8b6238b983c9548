"""Who opened which company, and when: a table in MLflow's own database, SQLite or PostgreSQL, to which rows are added.

Relations of companies are sensitive, so an opening is written down before it is answered.
"""

from datetime import UTC, datetime

import httpx
import sqlalchemy as sa
from pydantic import BaseModel

from models.database import connect
from models.ledger import reading

_rows = sa.Table(
    "tidewaiter_network_openings",
    sa.MetaData(),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("asked", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("until", sa.Text, nullable=False),
)


class Opening(BaseModel):
    """An opening: an account asked for the company, or for the path, that `kind` and `identity` name in a source.

    `at` is in UTC and ISO 8601; `until` is the day for which the network was shown. `number` counts from 1.
    """

    number: int = 0
    at: str = ""
    account: str
    address: str
    asked: str
    source: str
    kind: str
    identity: str
    until: str


class Openings:
    """The table, which is made if it does not exist."""

    def __init__(self, database_uri: str) -> None:
        self._engine = connect(database_uri)
        _rows.create(self._engine, checkfirst=True)

    def add(self, opening: Opening) -> None:
        """Write an opening down, with the next number and this moment."""
        row = opening.model_dump(exclude={"number"}) | {"at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        with self._engine.begin() as connection:
            connection.execute(_rows.insert().values(row))

    def read(self, after: int = 0, most: int | None = None) -> list[Opening]:
        """Return the rows with a number above `after`, in order."""
        wanted = sa.select(_rows).where(_rows.c.number > after).order_by(_rows.c.number).limit(most)
        with self._engine.connect() as connection:
            return [Opening.model_validate(dict(row)) for row in connection.execute(wanted).mappings()]

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()


def rows(tracking_uri: str) -> list[Opening]:
    """Return every row, from the database or over HTTP from the server that keeps it."""
    if not tracking_uri.startswith(("http://", "https://")):
        table = Openings(tracking_uri)
        try:
            return table.read()
        finally:
            table.close()
    found: list[Opening] = []
    with reading.connect(tracking_uri) as client:
        while page := _page(client, found[-1].number if found else 0):
            found += page
    return found


def _page(client: httpx.Client, after: int) -> list[Opening]:
    answer = client.get("/api/2.0/tidewaiter/network/openings", params={"after": after}).raise_for_status()
    return [Opening.model_validate(row) for row in answer.json()["openings"]]
