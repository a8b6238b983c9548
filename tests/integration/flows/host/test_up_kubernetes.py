"""`tidewaiter up` as in the pod of deploy/kubernetes: everything in PostgreSQL, retrainings as jobs."""

import shutil
import signal

import kubernetes_validate
import pytest
import sqlalchemy as sa

from flows.servers import deploy
from tests.integration.flows.host.test_up import ROOT, Project, wait_for
from tests.support.kubernetes import cluster
from tests.support.postgres import database, postgres, postgres_uri

__all__ = ["postgres", "postgres_uri"]

pytestmark = pytest.mark.timeout(400)
IMAGE = "registry.customs.example/tidewaiter:1"


@pytest.fixture
def project(tmp_path):
    started = Project(tmp_path)
    yield started
    started.end()


@pytest.fixture
def kubernetes(tmp_path, monkeypatch):
    with cluster(tmp_path) as running:
        monkeypatch.setenv("KUBECONFIG", str(running.kubeconfig))
        yield running


@pytest.fixture
def prefect_uri(postgres):
    with database(postgres) as url:
        yield url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def test_small_runs_are_processes_and_retrainings_are_jobs(project, kubernetes, postgres_uri, prefect_uri):
    (project.folder / deploy.JOB_TEMPLATE).parent.mkdir(parents=True)
    shutil.copy(ROOT / deploy.JOB_TEMPLATE, project.folder / deploy.JOB_TEMPLATE)
    project.configure(
        mlflow_port=project.mlflow_port,
        prefect_port=project.prefect_port,
        mlflow_database_uri=postgres_uri,
        prefect_database_uri=prefect_uri,
        job_image=IMAGE,
    )
    project.start()
    code, status = project.status()
    assert (code, [check for check in status["checks"] if not check["is_ok"]]) == (0, [])
    assert "job-worker" in {check["name"] for check in status["checks"]}
    with project.client() as client:
        small = project.trigger(client, "monitor/nightly")
        project.wait_state(client, small, "Completed")
        assert kubernetes.jobs == []
        retraining = project.trigger(client, "retrain/adhoc")
        (job,) = wait_for(lambda: kubernetes.jobs, 60, "a job", lambda: project.log("job-worker"))
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    secrets = {each["name"]: each["valueFrom"] for each in container["env"] if "valueFrom" in each}
    in_secret = {"secretKeyRef": {"name": "tidewaiter-job", "key": "PREFECT_API_AUTH_STRING"}}
    assert secrets["PREFECT_API_AUTH_STRING"] == in_secret
    assert not any(project.service_password() in value for value in environment.values())
    assert (container["image"], environment["PREFECT__FLOW_RUN_ID"]) == (IMAGE, retraining)
    assert environment["PREFECT_API_URL"] == "http://tidewaiter:4200/api"
    assert not any("postgresql" in value for value in environment.values())  # databases are the servers' alone

    project.process.send_signal(signal.SIGTERM)
    assert project.process.wait(60) == 0
    # Decisions and the desk have a setting of their own for their database, which is not set here.
    assert {each.name for each in project.state.rglob("*.db")} == {"decisions.db"}
    with sa.create_engine(prefect_uri.replace("+asyncpg", "")).connect() as connection:
        states = dict(
            connection.execute(sa.text("SELECT CAST(id AS text), CAST(state_type AS text) FROM flow_run")).all()
        )
    assert states[small] == "COMPLETED"
    assert states[retraining] == "PENDING"  # a job goes on without `up`, so nobody says that it crashed
