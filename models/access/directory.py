"""The accounts and their roles, read from the tables where MLflow keeps them.

Both servers ask here, so that there is one sign-in. The tables are read without MLflow's own code, because the guard of
Prefect runs in a process that has no MLflow in it. MLflow makes and changes accounts, behind the guard.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

import sqlalchemy as sa
from werkzeug.security import check_password_hash, generate_password_hash

from models.database import connect
from models.names import ADMINISTRATOR

_MOST_REMEMBERED = 10_000
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # no database keeps these
_LONGEST = 1_000  # characters of a name or password that are looked at
_META = sa.MetaData()
_users = sa.Table(
    "users",
    _META,
    sa.Column("id", sa.Integer),
    sa.Column("username", sa.String),
    sa.Column("password_hash", sa.String),
    sa.Column("is_admin", sa.Boolean),
)
_assigned = sa.Table("user_role_assignments", _META, sa.Column("user_id", sa.Integer), sa.Column("role_id", sa.Integer))
_roles = sa.Table("roles", _META, sa.Column("id", sa.Integer), sa.Column("name", sa.String))


@dataclass(frozen=True)
class Role:
    """A role as it is now. `number` stays when the name changes."""

    number: int
    name: str


@dataclass(frozen=True)
class Account:
    """An account whose person is known to be there; `is_by_token` says that a personal token stands for the person."""

    name: str
    roles: tuple[Role, ...] = ()
    is_administrator: bool = False
    is_by_token: bool = False

    @property
    def role_names(self) -> tuple[str, ...]:
        """Return roles as the ledger has them: MLflow's, and its administrator's flag as one more.

        >>> Account("ann", (Role(2, "reviewer"), Role(1, "auditor")), is_administrator=True).role_names
        ('administrator', 'auditor', 'reviewer')
        """
        flagged = {ADMINISTRATOR} if self.is_administrator else set()
        return tuple(sorted({*(role.name for role in self.roles), *flagged}))


@dataclass
class Directory:
    """The accounts in a database, and the service's own principals (`own`: name to password), which have no roles.

    A password's hash takes tens of milliseconds, by design, and every request carries a password. So a right password
    is remembered together with the hash that it matched, and a changed password counts at once.
    """

    database_uri: str
    own: Mapping[str, str] = field(default_factory=dict)
    _remembered: dict[tuple[str, bytes], str] = field(default_factory=dict, init=False, repr=False)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._engine = connect(self.database_uri)
        self._nobodys = generate_password_hash(secrets.token_urlsafe(24))

    def account(self, name: str, password: str) -> Account | None:
        """Return the account of a name and its password; None if they do not match, or there is no such name."""
        if not (0 < len(name) <= _LONGEST and 0 < len(password) <= _LONGEST) or _NO_TEXT.search(name + password):
            return None
        if name in self.own:
            return Account(name) if hmac.compare_digest(self.own[name].encode(), password.encode()) else None
        rows = self._read(name)
        stated = rows[0].password_hash if rows else None
        if not self._is_right(name, password, stated):
            return None
        return Account(name, _roles_of(rows), bool(rows[0].is_admin))

    def known(self, name: str) -> Account | None:
        """Return the account of a name whose person was recognized otherwise than by a password; None if it is gone."""
        rows = self._read(name)
        return Account(name, _roles_of(rows), bool(rows[0].is_admin)) if rows else None

    def is_remembered(self, name: str, password: str) -> bool:
        """Whether this password was right before, so that checking it again costs no hash."""
        return name in self.own or self._key(name, password) in self._remembered

    def names(self) -> frozenset[str]:
        """Return the names of all accounts of MLflow."""
        with self._engine.connect() as connection:
            return frozenset(connection.execute(sa.select(_users.c.username)).scalars())

    def role_names(self, name: str) -> tuple[str, ...]:
        """Return the roles of an account as the ledger has them; none if there is no such account."""
        rows = self._read(name)
        return Account(name, _roles_of(rows), any(row.is_admin for row in rows)).role_names

    def roles(self) -> dict[str, int]:
        """Return the number of each role by its name; MLflow's own roles are left out."""
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(_roles.c.name, _roles.c.id))
            return {name: number for name, number in found if not name.startswith("__")}

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()

    def _is_right(self, name: str, password: str, stated: str | None) -> bool:
        key = self._key(name, password)
        if stated is not None and self._remembered.get(key) == stated:
            return True
        # An unknown name takes as long as a known one, so that the time tells nobody which names exist.
        is_right = check_password_hash(stated or self._nobodys, password) and stated is not None
        if is_right and stated is not None:
            with self._lock:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                self._remembered[key] = stated
        return is_right

    def _key(self, name: str, password: str) -> tuple[str, bytes]:
        return name, hmac.digest(self._secret, password.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def _read(self, name: str) -> list[sa.Row]:
        """Return a row for each role of the account; at least one if the account exists."""
        query = (
            sa.select(
                _users.c.password_hash,
                _users.c.is_admin,
                _roles.c.id,
                _roles.c.name,
            )
            .select_from(
                _users.outerjoin(_assigned, _assigned.c.user_id == _users.c.id).outerjoin(
                    _roles, _roles.c.id == _assigned.c.role_id
                )
            )
            .where(_users.c.username == name)
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query))


def _roles_of(rows: Iterable[sa.Row]) -> tuple[Role, ...]:
    """Return the roles in rows, without those that MLflow makes by itself to keep what one account was granted."""
    named = {row.id: row.name for row in rows if row.id is not None and not row.name.startswith("__")}
    return tuple(Role(number, name) for number, name in sorted(named.items()))
