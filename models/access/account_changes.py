"""Changes of accounts: what each may say, who may make it, and how the ledger names it.

Roles and their rights are not changed here at all: the server makes them from the policy at each start, and the right
to sign depends on them. So nobody makes, renames, empties or deletes a role, and nobody is granted anything besides.
"""

import re
from collections.abc import Collection, Mapping

from models.access.accounts import SERVICE_ROLE, refuse_name
from models.access.call import Call, Refused
from models.names import SERVER, SERVICE

CREATE = "mlflow/users/create"
OWN_PASSWORD = "mlflow/users/update-password"
ROUTES = re.compile(r"mlflow/(?:users|roles)/.+")

_LONGEST_NAME, _LONGEST_PASSWORD = 63, 200
_FIELDS: Mapping[str, Mapping[str, type]] = {
    CREATE: {"username": str, "password": str},
    OWN_PASSWORD: {"username": str, "password": str, "current_password": str},
    "mlflow/users/update-admin": {"username": str, "is_admin": bool},
    "mlflow/users/delete": {"username": str},
    "mlflow/roles/assign": {"username": str, "role_id": int},
    "mlflow/roles/unassign": {"username": str, "role_id": int},
}
_OPTIONAL = {"current_password"}


def judge(call: Call, role_numbers: Mapping[str, int], accounts: Collection[str]) -> dict[str, object]:
    """Return what the ledger is told of a change, given the present roles and accounts; Refused if not allowed."""
    is_own_password = call.name == OWN_PASSWORD and call.body.get("username") == call.actor
    if not call.is_administrator and not is_own_password:
        raise Refused(f"accounts and roles are the administrator's to change, not {call.actor}'s")
    call.refuse_token()
    fields = _FIELDS.get(call.name)
    if fields is None:
        raise Refused("roles and what they may do are made from the policy, when the server starts")
    _check_fields(call, fields)
    about = call.text("username")
    if about in (SERVICE, SERVER):
        raise Refused(f"the account {about} is the server's own")
    if call.name == CREATE:
        try:
            refuse_name(about, accounts)
        except ValueError as error:
            raise Refused(str(error), 400) from error
    told: dict[str, object] = {"username": about}
    if "is_admin" in fields:
        told["is_admin"] = call.body["is_admin"]
    if "role_id" in fields:
        told |= _role(call.body["role_id"], role_numbers)
    return told


def _check_fields(call: Call, fields: Mapping[str, type]) -> None:
    if unknown := sorted(call.body.keys() - fields.keys()):
        raise Refused(f"{unknown[0][:40]!r} is no field of {call.name}; allowed: {', '.join(fields)}", 400)
    for name, kind in fields.items():
        if name not in call.body and name in _OPTIONAL:
            continue
        if type(call.body.get(name)) is not kind:  # True is no number of a role
            raise Refused(f"{name} is missing or not of type {kind.__name__}", 400)
        most = _LONGEST_NAME if name == "username" else _LONGEST_PASSWORD
        if kind is str and len(call.text(name)) > most:
            raise Refused(f"{name} is longer than {most} characters", 400)


def _role(number: int, role_numbers: Mapping[str, int]) -> dict[str, object]:
    name = next((name for name, each in role_numbers.items() if each == number), None)
    if name is None:
        raise Refused(f"there is no role {number}; there are {_listed(role_numbers)}", 400)
    if name == SERVICE_ROLE:
        raise Refused(f"the role {SERVICE_ROLE} is the server's own")
    return {"role": name, "role_id": number}


def _listed(role_numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} ({name})" for name, number in sorted(role_numbers.items()))
