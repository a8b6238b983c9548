"""`tidewaiter up` with the real servers. The tests tell one story in order, because each start takes twenty seconds."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from flows.processes import children, running
from flows.servers import prefect_api
from flows.watching import nights
from models.ledger.keys import Keys
from models.notices import FILE
from tests.support.ports import free_port
from tests.support.receiver import receiving

ROOT = Path(__file__).parents[4]
TIDEWAITER = Path(sys.executable).with_name("tidewaiter")

# Signs in to MLflow as real flows do, by the account that `up` gives the worker.
FLOW = """
import os
import time
import httpx
from prefect import flow

@flow
def {name}(parameters: dict | None = None) -> None:
    account = os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]
    url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/experiments/search?max_results=1"
    patient = httpx.HTTPTransport(retries=8)  # the server may be starting again
    with httpx.Client(transport=patient, auth=account, timeout=60) as client:
        found = client.get(url).raise_for_status().json()
    assert found["experiments"], "nothing is shown to the account"
    is_long = (parameters or {{}}).get("search") == "full"
    time.sleep(600 if is_long else 0)
"""
LONG = {"search": "full"}
PASSWORD = re.compile(r"password (\S+)")

pytestmark = pytest.mark.timeout(600)


def wait_for(condition, seconds, what, shown=lambda: ""):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds} s\n{shown()}")
        time.sleep(0.3)
    return found


class Project:
    """A small project of the repository's prefect.yaml with flows that only wait, and its `up`."""

    def __init__(self, folder):
        self.folder = folder
        self.state = folder / ".tidewaiter"
        self.prefect_port, self.mlflow_port = free_port(), free_port()
        (folder / "flows").mkdir()
        for name in ("retrain", "monitor", "network", "promote", "quarter", "select", "rehearse"):
            (folder / "flows" / f"{name}.py").write_text(FLOW.format(name=name))
        shutil.copy(ROOT / "prefect.yaml", folder)
        # Nights that were due two hours ago, whenever the test runs.
        due = datetime.now(UTC) - timedelta(hours=2)
        self.configure(
            mlflow_port=self.mlflow_port,
            prefect_port=self.prefect_port,
            retrain_cron=f"{due.minute} {due.hour} * * *",
            monitor_cron=f"{due.minute} {due.hour} * * *",
            select_cron=f"{due.minute} {due.hour} * * *",
            network_cron=f"{due.minute} {due.hour} * * *",
            zombie_after_seconds=40,
        )
        self.process = None
        self.password = ""

    def configure(self, **settings):
        self.settings = settings
        lines = (f"{name} = {json.dumps(value)}" for name, value in settings.items())
        (self.folder / "tidewaiter.toml").write_text("\n".join(lines))

    def tidewaiter(self, *arguments, **environment):
        return subprocess.run(
            [TIDEWAITER, *arguments],
            cwd=self.folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self):
        log = self.folder / "up.out"
        with log.open("w") as out:
            self.process = subprocess.Popen([TIDEWAITER, "up"], cwd=self.folder, stdout=out, stderr=out)
        process = self.process

        def is_ready():
            assert process.poll() is None, log.read_text()
            return "Ready." in log.read_text()

        wait_for(is_ready, 400, "up ready")
        if shown := PASSWORD.findall(log.read_text()):
            (self.password,) = shown
        return log.read_text()

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        children.end(children.marked(self.state))

    def said(self):
        return (self.folder / "up.out").read_text()

    def log(self, name):
        return (self.state / "logs" / f"{name}.log").read_text()[-8000:]

    def status(self):
        done = self.tidewaiter("status", "--json")
        return done.returncode, json.loads(done.stdout)

    def healthy(self):
        code, status = self.status()
        return None if code else status

    def client(self, name="admin"):
        """Prefect, asked by the administrator or by the account of worker and runs."""
        password = self.password if name == "admin" else self.service_password()
        return prefect_api.connect(f"http://127.0.0.1:{self.prefect_port}", (name, password))

    def service_password(self):
        return Keys(self.state / "signoff").service_password

    def deployment(self, client, name):
        return next(each for each in prefect_api.deployments(client) if each.name == name)

    def trigger(self, client, name, **parameters):
        path = f"/deployments/{self.deployment(client, name).id}/create_flow_run"
        body = {"parameters": {"parameters": parameters} if parameters else {}}
        return client.post(path, json=body).raise_for_status().json()["id"]

    def wait_state(self, client, run, *names, seconds=60):
        def state():
            found = client.get(f"/flow_runs/{run}").raise_for_status().json()["state"]
            return found if found["name"] in names else None

        return wait_for(state, seconds, f"run {run} {'/'.join(names)}")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    started = Project(tmp_path_factory.mktemp("project"))
    yield started
    started.end()


