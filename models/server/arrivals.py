"""What becomes of accounts when somebody arrives by one sign-on: MLflow's accounts follow the identity provider.

The first arrival of an identity makes its account; each arrival gives the account the roles that its groups have now,
and takes the others away. The ledger notes each change before it is made, as it does those of administrators.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from models.access import Account, Directory, Identities, Refused, accounts
from models.evidence import digests
from models.ledger import Entry, storage
from models.names import ADMINISTRATOR, SERVER
from models.policy import Policy
from models.single_sign_on import Arrival, Confirmed, required_roles

if TYPE_CHECKING:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore


@dataclass(frozen=True)
class Arrivals:
    """The accounts in MLflow's `store`; `note` adds an entry to the ledger."""

    store: "SqlAlchemyStore"
    directory: Directory
    identities: Identities
    in_force: Policy
    note: Callable[[Entry], None]
    _turn: Lock = field(default_factory=Lock, init=False, repr=False)

    def __call__(self, confirmed: Confirmed, address: str) -> Arrival:
        """Return who enters for somebody whom the provider has confirmed; Refused if nobody does."""
        with self._turn:
            name = self.identities.account(confirmed.identity)
            if name is None:
                required_roles(confirmed, self.in_force)  # no account is made for a stranger
                name = self._made(confirmed, address)
            account = self.directory.known(name)
            if account is None:
                raise Refused(f"the account {name} was taken away; an administrator can make it again")
            self._set_roles(account, accounts.of_groups(self.in_force, confirmed.groups), address)
            roles = required_roles(confirmed, self.in_force)
            self.identities.confirm(confirmed.identity, datetime.now(UTC))
            return Arrival(name, roles)

    def _made(self, confirmed: Confirmed, address: str) -> str:
        """Make the account of an identity that has none, under the name that the provider gives; return the name."""
        name, identity = confirmed.name, confirmed.identity
        said = f"{identity.subject} of {identity.issuer}"
        try:
            accounts.refuse_name(name, self.directory.names())
        except ValueError as error:
            raise Refused(f"{error}. If this is the same person, an administrator links {said} to it") from error
        if self.identities.of(name):
            raise Refused(f"the name {name} was another person's: an administrator links {said} to another account")
        self._note({"username": name, "issuer": identity.issuer, "subject": identity.subject}, address)
        self.store.create_user(name, secrets.token_urlsafe(32))  # a password that nobody knows
        self.identities.link(identity, name, datetime.now(UTC))
        return name

    def _set_roles(self, account: Account, wanted: frozenset[str], address: str) -> None:
        present, numbers = {role.name for role in account.roles}, self.directory.roles()
        user = self.store.get_user(account.name)
        for role in sorted(wanted - present - {ADMINISTRATOR}):
            self._note({"username": account.name, "role": role, "is_given": True}, address)
            self.store.assign_role_to_user(user.id, numbers[role])
        for role in sorted(present - wanted):
            self._note({"username": account.name, "role": role, "is_given": False}, address)
            self.store.unassign_role_from_user(user.id, numbers[role])
        if (is_admin := ADMINISTRATOR in wanted) != account.is_administrator:
            self._note({"username": account.name, "is_admin": is_admin}, address)
            self.store.update_user(account.name, is_admin=is_admin)

    def _note(self, told: Mapping[str, object], address: str) -> None:
        reason = digests.canonical({**told, "by": "one sign-on"}).decode()
        self.note(Entry(at=storage.now(), actor=SERVER, address=address, action="account", reason=reason))
