"""Every deployment's flow is found as a worker finds it: by its file, with the folder of the file before all others."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[4]
DEPLOYMENTS = yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]
LOADED = "import sys; from prefect.utilities.importtools import import_object; print(import_object(sys.argv[1]).name)"


@pytest.mark.parametrize("entrypoint", sorted({each["entrypoint"] for each in DEPLOYMENTS}))
def test_a_worker_finds_the_flow(entrypoint):
    command = [sys.executable, "-c", LOADED, entrypoint]
    found = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert found.stdout.splitlines()[-1:] == [entrypoint.rpartition(":")[2]], found.stderr
