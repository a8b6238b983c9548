"""Accounts and roles: who may change them, and what an administrator could gain by doing so."""

from typing import Any

import pytest

from tests.attacks.scene import ACCOUNTS, tag
from tests.support.signoff_server import ADMINISTRATOR, AJAX, API

ROLES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a role for oneself": ("POST", "3.0/mlflow/roles/assign", {"username": "<WHO>", "role_id": 1}),
    "a role taken away": ("DELETE", "3.0/mlflow/roles/unassign", {"username": "rea", "role_id": 1}),
    "a role made": ("POST", "3.0/mlflow/roles/create", {"name": "x", "workspace": "default"}),
    "a role renamed": ("PATCH", "3.0/mlflow/roles/update", {"role_id": 1, "name": "reviewer"}),
    "a role deleted": ("DELETE", "3.0/mlflow/roles/delete", {"role_id": 1}),
    "a grant to a role": (
        "POST",
        "3.0/mlflow/roles/permissions/add",
        {"role_id": 1, "resource_type": "experiment", "resource_pattern": "*", "permission": "MANAGE"},
    ),
    "a grant changed": (
        "PATCH",
        "3.0/mlflow/roles/permissions/update",
        {"role_permission_id": 1, "permission": "MANAGE"},
    ),
    "a grant removed": ("DELETE", "3.0/mlflow/roles/permissions/remove", {"role_permission_id": 1}),
    "a grant to oneself": (
        "POST",
        "3.0/mlflow/users/permissions/grant",
        {
            "username": "<WHO>",
            "resource_type": "registered_model",
            "resource_id": "customs-risk",
            "permission": "MANAGE",
        },
    ),
    "an account made": ("POST", "2.0/mlflow/users/create", {"username": "eve", "password": "only-for-tests-0123"}),
    "another's password": ("PATCH", "2.0/mlflow/users/update-password", {"username": "rob", "password": "x" * 20}),
    "another's password beside one's name": (
        "PATCH",
        "2.0/mlflow/users/update-password",
        {"username": "rob", "name": "<WHO>", "password": "x" * 20},
    ),
    "oneself as administrator": ("PATCH", "2.0/mlflow/users/update-admin", {"username": "<WHO>", "is_admin": True}),
    "an account deleted": ("DELETE", "2.0/mlflow/users/delete", {"username": "rea"}),
}


@pytest.mark.attempts(len(ACCOUNTS) - 1)
@pytest.mark.parametrize("attack", ROLES)
def test_accounts_are_the_administrators(scene, attack):
    method, path, body = ROLES[attack]
    with scene.refused(*ACCOUNTS[1:]):
        for who in ACCOUNTS[1:]:
            asked = {key: who if value == "<WHO>" else value for key, value in body.items()}
            assert scene.send(who, method, f"/{'api' if who < 'd' else 'ajax-api'}/{path}", asked).status_code == 403


@pytest.mark.parametrize("path", ["/signup", f"{API}/users/create-ui"])
def test_nobody_signs_up(scene, path):
    with scene.refused():
        assert scene.send("dan", "POST", path, data={"username": "eve", "password": "x" * 20}).status_code == 404


@pytest.mark.attempts(0)
def test_what_the_administrator_does_to_accounts_is_in_the_ledger(scene):
    before = scene.last()
    account = {"username": "eve", "password": "only-for-tests-0123"}
    scene.send(ADMINISTRATOR, "POST", f"{API}/users/create", account).raise_for_status()
    scene.send(ADMINISTRATOR, "DELETE", f"{AJAX}/users/delete", {"username": "eve"}).raise_for_status()
    added = scene.ledger(before)
    assert {(entry.actor, entry.action) for entry in added} == {(ADMINISTRATOR, "account")}
    asked, answered = '{"username":"eve"}', '{"answer":200,"username":"eve"}'
    assert [entry.reason for entry in added] == [asked, answered] * 2


def test_an_administrator_who_takes_a_role_still_signs_nothing(scene):
    roles = {
        role["name"]: role["id"] for role in scene.send("admin", "GET", "/api/3.0/mlflow/roles/list").json()["roles"]
    }
    grant = {"username": ADMINISTRATOR, "role_id": roles["reviewer"]}
    scene.send(ADMINISTRATOR, "POST", "/api/3.0/mlflow/roles/assign", grant).raise_for_status()
    with scene.refused(ADMINISTRATOR):
        answer = scene.send(
            ADMINISTRATOR, "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x")
        )
    assert "signs nothing" in answer.json()["message"]
    scene.send(ADMINISTRATOR, "DELETE", "/api/3.0/mlflow/roles/unassign", grant).raise_for_status()
