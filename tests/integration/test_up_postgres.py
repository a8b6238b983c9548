"""`tidewaiter up` where MLflow and Prefect keep everything in PostgreSQL, as deploy/kubernetes does."""

import signal

import pytest
import sqlalchemy as sa

from flows import children
from tests.integration.test_up import Project
from tests.postgres import postgres, postgres_uri

__all__ = ["postgres", "postgres_uri"]

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]


@pytest.fixture
def project(tmp_path):
    started = Project(tmp_path)
    yield started
    if started.process is not None:
        started.process.kill()
        started.process.wait()
    children.end(children.marked(started.state))


def test_runs_and_schedules_are_in_the_database(project, postgres, postgres_uri):
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE prefect"))
    engine.dispose()
    prefect = postgres.set(drivername="postgresql+asyncpg", database="prefect")
    project.configure(
        mlflow_port=project.mlflow_port,
        prefect_port=project.prefect_port,
        mlflow_database_uri=postgres_uri,
        prefect_database_uri=prefect.render_as_string(hide_password=False),
    )
    project.start()
    assert project.status()[0] == 0
    with project.client() as client:
        run = project.trigger(client, "retrain/adhoc")
        project.wait_state(client, run, "Completed")
    project.process.send_signal(signal.SIGTERM)
    assert project.process.wait(60) == 0
    assert not list(project.state.rglob("*.db"))
    with sa.create_engine(postgres.set(database="prefect")).connect() as connection:
        state = connection.execute(sa.text("SELECT state_name FROM flow_run WHERE id = :id"), {"id": run}).scalar_one()
    assert state == "Completed"
