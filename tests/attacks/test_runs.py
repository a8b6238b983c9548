"""Attacks on what runs and where: only `up` may write it, and only people who have business with Prefect may see it."""

import base64
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from models.access.accounts import TELLER, UP
from models.ledger.book import SERVICE
from models.runs.guard import LARGEST_OF_PEOPLE
from tests.support.runs_server import PASSWORDS

ID = "00000000-0000-4000-8000-000000000000"
SHELL = {"prefect.deployments.steps.run_shell_script": {"script": "id > /tmp/owned"}}
EVERYBODY = ("", "nob", "aud", "rea", "dan", "adam", SERVICE, TELLER)
EVENT = {
    "id": ID,
    "event": "tidewaiter.signoff.changed",
    "occurred": "2024-02-29T13:05:00Z",
    "resource": {"prefect.resource.id": "tidewaiter.customs-risk"},
}


def setups(prefect):
    """What would have other code run, or the same code elsewhere."""
    adhoc = prefect.deployments["retrain/adhoc"]
    return [
        ("POST", "/api/deployments/", {"name": "x", "flow_id": ID, "pull_steps": [SHELL], "entrypoint": "x.py:x"}),
        ("PATCH", f"/api/deployments/{adhoc}", {"pull_steps": [SHELL]}),
        ("PATCH", f"/api/deployments/{adhoc}", {"paused": False, "entrypoint": "/tmp/x.py:x"}),
        ("PATCH", f"/api/deployments/{adhoc}", {"paused": True, "job_variables": {"command": "id"}}),
        ("DELETE", f"/api/deployments/{adhoc}", None),
        ("POST", "/api/deployments/bulk_delete", {}),
        ("POST", f"/api/deployments/{adhoc}/schedules", [{"schedule": {"interval": 1}}]),
        ("POST", f"/api/deployments/{adhoc}/create_flow_run/bulk", [{"job_variables": {"command": "id"}}]),
        ("POST", "/api/work_pools/", {"name": "x", "type": "process"}),
        ("PATCH", "/api/work_pools/tidewaiter", {"base_job_template": {"job_configuration": {"command": "id"}}}),
        ("DELETE", "/api/work_pools/tidewaiter", None),
        ("POST", "/api/work_pools/tidewaiter/queues", {"name": "x"}),
        ("PATCH", "/api/work_pools/tidewaiter/queues/default", {"is_paused": True}),
        ("DELETE", "/api/work_pools/tidewaiter/workers/tidewaiter", None),
        ("POST", "/api/work_queues/", {"name": "x"}),
        ("POST", "/api/automations/", {"name": "x", "trigger": {"type": "event"}, "actions": []}),
        ("PUT", f"/api/automations/{ID}", {}),
        ("DELETE", f"/api/automations/{ID}", None),
        ("DELETE", "/api/automations/owned-by/x", None),
        ("POST", "/api/automations/templates/validate", "{{ 7 * 7 }}"),
        ("POST", "/api/templates/validate", "{{ 7 * 7 }}"),
        ("POST", "/api/block_documents/", {"name": "x", "data": {}, "block_type_id": ID, "block_schema_id": ID}),
        ("PATCH", f"/api/block_documents/{ID}", {"data": {}}),
        ("POST", "/api/block_types/", {"name": "x", "slug": "x"}),
        ("POST", "/api/variables/", {"name": "x", "value": "y"}),
        ("POST", "/api/concurrency_limits/", {"tag": "x", "concurrency_limit": 0}),
        ("POST", "/api/v2/concurrency_limits/", {"name": "x", "limit": 0}),
        ("PUT", "/api/saved_searches/", {"name": "x"}),
        ("PUT", "/api/admin/storage", {}),
        ("DELETE", "/api/admin/storage", None),
        ("POST", "/api/flow_runs/bulk_set_state", {}),
        ("POST", "/api/flow_runs/bulk_delete", {}),
        ("DELETE", f"/api/flow_runs/{ID}", None),
        ("POST", "/api/flows/bulk_delete", {}),
    ]


