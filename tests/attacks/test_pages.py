"""Another page in a reviewer's browser: it has the browser's credentials, and asks in the reviewer's name."""

import pytest

from tests.attacks.scene import WAITING, tag
from tests.signoff_server import AJAX, API

SIGN = f"{AJAX}/model-versions/set-tag"
COMPANY = "/api/2.0/tidewaiter/network/company"
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0"}

# What a browser says of the page that asks.
PAGES = {
    "another port of this host": {"Origin": "http://127.0.0.1:18099"},
    "another name of this host": {"Origin": "http://localhost:<PORT>"},
    "this host without a port": {"Origin": "http://127.0.0.1"},
    "this host, encrypted": {"Origin": "https://127.0.0.1:1"},
    "a host that begins alike": {"Origin": "http://127.0.0.1:<PORT>.evil.example"},
    "a host with a name before it": {"Origin": "http://127.0.0.1:<PORT>@evil.example"},
    "a private address": {"Origin": "http://10.0.0.5"},
    "somebody's site": {"Origin": "https://evil.example"},
    "a file": {"Origin": "null"},
    "a sandbox that says it is ours": {"Origin": "null", "Referer": "http://127.0.0.1:<PORT>/"},
    "no origin, another site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "no origin, another port": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    "no origin, a form": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    "an old browser's referer": {"Referer": "http://127.0.0.1:18099/"},
    "a browser that says nothing": {},
}


def headers(scene, page):
    port = scene.server.url.rpartition(":")[2]
    return {**BROWSER, **{name: value.replace("<PORT>", port) for name, value in PAGES[page].items()}}


def send(scene, who, method, path, page, **given):
    client = scene.server.client(who)
    with client:
        return client.request(method, path, headers=headers(scene, page), **given)


@pytest.mark.parametrize("page", PAGES)
def test_does_not_sign(scene, page):
    body = tag("signoff.governance", "approved: from elsewhere", WAITING)
    with scene.unchanged():
        before = scene.last()
        assert send(scene, "rea", "POST", SIGN, page, json=body).status_code == 403
        assert scene.last() == before  # and rea has not tried to sign


CHANGES = {
    "a champion's way back": ("rea", "POST", "/api/2.0/tidewaiter/rollback", {"reason": "x"}),
    "an account": ("admin", "POST", f"{API}/users/create", {"username": "eve", "password": "only-for-tests-0123"}),
    "a role": ("admin", "POST", "/api/3.0/mlflow/roles/assign", {"username": "dan", "role_id": 1}),
    "a password": ("admin", "PATCH", f"{API}/users/update-password", {"username": "rob", "password": "x" * 20}),
    "an alias": (
        "dan",
        "POST",
        f"{API}/registered-models/alias",
        {"name": "customs-risk", "alias": "x", "version": "1"},
    ),
    "a run": ("dan", "POST", f"{AJAX}/runs/create", {"experiment_id": "0"}),
    "an experiment": ("dan", "POST", f"{AJAX}/experiments/create", {"name": "elsewhere"}),
    "a file": ("dan", "PUT", "/api/2.0/mlflow-artifacts/artifacts/0/x.txt", None),
}


@pytest.mark.parametrize(
    "page", ["another port of this host", "no origin, another site", "a browser that says nothing"]
)
@pytest.mark.parametrize("change", CHANGES)
def test_changes_nothing(scene, change, page):
    who, method, path, body = CHANGES[change]
    with scene.refused():
        assert send(scene, who, method, path, page, json=body).status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_has_nothing_written_down_as_looked_at(scene, page):
    with scene.unchanged():
        asked = {"source": "simulator", "company": "importer:I000001"}
        assert send(scene, "aud", "GET", COMPANY, page, params=asked).status_code == 403


def test_leads_nobody_to_a_company(scene):
    with scene.unchanged():
        asked = {"source": "simulator", "company": "importer:I000001"}
        led = send(scene, "aud", "GET", "/network", "no origin, a form", params=asked)
        assert (led.status_code, led.headers["location"]) == (303, "/network")


@pytest.mark.parametrize(
    "host",
    ["10.evil.example", "192.168.evil.example", "evil.example", "172.16.evil.example:5000", "fc00:evil", "0.0.0.0"],
)
@pytest.mark.parametrize("path", ["/", f"{API}/runs/get?run_id=x", "/network", "/api/2.0/tidewaiter/ledger"])
def test_reads_nothing_under_a_name_that_was_pointed_here(scene, host, path):
    with scene.server.client("rea") as client:
        answer = client.get(path, headers={"Host": host})
    assert (answer.status_code, "is not a name of this server" in answer.text) == (403, True)


def test_no_page_elsewhere_is_told_that_it_may_read(scene):
    with scene.server.client("rea") as client:
        for origin in ("http://127.0.0.1:18099", "http://localhost:3000", "https://evil.example"):
            answer = client.get(f"{API}/registered-models/search", headers={"Origin": origin})
            asked = client.options(SIGN, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
            assert (answer.status_code, asked.status_code) == (403, 403)
            assert not any(name.startswith("access-control") for name in [*answer.headers, *asked.headers])


def test_the_servers_own_page_signs_and_is_told_no_other_may_read(scene):
    """The same request with the server's own origin passes the door: what refuses it then is the rule of the step."""
    own = {**BROWSER, "Origin": scene.server.url, "Sec-Fetch-Site": "same-origin"}
    with scene.refused("aud"), scene.server.client("aud") as client:
        answer = client.post(SIGN, json=tag("signoff.governance", "approved: x", WAITING), headers=own)
    assert "is signed by the role reviewer" in answer.json()["message"]
    assert "access-control-allow-origin" not in answer.headers
