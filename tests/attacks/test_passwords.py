"""Guessed passwords, and requests that are never finished."""

import base64
import select
import socket
from contextlib import ExitStack
from itertools import count
from urllib.parse import urlsplit

import httpx
import pytest

from models.access.entrance import BODIES_AT_ONCE, WRONG_IN_A_ROW
from models.ledger.book import SERVER
from models.server.guard import LARGEST_SENTENCE
from tests.attacks.scene import MODEL
from tests.support.signoff_server import ADMINISTRATOR, ADMINISTRATOR_PASSWORD, AJAX, API, password

ASK = f"{API}/registered-models/get?name={MODEL['name']}"


NUMBERS = count(1)


@pytest.fixture
def newcomer(scene):
    """An account of its own, under a name that no other test has: after wrong passwords a name must wait."""
    name = f"new-{next(NUMBERS)}"
    account = {"username": name, "password": password(name)}
    scene.send(ADMINISTRATOR, "POST", f"{API}/users/create", account).raise_for_status()
    yield name
    scene.send(ADMINISTRATOR, "DELETE", f"{AJAX}/users/delete", {"username": name}).raise_for_status()


def ask(scene, name, secret):
    return httpx.get(f"{scene.server.url}{ASK}", auth=(name, secret), timeout=60).status_code


@pytest.mark.attempts(WRONG_IN_A_ROW + 1)
def test_guessing_has_an_end_and_leaves_a_trace(scene, newcomer):
    before = scene.last()
    told = [ask(scene, newcomer, f"guess {number}") for number in range(WRONG_IN_A_ROW)]
    assert told == [401] * WRONG_IN_A_ROW
    assert ask(scene, newcomer, "one more") == 429
    noted = [entry for entry in scene.ledger(before) if entry.refusal]
    assert [(entry.actor, entry.address) for entry in noted] == [(SERVER, "127.0.0.1")]
    assert noted[0].refusal == f"{WRONG_IN_A_ROW} wrong passwords in a row for {newcomer}"


@pytest.mark.attempts(WRONG_IN_A_ROW)
def test_names_that_nobody_has_are_answered_alike_and_do_not_fill_the_ledger(scene):
    before = scene.last()
    answers = {ask(scene, "nobody-at-all", f"guess {number}") for number in range(WRONG_IN_A_ROW)}
    assert answers == {401}
    assert ask(scene, "nobody-at-all", "guess") == 429
    assert scene.last() == before


def test_the_ledger_is_not_for_who_has_no_role(scene, newcomer):
    with scene.server.client(newcomer) as client:
        assert client.get("/api/2.0/tidewaiter/ledger").status_code == 403


@pytest.mark.parametrize("path", [f"{API}/users/create", f"{API}/runs/log-batch", f"{AJAX}/model-versions/set-tag"])
def test_who_has_no_role_is_refused_before_a_body_is_read(scene, newcomer, path):
    """Of a body of 22 MiB only the length is sent: an answer comes all the same."""
    assert _head(scene, newcomer, password(newcomer), path, 22 * 2**20) == 403


@pytest.mark.parametrize("who", ["rea", "ana", "aud"])
def test_a_body_larger_than_a_sentence_is_for_who_writes_runs(scene, who):
    assert _head(scene, who, password(who), f"{API}/runs/log-batch", LARGEST_SENTENCE + 1) == 413


@pytest.mark.attempts(BODIES_AT_ONCE + 1)
def test_requests_that_are_never_finished_are_so_many_and_no_more(scene):
    with ExitStack() as held:
        begun = [
            held.enter_context(_begun(scene, "rob", password("rob"), f"{API}/runs/set-tag", 100))
            for _ in range(BODIES_AT_ONCE + 1)
        ]
        answered, _, _ = select.select(begun, [], [], 60)
        assert [_status(connection) for connection in answered] == [429]
        assert ask(scene, "rea", password("rea")) == 200  # and others are served


def _begun(scene, who, secret, path, length):
    """A connection on which the head of a request was sent."""
    token = base64.b64encode(f"{who}:{secret}".encode()).decode()
    place = urlsplit(scene.server.url)
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {place.netloc}",
        f"Authorization: Basic {token}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
    ]
    connection = socket.create_connection((place.hostname, place.port), timeout=60)
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def _status(connection):
    return int(connection.makefile("rb").readline().split()[1])


def _head(scene, who, secret, path, length):
    with _begun(scene, who, secret, path, length) as connection:
        return _status(connection)


def test_the_administrator_is_no_exception(scene):
    assert ask(scene, ADMINISTRATOR, ADMINISTRATOR_PASSWORD) == 200
    assert ask(scene, ADMINISTRATOR, ADMINISTRATOR_PASSWORD + " ") == 401