@pytest.mark.parametrize("who", EVERYBODY)
def test_nobody_says_what_runs_and_where(prefect, who):
    def standing():
        read = ("/api/deployments/filter", "/api/work_pools/filter", "/api/automations/filter")
        return [prefect.ask(UP, "POST", path, {}).raise_for_status().json() for path in read]

    before = standing()
    for method, path, body in setups(prefect):
        assert prefect.ask(who, method, path, body).status_code in (401, 403, 404), (method, path)
    after = standing()
    for one, other in zip(before, after, strict=True):
        assert [each["id"] for each in one] == [each["id"] for each in other]
        for each, now in zip(one, other, strict=True):
            assert {**each, "updated": 0, "status": 0} == {**now, "updated": 0, "status": 0}


SECRETS = [
    "/api/admin/settings?x=1",
    "/api/admin/storage",
    f"/api/block_documents/{ID}?include_secrets=true",
    "/api/block_types/slug/slack-webhook/block_documents?include_secrets=true",
    "/api/block_types/slug/slack-webhook/block_documents/name/tidewaiter?include_secrets=true",
    "/api/variables/name/x",
    "/api/collections/views/aggregate-worker-metadata",
    "/api/csrf-token?client=x",
    "/api/docs",
    "/api/openapi.json",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/api/static/prefect-logo-mark-gradient.png",
    "/api/metrics",
]


@pytest.mark.parametrize("path", SECRETS)
def test_nobody_reads_secrets_and_settings(prefect, path):
    for who in ("", "nob", "aud", "dan", "adam", SERVICE, TELLER):
        answer = prefect.ask(who, "GET", path)
        if path.startswith("/api/admin/settings") and answer.status_code == 200:
            assert answer.json() == {"server": {"analytics_enabled": False, "ui": {"show_promotional_content": False}}}
        else:
            assert answer.status_code in (401, 403, 404)
    for path in ("/api/block_documents/filter", "/api/block_types/filter", "/api/variables/filter"):
        assert prefect.ask("adam", "POST", path, {"include_secrets": True}).status_code in (403, 404)


@pytest.mark.parametrize("who", ["", "nob", TELLER])
def test_who_has_no_role_reads_nothing(prefect, who):
    status = 403 if who else 401
    for method, path in (("GET", "/"), ("GET", "/v2/"), ("GET", "/api/version"), ("POST", "/api/flow_runs/filter")):
        assert prefect.ask(who, method, path, {} if method == "POST" else None).status_code == status
    assert prefect.ask(who, "GET", "/api/health").text == "true"  # and no more


@pytest.mark.parametrize("who", ["aud", "rea"])
def test_who_reads_decides_nothing(prefect, who):
    before = prefect.count()
    deployment = f"/api/deployments/{prefect.deployments['retrain/adhoc']}"
    for method, path in (
        ("POST", f"{deployment}/create_flow_run"),
        ("POST", f"{deployment}/pause_deployment"),
        ("POST", f"{deployment}/resume_deployment"),
        ("PATCH", deployment),
        ("POST", f"/api/flow_runs/{ID}/set_state"),
        ("POST", f"/api/flow_runs/{ID}/resume"),
        ("POST", "/api/flow_runs/"),
        ("POST", "/api/flows/"),
        ("POST", "/api/logs/"),
        ("POST", "/api/artifacts/"),
        ("POST", "/api/events"),
        ("POST", "/api/ui/schemas/validate"),
    ):
        assert prefect.ask(who, method, path, {}).status_code == 403, path
    assert prefect.count() == before
    assert prefect.ask(who, "POST", "/api/deployments/filter", {}).status_code == 200


