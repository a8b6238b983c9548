"""The routes of sign-off itself: rollback, inspection and the ledger."""

import pytest

from models.ledger.book import SERVICE
from tests.attacks.scene import WAITING
from tests.support.signoff_server import ADMINISTRATOR


@pytest.mark.parametrize("who", [ADMINISTRATOR, "dan", "ana", "aud", SERVICE])
def test_a_rollback_is_for_reviewers(scene, who):
    with scene.refused(who):
        answer = scene.send(who, "POST", "/api/2.0/tidewaiter/rollback", {"reason": "x"})
    assert "a rollback takes the role reviewer" in answer.json()["message"]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": 1}, {"reason": "\ud800"}])
def test_a_rollback_needs_a_reason(scene, body):
    with scene.refused("rea"):
        assert scene.send("rea", "POST", "/api/2.0/tidewaiter/rollback", body).status_code in (400, 403)


@pytest.mark.parametrize("who", [ADMINISTRATOR, "dan", "rea", "aud"])
def test_an_inspection_is_for_the_service(scene, who):
    with scene.refused(who):
        assert scene.send(who, "POST", "/api/2.0/tidewaiter/inspect", {"version": WAITING}).status_code == 403


@pytest.mark.parametrize("version", [None, 3, "x", "99", "-1", "3.0", ["3"]])
def test_an_inspection_needs_a_version(scene, version):
    with scene.refused():
        answer = scene.send(SERVICE, "POST", "/api/2.0/tidewaiter/inspect", {"version": version})
    assert answer.status_code in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_ledger_is_only_read(scene, method):
    with scene.refused():
        assert scene.send(ADMINISTRATOR, method, "/api/2.0/tidewaiter/ledger", {"rows": []}).status_code == 404


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "\uff11", "1;DROP TABLE tidewaiter_ledger"])
def test_the_ledger_is_read_from_a_row(scene, after):
    with scene.refused():
        assert scene.send("aud", "GET", "/api/2.0/tidewaiter/ledger", params={"after": after}).status_code == 400
