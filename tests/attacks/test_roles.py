"""Signatures without the right to sign: roles under other names, grants taken away, and what MLflow would refuse."""

import sqlite3
from contextlib import closing, contextmanager

import pytest

from tests.attacks.scene import OWN, WAITING, tag
from tests.support.signoff_server import ADMINISTRATOR, AJAX

SIGN = f"{AJAX}/model-versions/set-tag"
RENAMES = {
    "auditor to reviewer": {"role": "auditor", "name": "reviewer"},
    "data scientist to reviewer": {"role": "data-scientist", "name": "Reviewer"},
    "reviewer away": {"role": "reviewer", "name": "old-reviewer"},
}


EXCHANGE = """
    UPDATE roles SET name = 'away' WHERE name = 'auditor';
    UPDATE roles SET name = 'auditor' WHERE name = 'reviewer';
    UPDATE roles SET name = 'reviewer' WHERE name = 'away';
"""


def numbers(scene):
    found = scene.send(ADMINISTRATOR, "GET", "/api/3.0/mlflow/roles/list").json()["roles"]
    return {role["name"]: role["id"] for role in found}


@contextmanager
def in_the_database(scene, statement, undo):
    """What somebody does who reaches the accounts' database past the server."""
    for each in (statement, None, undo):
        if each is None:
            yield
            continue
        with closing(sqlite3.connect(scene.server.folder / "accounts.db", timeout=30)) as database:
            database.executescript(each)


@pytest.mark.parametrize("attack", RENAMES)
def test_roles_keep_their_names(scene, attack):
    wanted = RENAMES[attack]
    body = {"role_id": numbers(scene)[wanted["role"]], "name": wanted["name"]}
    with scene.refused(ADMINISTRATOR):
        answer = scene.send(ADMINISTRATOR, "PATCH", "/api/3.0/mlflow/roles/update", body)
    assert "made from the policy" in answer.json()["message"]


@pytest.mark.parametrize("value", ["approved: x", "rejected: x", "revoked: x"])
def test_an_auditor_whose_role_was_renamed_past_the_server_signs_nothing(scene, value):
    with in_the_database(scene, EXCHANGE, EXCHANGE):
        with scene.refused("aud"):
            answer = scene.send("aud", "POST", SIGN, tag("signoff.governance", value, WAITING))
        assert "is number" in answer.json()["message"]
        with scene.refused("aud"):
            assert scene.send("aud", "POST", "/api/2.0/tidewaiter/rollback", {"reason": "x"}).status_code == 403


@pytest.mark.parametrize("step", ["technical", "governance"])
def test_a_signature_that_mlflow_would_refuse_is_none(scene, step):
    who = {"technical": "ari", "governance": "ria"}[step]
    role = {"technical": "risk-analyst", "governance": "reviewer"}[step]
    level = "UPDATE role_permissions SET permission = '{}' WHERE resource_type = 'registered_model_version' "
    level += f"AND role_id = (SELECT id FROM roles WHERE name = '{role}')"
    version = OWN if step == "technical" else WAITING
    with in_the_database(scene, level.format("READ"), level.format("EDIT")), scene.refused(who):
        answer = scene.send(who, "POST", SIGN, tag(f"signoff.{step}", "approved: x", version))
    assert answer.status_code == 403
    assert answer.json()["message"] == f"MLflow does not let {who} write the tags of a version"


def test_a_row_tells_by_what_role_and_grant_it_was_signed(scene):
    before = scene.last()
    scene.send(
        "ria", "POST", SIGN, tag("signoff.governance", "approved: looked at all of it", WAITING)
    ).raise_for_status()
    (row,) = scene.ledger(before)
    assert row.role_numbers == {"reviewer": numbers(scene)["reviewer"]}
    assert row.grant == "registered_model_version: EDIT"
    scene.send("ria", "POST", SIGN, tag("signoff.governance", "revoked: only a trial", WAITING)).raise_for_status()