class TestRuns:
    """What a run could do by the account that it holds."""

    def test_cannot_have_another_run_do_as_it_says(self, prefect):
        run = prefect.start("dan").raise_for_status().json()
        for field, value in {
            "job_variables": {"command": "id"},
            "parameters": {"parameters": {"source": "kcs", "input": ["/etc/shadow"]}},
            "tags": ["catch-up"],
            "work_queue_name": "x",
            "deployment_id": ID,
        }.items():
            answer = prefect.ask(SERVICE, "PATCH", f"/api/flow_runs/{run['id']}", {field: value})
            assert answer.status_code == 403
            assert f"field '{field}' is not yours to say" in answer.json()["detail"]
        stored = prefect.ask(UP, "GET", f"/api/flow_runs/{run['id']}").json()
        assert (stored["parameters"], stored["job_variables"]) == (run["parameters"], run["job_variables"])

    @pytest.mark.parametrize(
        "more",
        [
            {"deployment_id": ID},
            {"job_variables": {"command": "id"}},
            {"work_pool_name": "tidewaiter"},
            {"work_queue_name": "default"},
            {"infrastructure_document_id": ID},
        ],
    )
    def test_cannot_make_a_run_that_the_worker_takes(self, prefect, more):
        flow = prefect.ask(SERVICE, "POST", "/api/flows/", {"name": "retrain"}).raise_for_status().json()["id"]
        assert prefect.ask(SERVICE, "POST", "/api/flow_runs/", {"flow_id": flow, **more}).status_code == 403

    def test_cannot_start_what_is_deployed(self, prefect):
        before = prefect.count()
        assert prefect.start(SERVICE).status_code == 403
        assert prefect.start(TELLER).status_code == 403
        assert prefect.count() == before


@pytest.mark.parametrize(
    "events",
    [
        [{**EVENT, "event": "tidewaiter.drift.breach"}],
        [{**EVENT, "event": "prefect.flow-run.Crashed"}],
        [{**EVENT, "resource": {"prefect.resource.id": "prefect.flow-run.x"}}],
        [{**EVENT, "payload": {"source": "kcs"}}],
        [{**EVENT, "related": [{"prefect.resource.id": "x", "prefect.resource.role": "flow"}]}],
        [EVENT, EVENT],
        [],
        EVENT,
        {},
        [[]],
        "tidewaiter.signoff.changed",
        [{**EVENT, "id": 7}],
    ],
)
def test_mlflows_server_tells_its_one_event_and_no_other(prefect, events):
    assert prefect.ask(TELLER, "POST", "/api/events", events).status_code == 403


def test_mlflows_server_tells_its_one_event(prefect):
    assert prefect.ask(TELLER, "POST", "/api/events", [EVENT]).status_code == 204


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:18099"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Referer": "http://evil.example/page"},
    {"User-Agent": "Mozilla/5.0"},
    {"Host": "evil.example"},
    {"Host": "10.evil.example"},
    {"Host": "127.0.0.1.evil.example:4200"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_no_other_page_starts_a_run_by_a_data_scientists_browser(prefect, headers):
    before = prefect.count()
    client = prefect.client("dan")
    path = f"/api/deployments/{prefect.deployments['retrain/adhoc']}/create_flow_run"
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        sent = {**headers, "Content-Type": kind}
        assert client.post(path, content="{}", headers=sent).status_code in (400, 403)
    assert prefect.count() == before


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:18099", "null"])
def test_no_other_page_reads(prefect, origin):
    client = prefect.client("dan")
    asked = {"Origin": origin}
    for answer in (
        client.get("/api/version", headers=asked),
        client.post("/api/flow_runs/filter", json={}, headers=asked),
        client.options("/api/flow_runs/filter", headers={**asked, "Access-Control-Request-Method": "POST"}),
    ):
        assert answer.status_code in (403, 404)
        assert not [name for name in answer.headers if name.startswith("access-control")]
    own = client.get("/v2/", headers={"Origin": prefect.url})
    assert own.status_code == 200
    assert not [name for name in own.headers if name.startswith("access-control")]
    assert "frame-ancestors 'none'" in own.headers["content-security-policy"]
    assert own.headers["x-frame-options"] == "DENY"


DISGUISES = [
    "POST /api/deployments/../deployments/ HTTP/1.1",
    "POST /api/./deployments/ HTTP/1.1",
    "POST //api/deployments/ HTTP/1.1",
    "POST /api//deployments/ HTTP/1.1",
    "POST /api/deployments/%2e%2e/deployments/ HTTP/1.1",
    "POST /api/deployments%2f HTTP/1.1",
    "POST /api/deployments/;x HTTP/1.1",
    "POST /api/deployments/%00 HTTP/1.1",
    "POST /API/DEPLOYMENTS/ HTTP/1.1",
    "POST http://127.0.0.1/api/deployments/ HTTP/1.1",
    "PUT /api/deployments/ HTTP/1.1",
    "post /api/deployments/ HTTP/1.1",
    "POST /api/deployments HTTP/1.1",
    "POST /v2/api/deployments/ HTTP/1.1",
]


def raw(prefect, who, line, headers=(), body=b""):
    """The status of a request as it stands."""
    token = base64.b64encode(f"{who}:{PASSWORDS[who]}".encode()).decode()
    place = urlsplit(prefect.url)
    lines = [line, f"Host: {place.netloc}", f"Authorization: Basic {token}", f"Content-Length: {len(body)}"]
    with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, *headers, "Connection: close", "", ""]).encode("latin-1") + body)
        answer = connection.makefile("rb").readline().split()
    return int(answer[1]) if len(answer) > 1 else 400


