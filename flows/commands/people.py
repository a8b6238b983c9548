"""Accounts of the MLflow server and their roles, and what a person does there by their own account, over HTTP."""

import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from models.access import accounts
from models.names import MODEL, SERVICE, SIGNOFF

_TIMEOUT_S = 60.0
_OFFICES = "2.0/tidewaiter/offices/accounts"
_IDENTITIES = "2.0/tidewaiter/identities/accounts"
_TOKENS = "2.0/tidewaiter/account/tokens"


class RefusedError(RuntimeError):
    """The server refused, in the words of its answer, or was not asked, for the reason given."""


@dataclass(frozen=True)
class Person:
    """An account of the MLflow server; `offices` are those of an officer or a supervisor."""

    name: str
    roles: tuple[str, ...]
    is_administrator: bool
    offices: tuple[str, ...]


@dataclass(frozen=True)
class Desk:
    """A connection to the server by which one account asks it."""

    client: httpx.Client

    def people(self) -> list[Person]:
        """Return every account, by name."""
        found = self._ask("GET", "2.0/mlflow/users/list")["users"]
        offices = self._ask("GET", _OFFICES)["accounts"]
        people = (
            Person(
                # MLflow gives each account a role of its own, for what it has made.
                name=user["username"],
                roles=tuple(sorted(role["name"] for role in user["roles"] if not role["name"].startswith("__"))),
                is_administrator=user["is_admin"],
                offices=tuple(offices.get(user["username"], ())),
            )
            for user in found
        )
        return sorted(people, key=lambda person: person.name)

    def add(self, name: str, roles: Sequence[str]) -> str:
        """Make an account with roles; return its password, which is kept nowhere."""
        ids = self._role_ids()
        if unknown := [role for role in roles if role not in ids]:
            raise RefusedError(f"role {unknown[0]!r} does not exist; allowed: {', '.join(sorted(ids))}")
        if taken := next((each for each in self.people() if each.name.casefold() == name.casefold()), None):
            raise RefusedError(f"{taken.name} is there already, with {', '.join(taken.roles) or 'no role'}")
        try:
            accounts.refuse_name(name, ())
        except ValueError as error:
            raise RefusedError(str(error)) from error
        password = secrets.token_urlsafe(12)
        self._ask("POST", "2.0/mlflow/users/create", {"username": name, "password": password})
        for role in roles:
            self._ask("POST", "3.0/mlflow/roles/assign", {"username": name, "role_id": ids[role]})
        return password

    def give_offices(self, name: str, offices: Sequence[str]) -> None:
        """Let these be the offices of an officer or a supervisor, and no others."""
        self._ask("POST", _OFFICES, {"username": name, "offices": list(offices)})

    def link(self, name: str, subject: str, issuer: str) -> str:
        """Link an account and whom the identity provider knows by `subject`; return the account that stands for it."""
        return self._ask("POST", _IDENTITIES, {"username": name, "issuer": issuer, "subject": subject})["account"]

    def new_token(self, name: str, days: int) -> str:
        """Make a personal token of the account that asks, and return it."""
        return self._ask("POST", _TOKENS, {"do": "new", "name": name, "days": days})["token"]

    def tokens(self) -> list[dict[str, Any]]:
        """Return the personal tokens of the account that asks."""
        return self._ask("GET", _TOKENS)["tokens"]

    def revoke_token(self, name: str) -> None:
        """Revoke a personal token of the account that asks."""
        self._ask("POST", _TOKENS, {"do": "revoke", "name": name})

    def remove(self, name: str) -> None:
        """Take an account away. What it has signed stays signed."""
        if name in (SERVICE, accounts.ADMINISTRATOR_ACCOUNT):
            raise RefusedError(f"{name} is an account that the servers need")
        if name not in (people := [person.name for person in self.people()]):
            raise RefusedError(f"there is no account {name!r}; there are {', '.join(people)}")
        self._ask("DELETE", "2.0/mlflow/users/delete", {"username": name})

    def roll_back(self, reason: str) -> str:
        """Go back to the champion before; return its version."""
        return self._ask("POST", "2.0/tidewaiter/rollback", {"reason": reason})["version"]

    def withdraw(self, version: int, reason: str) -> None:
        """Withdraw a version that this account has made."""
        named = {"name": MODEL, "version": str(version)}
        found = self._ask("GET", f"2.0/mlflow/model-versions/get?{urlencode(named)}")["model_version"]
        step = next((tag["key"] for tag in found.get("tags", []) if tag["key"].startswith(SIGNOFF)), None)
        if step is None:
            raise RefusedError(f"version {version} has no steps to sign, so there is nothing to withdraw")
        self._ask("POST", "2.0/mlflow/model-versions/set-tag", {**named, "key": step, "value": f"withdrawn: {reason}"})

    def take_step(self, step: str, reason: str, **about: object) -> dict[str, Any]:
        """Take a step about a `criterion` that is proposed, or one of that `name`; return the criterion."""
        return self._ask("POST", "2.0/tidewaiter/criteria", {"step": step, "reason": reason, **about})["criterion"]

    def _role_ids(self) -> dict[str, int]:
        roles = self._ask("GET", f"3.0/mlflow/roles/list?workspace={accounts.WORKSPACE}")["roles"]
        return {
            role["name"]: role["id"]
            for role in roles
            if not role["name"].startswith("__") and role["name"] != accounts.SERVICE_ROLE
        }

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self.client.request(method, f"/api/{path}", json=body)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            said = response.text.strip()
            is_plain = said in ("", "Sign in first.")
            raise RefusedError("MLflow does not know this name with this password" if is_plain else said[:200])
        if response.is_error:
            raise RefusedError(_sentence(response))
        return response.json() if response.content else {}


@contextmanager
def desk(mlflow_url: str, name: str, password: str) -> Generator[Desk]:
    """Open a connection to the server by an account; RefusedError if the server does not answer."""
    try:
        with httpx.Client(base_url=mlflow_url, auth=(name, password), timeout=_TIMEOUT_S, trust_env=False) as client:
            yield Desk(client)
    except httpx.TransportError as error:
        raise RefusedError(f"MLflow at {mlflow_url} does not answer: {error}") from error


def _sentence(response: httpx.Response) -> str:
    if "json" in response.headers.get("Content-Type", ""):
        return str(response.json().get("message", response.text))
    return f"MLflow refused ({response.status_code}): {response.text.strip()[:200]}"
