"""Attacks by websocket: nothing passes before the server knows who is there."""

import base64
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from models.access.accounts import TELLER, UP
from models.ledger.book import SERVICE
from tests.support.runs_server import PASSWORDS

IN, OUT, LOGS = "/api/events/in", "/api/events/out", "/api/logs/out"
CLOSED = ["/api/work_pools/tidewaiter/workers/connect", "/api/task_runs/subscriptions/scheduled", "/", "/api/events/x"]
BREACH = {
    "id": "018f0000-0000-7000-8000-000000000001",
    "event": "tidewaiter.drift.breach",
    "occurred": "2024-02-29T13:05:00Z",
    "resource": {"prefect.resource.id": "tidewaiter.source.kcs"},
    "payload": {"source": "kcs"},
}


def opened(prefect, path, *, basic=None, token=None, first=None, headers=None, subprotocols=("prefect",)):
    """What the server answers to the first message of a connection; raises where it is closed."""
    sent = dict(headers or {})
    if basic is not None:
        sent["Authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
    url = prefect.url.replace("http", "ws", 1) + path
    with connect(url, additional_headers=sent, subprotocols=list(subprotocols) or None, open_timeout=30) as socket:
        socket.send(json.dumps({"type": "auth", "token": token}) if first is None else first)
        return json.loads(socket.recv(timeout=30))


def account(who):
    return f"{who}:{PASSWORDS[who]}"


def is_refused(prefect, path, **given):
    try:
        opened(prefect, path, **given)
    except (ConnectionClosed, InvalidStatus):
        return True
    return False


@pytest.mark.parametrize("path", [IN, OUT, LOGS])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"token": "tidewaiter"},
        {"token": "tidewaiter:"},
        {"token": ":x"},
        {"token": "tidewaiter:wrong"},
        {"token": {"name": "tidewaiter"}},
        {"first": "auth"},
        {"first": "[]"},
        {"first": json.dumps({"type": "event", "token": account(SERVICE)})},
        {"first": json.dumps(BREACH)},
        {"first": json.dumps({"type": "auth", "token": account(SERVICE) + " " * 5000})},
        {"first": "[" * 2000},
        {"basic": "tidewaiter:wrong", "token": account(SERVICE)},
        {"basic": "nob:nob-0123456789"},
        {"token": "nob:nob-0123456789"},
        {"token": account(TELLER)},
        {"subprotocols": (), "token": account(SERVICE)},
        {"subprotocols": ("other",), "token": account(SERVICE)},
    ],
    ids=lambda each: str(each)[:50],
)
def test_who_is_not_known_gets_and_tells_nothing(prefect, path, given):
    assert is_refused(prefect, path, **given)


@pytest.mark.parametrize("who", ["dan", "adam", "rea", "aud", TELLER])
def test_nobody_tells_events_but_runs(prefect, who):
    assert is_refused(prefect, IN, token=account(who))
    assert is_refused(prefect, IN, basic=account(who), token=account(SERVICE))


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("who", [UP, SERVICE, "adam"])
def test_other_websockets_are_closed(prefect, path, who):
    assert is_refused(prefect, path, basic=account(who))
    assert is_refused(prefect, path, token=account(who))


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:18099"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"User-Agent": "Mozilla/5.0"},
    ],
    ids=str,
)
def test_no_other_page_listens_by_a_persons_browser(prefect, headers):
    for path in (OUT, LOGS):
        assert is_refused(prefect, path, basic=account("dan"), headers=headers)
        assert is_refused(prefect, path, token=account("dan"), headers=headers)


@pytest.mark.parametrize("path", [OUT, LOGS])
@pytest.mark.parametrize("given", [{"token": account("aud")}, {"basic": account("aud")}], ids=["message", "handshake"])
def test_who_reads_listens(prefect, path, given):
    assert opened(prefect, path, **given) == {"type": "auth_success"}


@pytest.mark.parametrize("given", [{"token": account(SERVICE)}, {"basic": account(SERVICE)}], ids=["message", "hand"])
def test_runs_tell_events(prefect, given):
    assert opened(prefect, IN, **given) == {"type": "auth_success"}