@pytest.mark.parametrize("line", DISGUISES)
def test_a_route_in_disguise_is_closed(prefect, line):
    body = json.dumps({"name": "x", "flow_id": ID, "pull_steps": [SHELL]}).encode()
    assert raw(prefect, "adam", line, ["Content-Type: application/json"], body) in (400, 403, 404, 405)


@pytest.mark.parametrize(
    "headers",
    [
        ["Authorization: Basic eDp5"],  # beside the right one
        ["Host: evil.example"],
        ["Origin: http://evil.example", "Origin: http://127.0.0.1"],
        ["X-HTTP-Method-Override: DELETE"],
        ["X-Forwarded-User: tidewaiter-up"],
        ["X-Original-URL: /api/deployments/"],
    ],
    ids=str,
)
def test_headers_that_say_something_else_change_nothing(prefect, headers):
    body = json.dumps({"name": "x", "flow_id": ID}).encode()
    sent = ["Content-Type: application/json", *headers]
    assert raw(prefect, "adam", "POST /api/deployments/ HTTP/1.1", sent, body) in (400, 401, 403)


def test_a_query_does_not_bring_in_what_the_body_may_not(prefect):
    path = f"/api/deployments/{prefect.deployments['retrain/adhoc']}/create_flow_run?job_variables=x"
    assert prefect.ask("dan", "POST", path, {}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"parameters": {}, "parameters": {"parameters": {"source": "files"}}}',
        b'{"a": NaN}',
        b"[]",
        b"{",
        b"\xff",
        b'{"a":' * 3000,
        b'"x"',
        b" " * (LARGEST_OF_PEOPLE + 1),
    ],
)
def test_a_body_with_two_meanings_or_none_is_refused(prefect, body):
    path = f"/api/deployments/{prefect.deployments['retrain/adhoc']}/create_flow_run"
    answer = prefect.client("dan").post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 413)


def test_guessing_a_password_gets_slow_and_no_name_of_the_service_has_an_account(prefect):
    attempts = [prefect.client("").get("/api/version", auth=("dora", f"guess-{number}")) for number in range(8)]
    assert [answer.status_code for answer in attempts][-1] == 429
    for name in (UP, TELLER, SERVICE, "admin"):
        assert prefect.client("").get("/api/version", auth=(name, "")).status_code in (401, 429)
        assert prefect.client("").get("/api/version", auth=(name, "guess")).status_code in (401, 429)
    time.sleep(2)
