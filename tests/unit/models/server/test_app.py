"""What the server is told; tests/integration and tests/attacks show that it serves."""

import os
import subprocess
import sys

import mlflow.environment_variables
import pytest
from mlflow.server import constants

from models.ledger.keys import Keys
from models.server.app import AppSettings, for_mlflow

URI, ROOT = "postgresql://db/mlflow", "s3://bucket/artifacts"


@pytest.fixture
def told(tmp_path):
    Keys(tmp_path / "signoff").make()
    settings = AppSettings(
        folder=tmp_path / "signoff",
        database_uri=URI,
        artifact_root=ROOT,
        data=tmp_path,
        networks=tmp_path,
        decisions_uri="sqlite://",
        desk=tmp_path / "desk",
    )
    return for_mlflow(settings)


def test_mlflow_is_told_before_it_is_imported():
    """It reads some of it when it is imported, such as by which names requests may come."""
    program = "import sys, models.server.app; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_name_is_one_that_mlflow_reads(told):
    """Those with an underscore are its own between its processes: another version of it may rename them."""
    known = {value for value in vars(constants).values() if isinstance(value, str)}
    known |= {each.name for each in vars(mlflow.environment_variables).values() if hasattr(each, "name")}
    assert set(told) <= known


def test_database_and_artifacts_are_those_of_the_settings(told):
    assert {name for name, value in told.items() if value == URI} == {
        constants.BACKEND_STORE_URI_ENV_VAR,
        constants.REGISTRY_STORE_URI_ENV_VAR,
    }
    assert {name for name, value in told.items() if value == ROOT} == {
        constants.ARTIFACT_ROOT_ENV_VAR,
        constants.ARTIFACTS_DESTINATION_ENV_VAR,
    }


def test_a_full_disk_leaves_no_lock_of_a_progress_bar_behind(told, monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ | told)
    assert not mlflow.environment_variables.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.get()
    assert not mlflow.environment_variables.MLFLOW_SERVER_ENABLE_JOB_EXECUTION.get()
    assert mlflow.environment_variables.MLFLOW_BASIC_AUTH_FAIL_CLOSED.get()
