"""Which customs offices are an officer's or a supervisor's: a table beside the accounts, which an administrator fills.

Whoever has no office there sees no case of any.
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime

import sqlalchemy as sa

from models.database import connect

_OFFICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,11}")
_rows = sa.Table(
    "tidewaiter_offices",
    sa.MetaData(),
    sa.Column("account", sa.String(63), primary_key=True),
    sa.Column("office", sa.String(12), primary_key=True),
    sa.Column("given_by", sa.Text, nullable=False),
    sa.Column("given_at", sa.Text, nullable=False),
)


def refuse_odd(offices: Collection[str]) -> None:
    """Raise ValueError if one of `offices` is no code of an office.

    >>> refuse_odd(["010", "KR 20"])
    Traceback (most recent call last):
    ...
    ValueError: office is 'KR 20'; allowed: up to 12 letters, digits and . _ -, as declarations have it
    """
    for office in offices:
        if not _OFFICE.fullmatch(office):
            raise ValueError(
                f"office is {office[:40]!r}; allowed: up to 12 letters, digits and . _ -, as declarations have it"
            )


class Offices:
    """The offices of accounts in a database; the table is made if it does not exist."""

    def __init__(self, database_uri: str) -> None:
        self._engine = connect(database_uri)
        _rows.create(self._engine, checkfirst=True)

    def of(self, account: str) -> tuple[str, ...]:
        """Return the offices of an account, in order."""
        query = sa.select(_rows.c.office).where(_rows.c.account == account).order_by(_rows.c.office)
        with self._engine.connect() as connection:
            return tuple(connection.execute(query).scalars())

    def every(self) -> dict[str, tuple[str, ...]]:
        """Return the offices of each account that has one."""
        found: dict[str, tuple[str, ...]] = {}
        with self._engine.connect() as connection:
            query = sa.select(_rows.c.account, _rows.c.office).order_by(_rows.c.account, _rows.c.office)
            for account, office in connection.execute(query):
                found[account] = (*found.get(account, ()), office)
        return found

    def give(self, account: str, offices: Collection[str], given_by: str) -> None:
        """Let these be the offices of an account, and no others; ValueError if one is no code of an office."""
        refuse_odd(offices)
        about = {"account": account, "given_by": given_by, "given_at": datetime.now(UTC).isoformat(timespec="seconds")}
        with self._engine.begin() as connection:
            connection.execute(_rows.delete().where(_rows.c.account == account))
            if offices:
                connection.execute(_rows.insert(), [{**about, "office": office} for office in sorted(set(offices))])

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()
