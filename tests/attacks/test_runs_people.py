"""Attacks by people who may start runs: on parameters, paths, names and states, and on the record of who asked."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from flows.servers import deploy, prefect_api
from models.access.accounts import UP
from models.ledger.book import SERVICE
from tests.support.runs_server import PASSWORDS

PATHS = [
    "/etc/shadow",
    "/etc/*",
    "/srv/other/x.csv",
    "/srv/allowedly/x.csv",
    "/srv/allowed/../other/x.csv",
    "../elsewhere/secret.csv",
    "files/../../elsewhere/*",
    "files/../.tidewaiter/signoff/secret/service.password",
    ".tidewaiter/signoff/secret/service.password",
    ".tidewaiter/*",
    "./.tidewaiter/*",
    ".git/config",
    "files/.hidden",
    "**/secret.csv",
    "files/link/*.csv",
    "~/x.csv",
    "~root/x.csv",
    "",
    "file:///etc/shadow",
    "http://evil.example/x.csv",
    "s3://other/x.csv",
    "s3://customs/inside/x.csv",
    "s3://customs/in/../x.csv",
    "s3:///etc/shadow",
    "S3://customs/in/x.csv",
    "local:///etc/shadow",
    "github://a:b@/x",
    "files/a\x00.csv",
    "files/a\nb.csv",
    "x" * 2000,
    "$(id)/../../etc/*",
    "/proc/self/environ",
    "/dev/stdin",
]
ALLOWED = [
    "files/2024.csv",
    "files/*.csv",
    "/srv/allowed/2024-*.csv",
    "s3://customs/in/2024/*.csv",
    "$(id).csv",
    "; id",
]


@pytest.mark.parametrize("path", PATHS)
def test_files_elsewhere_are_refused_with_a_sentence(prefect, path):
    before = prefect.count()
    for name, parameters in (
        ("retrain/adhoc", {"source": "kcs", "input": [path]}),
        ("retrain/nightly", {"source": "kcs", "input": ["files/2024.csv", path]}),
        ("rehearse/rehearsal", {"source": "kcs", "input": [path]}),
        ("retrain/adhoc", {"source": "files", "mapping": path}),
    ):
        answer = prefect.start("dan", name, parameters={"parameters": parameters})
        assert answer.status_code == 422, (name, answer.text)
        assert len(answer.json()["detail"]) > 20
    assert prefect.count() == before


@pytest.mark.parametrize("mapping", ["out", "shadow", "hidden", "link"])
def test_a_mapping_file_names_no_files_elsewhere(prefect, mapping):
    parameters = {"source": "files", "mapping": f"files/{mapping}.toml"}
    assert prefect.start("dan", parameters={"parameters": parameters}).status_code == 422


@pytest.mark.parametrize("path", ALLOWED)
def test_files_of_the_project_and_of_the_settings_are_read(prefect, path):
    answer = prefect.start("dan", parameters={"parameters": {"source": "kcs", "input": [path]}})
    assert answer.status_code == 201, answer.text
    assert answer.json()["parameters"]["parameters"]["input"] == [path]  # as a word, never a command


PARAMETERS = [
    {"source": "simulator; id"},
    {"source": "$(id)"},
    {"source": {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}},
    {"source": {"__prefect_kind": "workspace_variable", "variable_name": "x"}},
    {"source": "files"} | {"input": ["files/2024.csv"]},
    {"rows": 10**12},
    {"rows": "1000; id"},
    {"rows": -1},
    {"rows": 1.5},
    {"seed": -1},
    {"months": 0},
    {"search": "everything"},
    {"engine": "shell"},
    {"engine": "ray", "address": "evil.example:6379"},
    {"address": "127.0.0.1:6379"},
    {"colour": "red"},
    {"__class__": "x"},
    {"input": "files/2024.csv"},
    {"source": "kcs", "mapping": "files/mapping.toml"},
    [],
    "x",
    7,
    {"__prefect_kind": "json", "value": '{"source": "kcs", "input": ["/etc/shadow"]}'},
]


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda each: json.dumps(each)[:60])
def test_a_wrong_parameter_is_refused_with_a_sentence(prefect, parameters):
    before = prefect.count()
    answer = prefect.start("dan", parameters={"parameters": parameters})
    assert answer.status_code in ((201,) if parameters == [] else (422,)), answer.text
    assert prefect.count() == before + (parameters == [])  # nothing said, so as deployed


@pytest.mark.parametrize(
    "given",
    [
        {"x": 1},
        {"parameters": {}, "self": 1},
        {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"},
        {"parameters": {}, "command": "id"},
    ],
)
def test_a_flow_takes_no_other_parameters(prefect, given):
    assert prefect.start("dan", parameters=given).status_code == 422
    assert prefect.start("dan", "promote/reconcile", parameters=given).status_code == 422


def test_a_rehearsal_writes_where_rehearsals_are(prefect):
    for out in ("flows", "/etc", "../x", ".tidewaiter/signoff"):
        given = {"parameters": {"out": out}}
        assert prefect.start("dan", "rehearse/rehearsal", parameters=given).status_code == 422


FIELDS = [
    {"job_variables": {"command": "id"}},
    {"job_variables": {"env": {"LD_PRELOAD": "/tmp/x.so"}}},
    {"work_queue_name": "other"},
    {"infrastructure_document_id": "00000000-0000-4000-8000-000000000000"},
    {"parent_task_run_id": "00000000-0000-4000-8000-000000000000"},
    {"context": {"x": 1}},
    {"empirical_policy": {"retries": 1000}},
    {"labels": {"prefect.flow.id": "x"}},
    {"pull_steps": [{"x": 1}]},
    {"deployment_id": "00000000-0000-4000-8000-000000000000"},
    {"created_by": {"type": "AUTOMATION"}},
    {"auto_scheduled": True},
    {"state": {"type": "RUNNING"}},
    {"state": {"type": "COMPLETED"}},
    {"state": {"type": "PENDING"}},
    {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": "now()"}}},
    {"state": "SCHEDULED"},
    {"name": "x\n<script>"},
    {"name": "{{ flow_run.id }}"},
    {"name": "x" * 101},
    {"name": 7},
    {"tags": ["catch-up"]},
    {"tags": ["x"] * 21},
    {"tags": "catch-up"},
    {"tags": [{"x": 1}]},
    {"idempotency_key": "x\n"},
]


@pytest.mark.parametrize("field", FIELDS, ids=lambda each: json.dumps(each)[:60])
def test_a_run_is_started_with_known_fields_only(prefect, field):
    before = prefect.count()
    assert prefect.start("dan", **field).status_code in (400, 403)
    assert prefect.count() == before


def test_what_prefects_own_forms_send_along_is_no_attack(prefect):
    """As the two generations of its pages do."""
    first = {
        "name": "omicron95-torros-cluster",
        "parameters": {"parameters": {"rows": 2000}},
        "tags": ["retrain", "tidewaiter"],
        "state": {"type": "SCHEDULED", "message": "", "state_details": {"scheduled_time": None}},
        "empirical_policy": {"retries": None, "retry_delay": None, "pause_keys": [], "resuming": False},
        "work_queue_name": "default",
        "job_variables": {},
        "enforce_parameter_schema": True,
    }
    second = {**first, "empirical_policy": {"resuming": False, "max_retries": 0, "retries": 0, "retry_delay": 0}}
    for body in (first, second):
        run = prefect.start("dan", **body)
        assert run.status_code == 201, run.text
        assert run.json()["parameters"]["parameters"]["requested_by"] == "dan"


def test_who_asked_is_who_is_signed_in_whatever_is_typed(prefect):
    for who in ("dan", "dora", "adam"):
        for typed in ("rea", "tidewaiter", "", None, "dan, rea", 7):
            run = prefect.start(who, parameters={"parameters": {"requested_by": typed}})
            assert run.json()["parameters"]["parameters"]["requested_by"] == who
    assert prefect.start("dan").json()["parameters"]["parameters"]["requested_by"] == "dan"


def test_nobody_says_that_an_automation_has_started_a_run(prefect):
    headers = {
        "Prefect-Automation-Id": "00000000-0000-4000-8000-000000000000",
        "Prefect-Automation-Name": "dGlkZXdhaXRlcg==",
    }
    path = f"/api/deployments/{prefect.deployments['retrain/adhoc']}/create_flow_run"
    for given in (headers, {name.upper(): value for name, value in headers.items()}):
        run = prefect.client("dan").post(path, json={}, headers=given).raise_for_status().json()
        assert run["created_by"] is None
        assert run["auto_scheduled"] is False


def test_one_persons_key_does_not_give_anothers_run(prefect):
    first = prefect.start("dan", idempotency_key="x").json()["id"]
    assert prefect.start("dan", idempotency_key="x").json()["id"] == first
    assert prefect.start("dora", idempotency_key="x").json()["id"] != first


class TestStates:
    """Somebody sets states of a run that exists."""

    def set(self, prefect, who, run, state, **more):
        return prefect.ask(who, "POST", f"/api/flow_runs/{run}/set_state", {"state": state, **more})

    def ended(self, prefect, who="dan", name="retrain/adhoc"):
        run = prefect.start(who, name).json()["id"]
        self.set(prefect, SERVICE, run, {"type": "FAILED"}, force=True).raise_for_status()
        return run

    @pytest.mark.parametrize("kind", ["RUNNING", "COMPLETED", "FAILED", "CRASHED", "PENDING", "X", None, 7, ["PAUSED"]])
    def test_a_person_says_nothing_for_a_run(self, prefect, kind):
        run = prefect.start("dan").json()["id"]
        assert self.set(prefect, "dan", run, {"type": kind}, force=True).status_code == 403
        assert prefect.ask(UP, "GET", f"/api/flow_runs/{run}").json()["state_type"] == "SCHEDULED"

    def test_a_person_cancels_in_their_own_name_and_without_force(self, prefect):
        run = prefect.start("dan").json()["id"]
        said = {"type": "CANCELLED", "name": "Completed", "message": "By rea.", "data": {"x": 1}}
        assert self.set(prefect, "dora", run, said, force=True).status_code in (200, 201)
        state = prefect.ask(UP, "GET", f"/api/flow_runs/{run}").json()["state"]
        assert (state["name"], state["message"], state["data"]) == ("Cancelled", "Cancelled by dora.", None)

    def test_a_waiting_night_is_not_brought_forward(self, prefect):
        later = (datetime.now(UTC) + timedelta(hours=9)).isoformat()
        state = {"type": "SCHEDULED", "state_details": {"scheduled_time": later}}
        run = prefect.start("dan", "retrain/nightly", state=state).json()["id"]
        assert self.set(prefect, "dan", run, {"type": "SCHEDULED"}).status_code == 409

    def test_nobody_begins_again_what_another_has_asked_for(self, prefect):
        run = self.ended(prefect)
        for who in ("dora", "adam"):
            answer = self.set(prefect, who, run, {"type": "SCHEDULED", "name": "AwaitingRetry"})
            assert answer.status_code == 403
            assert "this run is of dan" in answer.json()["detail"]
        assert self.set(prefect, "dan", run, {"type": "SCHEDULED", "name": "AwaitingRetry"}).status_code in (200, 201)

    def test_where_nobody_is_the_author_anybody_begins_again(self, prefect):
        run = self.ended(prefect, name="select/nightly")
        assert self.set(prefect, "dora", run, {"type": "SCHEDULED"}).status_code in (200, 201)

    def test_a_run_without_a_deployment_is_not_begun_again(self, prefect):
        flow = prefect.ask(SERVICE, "POST", "/api/flows/", {"name": "retrain"}).json()["id"]
        body = {"flow_id": flow, "state": {"type": "FAILED"}}
        run = prefect.ask(SERVICE, "POST", "/api/flow_runs/", body).raise_for_status().json()["id"]
        assert self.set(prefect, "dan", run, {"type": "SCHEDULED"}).status_code == 409

    def test_a_run_that_is_not_there_is_not_there(self, prefect):
        run = "00000000-0000-4000-8000-000000000000"
        assert self.set(prefect, "dan", run, {"type": "SCHEDULED"}).status_code == 404


def test_people_pause_and_resume_and_say_no_more(prefect):
    path = f"/api/deployments/{prefect.deployments['retrain/nightly']}"
    schedule = prefect.ask("dan", "GET", f"{path}/schedules").json()[0]["id"]
    assert prefect.ask("dan", "POST", f"{path}/pause_deployment").status_code == 200
    assert prefect.ask("rea", "GET", path).json()["paused"]
    assert prefect.ask("dan", "PATCH", path, {"paused": False}).status_code == 204
    assert not prefect.ask("rea", "GET", path).json()["paused"]
    assert prefect.ask("dan", "PATCH", f"{path}/schedules/{schedule}", {"active": True}).status_code == 204
    for body in (
        {"active": True, "schedule": {"cron": "* * * * *"}},
        {"active": "yes"},
        {"parameters": {"parameters": {"source": "kcs"}}},
        {},
    ):
        assert prefect.ask("dan", "PATCH", f"{path}/schedules/{schedule}", body).status_code in (400, 403)
    assert prefect.ask("rea", "GET", f"{path}/schedules").json()[0]["schedule"]["cron"] == "30 1 * * *"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"x": {"type": "string", "pattern": "(a+)+$"}}},
        {"patternProperties": {"(a+)+$": {}}},
        {"$ref": "http://evil.example/schema.json"},
        {"properties": {"x": {"$ref": "file:///etc/passwd"}}},
        {"allOf": [{"$dynamicRef": "//evil.example/x"}]},
        {
            "definitions": {f"a{n}": {"allOf": [{"$ref": f"#/definitions/a{n + 1}"}] * 2} for n in range(30)}
            | {"a30": {}},
            "$ref": "#/definitions/a0",
        },
        {"$ref": "#"},
        {"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}},
        {"properties": {"x": {"enum": list(range(10_000))}}},
        json.loads('{"not":' * 400 + "{}" + "}" * 400),
        {"unevaluatedProperties": False},
    ],
    ids=lambda schema: str(schema)[:60],
)
def test_a_forms_schema_costs_no_hours_and_asks_no_other_server(prefect, schema):
    body = {"schema": schema, "values": {"x": "a" * 40}}
    assert prefect.ask("dan", "POST", "/api/ui/schemas/validate", body).status_code == 403


def test_a_form_has_no_more_values_than_can_be_compared_with_each_other(prefect):
    body = {"schema": {"properties": {"x": {"uniqueItems": True}}}, "values": {"x": [{"n": n} for n in range(5_000)]}}
    assert prefect.ask("dan", "POST", "/api/ui/schemas/validate", body).status_code == 403


@pytest.mark.attempts(0)
def test_up_takes_away_what_is_deployed_under_an_earlier_name_and_nothing_else(prefect):
    def names():
        return {each.name for each in prefect_api.deployments(client)}

    with prefect_api.connect(prefect.url, (UP, PASSWORDS[UP])) as client:
        before = names()
        flow = client.post("/flows/", json={"name": "simulate"}).raise_for_status().json()["id"]
        client.post("/deployments/", json={"name": "rehearsal", "flow_id": flow}).raise_for_status()
        assert names() == before | {"simulate/rehearsal"}
        deploy.remove_renamed(client, prefect_api.deployments(client))
        assert names() == before


def test_the_form_of_every_deployment_is_checked(prefect):
    for deployment in prefect.ask("dan", "POST", "/api/deployments/filter", {}).json():
        body = {"schema": deployment["parameter_openapi_schema"], "values": deployment["parameters"]}
        assert prefect.ask("dan", "POST", "/api/ui/schemas/validate", body).status_code == 200


@pytest.mark.parametrize(
    "typed",
    [
        '{"seed": 1000000000000000000000000000000}',
        '{"seed": "1000000000000000000000000000000"}',
        '{"seed": -9223372036854775809}',
        '{"seed": 1e999}',
        f'{{"rows": 1{"0" * 5_000}}}',
        '{"input": ["\\ud800.csv"], "source": "kcs"}',
        '{"\\ud800": 1}',
    ],
    ids=lambda typed: typed[:40],
)
def test_nothing_is_stored_that_cannot_be_shown_again(prefect, typed):
    """One such run, and no list that it is in is answered any more: neither `status` nor the next start has one."""
    path = f"/api/deployments/{prefect.deployments['retrain/adhoc']}/create_flow_run"
    body = f'{{"parameters": {{"parameters": {typed}}}}}'
    answer = prefect.ask("dan", "POST", path, content=body.encode(), headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert prefect.ask("rea", "POST", "/api/flow_runs/filter", {}).status_code == 200


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_run_begins_within_a_year(prefect, at):
    path = f"/api/deployments/{prefect.deployments['retrain/adhoc']}/create_flow_run"
    body = {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": at}}}
    assert prefect.ask("dan", "POST", path, body).status_code == 400


def test_a_form_is_checked(prefect):
    body = {"schema": {"properties": {"rows": {"type": "integer", "minimum": 1000}}}, "values": {"rows": 10}}
    answer = prefect.ask("dan", "POST", "/api/ui/schemas/validate", body)
    assert answer.status_code == 200
    assert answer.json()["valid"] is False
