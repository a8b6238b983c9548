"""What is told of the runs of a Prefect server that answers as the real one does."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml

from flows.servers import deploy
from flows.watching import watch
from flows.watching.runs import KEEPS_FAILING, LATE, OVERLAP, Runs
from models.notices import OPERATOR
from tests.support.noticed import PAGES

ROOT = Path(__file__).parents[4]
NOW = datetime(2024, 3, 5, 2, 0, tzinfo=UTC)  # half an hour after retrain/nightly is due
SINCE = NOW.isoformat()
CREATED = NOW - timedelta(days=9)


class Server:
    """As much of Prefect as is asked, with the deployments of prefect.yaml."""

    def __init__(self):
        declared = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
        self.flows = sorted({each["entrypoint"].partition(":")[2] for each in declared})
        self.deployments = [
            {
                "id": f"{each['entrypoint'].partition(':')[2]}/{each['name']}",
                "flow_id": each["entrypoint"].partition(":")[2],
                "name": each["name"],
                "created": CREATED.isoformat(),
                "paused": False,
                "schedules": [
                    {"schedule": {"cron": made["cron"], "timezone": "UTC"}, "active": True}
                    for made in each.get("schedules", [])
                ],
                "tags": each["tags"],
            }
            for each in declared
        ]
        self.runs, self.events = [], []

    def run(self, deployment, state="COMPLETED", at=NOW, name="tidy-otter", message=""):
        self.runs.append(
            {
                "id": f"run-{len(self.runs)}",
                "name": name,
                "deployment_id": deployment,
                "state": {"type": state, "name": state.title(), "message": message, "timestamp": at.isoformat()},
                "expected_start_time": at.isoformat(),
                "start_time": at.isoformat(),
                "end_time": at.isoformat() if state not in ("RUNNING", "SCHEDULED") else None,
                "run_count": 0 if state == "SCHEDULED" else 1,
                "auto_scheduled": True,
                "tags": [],
            }
        )

    def emit(self, name, payload, at=NOW, resource="tidewaiter.x", **more):
        event = {"id": f"event-{len(self.events)}", "event": name, "occurred": at.isoformat(), "payload": payload}
        self.events.append(event | {"resource": {"prefect.resource.id": resource, **more}})

    def __call__(self, request):
        path, asked = request.url.path.removeprefix("/api"), json.loads(request.content or "null")
        if path == "/flows/filter":
            return httpx.Response(200, json=[{"id": name, "name": name} for name in self.flows])
        if path == "/deployments/filter":
            return httpx.Response(200, json=self.deployments)
        if path == "/flow_runs/filter":
            return httpx.Response(200, json=self._runs(asked))
        assert path == "/events/filter"
        names, since = asked["filter"]["event"]["name"], asked["filter"]["occurred"]["since"]
        found = [each for each in self.events if each["event"] in names and each["occurred"] >= since]
        return httpx.Response(200, json={"events": found[: asked["limit"]]})

    def _runs(self, asked):
        of = asked["deployments"]["id"]["any_"]
        found = [each for each in self.runs if each["deployment_id"] in of]
        if states := asked["flow_runs"].get("state"):
            after = asked["flow_runs"]["end_time"]["after_"]
            found = [each for each in found if each["end_time"] and each["end_time"] >= after]
            found = [each for each in found if each["state"]["type"] in states["type"]["any_"]]
        found.sort(key=lambda each: each["expected_start_time"], reverse=True)
        return found[: asked["limit"]]


@pytest.fixture
def prefect():
    return Server()


@pytest.fixture
def look(prefect):
    """Return a function that looks at the server, and gives the events."""
    runs = Runs(lambda: httpx.Client(transport=httpx.MockTransport(prefect), base_url="http://prefect/api"))
    return lambda now=NOW, cursor=SINCE: runs.look(PAGES, cursor, now).events


def begin_nights(prefect, but=""):
    """Have each night of today begin when it is due."""
    for each in prefect.deployments:
        if "nightly" in each["tags"] and each["id"] != but:
            for days in (0, 1):
                at = NOW.replace(hour=int(each["schedules"][0]["schedule"]["cron"].split()[1]), minute=30)
                prefect.run(each["id"], at=at - timedelta(days=days))


def test_what_is_watched_is_what_is_deployed(prefect, look):
    begin_nights(prefect)
    for each in prefect.deployments:
        for _ in range(KEEPS_FAILING):
            prefect.run(each["id"], "FAILED")
    told = look()
    assert {event.kind for event in told} == {"run-failed"}
    assert sorted({event.facts["deployment"] for event in told}) == deploy.names(ROOT)


def test_a_night_of_every_nightly_deployment_is_told_that_did_not_begin(prefect, look):
    nightly = {each["id"] for each in prefect.deployments if "nightly" in each["tags"]}
    told = look(datetime(2024, 4, 1, 23, tzinfo=UTC))  # a quarter has begun on this day
    assert {(event.kind, event.facts["deployment"]) for event in told} == {("night-missed", name) for name in nightly}


def test_a_run_that_failed_or_crashed_is_told_once_with_its_page(prefect, look):
    begin_nights(prefect)
    prefect.run("select/nightly", "FAILED", message="a <disk> is full")
    prefect.run("select/nightly", "CRASHED", name="late-owl")
    prefect.run("select/nightly", "CANCELLED")
    prefect.run("select/nightly", "FAILED", NOW - OVERLAP - timedelta(seconds=1))
    failed, crashed = look()
    assert failed.facts == {
        "deployment": "select/nightly",
        "run": "tidy-otter",
        "state": "Failed",
        "why": "a (disk) is full",
    }
    assert (crashed.facts["state"], crashed.role) == ("Crashed", OPERATOR)
    assert failed.link == f"https://runs.example:4443/runs/flow-run/{prefect.runs[-4]['id']}"
    assert [event.key for event in look()] == [failed.key, crashed.key]
    # Begun again, and failed again, it is told again.
    prefect.runs[-4]["state"]["timestamp"] = (NOW + timedelta(minutes=5)).isoformat()
    assert [event.key == failed.key for event in look()] == [False, False]


def test_the_promotion_is_told_when_it_keeps_failing_once_an_hour(prefect, look):
    begin_nights(prefect)
    for minute in range(KEEPS_FAILING - 1):
        prefect.run("promote/reconcile", "FAILED", NOW - timedelta(minutes=minute), message="no server")
    assert look() == []
    prefect.run("promote/reconcile", "RUNNING", NOW + timedelta(minutes=1))
    prefect.run("promote/reconcile", "CRASHED", NOW - timedelta(minutes=KEEPS_FAILING))
    (told,) = look()
    assert (told.facts["deployment"], told.facts["why"]) == ("promote/reconcile", "no server")
    assert look(NOW + timedelta(minutes=59))[0].key == told.key
    assert look(NOW + timedelta(minutes=60))[0].key != told.key
    prefect.run("promote/reconcile", at=NOW + timedelta(minutes=2))
    assert look() == []


def test_a_night_is_missed_when_it_has_not_begun_for_a_while(prefect, look):
    begin_nights(prefect, but="retrain/nightly")
    prefect.run("retrain/nightly", at=NOW - timedelta(days=1, minutes=30))
    assert look(NOW - timedelta(seconds=1)) == []
    (told,) = look(NOW)
    assert told.facts == {"deployment": "retrain/nightly", "due": "2024-03-05 01:30 UTC"}
    prefect.run("retrain/nightly", "SCHEDULED", NOW - LATE)
    assert look(NOW)[0].key == told.key
    prefect.run("retrain/nightly", "RUNNING", NOW)
    assert look(NOW) == []
    prefect.runs.clear()
    begin_nights(prefect, but="retrain/nightly")
    assert look(NOW) == []  # it is known to have begun


@pytest.mark.parametrize("change", [{"paused": True}, {"created": NOW.isoformat()}, {"schedules": []}])
def test_a_night_that_is_not_due_is_not_missed(prefect, look, change):
    begin_nights(prefect, but="retrain/nightly")
    for each in prefect.deployments:
        if each["id"] == "retrain/nightly":
            each |= change
    assert look(NOW) == []


def test_what_flows_and_up_have_said_is_told(prefect, look):
    begin_nights(prefect, but="monitor/nightly")
    due = datetime(2024, 3, 4, 4, 30, tzinfo=UTC)
    prefect.emit(watch.MISSED, {"due_at": due.isoformat()}, **{"prefect.resource.name": "monitor/nightly"})
    prefect.emit(watch.ALARM, {"alarm": "alias champion was moved"})
    prefect.emit(watch.UNJUDGED, {"source": "files", "said": "not judged for 8 nights"})
    prefect.emit("tidewaiter.drift.breach", {"source": "files"})
    prefect.emit(watch.ALARM, {"alarm": "old"}, NOW - OVERLAP - timedelta(seconds=1))
    found = look(NOW)
    # The night is found missing too, and told once.
    assert [event.kind for event in found].count("night-missed") == 2
    assert len({event.key for event in found}) == 3
    assert {event.kind: dict(event.facts) for event in found} == {
        "night-missed": {"deployment": "monitor/nightly", "due": "2024-03-04 04:30 UTC"},
        "alarm": {"why": "alias champion was moved"},
        "not-judged": {"source": "files", "why": "not judged for 8 nights"},
    }


def test_more_events_than_a_page_are_all_found(prefect, look):
    begin_nights(prefect)
    for number in range(120):
        prefect.emit(watch.ALARM, {"alarm": f"{number}"}, NOW + timedelta(seconds=number))
    assert [event.facts["why"] for event in look()] == [f"{number}" for number in range(120)]


def test_the_first_look_goes_back_a_little(prefect, look):
    begin_nights(prefect)
    prefect.run("select/nightly", "FAILED", NOW - OVERLAP, name="now")
    prefect.run("select/nightly", "FAILED", NOW - OVERLAP - timedelta(seconds=1), name="before")
    assert [event.facts["run"] for event in look(NOW, None)] == ["now"]