@pytest.fixture(scope="module")
def inbox():
    """Where messages go."""
    with receiving() as receiver:
        yield receiver


def test_a_port_in_use_is_named(project):
    with socket.socket() as other:
        other.bind(("127.0.0.1", project.prefect_port))
        other.listen()
        done = project.tidewaiter("up")
    assert done.returncode == 1
    assert f"prefect_port {project.prefect_port} on 127.0.0.1 is in use" in done.stderr
    assert "TIDEWAITER_PREFECT_PORT" in done.stderr
    assert project.status()[0] == 3


def test_one_command_starts_everything(project):
    said = project.start()
    assert f"http://127.0.0.1:{project.mlflow_port}" in said
    code, status = project.status()
    checks = {check["name"]: check for check in status["checks"]}
    assert [name for name, check in checks.items() if not check["is_ok"]] == []
    assert code == 0
    up = running.find(project.state)
    assert up is not None
    assert up.since is not None
    assert timedelta(0) < datetime.now(UTC) - datetime.fromisoformat(up.since) < timedelta(minutes=2)
    assert checks["deployments"]["detail"].split(", ") == [
        "monitor/nightly",
        "network/nightly",
        "promote/reconcile",
        "quarter/quarterly",
        "rehearse/rehearsal",
        "retrain/adhoc",
        "retrain/nightly",
        "retrain/on-drift",
        "select/nightly",
    ]
    assert "none was due yet" in checks["last night of retrain/nightly"]["detail"]
    assert status["nights"] == []


def test_the_administrators_password_is_shown_once_and_lets_people_in(project):
    password = project.password
    administrator = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": password}
    added = project.tidewaiter("users", "add", "ann", "--role", "reviewer", **administrator)
    assert added.returncode == 0, added.stderr
    signed_in = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": PASSWORD.search(added.stdout)[1]}
    refused = project.tidewaiter("users", "add", "eve", "--role", "reviewer", **signed_in)
    assert refused.returncode == 1
    assert refused.stderr.strip() == "accounts and roles are the administrator's to change, not ann's"
    holding = [file for file in project.state.rglob("*") if file.is_file() and password.encode() in file.read_bytes()]
    assert holding == []


