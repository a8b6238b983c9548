import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from flows.servers import prefect_api
from flows.servers.prefect_api import Deployment, Patient

DEPLOYMENT = Deployment("d", "retrain/nightly", datetime(2024, 1, 1, tzinfo=UTC), False, (), frozenset())
RUN = {
    "id": "r",
    "state": {"type": "CANCELLED", "name": "Cancelled", "message": None, "timestamp": "2024-03-05T01:30:04Z"},
    "expected_start_time": "2024-03-05T01:30:00Z",
    "start_time": "2024-03-05T01:30:04Z",
    "end_time": "2024-03-05T01:30:04Z",
    "run_count": 0,
    "auto_scheduled": True,
    "tags": ["nightly"],
}


def client(answer):
    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://prefect/api")


def test_a_write_refused_by_a_locked_database_is_repeated():
    bodies = []

    def answer(request):
        bodies.append(request.content)
        return httpx.Response(503 if len(bodies) < 3 else 201)

    patient = Patient(httpx.MockTransport(answer), delays_s=(0, 0, 0))
    with httpx.Client(transport=patient) as asking:
        assert asking.post("http://prefect/api/", json={"name": "x"}).status_code == 201
    assert bodies == [b'{"name":"x"}'] * 3


def test_patience_ends():
    patient = Patient(httpx.MockTransport(lambda request: httpx.Response(503)), delays_s=(0,))
    with httpx.Client(transport=patient) as asking:
        assert asking.get("http://prefect/api/").status_code == 503


def test_a_run_that_never_ran_has_no_start_whatever_prefect_stamps():
    with client(lambda request: httpx.Response(200, json=[RUN])) as asking:
        (run,) = prefect_api.runs(asking, DEPLOYMENT)
    assert run.started_at is None
    assert run.expected_at == datetime(2024, 3, 5, 1, 30, tzinfo=UTC)
    with client(lambda request: httpx.Response(200, json=[{**RUN, "run_count": 1}])) as asking:
        assert prefect_api.runs(asking, DEPLOYMENT)[0].started_at is not None


def test_runs_that_people_plan_do_not_hide_the_nights_that_were():
    asked = []

    def answer(request):
        asked.append(json.loads(request.content)["flow_runs"]["expected_start_time"]["before_"])
        return httpx.Response(200, json=[])

    with client(answer) as asking:
        prefect_api.runs(asking, DEPLOYMENT)
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(asked[0]) < timedelta(minutes=5)


def test_only_cron_schedules_are_nights():
    schedules = [
        {"schedule": {"interval": 60.0}, "active": True},
        {"schedule": {"cron": "30 1 * * *", "timezone": None}, "active": True},
    ]
    deployment = {"id": "d", "flow_id": "f", "name": "nightly", "created": "2024-01-01T00:00:00Z", "paused": False}
    answers = {"/api/flows/filter": [{"id": "f", "name": "retrain"}]}
    answers["/api/deployments/filter"] = [{**deployment, "schedules": schedules, "tags": ["nightly"]}]
    with client(lambda request: httpx.Response(200, json=answers[request.url.path])) as asking:
        (found,) = prefect_api.deployments(asking)
    assert found.name == "retrain/nightly"
    assert found.night is not None
    assert (found.night.cron, found.night.time_zone) == ("30 1 * * *", "UTC")


def test_a_pool_that_does_not_exist_has_no_worker():
    with client(lambda request: httpx.Response(404)) as asking:
        assert not prefect_api.has_worker(asking)


def test_a_worker_of_before_is_not_the_one_just_started():
    worker = {"status": "ONLINE", "last_heartbeat_time": "2024-03-05T01:30:00Z"}
    with client(lambda request: httpx.Response(200, json=[worker])) as asking:
        assert prefect_api.has_worker(asking)
        assert not prefect_api.has_worker(asking, since=datetime(2024, 3, 5, 1, 31, tzinfo=UTC))


def test_an_answer_that_is_an_error_is_raised():
    with client(lambda request: httpx.Response(500)) as asking, pytest.raises(httpx.HTTPStatusError, match="500"):
        prefect_api.deployments(asking)
