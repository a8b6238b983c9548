"""Tokens of machines: who asks the window by itself signs in with one, where a person would use a password.

They are kept beside the accounts, in MLflow's database, and only their digests: a token is shown when it is made, and
cannot be found again. An administrator makes, lists and revokes them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.access import token_forms
from models.access.accounts import MACHINES
from models.database import connect

_PREFIX = "tw_"
_rows = sa.Table(
    "tidewaiter_tokens",
    sa.MetaData(),
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", sa.Text, nullable=False),
    sa.Column("revoked_at", sa.Text),
)


@dataclass(frozen=True)
class Machine:
    """A machine with a token: its name, its role (one of MACHINES), who made the token and when (UTC, ISO 8601).

    `revoked_at` is None while the token counts.
    """

    name: str
    role: str
    made_by: str
    made_at: str
    revoked_at: str | None = None


class Tokens:
    """The tokens in a database; the table is made if it does not exist."""

    def __init__(self, database_uri: str) -> None:
        self._engine = connect(database_uri)
        _rows.create(self._engine, checkfirst=True)

    def make(self, name: str, role: str, made_by: str) -> str:
        """Make a token and return it; ValueError if name or role is not allowed, or the name was used before."""
        if not token_forms.NAME.fullmatch(name):
            raise ValueError(f"name is {name!r}; allowed: up to 63 small letters, digits and . _ -, as 'single-window'")
        if role not in MACHINES:
            raise ValueError(f"role is {role!r}; allowed: {', '.join(MACHINES)}")
        token = token_forms.draw(_PREFIX)
        row = {"name": name, "role": role, "digest": token_forms.digest(token), "made_by": made_by, "made_at": _now()}
        try:
            with self._engine.begin() as connection:
                connection.execute(_rows.insert().values(row))
        except IntegrityError:
            raise ValueError(
                f"name {name!r} has or had a token already; allowed: a name of its own for each, as decisions name it"
            ) from None
        return token

    def machine(self, token: str) -> Machine | None:
        """Return whose token this is; None if it is nobody's, or was revoked."""
        query = sa.select(*_told).where(_rows.c.digest == token_forms.digest(token), _rows.c.revoked_at.is_(None))
        with self._engine.connect() as connection:
            found = connection.execute(query).first()
        return Machine(*found) if found else None

    def machines(self) -> list[Machine]:
        """Return every machine that has or had a token, by name."""
        with self._engine.connect() as connection:
            return [Machine(*row) for row in connection.execute(sa.select(*_told).order_by(_rows.c.name))]

    def revoke(self, name: str) -> None:
        """Revoke a machine's token, from now on; ValueError if it has none."""
        query = _rows.update().where(_rows.c.name == name, _rows.c.revoked_at.is_(None)).values(revoked_at=_now())
        with self._engine.begin() as connection:
            if not connection.execute(query).rowcount:
                raise ValueError(f"name is {name!r}; allowed: one whose token counts, see the list")

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()


_told = [column for column in _rows.columns if column.name != "digest"]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
