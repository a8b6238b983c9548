"""Roles, their grants, and the account that the flows use: made in MLflow's own store, by the server, at its start.

Accounts of people and their roles are the administrator's business (flows/commands/signoff.py, or MLflow's own pages).
What a role may do is not: a grant that was added, changed or taken away is put back at the next start.

MLflow's grants keep people out of what they have no business with. They cannot say who signs what, or that `champion`
is not to be moved: whoever may edit a model may move any of its aliases. That is the guard's work.
"""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from models.policy import Signoff
from models.signoff.book import SERVER, SERVICE

if TYPE_CHECKING:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

DATA_SCIENTIST, AUDITOR = "data-scientist", "auditor"
SERVICE_ROLE = "service"  # of the account SERVICE alone
ADMINISTRATOR_ACCOUNT = "admin"
WORKSPACE = "default"
# By these names `tidewaiter up` and MLflow's server sign in to Prefect; they are no accounts.
UP, TELLER = "tidewaiter-up", "tidewaiter-mlflow"
RESERVED = frozenset({SERVICE, SERVER, UP, TELLER})

# What names a person in ledger and tags, and stands before the colon of an HTTP sign-in.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")

Grants = Mapping[str, str]  # resource type to permission, each on all resources of the type

_READING: Grants = {"experiment": "READ", "registered_model": "READ"}
# Runs and logged models follow their experiment, versions their model, where nothing is said of them.
_REVIEWING: Grants = {**_READING, "registered_model_version": "EDIT"}  # EDIT: to set the tags that they sign by
# MANAGE, since MLflow asks for it to delete runs and experiments, and the alias `challenger`, which EDIT can only move.
_ALL: Grants = {"experiment": "MANAGE", "registered_model": "MANAGE"}
# Not an administrator: those pass MLflow's own checks by, manage accounts, and are nobody's to restrict.
_SERVING: Grants = {"experiment": "EDIT", "registered_model": "MANAGE"}  # MANAGE: to delete an alias


def grants(signoff: Signoff) -> dict[str, Grants]:
    """Every role and what it may do."""
    reviewers = {step.role: _REVIEWING for step in signoff.steps}
    return {**reviewers, DATA_SCIENTIST: _ALL, AUDITOR: _READING, SERVICE_ROLE: _SERVING}


def prepare(store: "SqlAlchemyStore", signoff: Signoff, service_password: str) -> None:
    """Make the roles, their grants and the service account as they should be; what is so already stays."""
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
    """ValueError where a new account may not have this name; `accounts` are those that there are.

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
    """Whether the administrator's account is there; MLflow makes it at its start, for which it must have a password.

    ValueError where the database does not answer.
    """
    # Here, because it takes half a second that the commands which only need names need not spend.
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
