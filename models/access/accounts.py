"""Roles, their grants, and the account that the flows use: the server makes them in MLflow's own store at its start.

Accounts of people and their roles are the administrator's business (flows/commands/signoff.py, or MLflow's own pages).
The rights of a role are not: a grant that was added, changed or taken away is put back at the next start.

MLflow's grants keep people out of what they have no business with. They cannot say who signs what, or that `champion`
must not be moved: an account that may edit a model may move any of its aliases. That is the guard's work.
"""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from models.names import ADMINISTRATOR, ANALYST, SERVER, SERVICE
from models.policy import Policy, Signoff

if TYPE_CHECKING:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

DATA_SCIENTIST, AUDITOR = "data-scientist", "auditor"
OFFICER, SUPERVISOR = "officer", "supervisor"  # of the inspection desk, each in their offices (offices.py)
# Of machines, which have tokens (tokens.py) and no accounts; what each is told.
SYSTEM, TRADE, METRICS = "declaration-system", "trade-system", "metrics-reader"
DECLARING = (SYSTEM, TRADE)  # at the window
MACHINES = {
    SYSTEM: "customs' own system: it is told lanes, scores and reasons",
    TRADE: "a trader's or broker's system: it is told whether goods are released or held",
    METRICS: "a monitoring system: it is told figures of the installation, and nothing of a declaration",
}
SERVICE_ROLE = "service"  # only the account SERVICE has it
ADMINISTRATOR_ACCOUNT = "admin"
WORKSPACE = "default"
# By these names `tidewaiter up` and MLflow's server sign in to Prefect; they are no accounts.
UP, TELLER = "tidewaiter-up", "tidewaiter-mlflow"
RESERVED = frozenset({SERVICE, SERVER, UP, TELLER})

# A name of this form names a person in ledger and tags, and precedes the colon of an HTTP sign-in.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")

Grants = Mapping[str, str]  # permission by resource type, for all resources of the type

_READING: Grants = {"experiment": "READ", "registered_model": "READ"}
# Runs and logged models follow their experiment, and versions their model, if no grant names them.
_REVIEWING: Grants = {**_READING, "registered_model_version": "EDIT"}  # EDIT: to set the tags that they sign by
# MANAGE, since MLflow asks for it to delete runs and experiments, and the alias `challenger`, which EDIT can only move.
_ALL: Grants = {"experiment": "MANAGE", "registered_model": "MANAGE"}
# The service is no administrator: administrators bypass MLflow's own checks, manage accounts, and cannot be restricted.
_SERVING: Grants = {"experiment": "EDIT", "registered_model": "MANAGE"}  # MANAGE: to delete an alias


def grants(signoff: Signoff) -> dict[str, Grants]:
    """Return every role and its grants."""
    reviewers = {step.role: _REVIEWING for step in signoff.steps}
    reading = {AUDITOR: _READING, ANALYST: _READING, OFFICER: {}, SUPERVISOR: {}}
    return {**reviewers, **reading, DATA_SCIENTIST: _ALL, SERVICE_ROLE: _SERVING}


def of_groups(policy: Policy, groups: Collection[str]) -> frozenset[str]:
    """Return the roles that a person has by groups of the identity provider; ADMINISTRATOR is the administrator's flag.

    ValueError if the policy names a role that nobody can be given.
    """
    allowed = {*grants(policy.signoff), ADMINISTRATOR} - {SERVICE_ROLE}
    for group, roles in policy.sign_on.groups.items():
        if unknown := sorted(set(roles) - allowed):
            raise ValueError(
                f"[sign_on.groups] of the policy gives {group!r} the role {unknown[0]!r}; allowed: "
                f"{', '.join(sorted(allowed))}"
            )
    return frozenset(role for group in groups for role in policy.sign_on.groups.get(group, ()))


def prepare(store: "SqlAlchemyStore", signoff: Signoff, service_password: str) -> None:
    """Make the roles, their grants and the service account as they should be; what is right already stays."""
    roles = {role.name: role.id for role in store.list_roles([WORKSPACE])}
    for name, wanted in grants(signoff).items():
        if name not in roles:
            roles[name] = store.create_role(name, WORKSPACE).id
        _grant(store, roles[name], wanted)
    if not store.has_user(SERVICE):
        store.create_user(SERVICE, service_password)
    elif not store.authenticate_user(SERVICE, service_password):
        store.update_user(SERVICE, password=service_password)
    account = store.update_user(SERVICE, is_admin=False)
    if roles[SERVICE_ROLE] not in {role.id for role in store.list_user_roles(account.id)}:
        store.assign_role_to_user(account.id, roles[SERVICE_ROLE])


def refuse_name(name: str, accounts: Collection[str]) -> None:
    """Raise ValueError if a new account may not have this name; `accounts` are the present ones.

    >>> refuse_name("Rea", {"rea"})
    Traceback (most recent call last):
    ...
    ValueError: name 'Rea': rea is there already, and two that differ by their capitals would be one person to a reader
    """
    if not _NAME.fullmatch(name) or name.casefold() in RESERVED:
        raise ValueError(
            f"name {name!r} is not for a person; allowed: up to 63 letters, digits and . _ @ -, for example "
            "ann.lee@customs.example"
        )
    if taken := next((each for each in accounts if each.casefold() == name.casefold()), None):
        raise ValueError(
            f"name {name!r}: {taken} is there already, and two that differ by their capitals would be one person to a "
            "reader"
        )


def has_administrator(database_uri: str) -> bool:
    """Whether the administrator's account exists; MLflow makes it at its start, for which it must have a password.

    Raises ValueError if the database does not answer.
    """
    # Imported here, because it takes half a second, and the commands which only need names should not spend it.
    import sqlalchemy as sa
    from sqlalchemy.exc import OperationalError

    engine = sa.create_engine(database_uri)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("users"):
                return False
            named = sa.text("SELECT count(*) FROM users WHERE username = :name")
            return bool(connection.execute(named, {"name": ADMINISTRATOR_ACCOUNT}).scalar())
    except OperationalError as error:
        raise ValueError(f"MLflow's database {engine.url} does not answer: {error.orig}") from error
    finally:
        engine.dispose()


def _grant(store: "SqlAlchemyStore", role: int, wanted: Grants) -> None:
    present = {}
    for each in store.list_role_permissions(role):
        if each.resource_pattern == "*" and wanted.get(each.resource_type) == each.permission:
            present[each.resource_type] = each.permission
        else:
            store.remove_role_permission(each.id)
    for resource_type in wanted.keys() - present.keys():
        store.add_role_permission(role, resource_type, "*", wanted[resource_type])
