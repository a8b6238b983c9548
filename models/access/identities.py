"""Which account is whose at the house's identity provider: a table from (issuer, subject) to the name of an account.

A provider's subject is for good, while names, addresses and display names change and are given to others later. So an
identity keeps its account for ever, and an account keeps its identities: what was made and signed under the account is
compared by the account's name, and nobody comes back as somebody else. Rows are added and never taken away.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.database import Instant, connect

LONGEST_SUBJECT = 255  # of a provider's subject, by OpenID Connect
LONGEST_ISSUER = 255

ROWS = sa.Table(
    "tidewaiter_identities",
    sa.MetaData(),
    sa.Column("issuer", sa.String(LONGEST_ISSUER), primary_key=True),
    sa.Column("subject", sa.String(LONGEST_SUBJECT), primary_key=True),
    sa.Column("account", sa.String(63), nullable=False, index=True),
    sa.Column("linked_at", Instant, nullable=False),
    sa.Column("confirmed_at", Instant),
)


@dataclass(frozen=True)
class Identity:
    """Whom an identity provider means: its issuer, and the subject by which it knows the person for good."""

    issuer: str
    subject: str


class Identities:
    """The identities in a database; the table is made if it does not exist."""

    def __init__(self, database_uri: str) -> None:
        self._engine = connect(database_uri)
        ROWS.create(self._engine, checkfirst=True)

    def account(self, identity: Identity) -> str | None:
        """Return the account of an identity; None if it has none."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(ROWS.c.account).where(_is(identity))).scalar()

    def of(self, account: str) -> list[Identity]:
        """Return the identities that an account has, without regard to capitals."""
        query = sa.select(ROWS.c.issuer, ROWS.c.subject).where(sa.func.lower(ROWS.c.account) == account.lower())
        with self._engine.connect() as connection:
            return [Identity(*row) for row in connection.execute(query.order_by(ROWS.c.linked_at))]

    def accounts(self, issuer: str) -> frozenset[str]:
        """Return the accounts that have an identity at an issuer."""
        with self._engine.connect() as connection:
            return frozenset(connection.execute(sa.select(ROWS.c.account).where(ROWS.c.issuer == issuer)).scalars())

    def link(self, identity: Identity, account: str, now: datetime) -> None:
        """Give an identity its account, for good; ValueError if it has another one."""
        row = {"issuer": identity.issuer, "subject": identity.subject, "account": account, "linked_at": now}
        try:
            with self._engine.begin() as connection:
                connection.execute(ROWS.insert().values(row))
        except IntegrityError:
            if (present := self.account(identity)) != account:
                raise ValueError(f"{identity.subject} of {identity.issuer} is {present}, for good") from None

    def confirm(self, identity: Identity, now: datetime) -> None:
        """Note that the provider has confirmed an identity just now."""
        with self._engine.begin() as connection:
            connection.execute(ROWS.update().where(_is(identity)).values(confirmed_at=now))

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()


def _is(identity: Identity) -> sa.ColumnElement[bool]:
    return sa.and_(ROWS.c.issuer == identity.issuer, ROWS.c.subject == identity.subject)