def test_the_ledger_is_proven_by_who_runs_up(project):
    done = project.tidewaiter("audit", "verify", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["entries"] >= 1  # the account that was made is in it


def test_a_second_up_is_refused(project):
    done = project.tidewaiter("up")
    assert done.returncode == 1
    assert f"process {project.process.pid}" in done.stderr


def test_an_overlapping_run_is_cancelled_and_a_breach_starts_a_retraining(project):
    with project.client() as client:
        project.long_run = project.trigger(client, "retrain/adhoc", **LONG)
        project.wait_state(client, project.long_run, "Running")
        second = project.trigger(client, "retrain/adhoc")
        assert "concurrency limit" in project.wait_state(client, second, "Cancelled")["message"]
        event = {
            "id": "018f0000-0000-7000-8000-000000000000",
            "occurred": datetime.now(UTC).isoformat(),
            "event": "tidewaiter.drift.breach",
            "resource": {"prefect.resource.id": "tidewaiter.source.kcs"},
            "payload": {"source": "kcs", "requested_by": "ann"},
        }
        with project.client("tidewaiter") as runs:
            runs.post("/events", json=[event]).raise_for_status()
        on_drift = project.deployment(client, "retrain/on-drift")
        (run,) = wait_for(lambda: prefect_api.runs(client, on_drift), 120, "a run on drift")
        project.wait_state(client, run.id, "Completed")
        started = client.get(f"/flow_runs/{run.id}").raise_for_status().json()
        # Whoever started the run that saw the breach may not sign what comes of it.
        assert started["parameters"]["parameters"] == {"source": "kcs", "requested_by": "ann"}


def test_a_killed_up_is_recovered_and_missed_nights_are_caught_up_once(project, inbox):
    with project.client() as client:
        on_drift = project.deployment(client, "retrain/on-drift")
        client.post(f"/deployments/{on_drift.id}/pause_deployment").raise_for_status()

    project.process.kill()
    project.process.wait()
    assert len(children.marked(project.state)) >= 4  # both servers, the worker, the long run
    assert project.status()[0] == 3
    kill_worker_and_runs(project)  # or the worker would take what is made to be late now
    be_away_for_days(project.state / "prefect" / "prefect.db")
    file = project.state / FILE
    file.touch(mode=0o600)
    file.write_text(f'[[recipients]]\nrole = "operator"\nurls = ["{inbox.url}"]\n')

    said = project.start()
    assert "processes that an earlier `tidewaiter up` left behind" in said
    assert not PASSWORD.search(said)
    assert "retrain/nightly missed its night of" in said
    assert "monitor/nightly missed its night of" in said
    with project.client() as client:
        # By the start, or before it: by the server's own automation, where the start took its time, or by the worker,
        # where the run's process was killed a moment before its own.
        message = project.wait_state(client, project.long_run, "Crashed")["message"]
        assert message.startswith(("Its process ended", "No heartbeat", "Process exited with status code: -9"))
        # The dead run's slot is free again.
        project.wait_state(client, project.trigger(client, "retrain/adhoc"), "Completed")
        assert project.deployment(client, "retrain/on-drift").is_paused
        retrain, select, monitor, network = (
            project.deployment(client, f"{name}/nightly") for name in ("retrain", "select", "monitor", "network")
        )

        # No trace was left of the one's nights, three waiting runs of the other's.
        def past(deployment):
            return [run for run in prefect_api.runs(client, deployment) if run.expected_at <= datetime.now(UTC)]

        for caught_up in (retrain, select, network):
            wait_for(
                lambda each=caught_up: [run.state for run in past(each)] == ["COMPLETED"],
                150,
                f"the catch-up of {caught_up.name}",
            )
        assert nights.CATCH_UP in past(retrain)[0].tags
        done = ["COMPLETED", "CANCELLED", "CANCELLED"]
        wait_for(
            lambda: [run.state for run in past(monitor)] == done,
            200,  # it may have to be begun again
            "the catch-up of monitor/nightly",
            shown=lambda: f"{past(monitor)}\n{project.said()}\n{project.log('worker')}",
        )
        assert nights.catch_up(client, [retrain, monitor], datetime.now(UTC)) == {}
        assert [len(past(deployment)) for deployment in (retrain, monitor)] == [1, 3]
    # What looks every minute may have been killed as it looked; then it is well from its next look on.
    status = wait_for(project.healthy, 90, "all is well again", shown=lambda: project.status()[1]["checks"])
    assert {night["deployment"] for night in status["nights"]} == {
        "retrain/nightly",
        "select/nightly",
        "monitor/nightly",
        "network/nightly",
    }
    for title in ("a night did not run", "a run failed"):
        wait_for(lambda said=title: [m for m in inbox.messages if said in m["title"]], 60, title)
    assert len(set(inbox.keys)) == len(inbox.keys)
    assert "notices" in {check["name"] for check in status["checks"]}


def kill_worker_and_runs(project):
    """Both at once: a worker that outlives its run would report it."""
    servers = ("server", "uvicorn", "signer")
    doomed = [p for p in children.marked(project.state) if not any(name in " ".join(p.cmdline()) for name in servers)]
    assert len(doomed) >= 2
    for process in doomed:
        process.kill()
    psutil.wait_procs(doomed, timeout=5)


def kill_mlflow_alone(project):
    """As the kernel does for want of memory."""
    of_up = psutil.Process(project.process.pid).children()
    (mlflow,) = [process for process in of_up if "models.server.app:create_app" in process.cmdline()]
    mlflow.kill()


def be_away_for_days(database):
    """As if the machine had been off for days since: Prefect's own instants, moved back."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE deployment SET created = datetime(created, '-9 days')")
        waiting = "state_type = 'SCHEDULED' AND deployment_id = (SELECT id FROM deployment WHERE flow_id = (%s))"
        of = waiting % "SELECT id FROM flow WHERE name = '{}'"
        retrain = of.format("retrain").replace("WHERE flow_id", "WHERE name = 'nightly' AND flow_id")
        connection.execute(f"DELETE FROM flow_run WHERE {retrain}")
        back = "{0} = strftime('%Y-%m-%d %H:%M:%f', {0}, '-6 days')"
        moved = ", ".join(back.format(name) for name in ("expected_start_time", "next_scheduled_start_time"))
        assert connection.execute(f"UPDATE flow_run SET {moved} WHERE {of.format('monitor')}").rowcount == 3


def test_runs_that_fell_silent_are_marked_crashed_or_begun_again(project):
    with project.client() as client:
        # As a worker leaves a run that it took and could not start.
        path = f"/deployments/{project.deployment(client, 'monitor/nightly').id}/create_flow_run"
        later = {"scheduled_time": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
        asked = {"state": {"type": "SCHEDULED", "state_details": later}}
        never_begun = client.post(path, json=asked).raise_for_status().json()["id"]
        with project.client("tidewaiter") as worker:
            taken = {"state": {"type": "PENDING", "name": "Submitting"}, "force": True}
            worker.post(f"/flow_runs/{never_begun}/set_state", json=taken).raise_for_status()
        run = project.trigger(client, "retrain/adhoc", **LONG)
        project.wait_state(client, run, "Running")
        heartbeats = {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]}}}

        def has_heartbeat():
            events = client.post("/events/filter", json=heartbeats).raise_for_status().json()["events"]
            return any(run in event["resource"]["prefect.resource.id"] for event in events)

        wait_for(has_heartbeat, 40, "a heartbeat")
        kill_worker_and_runs(project)
        kill_mlflow_alone(project)
        state = project.wait_state(client, run, "Crashed", seconds=120)
        assert state["message"].startswith("No heartbeat for 40 s")
        assert "worker ended with code -9: starting it again" in project.said()

        def told():
            return f"run-failed/{run}" in project.tidewaiter("notices", "list").stdout

        wait_for(told, 90, "a message of the crashed run", shown=lambda: f"{project.said()}\n{project.log('notices')}")
        assert project.said().count("mlflow ended with code -9: starting it again") == 1
        health = f"http://127.0.0.1:{project.mlflow_port}/health"
        wait_for(lambda: prefect_api.answers(health), 60, "MLflow again", shown=lambda: project.log("mlflow"))
        project.wait_state(client, never_begun, "Completed", seconds=90)
        assert f"Run {never_begun} had not begun after 40 s: it is begun again." in project.said()
        automations = client.post("/automations/filter", json={}).json()
        assert "tidewaiter: mark silent runs as crashed" in {each["name"] for each in automations}


def test_control_c_leaves_nothing(project):
    with project.client() as client:
        run = project.trigger(client, "retrain/adhoc", **LONG)
        project.wait_state(client, run, "Running")
    os.kill(project.process.pid, signal.SIGINT)
    assert project.process.wait(60) == 0
    assert "Nothing is left running" in project.said()
    assert children.marked(project.state) == []
    assert project.status()[0] == 3
    with closing(sqlite3.connect(project.state / "prefect" / "prefect.db")) as connection:
        states = {state for (state,) in connection.execute("SELECT DISTINCT state_type FROM flow_run")}
    assert "RUNNING" not in states
