"""Personal tokens: what a person's own programs bring where the person would sign in at a page.

Only digests are kept: a token is shown when it is made, and cannot be found again. It has the roles that its person has
when it is used, and an end. An account whose password was changed, or which was taken away and made again, has none
left. Where people sign in at the house's identity provider, a token also rests once the provider has not confirmed its
person for a while, so that who has left the house leaves with their tokens.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.access import token_forms
from models.access.identities import ROWS as IDENTITIES
from models.database import Instant, connect
from models.policy import SignOn

PREFIX = "twp_"
MOST = 20  # that count at once, of one person
_rows = sa.Table(
    "tidewaiter_personal_tokens",
    sa.MetaData(),
    sa.Column("account", sa.String(63), primary_key=True),
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("password_digest", sa.String(64), nullable=False),  # of the salted hash that MLflow keeps
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("ends_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
)
_users = sa.table("users", sa.column("username", sa.String), sa.column("password_hash", sa.String))


@dataclass(frozen=True)
class PersonalToken:
    """A token of an account, by its name; `revoked_at` is None unless somebody has revoked it."""

    account: str
    name: str
    made_at: datetime
    ends_at: datetime
    revoked_at: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """Whether it has neither ended nor been revoked."""
        return self.revoked_at is None and now < self.ends_at


@dataclass(frozen=True)
class Lives:
    """How long a token may live (`longest`), and, with one sign-on, how long without a confirmation (`unconfirmed`)."""

    longest: timedelta
    unconfirmed: timedelta | None = None

    @classmethod
    def of(cls, policy: SignOn, is_one_sign_on: bool) -> "Lives":
        """Return what the policy says."""
        unconfirmed = timedelta(days=policy.token_unconfirmed_days) if is_one_sign_on else None
        return cls(timedelta(days=policy.token_days), unconfirmed)


class PersonalTokens:
    """The personal tokens in a database; the table is made if it does not exist."""

    def __init__(self, database_uri: str, lives: Lives) -> None:
        self._engine = connect(database_uri)
        self._lives = lives
        for table in (_rows, IDENTITIES):
            table.create(self._engine, checkfirst=True)

    def make(self, account: str, name: str, days: int, now: datetime) -> str:
        """Make a token and return it; ValueError if name or days are not allowed, or there are too many."""
        if not token_forms.NAME.fullmatch(name):
            raise ValueError(f"name is {name[:70]!r}; allowed: up to 63 small letters, digits and . _ -, as 'laptop'")
        if not 1 <= days <= self._lives.longest.days:
            raise ValueError(f"days is {days}; allowed: 1 to {self._lives.longest.days}, as the policy has it")
        if sum(each.counts(now) for each in self.of(account)) >= MOST:
            raise ValueError(f"{account} has {MOST} tokens that count; allowed: revoke one first")
        token = token_forms.draw(PREFIX)
        row = {"account": account, "name": name, "digest": token_forms.digest(token), "made_at": now}
        stated = sa.select(_users.c.password_hash).where(_users.c.username == account)
        try:
            with self._engine.begin() as connection:
                row["password_digest"] = token_forms.digest(connection.execute(stated).scalar_one())
                connection.execute(_rows.insert().values(**row, ends_at=now + timedelta(days=days)))
        except IntegrityError:
            raise ValueError(f"name {name!r} has or had a token already; allowed: another name") from None
        return token

    def owner(self, token: str, now: datetime) -> str | None:
        """Return the account whose token this is; None if it is nobody's, or does not count now."""
        query = (
            sa.select(_rows.c.account, _rows.c.password_digest, _users.c.password_hash)
            .join(_users, _users.c.username == _rows.c.account)
            .where(_rows.c.digest == token_forms.digest(token), _rows.c.revoked_at.is_(None), _rows.c.ends_at > now)
        )
        if self._lives.unconfirmed is not None:
            since = now - self._lives.unconfirmed
            confirmed = sa.select(IDENTITIES.c.account).where(IDENTITIES.c.confirmed_at > since)
            query = query.where(_rows.c.account.in_(confirmed))
        with self._engine.connect() as connection:
            found = connection.execute(query).first()
        return found.account if found and found.password_digest == token_forms.digest(found.password_hash) else None

    def of(self, account: str) -> list[PersonalToken]:
        """Return every token that an account has or had, the latest first."""
        columns = [column for column in _rows.columns if not column.name.endswith("digest")]
        query = sa.select(*columns).where(_rows.c.account == account).order_by(_rows.c.made_at.desc(), _rows.c.name)
        with self._engine.connect() as connection:
            return [PersonalToken(*row) for row in connection.execute(query)]

    def revoke(self, account: str, name: str, now: datetime) -> None:
        """Revoke a token of an account, from now on; ValueError if there is none that counts."""
        query = _rows.update().where(
            _rows.c.account == account, _rows.c.name == name, _rows.c.revoked_at.is_(None), _rows.c.ends_at > now
        )
        with self._engine.begin() as connection:
            if not connection.execute(query.values(revoked_at=now)).rowcount:
                raise ValueError(f"name is {name[:70]!r}; allowed: a token of {account} that counts, see the list")

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()


def is_token(text: str) -> bool:
    """Whether this has the form of a personal token, so that it is not taken for a password."""
    return text.startswith(PREFIX)
