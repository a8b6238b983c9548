"""Retraining through its command where it must not come to a model."""

import pytest
from mlflow import MlflowClient

from tests.commands import prefect_server, start

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def prefect():
    with prefect_server() as url:
        yield url


def test_a_failed_gate_registers_nothing(tmp_path, prefect):
    process = start(tmp_path / "few", "retrain", "--rows", "12000", "--months", "6", prefect=prefect)
    out, _ = process.communicate()
    assert process.returncode == 4
    assert "Not registered: gates failed (test_rows" in out
    client = MlflowClient(f"sqlite:///{tmp_path / 'few' / '.tidewaiter' / 'mlflow.db'}")
    assert client.search_registered_models() == []


def test_a_file_that_is_no_declaration_file_ends_with_its_name(tmp_path, prefect):
    (tmp_path / "odd.csv").write_text("a;b\n1;2\n")
    process = start(tmp_path, "retrain", "--source", "kcs", "--input", "odd.csv", prefect=prefect)
    _, err = process.communicate()
    assert process.returncode == 1
    assert err.strip().splitlines()[-1].startswith("odd.csv")
