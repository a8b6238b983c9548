"""Another page in a reviewer's browser: it has the browser's credentials, and asks in the reviewer's name."""

import pytest

from tests.attacks.scene import WAITING, tag
from tests.support.signoff_server import ADMINISTRATOR, AJAX, API

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


@pytest.mark.attempts(4)
def test_no_page_elsewhere_shows_one_of_ours_in_a_frame_and_none_brings_in_what_is_elsewhere(scene):
    """A click could be led to a signature, and a picture in a description tell who looks at it, and when."""
    with scene.server.client("rea") as client:
        for path in ("/", "/network"):
            answer = client.get(path, headers={"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"})
            told = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
            assert (answer.status_code, told["frame-ancestors"], told["default-src"]) == (200, "'none'", "'self'")
            assert not any("http" in sources or "*" in sources for sources in told.values())


MARKUP = b"<script>fetch('/ajax-api/2.0/mlflow/users/current')</script>"


@pytest.fixture(scope="module")
def own_run(scene):
    """A run of dan's, and where its files are."""
    made = scene.send("dan", "POST", f"{API}/experiments/create", {"name": "of-dan"}).raise_for_status().json()
    asked = {"experiment_id": made["experiment_id"], "run_name": MARKUP.decode()}
    run = scene.send("dan", "POST", f"{API}/runs/create", asked).raise_for_status().json()["run"]["info"]["run_id"]
    return run, f"/api/2.0/mlflow-artifacts/artifacts/{made['experiment_id']}/{run}/artifacts"


@pytest.mark.parametrize("name", ["x.html", "x.HTML", "x.svg", "x.xhtml", "x.shtml", "x.pdf", "x.mht", "x"])
def test_a_file_of_a_data_scientist_is_no_page_of_this_server(scene, own_run, name):
    """Opened in a reviewer's browser, its script would act as the reviewer."""
    run, folder = own_run
    scene.send("dan", "PUT", f"{folder}/{name}", content=MARKUP).raise_for_status()
    for path in (f"{folder}/{name}", f"/get-artifact?run_uuid={run}&path={name}"):
        answer = scene.send(ADMINISTRATOR, "GET", path)
        told = (answer.headers["content-disposition"], answer.headers["x-content-type-options"])
        assert (answer.status_code, told) == (200, (f"attachment; filename={name}", "nosniff"))


@pytest.mark.parametrize("dest", ["image", "script", "style", "document", "iframe", "object", "video", "x"])
@pytest.mark.parametrize("asked", ["company", "path"])
def test_nothing_in_a_description_opens_a_company_in_the_name_of_who_reads_it(scene, dest, asked):
    """As `![](/api/2.0/tidewaiter/network/company?...)` in a run's description: the page that asks is our own."""
    said = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": dest, "Referer": f"{scene.server.url}/"}
    with scene.unchanged(), scene.server.client("aud") as client:
        query = {"source": "simulator", "id": "0000000000000001"}
        answer = client.get(f"/api/2.0/tidewaiter/network/{asked}", params=query, headers={**BROWSER, **said})
    assert (answer.status_code, "by nothing that leads to it" in answer.text) == (403, True)
